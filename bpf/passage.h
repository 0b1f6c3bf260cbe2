/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Windows that begin at a probe in one thread and end at another probe in any: the same argument at both tells which
 * belong together. And chains, which are such windows over several regions that one tag passes through. The windows lie
 * in the last pieces of arena 0, where deadlines are looked after as everywhere; a hash finds them.
 *
 * Whoever wins the compare-and-swap on the window's state ends it, and then takes it out of the hash. Before it is in
 * there nobody else can.
 */
#ifndef TLOB_BPF_PASSAGE_H
#define TLOB_BPF_PASSAGE_H

#include <linux/errno.h>

#include <chain.h>

#include "probe.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TLOB_BPF_PASSAGES);
	__type(key, struct tlob_bpf_passage_key);
	__type(value, struct tlob_bpf_passage);
} passages SEC(".maps");

/* Processes whose end the agent is to be told of. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u32);
} beginners SEC(".maps");

/* ---- places */

#define SEARCHED 64 /* slots */

struct tlob_opening {
	__u32 first; /* of the slots */
	__u32 entry; /* found; 0: none */
	__u32 index;
	__u32 width; /* windows: 1, or 2 for a chain and its log */
};

static __noinline struct tlob_slot *passage_slot(__u32 entry)
{
	__u32 zero = 0;
	void *map = bpf_map_lookup_elem(&arenas, &zero);

	return map ? bpf_map_lookup_elem(map, &entry) : NULL;
}

/* @width free windows of @slot, side by side; TLOB_MAX_DEPTH if there are none. */
static __noinline __u32 claim_in(struct tlob_slot *slot, __u32 width)
{
	__u32 used = tlob_load(&slot->used), mask = (1U << width) - 1;

	for (__u32 index = 0; index < TLOB_MAX_DEPTH; index++) {
		if ((width > 1 && index & 1) || used & mask << index)
			continue;
		if (tlob_cmpxchg(&slot->used, used, used | mask << index) == used)
			return index;
		break; /* somebody is at it: the next slot will do */
	}
	return TLOB_MAX_DEPTH;
}

static long search_slot(__u32 i, struct tlob_opening *o)
{
	__u32 n = (o->first + i) % (TLOB_BPF_TRANSIT_PIECES * TLOB_BPF_SLOTS_PER_ARENA);
	struct tlob_slot *slot;
	__u32 index;

	o->entry = (probe_pieces + n / TLOB_BPF_SLOTS_PER_ARENA) * TLOB_ARENA_SLOTS + 1 +
		   n % TLOB_BPF_SLOTS_PER_ARENA;
	slot = passage_slot(o->entry);
	index = slot ? claim_in(slot, o->width) : TLOB_MAX_DEPTH;
	if (index < TLOB_MAX_DEPTH) {
		o->index = index;
		return 1;
	}
	o->entry = 0;
	return 0;
}

static __always_inline void give_passage(struct tlob_slot *slot, __u32 index, __u32 width)
{
	__sync_fetch_and_and(&slot->used, ~(((1U << width) - 1) << index));
}

/* ---- begin */

static __noinline void refuse_passage(__u32 binding)
{
	struct tlob_bpf_tally *tally = tally_of(binding);

	if (tally)
		tlob_add(&tally->refused, 1);
}

/* Fill in the window, arm it, and let it be found. A positive errno; then it is nobody's again. */
static __noinline __u64 arm_passage(struct tlob_window *w, const struct tlob_bpf_passage_key *key,
				    __u64 budget_ns)
{
	w->tag = key->tag;
	w->region = key->binding;
	w->switches = key->tgid;
	w->running_ns = bpf_get_current_pid_tgid();
	bpf_get_current_comm(&w->waiting_ns, TLOB_COMM_BYTES);
	w->start_ns = bpf_ktime_get_ns();
	w->deadline_ns = w->start_ns + budget_ns;
	return tlob_window_arm(w);
}

static __noinline void look_after(__u32 arena, struct tlob_window *w)
{
	struct tlob_arena_head *head = head_of(arena);

	if (head && tlob_window_wants_kick(head, w->start_ns, w->deadline_ns))
		want(arena, w->deadline_ns);
}

static __noinline int open_passage(struct tlob_slot *slot, const struct tlob_opening *o,
				   const struct tlob_bpf_passage_key *key, __u64 budget_ns)
{
	struct tlob_bpf_passage ref = {.entry = o->entry, .index = o->index};
	__u32 index = o->index;
	struct tlob_window *w;
	long err;

	if (index >= TLOB_MAX_DEPTH)
		return EINVAL;
	w = &slot->windows[index];
	ref.gen = arm_passage(w, key, budget_ns);
	err = MAP_ERROR(bpf_map_update_elem(&passages, key, &ref, BPF_NOEXIST));
	if (err) {
		tlob_window_take(w, ref.gen << 2 | TLOB_ARMED, TLOB_IDLE);
		give_passage(slot, index, o->width);
		return err == -EEXIST ? EEXIST : ENOSPC;
	}
	look_after(probe_arena_of(o->entry), w);
	return 0;
}

static __noinline void clear_log(struct tlob_slot *slot, __u32 index)
{
	struct tlob_chain_log *log;

	if (index >= TLOB_MAX_DEPTH - 1)
		return;
	log = (struct tlob_chain_log *)&slot->windows[index + 1];
	__builtin_memset(log->mark, 0, sizeof(log->mark));
}

static __noinline int begin_passage(const struct tlob_bpf_passage_key *key, __u64 budget_ns,
				    __u32 width)
{
	struct tlob_opening o = {.first = bpf_get_prandom_u32(), .width = width};
	struct tlob_slot *slot;

	bpf_loop(SEARCHED, search_slot, &o, 0);
	slot = o.entry ? passage_slot(o.entry) : NULL;
	if (!slot)
		return ENOSPC;
	if (width > 1)
		clear_log(slot, o.index);
	return open_passage(slot, &o, key, budget_ns);
}

/* ---- end */

/* Its closing record, and the other one if that is not out yet. */
static __noinline void tell_passage(struct tlob_slot *slot, const struct tlob_bpf_passage *ref,
				    __u64 now, __u32 flags)
{
	struct tlob_sight sight = {.arena = probe_arena_of(ref->entry),
				   .slot = ref->entry % TLOB_ARENA_SLOTS,
				   .index = ref->index,
				   .flags = (__u16)flags,
				   .now = now};

	emit_transit_end(&sight, slot);
}

/* The window is ours: tell how it ended, and count it. */
static __noinline void close_passage(struct tlob_slot *slot, const struct tlob_bpf_passage *ref,
				     __u32 was)
{
	__u64 now = bpf_ktime_get_ns();
	__u32 index = ref->index;
	struct tlob_bpf_tally *tally;
	struct tlob_window *w;

	if (index >= TLOB_MAX_DEPTH)
		return;
	w = &slot->windows[index];
	tally = tally_of(w->region);
	if (!tally)
		return;
	if (was == TLOB_EXPIRED && now < w->deadline_ns)
		now = w->deadline_ns;
	tally_add(tally, now - w->start_ns);
	if (was != TLOB_EXPIRED && now < w->deadline_ns)
		return;
	tlob_add(&tally->overruns, 1);
	tell_passage(slot, ref, now, was == TLOB_ARMED ? TLOB_F_AT_STOP : 0);
}

/* The same where no end will come. */
static __noinline void abandon_passage(struct tlob_slot *slot, const struct tlob_bpf_passage *ref,
				       __u32 was)
{
	struct tlob_bpf_tally *tally;
	__u32 index = ref->index;

	if (index >= TLOB_MAX_DEPTH)
		return;
	tally = tally_of(slot->windows[index].region);
	if (was == TLOB_EXPIRED)
		tell_passage(slot, ref, bpf_ktime_get_ns(), TLOB_F_ABANDONED);
	else if (tally)
		tlob_add(&tally->abandoned, 1);
}

/* Take the window of @ref from ARMED or EXPIRED. What it was; TLOB_IDLE: it is not there. */
static __noinline __u32 win_passage(struct tlob_slot *slot, const struct tlob_bpf_passage *ref,
				    const struct tlob_bpf_passage_key *key)
{
	__u32 index = ref->index;
	struct tlob_window *w;

	if (index >= TLOB_MAX_DEPTH)
		return TLOB_IDLE;
	w = &slot->windows[index];
	for (int i = 0; i < 2; i++) { /* it may expire in between */
		__u64 word = tlob_load_acquire(&w->state);

		if (TLOB_WINDOW_GEN(word) != ref->gen || TLOB_WINDOW_STATE(word) == TLOB_IDLE ||
		    w->tag != key->tag || w->region != key->binding || w->switches != key->tgid)
			return TLOB_IDLE;
		if (tlob_window_take(w, word, TLOB_IDLE))
			return TLOB_WINDOW_STATE(word);
	}
	return TLOB_IDLE;
}

/* A positive errno: there is none. */
static __noinline int end_passage(const struct tlob_bpf_passage_key *key, bool abandoned,
				  __u32 width)
{
	struct tlob_bpf_passage *found = bpf_map_lookup_elem(&passages, key), ref;
	struct tlob_slot *slot;
	__u32 was;

	if (!found)
		return ESRCH;
	ref = *found;
	slot = passage_slot(ref.entry);
	if (!slot)
		return ESRCH;
	was = win_passage(slot, &ref, key);
	if (was == TLOB_IDLE)
		return ESRCH;
	if (abandoned)
		abandon_passage(slot, &ref, was);
	else if (was != TLOB_CANCELLED)
		close_passage(slot, &ref, was);
	bpf_map_delete_elem(&passages, key);
	give_passage(slot, ref.index & (TLOB_MAX_DEPTH - 1), width);
	return 0;
}

/* ---- chains */

/* Stage mark @n of the chain of @key: now. */
static __noinline void mark_chain(const struct tlob_bpf_passage_key *key, __u32 n)
{
	struct tlob_bpf_passage *ref = bpf_map_lookup_elem(&passages, key);
	struct tlob_chain_log *log;
	struct tlob_slot *slot;
	__u32 index;
	__u64 now;

	if (!ref || n >= 2 * TLOB_MAX_STAGES)
		return;
	index = ref->index;
	slot = passage_slot(ref->entry);
	if (!slot || index >= TLOB_MAX_DEPTH - 1)
		return;
	log = (struct tlob_chain_log *)&slot->windows[index + 1];
	now = bpf_ktime_get_ns();
	tlob_store(&log->mark[n], tlob_mark_of(now - slot->windows[index].start_ns));
}

/* Begin; what is open with the same tag has missed its end: tags are used again, as addresses are. */
static __always_inline int begin_anew(const struct tlob_bpf_passage_key *key, __u64 budget_ns,
				      __u32 width)
{
	int err = begin_passage(key, budget_ns, width);

	if (err != EEXIST)
		return err;
	end_passage(key, true, width);
	return begin_passage(key, budget_ns, width);
}

static __always_inline struct tlob_bpf_binding *chain_of(const struct tlob_bpf_binding *b)
{
	__u32 chain = b->chain;

	return chain ? bpf_map_lookup_elem(&bindings, &chain) : NULL;
}

/* A stage has begun. */
static __noinline void chain_begins(struct tlob_bpf_passage_key *key,
				    const struct tlob_bpf_binding *b)
{
	struct tlob_bpf_binding *chain = chain_of(b);

	if (!chain)
		return;
	key->binding = b->chain;
	if (b->stage == 0 && begin_anew(key, chain->budget_ns, 2))
		refuse_passage(key->binding);
	else
		mark_chain(key, 2 * b->stage);
}

/* It has ended. */
static __noinline void chain_ends(struct tlob_bpf_passage_key *key,
				  const struct tlob_bpf_binding *b)
{
	struct tlob_bpf_binding *chain = chain_of(b);

	if (!chain)
		return;
	key->binding = b->chain;
	mark_chain(key, 2 * b->stage + 1);
	if (b->stage + 1 == chain->stages)
		end_passage(key, false, 2);
}

/* ---- probes */

static __noinline void remember_beginner(__u32 tgid)
{
	__u32 one = 1;

	if (!bpf_map_lookup_elem(&beginners, &tgid))
		bpf_map_update_elem(&beginners, &tgid, &one, BPF_ANY);
}

SEC("uprobe")
int passage_start(struct pt_regs *ctx)
{
	struct tlob_bpf_passage_key key = {.binding = (__u32)bpf_get_attach_cookie(ctx)};
	struct tlob_bpf_binding *b = bpf_map_lookup_elem(&bindings, &key.binding);
	struct task_struct *task = bpf_get_current_task_btf();

	if (!b || !(b->anyone || is_chosen(task)))
		return 0;
	key.tag = kernel_argument(ctx, b->argument[0]);
	key.tgid = b->anywhere ? 0 : task->tgid;
	remember_beginner(task->tgid);
	if (begin_anew(&key, b->budget_ns, 1))
		refuse_passage(key.binding);
	else
		chain_begins(&key, b);
	return 0;
}

SEC("uprobe")
int passage_stop(struct pt_regs *ctx)
{
	struct tlob_bpf_passage_key key = {.binding = (__u32)bpf_get_attach_cookie(ctx)};
	struct tlob_bpf_binding *b = bpf_map_lookup_elem(&bindings, &key.binding);
	struct task_struct *task = bpf_get_current_task_btf();
	struct tlob_bpf_tally *tally;

	if (!b)
		return 0;
	key.tag = kernel_argument(ctx, b->argument[1]);
	key.tgid = b->anywhere ? 0 : task->tgid;
	if (!end_passage(&key, false, 1)) {
		chain_ends(&key, b);
		return 0;
	}
	tally = is_chosen(task) ? tally_of(key.binding) : NULL;
	if (tally)
		tlob_add(&tally->unmatched, 1);
	return 0;
}

/* ---- processes that go; programs of their own, so that only those who have passages pay for them */

static __always_inline void leave_passages(struct task_struct *task)
{
	__u32 tgid = task->tgid;

	if (!bpf_map_delete_elem(&beginners, &tgid))
		note(TLOB_BPF_NOTE_GONE, tgid, 0, true);
}

SEC("tp_btf/sched_process_exit")
int passage_exit(__u64 *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	(void)ctx;
	if (kernel_is_leaving(task))
		leave_passages(task);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int passage_exec(__u64 *ctx)
{
	(void)ctx;
	leave_passages(bpf_get_current_task_btf());
	return 0;
}

#endif
