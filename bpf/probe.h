/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Windows on programs that know nothing of us: a probe starts them, another ends them. The slots are the
 * same, only in memory that no program sees. A probe must not touch a timer, so it asks the next
 * interrupt to do so.
 */
#ifndef TLOB_BPF_PROBE_H
#define TLOB_BPF_PROBE_H

#include "life.h"

const volatile __u32 tally_shards = 1; /* power of two */

struct tlob_inner_tally {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct tlob_bpf_tally));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, TLOB_BPF_BINDINGS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
	__array(values, struct tlob_inner_tally);
} tallies SEC(".maps");

/* Arenas that wait for an interrupt to set their timers. Not by CPU: any interrupt serves all of them. */
__u32 wanted[TLOB_BPF_WANTS];

/* ---- asking for a timer */

static __always_inline void want(__u32 arena, __u64 deadline_ns)
{
	if (!kernel_timers) {
		/* nothing to avoid: the agent is asked, from here as from anywhere */
		wake_by_agent(arena, deadline_ns);
		return;
	}
	for (int i = 0; i < TLOB_BPF_WANTS; i++) {
		__u32 was = tlob_cmpxchg(&wanted[i], 0, arena);

		if (was == 0 || was == arena) {
			raise_interrupt();
			return;
		}
	}
	tlob_add(&wants_lost, 1);
}

static __always_inline void serve_wanted(void)
{
	for (int i = 0; i < TLOB_BPF_WANTS; i++) {
		__u32 arena;

		if (!tlob_load(&wanted[i]))
			continue;
		arena = tlob_xchg(&wanted[i], 0);
		if (arena)
			serve(arena);
	}
}

/*
 * At the end of the interrupt: a kick that finds the interrupt already asked for raises none of its own, but
 * then the one that comes has not got here yet.
 */
SEC("tp_btf/irq_work_exit")
int irq_work_exit(__u64 *ctx)
{
	(void)ctx;
	serve_wanted();
	return 0;
}

/*
 * The kick ring is full if its reader has stood still for a while, and then raises nothing. The tick comes all the same. Outside the
 * timer base's lock, unlike softirq_raise.
 */
SEC("tp_btf/local_timer_exit")
int local_timer_exit(__u64 *ctx)
{
	(void)ctx;
	serve_wanted();
	return 0;
}

/* Where the tick has no tracepoint: local_timer_* are only on x86. */
SEC("tp_btf/softirq_exit")
int softirq_exit(__u64 *ctx)
{
	(void)ctx;
	serve_wanted();
	return 0;
}

/* ---- windows */

static __always_inline struct tlob_bpf_tally *tally_of(__u32 binding)
{
	void *map = bpf_map_lookup_elem(&tallies, &binding);
	__u32 shard = bpf_get_smp_processor_id() & (tally_shards - 1);

	return map ? bpf_map_lookup_elem(map, &shard) : NULL;
}

/* The current thread, with a slot of its own from its first window on; NULL if there is none left. */
static __noinline struct tlob_thread *settle(struct task_struct *task)
{
	struct tlob_thread *thread;
	struct tlob_bpf_owner *owner;
	struct tlob_slot *slot;
	__u32 entry;

	thread = bpf_task_storage_get(&threads, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!thread || thread->probe)
		return thread;
	entry = take_vacant();
	if (!entry)
		return NULL;
	owner = owner_of(probe_arena_of(entry), entry % TLOB_ARENA_SLOTS);
	if (!owner)
		return NULL;
	slot = slot_at(probe_arena_of(entry), entry % TLOB_ARENA_SLOTS);
	if (!slot)
		return NULL;
	take_slot(slot, owner);
	tlob_store(&thread->probe, entry);
	return thread;
}

/*
 * Starts that found no free window, by binding: as many stops of it are to come that end nothing. Kept in
 * words that other engines use; forgotten when the thread's last window ends.
 */
struct tlob_skip {
	__u32 binding;
	__u32 count;
};
#define SKIPS 4
#define skips_of(slot) ((struct tlob_skip *)&(slot)->sample_ns)

static __always_inline void skip_add(struct tlob_slot *slot, __u32 binding)
{
	struct tlob_skip *skip = skips_of(slot);

	for (int i = 0; i < SKIPS; i++) {
		if (skip[i].count == 0 || skip[i].binding == binding) {
			skip[i].binding = binding;
			skip[i].count++;
			return;
		}
	}
}

static __always_inline bool skip_take(struct tlob_slot *slot, __u32 binding)
{
	struct tlob_skip *skip = skips_of(slot);

	for (int i = 0; i < SKIPS; i++) {
		if (skip[i].count && skip[i].binding == binding) {
			skip[i].count--;
			return true;
		}
	}
	return false;
}

static __always_inline void skip_clear(struct tlob_slot *slot)
{
	struct tlob_skip *skip = skips_of(slot);

	for (int i = 0; i < SKIPS; i++)
		skip[i].count = 0;
}

/*
 * A start may never see its stop: an exception, longjmp() or an early exit leaves its frame another way. So a window
 * remembers the user's stack pointer, where nobody needs a tag. When the thread is seen in a frame above that of a
 * function's window, that frame is gone; the kernel forgets its return probes by the same rule, and like them this
 * takes a stack at a higher address for an outer frame.
 */
#define frame_of(w) ((w)->tag)
#define FRAME_FUNCTION 1ULL /* stack pointers are even */

/* End a window that has no stop to come. */
__noinline int forget(struct tlob_thread *thread, struct tlob_slot *slot, __u32 index)
{
	struct tlob_sight sight = {
		.index = index, .flags = TLOB_F_ABANDONED, .now = bpf_ktime_get_ns()};
	struct tlob_bpf_tally *tally;
	struct tlob_window *w;
	__u64 state;

	if (!thread || !slot || index >= TLOB_MAX_DEPTH)
		return 0;
	w = &slot->windows[index];
	sight.slot = thread->probe % TLOB_ARENA_SLOTS;
	sight.arena = probe_arena_of(thread->probe);
	state = tlob_load(&w->state);
	if (TLOB_WINDOW_STATE(state) == TLOB_ARMED && tlob_window_take(w, state, TLOB_IDLE)) {
		tally = tally_of(w->region); /* a note would wake the agent each time */
		if (tally)
			tlob_add(&tally->abandoned, 1);
	} else {
		abandon_window(&sight, slot);
	}
	tlob_store(&slot->used, slot->used & ~(1u << index));
	return 0;
}

/*
 * The thread is in the frame of @sp: forget what is below it, and windows of @binding of this very frame. Of windows
 * between two addresses, which may well end further up than they began, only when there is no room for more.
 */
static __noinline void forget_below(struct tlob_thread *thread, struct tlob_slot *slot, __u64 sp,
				    __u32 binding)
{
	__u32 used = slot->used;
	__u64 any = used == (1u << TLOB_MAX_DEPTH) - 1 ? FRAME_FUNCTION : 0;

	for (__u32 index = 0; index < TLOB_MAX_DEPTH; index++) {
		__u64 frame = frame_of(&slot->windows[index]) | any;

		if (!(used >> index & 1))
			continue;
		if ((frame & FRAME_FUNCTION && frame < sp) ||
		    ((frame & ~FRAME_FUNCTION) == sp && slot->windows[index].region == binding))
			forget(thread, slot, index);
	}
}

/* A start under way. */
struct tlob_start {
	__u64 budget_ns;
	__u64 frame;
	__u32 binding;
};

/* The time, and the thread's clocks at that time. */
static __noinline void begin_window(struct tlob_window *w, struct tlob_clock *c)
{
	struct tlob_split split = {};
	__u64 now = bpf_ktime_get_ns();

	read_clock(c, now, &split);
	w->start_ns = now;
	w->switches = split.switches;
	w->running_ns = split.running_ns;
	w->waiting_ns = split.waiting_ns;
	w->sleeping_ns = split.sleeping_ns;
}

static __noinline void open_window(struct tlob_slot *slot, __u32 entry, __u32 index,
				   const struct tlob_start *start)
{
	struct tlob_arena_head *head = head_of(probe_arena_of(entry));
	struct tlob_window *w;

	if (!head || index >= TLOB_MAX_DEPTH)
		return;
	w = &slot->windows[index];
	begin_window(w, &slot->clock);
	w->deadline_ns = w->start_ns + start->budget_ns;
	frame_of(w) = start->frame;
	w->region = start->binding;
	tlob_store(&slot->used, slot->used | 1u << index);
	tlob_window_arm(w);
	if (tlob_window_wants_kick(head, w->start_ns, w->deadline_ns))
		want(probe_arena_of(entry), w->deadline_ns);
}

/* False: all windows are taken. */
static __always_inline bool start_window(struct tlob_thread *thread, struct tlob_slot *slot,
					 const struct tlob_start *start)
{
	__u32 used = slot->used;

	if (used) {
		forget_below(thread, slot, start->frame & ~FRAME_FUNCTION, start->binding);
		used = slot->used;
	}
	for (__u32 index = 0; index < TLOB_MAX_DEPTH; index++) {
		if (used >> index & 1)
			continue;
		open_window(slot, thread->probe, index, start);
		return true;
	}
	return false;
}

SEC("uprobe")
int probe_start(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct tlob_start start = {.binding = (__u32)bpf_get_attach_cookie(ctx),
				   .frame = PT_REGS_SP(ctx)};
	struct tlob_bpf_binding *b = bpf_map_lookup_elem(&bindings, &start.binding);
	struct tlob_bpf_tally *tally;
	struct tlob_thread *thread;
	struct tlob_slot *slot = NULL;

	if (!b || !(b->anyone || is_chosen(task)))
		return 0;
	start.budget_ns = b->budget_ns;
	if (b->form != TLOB_BPF_PAIR)
		start.frame |= FRAME_FUNCTION;
	thread = settle(task);
	if (thread)
		slot = probe_slot(thread);
	if (slot && start_window(thread, slot, &start))
		return 0;
	if (slot && b->form == TLOB_BPF_PAIR)
		skip_add(slot, start.binding);
	tally = tally_of(start.binding);
	if (tally)
		tlob_add(&tally->refused, 1);
	return 0;
}

/* The latest open window of @binding; TLOB_MAX_DEPTH if there is none. */
static __always_inline __u32 latest_of(struct tlob_slot *slot, __u32 binding)
{
	__u32 used = slot->used, found = TLOB_MAX_DEPTH;
	__u64 latest = 0;

	for (__u32 index = 0; index < TLOB_MAX_DEPTH; index++) {
		struct tlob_window *w = &slot->windows[index];

		if ((used >> index & 1) && w->region == binding && w->start_ns > latest) {
			latest = w->start_ns;
			found = index;
		}
	}
	return found;
}

#if defined(__TARGET_ARCH_x86)
#define RETURN_POPS 4 /* at least: the return address, of 32 or 64 bits */
#else
#define RETURN_POPS 0
#endif

/* The open window of @binding of the frame that is left at @sp; TLOB_MAX_DEPTH if there is none. */
static __always_inline __u32 frame_left(struct tlob_slot *slot, __u32 binding, __u64 sp)
{
	__u32 used = slot->used, found = TLOB_MAX_DEPTH;
	__u64 highest = 0;

	for (__u32 index = 0; index < TLOB_MAX_DEPTH; index++) {
		struct tlob_window *w = &slot->windows[index];
		__u64 frame = frame_of(w) & ~FRAME_FUNCTION;

		if ((used >> index & 1) && w->region == binding && frame <= sp &&
		    frame >= highest) {
			highest = frame;
			found = index;
		}
	}
	return found;
}

static __always_inline void tally_add(struct tlob_bpf_tally *tally, __u64 ns)
{
	__u32 index = tlob_hist_index(ns);
	__u64 max = tlob_load(&tally->hist.max_ns);

	if (index < TLOB_HIST_BUCKETS)
		tlob_add(&tally->hist.count[index], 1);
	for (int i = 0; i < 4 && ns > max; i++) {
		__u64 was = tlob_cmpxchg(&tally->hist.max_ns, max, ns);

		if (was == max)
			break;
		max = was;
	}
}

__noinline int close_window(struct tlob_thread *thread, struct tlob_slot *slot, __u32 index,
			    struct tlob_bpf_tally *tally)
{
	struct tlob_sight sight = {.index = index};
	struct tlob_window *w;
	__u32 was;

	if (!thread || !slot || !tally || index >= TLOB_MAX_DEPTH)
		return 0;
	w = &slot->windows[index];
	sight.slot = thread->probe % TLOB_ARENA_SLOTS;
	sight.arena = probe_arena_of(thread->probe);
	sight.now = bpf_ktime_get_ns();
	was = tlob_window_end(w, TLOB_WINDOW_GEN(tlob_load(&w->state)));
	tlob_store(&slot->used, slot->used & ~(1u << index));
	if (!slot->used)
		skip_clear(slot);
	if (was == TLOB_EXPIRED) {
		/* on another CPU: after the time was read here, or by a clock a little ahead */
		sight.now = bpf_ktime_get_ns();
		if (sight.now < w->deadline_ns)
			sight.now = w->deadline_ns;
		emit_own(&sight, slot, TLOB_REC_CLOSE);
		tlob_add(&tally->overruns, 1);
	} else if (was == TLOB_ARMED && sight.now >= w->deadline_ns) {
		sight.flags = TLOB_F_AT_STOP;
		emit_own(&sight, slot, TLOB_REC_OVERRUN);
		tlob_add(&tally->overruns, 1);
	}
	tally_add(tally, sight.now - w->start_ns);
	return 0;
}

/* What stops here; windows below it are ended as well. */
static __always_inline __u32 find_stopped(struct tlob_thread *thread, struct tlob_slot *slot,
					  __u32 binding, __u32 form, __u64 sp)
{
	__u32 index, used = slot->used;

	if (form == TLOB_BPF_PAIR)
		return latest_of(slot, binding);
	if (form == TLOB_BPF_RETURN)
		sp -= RETURN_POPS;
	index = frame_left(slot, binding, sp);
	if (index < TLOB_MAX_DEPTH && used & (used - 1))
		forget_below(thread, slot, frame_of(&slot->windows[index]) & ~FRAME_FUNCTION, 0);
	return index;
}

SEC("uprobe")
int probe_stop(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct tlob_thread *thread = bpf_task_storage_get(&threads, task, NULL, 0);
	__u32 binding = (__u32)bpf_get_attach_cookie(ctx), index;
	struct tlob_bpf_binding *b = bpf_map_lookup_elem(&bindings, &binding);
	struct tlob_bpf_tally *tally = tally_of(binding);
	struct tlob_slot *slot = NULL;

	if (!tally || !b)
		return 0;
	if (thread)
		slot = probe_slot(thread);
	if (!slot) {
		if (is_chosen(task))
			tlob_add(&tally->unmatched, 1);
		return 0;
	}
	if (b->form == TLOB_BPF_PAIR && skip_take(slot, binding))
		return 0;
	index = find_stopped(thread, slot, binding, b->form, PT_REGS_SP(ctx));
	if (index < TLOB_MAX_DEPTH)
		close_window(thread, slot, index, tally);
	else
		tlob_add(&tally->unmatched, 1);
	return 0;
}

#endif
