/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Deadlines. Each arena has one timer, set for the earliest deadline that somebody told or that was seen open
 * when it last fired. Its callback runs in a softirq; the hard interrupt that raises this softirq is a
 * few microseconds earlier, and there we look first.
 */
#ifndef TLOB_BPF_EXPIRY_H
#define TLOB_BPF_EXPIRY_H

#include <linux/errno.h>

#include "transit.h"

/*
 * Real-time kernels do not let programs have timers. There the agent keeps the time: it is asked for a wake-up
 * through a ring of its own, and its timer, whose interrupt is seen all the same, stands for ours.
 */
const volatile bool kernel_timers = true;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
} wakeups SEC(".maps");

#define UNBOUNDED_RETRY_NS 1000000ULL
#define DUE_ENTRIES 8

struct tlob_alarm {
	struct bpf_timer timer;
};

/* By arena, as keepers; a map of its own, because programs on probes may not see a timer. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TLOB_BPF_ARENAS); /* set by the loader */
	__type(key, __u32);
	__type(value, struct tlob_alarm);
} alarms SEC(".maps");

/* TIMER_ABSOLUTE and TIMER_PINNED where the kernel knows them; see timer_probe(). */
__u64 timer_flags;

struct tlob_due {
	__u64 deadline_ns;
	__u32 arena; /* 0: unused */
	__u32 reserved;
};

/* Which timers of this CPU go off when: a hint. What is missing here is found by its timer's callback. */
struct tlob_due_table {
	struct tlob_due entry[DUE_ENTRIES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tlob_due_table);
} due SEC(".maps");

__u64 expired_early; /* windows found expired in hard interrupt */
__u64 expired_late; /* in the timer's callback */

struct tlob_scan {
	__u32 arena;
	bool early;
	__u64 now;
	__u64 next; /* earliest deadline still open */
};

static __always_inline struct tlob_alarm *alarm_of(__u32 arena)
{
	return bpf_map_lookup_elem(&alarms, &arena);
}

static __always_inline bool thread_bounded(struct tlob_slot *slot)
{
	return tlob_model_bounded(tlob_load(&slot->clock.state));
}

/*
 * Is the thread that registered @slot there, and still in it? A preemptible kernel passes over a program when the same
 * one is under way on that CPU, so a thread may have gone unnoticed.
 */
static __noinline bool has_owner(__u32 arena, __u32 number)
{
	struct tlob_bpf_owner *owner = owner_of(arena, number);
	struct tlob_thread *thread;
	struct task_struct *task;
	bool here = false;

	if (!owner || !owner->tid)
		return false;
	if (!kernel_task_from_pid)
		return true;
	task = bpf_task_from_pid(owner->tid);
	if (!task)
		return false;
	thread = bpf_task_storage_get(&threads, task, NULL, 0);
	if (thread && arena < TLOB_BPF_ARENAS)
		here = thread->arena == arena && thread->slot == number;
	else if (thread)
		here = thread->probe == entry_of(arena, number);
	bpf_task_release(task);
	return here;
}

static __noinline void release_orphan(struct tlob_slot *slot, __u32 arena, __u32 number)
{
	struct tlob_bpf_owner *owner = owner_of(arena, number);
	struct tlob_keeper *keeper = keeper_of(arena);
	__u32 used = tlob_load(&slot->used), entry = entry_of(arena, number);

	if (!owner || !keeper || !owner->tid)
		return;
	for (__u32 index = 0; index < TLOB_MAX_DEPTH; index++) {
		struct tlob_window *w = &slot->windows[index];
		__u64 state = tlob_load(&w->state);

		if ((used >> index & 1) && TLOB_WINDOW_STATE(state) == TLOB_ARMED &&
		    tlob_window_take(w, state, TLOB_IDLE))
			note(TLOB_BPF_NOTE_ABANDONED, keeper->client, tlob_load(&w->region),
			     arena >= TLOB_BPF_ARENAS);
	}
	tlob_store(&slot->used, 0);
	if (tlob_xchg(&owner->tid, 0) && arena >= TLOB_BPF_ARENAS)
		give_vacant(entry);
}

__noinline int scan_window(struct tlob_scan *scan, struct tlob_slot *slot, __u32 number,
			   __u32 index)
{
	struct tlob_sight sight = {.slot = number, .index = index};
	struct tlob_window copy;

	if (!scan || !slot || index >= TLOB_MAX_DEPTH)
		return 0;
	tlob_window_copy(&slot->windows[index], &copy);
	if (TLOB_WINDOW_STATE(copy.state) != TLOB_ARMED)
		return 0;
	if (copy.deadline_ns > scan->now) {
		if (copy.deadline_ns < scan->next)
			scan->next = copy.deadline_ns;
		return 0;
	}
	if (is_transit(scan->arena)) {
		sight.arena = scan->arena;
		sight.now = scan->now;
		if (expire_transit(&sight, slot, &copy))
			tlob_add(scan->early ? &expired_early : &expired_late, 1);
		return 0;
	}
	if (!thread_bounded(slot)) {
		if (scan->now + UNBOUNDED_RETRY_NS < scan->next)
			scan->next = scan->now + UNBOUNDED_RETRY_NS;
		return 0;
	}
	if (!has_owner(scan->arena, number)) {
		release_orphan(slot, scan->arena, number);
		return 0;
	}
	sight.arena = scan->arena;
	sight.now = scan->now;
	if (emit_expiry(&sight, slot, &copy))
		tlob_add(scan->early ? &expired_early : &expired_late, 1);
	return 0;
}

static long scan_slot(__u32 i, struct tlob_scan *scan)
{
	struct tlob_slot *slot = slot_at(scan->arena, i + 1);
	__u32 used;

	if (!slot)
		return 1;
	used = tlob_load(&slot->used);
	for (__u32 index = 0; index < TLOB_MAX_DEPTH; index++)
		if (used >> index & 1)
			scan_window(scan, slot, i + 1, index);
	return 0;
}

/* Expire what is over in @arena. Returns the earliest deadline still open, or TLOB_NEVER. */
__noinline __u64 scan_arena(__u32 arena, __u64 now, bool early)
{
	struct tlob_scan scan = {.arena = arena, .early = early, .now = now, .next = TLOB_NEVER};

	bpf_loop(TLOB_BPF_SLOTS_PER_ARENA, scan_slot, &scan, 0);
	return scan.next;
}

static __always_inline void remember_due(__u32 arena, __u64 deadline_ns)
{
	__u32 zero = 0;
	struct tlob_due_table *table = bpf_map_lookup_elem(&due, &zero);
	struct tlob_due *entry;

	if (!table)
		return;
	entry = &table->entry[arena % DUE_ENTRIES];
	tlob_store(&entry->deadline_ns, TLOB_NEVER);
	tlob_store(&entry->arena, arena);
	tlob_store(&entry->deadline_ns, deadline_ns);
}

static __always_inline long ask_agent(__u32 arena, __u64 deadline_ns)
{
	struct tlob_bpf_wakeup *w = bpf_ringbuf_reserve(&wakeups, sizeof(*w), 0);

	if (!w)
		return -EAGAIN;
	w->arena = arena;
	w->reserved = 0;
	w->deadline_ns = deadline_ns;
	bpf_ringbuf_submit(w, BPF_RB_FORCE_WAKEUP);
	return 0;
}

static __always_inline long start_timer(__u32 arena, __u64 deadline_ns)
{
	struct tlob_alarm *alarm = alarm_of(arena);
	__u64 when = deadline_ns;

	if (!alarm)
		return -ENOENT;
	if (!timer_flags) {
		__u64 now = bpf_ktime_get_ns();

		when = deadline_ns > now ? deadline_ns - now : 0;
	}
	remember_due(arena, deadline_ns);
	return bpf_timer_start(&alarm->timer, when, timer_flags);
}

#define LOWER_ATTEMPTS 8

/*
 * See to it that the arena is served at @deadline_ns at the latest. Whoever lowers next_wake_ns then sets the timer, to
 * what next_wake_ns is by then, and looks again: the last to set it sets it to the lowest. A wake-up that lies in the
 * past may be one that could not be set, and is set again. The head may be scribbled over, which delays that process's own
 * expiries and costs a bounded time.
 */
static __always_inline long lower_wake(__u32 arena, __u64 deadline_ns, bool timers)
{
	struct tlob_arena_head *head = head_of(arena);
	long err = 0;
	__u64 next;
	int i;

	if (!head)
		return -ENOENT;
	next = tlob_wake_lower(head, deadline_ns);
	if (next < deadline_ns && next > bpf_ktime_get_ns())
		return 0;
	for (i = 0; i < LOWER_ATTEMPTS; i++) {
		__u64 lower;

		err = timers ? start_timer(arena, next) : ask_agent(arena, next);
		lower = tlob_load(&head->next_wake_ns);
		if (err || lower >= next)
			break;
		next = lower;
	}
	return err;
}

/* For programs that may not even name a map with timers in it. */
__noinline long wake_by_agent(__u32 arena, __u64 deadline_ns)
{
	return lower_wake(arena, deadline_ns, false);
}

__noinline long wake_at(__u32 arena, __u64 deadline_ns)
{
	if (!kernel_timers)
		return wake_by_agent(arena, deadline_ns);
	return lower_wake(arena, deadline_ns, true);
}

/*
 * Threads that start a window from here on find TLOB_NEVER and kick; those that started before are scanned. Returns the
 * earliest deadline still open, or TLOB_NEVER.
 */
__noinline __u64 serve(__u32 arena)
{
	struct tlob_arena_head *head = head_of(arena);
	__u64 next;

	if (!head)
		return TLOB_NEVER;
	tlob_xchg(&head->next_wake_ns, TLOB_NEVER);
	next = scan_arena(arena, bpf_ktime_get_ns(), false);
	if (next != TLOB_NEVER)
		wake_at(arena, next);
	return next;
}

static int timer_fired(void *map, __u32 *arena, struct tlob_alarm *alarm)
{
	(void)map;
	(void)alarm;
	serve(*arena);
	return 0;
}

/* In hard interrupt, the timer base locked: nothing here may touch a timer. */
static __always_inline void look_early(void)
{
	__u32 zero = 0;
	struct tlob_due_table *table = bpf_map_lookup_elem(&due, &zero);
	__u64 now;

	if (!table)
		return;
	now = bpf_ktime_get_ns();
	for (int i = 0; i < DUE_ENTRIES; i++) {
		struct tlob_due *entry = &table->entry[i];
		__u32 arena = tlob_load(&entry->arena);

		if (arena && tlob_load(&entry->deadline_ns) <= now) {
			tlob_store(&entry->arena, 0);
			scan_arena(arena, now, true);
		}
	}
}

SEC("tp_btf/softirq_raise")
int softirq_raise(__u64 *ctx)
{
	if ((__u32)ctx[0] == HRTIMER_SOFTIRQ)
		look_early();
	return 0;
}

/*
 * Before Linux 6.5 a softirq may be left to ksoftirqd, which a real-time thread keeps from running; until it has run, no interrupt
 * comes for its timers. The tick comes all the same. Only on x86.
 */
SEC("tp_btf/local_timer_entry")
int local_timer_entry(__u64 *ctx)
{
	(void)ctx;
	if (stacks_on)
		tick_stacks();
	look_early();
	return 0;
}

#endif
