/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Deadlines. Each arena has one timer, set for the earliest deadline that somebody told or that was seen open
 * when it last fired. Its callback runs in a softirq; the hard interrupt that raises this softirq is a
 * few microseconds earlier, and there we look first.
 */
#ifndef TLOB_BPF_EXPIRY_H
#define TLOB_BPF_EXPIRY_H

#include "emit.h"

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

__noinline int scan_window(struct tlob_scan *scan, struct tlob_slot *slot, __u32 number,
			   __u32 index)
{
	struct tlob_sight sight = {.slot = number, .index = index};
	struct tlob_window *w;

	if (!scan || !slot || index >= TLOB_MAX_DEPTH)
		return 0;
	w = &slot->windows[index];
	sight_copy(&sight, w);
	if (TLOB_WINDOW_STATE(sight.window.state) != TLOB_ARMED)
		return 0;
	if (sight.window.deadline_ns > scan->now) {
		if (sight.window.deadline_ns < scan->next)
			scan->next = sight.window.deadline_ns;
		return 0;
	}
	if (!thread_bounded(slot)) {
		if (scan->now + UNBOUNDED_RETRY_NS < scan->next)
			scan->next = scan->now + UNBOUNDED_RETRY_NS;
		return 0;
	}
	if (!tlob_window_take(w, sight.window.state, TLOB_EXPIRED))
		return 0;
	tlob_add(scan->early ? &expired_early : &expired_late, 1);
	sight.arena = scan->arena;
	sight.now = scan->now;
	return emit_other(&sight, slot, TLOB_REC_OVERRUN);
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
static __noinline __u64 scan_arena(__u32 arena, __u64 now, bool early)
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

static __always_inline long start_timer(__u32 arena, struct tlob_alarm *alarm, __u64 deadline_ns)
{
	__u64 when = deadline_ns;

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
 * what next_wake_ns is by then, and looks again: the last to set it sets it to the lowest. @head may be
 * scribbled over, which delays that process's own expiries and costs a bounded time.
 */
static __noinline long wake_at(__u32 arena, struct tlob_arena_head *head, struct tlob_alarm *alarm,
			       __u64 deadline_ns)
{
	__u64 next = 0;
	long err = 0;
	int i;

	for (i = 0; i < LOWER_ATTEMPTS; i++) {
		next = tlob_load(&head->next_wake_ns);
		if (next <= deadline_ns)
			return 0;
		if (tlob_cmpxchg(&head->next_wake_ns, next, deadline_ns) == next)
			break;
	}
	next = deadline_ns;
	for (i = 0; i < LOWER_ATTEMPTS; i++) {
		__u64 lower;

		err = start_timer(arena, alarm, next);
		lower = tlob_load(&head->next_wake_ns);
		if (err || lower >= next)
			break;
		next = lower;
	}
	return err;
}

/* Threads that start a window from here on find TLOB_NEVER and kick; those that started before are scanned. */
static __always_inline void serve(__u32 arena, struct tlob_alarm *alarm)
{
	struct tlob_arena_head *head = head_of(arena);
	__u64 next;

	if (!head)
		return;
	tlob_xchg(&head->next_wake_ns, TLOB_NEVER);
	next = scan_arena(arena, bpf_ktime_get_ns(), false);
	if (next != TLOB_NEVER)
		wake_at(arena, head, alarm, next);
}

static int timer_fired(void *map, __u32 *arena, struct tlob_alarm *alarm)
{
	(void)map;
	serve(*arena, alarm);
	return 0;
}

/* In hard interrupt, the timer base locked: nothing here may touch a timer. */
SEC("tp_btf/softirq_raise")
int softirq_raise(__u64 *ctx)
{
	struct tlob_due_table *table;
	__u32 zero = 0;
	__u64 now;

	if ((__u32)ctx[0] != HRTIMER_SOFTIRQ)
		return 0;
	table = bpf_map_lookup_elem(&due, &zero);
	if (!table)
		return 0;
	now = bpf_ktime_get_ns();
	for (int i = 0; i < DUE_ENTRIES; i++) {
		struct tlob_due *entry = &table->entry[i];
		__u32 arena = tlob_load(&entry->arena);

		if (arena && tlob_load(&entry->deadline_ns) <= now) {
			tlob_store(&entry->arena, 0);
			scan_arena(arena, now, true);
		}
	}
	return 0;
}

#endif
