/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Windows that another process may end. They lie among their beginner's windows of no thread, and expire and are abandoned
 * as those are; what is added here is a table, for the kernel alone, of where each is: by the name of its region, as a
 * hash, and its tag. Who knows both may end it, so that is all a hostile client can do to others.
 *
 * Whoever claims an entry takes it out again; the window itself is won by a compare-and-swap on its state, as always.
 */
#ifndef TLOB_BPF_SHARED_KICK_H
#define TLOB_BPF_SHARED_KICK_H

#include <linux/errno.h>

#include "life.h"

/* Without timers of our own nothing fails when the agent has gone, but what it was asked for does not happen. */
static __always_inline bool is_overdue(struct tlob_arena_head *head)
{
	__u64 next = tlob_load(&head->next_wake_ns), now = bpf_ktime_get_ns();

	return !kernel_timers && next < now && now - next > TLOB_STALL_NS;
}

/* A window in @arena ends at @deadline_ns; a positive errno. */
static __always_inline int arm_arena(__u32 arena, __u64 deadline_ns)
{
	struct tlob_arena_head *head = head_of(arena);
	long err;

	if (!head)
		return ENOENT;
	if (is_overdue(head))
		return ETIMEDOUT;
	err = wake_at(arena, deadline_ns);
	return err < 0 ? (int)-err : 0;
}

struct tlob_shared_key {
	__u64 name;
	__u64 tag;
};

struct tlob_shared {
	__u64 serial; /* of this entry, even and never used again; odd once somebody is about to take it out */
	__u64 gen; /* of the window */
	__u32 arena;
	__u32 generation; /* of the arena */
	__u32 slot;
	__u32 index;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	/* as many as all arenas may have, so that nobody's are refused for somebody else's */
	__uint(max_entries, TLOB_BPF_ARENAS *TLOB_BPF_SHARED_EACH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tlob_shared_key);
	__type(value, struct tlob_shared);
} shared SEC(".maps");

__u64 shared_serial;

/* Verifiers before Linux 6.3 forget the bounds of an index that was on the stack; so it is bounded where it is used. */
static __always_inline struct tlob_window *window_of(struct tlob_slot *slot, __u32 index)
{
	barrier_var(index);
	return &slot->windows[index % TLOB_MAX_DEPTH];
}

static __always_inline __u32 generation_of(__u32 arena)
{
	barrier_var(arena);
	return tlob_load_acquire(&arena_generation[arena % TLOB_BPF_ARENAS]);
}

static __always_inline bool is_of_today(const struct tlob_shared *ref)
{
	return ref->arena && ref->arena < TLOB_BPF_ARENAS &&
	       generation_of(ref->arena) == ref->generation;
}

/* The window of @ref and its slot, if the arena is still that process's. */
static __noinline struct tlob_slot *shared_slot(const struct tlob_shared *ref)
{
	if (!is_of_today(ref) || ref->slot == 0 || ref->slot >= TLOB_ARENA_SLOTS)
		return NULL;
	return slot_at(ref->arena, ref->slot);
}

/* The entry, which lies in the map, is the caller's to take out. An element may be another key's by now; then it is not. */
static __always_inline bool claim_shared(struct tlob_shared *found, const struct tlob_shared *ref)
{
	return !(ref->serial & 1) &&
	       tlob_cmpxchg(&found->serial, ref->serial, ref->serial | 1) == ref->serial;
}

static __always_inline void forget_shared(const struct tlob_shared_key *key,
					  const struct tlob_shared *ref)
{
	struct tlob_keeper *keeper = keeper_of(ref->arena);

	bpf_map_delete_elem(&shared, key);
	if (keeper && is_of_today(ref))
		__sync_fetch_and_sub(&keeper->shared, 1);
}

/* Is there an entry whose window has ended otherwise, with its process for instance? Then it is not there any more. */
static __noinline bool drop_stale(const struct tlob_shared_key *key)
{
	struct tlob_shared *found = bpf_map_lookup_elem(&shared, key), ref;
	struct tlob_slot *slot;
	__u64 word = 0;
	__u32 index;

	if (!found)
		return true;
	ref = *found;
	index = ref.index;
	slot = shared_slot(&ref);
	if (slot && index < TLOB_MAX_DEPTH)
		word = tlob_load_acquire(&window_of(slot, index)->state);
	if (TLOB_WINDOW_STATE(word) != TLOB_IDLE && TLOB_WINDOW_GEN(word) == ref.gen)
		return false;
	if (!claim_shared(found, &ref))
		return false;
	forget_shared(key, &ref);
	return true;
}

static __always_inline long enter_shared(const struct tlob_shared_key *key, struct tlob_shared *ref)
{
	long err;

	ref->serial = 2 * __sync_fetch_and_add(&shared_serial, 1);
	err = MAP_ERROR(bpf_map_update_elem(&shared, key, ref, BPF_NOEXIST));
	if (err == -EEXIST && drop_stale(key))
		err = MAP_ERROR(bpf_map_update_elem(&shared, key, ref, BPF_NOEXIST));
	return err;
}

/* Nobody is told to look after it yet: out of the table again. 0: somebody has ended it meanwhile. */
static __noinline int take_back(const struct tlob_shared_key *key, struct tlob_window *w,
				const struct tlob_shared *ref, int err)
{
	struct tlob_shared *found;

	if (!tlob_window_take(w, ref->gen << 2 | TLOB_ARMED, TLOB_IDLE))
		return 0;
	found = bpf_map_lookup_elem(&shared, key);
	if (found && claim_shared(found, ref))
		forget_shared(key, ref);
	return err;
}

/*
 * Begin: the window is filled in, and not armed. Until it can be found it has no deadline, so that one which is refused has
 * not expired.
 */
static __always_inline int begin_shared(const struct tlob_kick *kick, struct tlob_keeper *keeper)
{
	struct tlob_shared_key key = {.name = kick->now_ns, .tag = kick->deadline_ns};
	struct tlob_shared ref = {.arena = kick->arena, .slot = kick->slot, .index = kick->window};
	struct tlob_arena_head *head = head_of(ref.arena);
	__u32 index = ref.index;
	struct tlob_slot *slot;
	struct tlob_window *w;
	__u64 deadline;
	long err;

	ref.generation = generation_of(ref.arena);
	slot = shared_slot(&ref);
	if (!slot || !head || index >= TLOB_MAX_DEPTH)
		return EINVAL;
	if (tlob_load(&head->closed))
		return ESHUTDOWN;
	if (__sync_fetch_and_add(&keeper->shared, 1) >= TLOB_BPF_SHARED_EACH) {
		__sync_fetch_and_sub(&keeper->shared, 1);
		return ENOSPC;
	}
	w = window_of(slot, index);
	deadline = tlob_load(&w->deadline_ns);
	tlob_store(&w->deadline_ns, TLOB_NEVER);
	ref.gen = tlob_window_arm(w);
	err = enter_shared(&key, &ref);
	if (err) {
		tlob_window_take(w, ref.gen << 2 | TLOB_ARMED, TLOB_IDLE);
		__sync_fetch_and_sub(&keeper->shared, 1);
		return err == -EEXIST ? EEXIST : ENOSPC;
	}
	(void)tlob_xchg(&w->deadline_ns,
			deadline); /* full barrier: before the next wake-up is read */
	if (!tlob_window_wants_kick(head, tlob_load(&w->start_ns), deadline))
		return 0;
	err = arm_arena(ref.arena, deadline);
	return err ? take_back(&key, w, &ref, (int)err) : 0;
}

/* One more in the statistics of whoever began it, which the agent keeps. */
static __always_inline void note_ended(const struct tlob_sight *sight,
				       const struct tlob_keeper *keeper,
				       const struct tlob_window *w, __u64 elapsed_ns, bool over)
{
	struct tlob_bpf_ended *n =
		has_room(sight->arena) ? bpf_ringbuf_reserve(&records, sizeof(*n), 0) : NULL;

	if (!n) {
		tlob_add(&records_dropped, 1);
		return;
	}
	n->client = keeper->client;
	n->region = tlob_load(&w->region);
	n->over = over;
	n->reserved = 0;
	n->elapsed_ns = elapsed_ns;
	bpf_ringbuf_submit(n, 0);
}

/* The window is ours; it was in state @was. */
static __noinline int close_shared(struct tlob_sight *sight, struct tlob_slot *slot, __u32 was)
{
	struct tlob_keeper *keeper = keeper_of(sight->arena);
	__u32 index = sight->index;
	__u64 start, deadline;
	struct tlob_window *w;
	bool over;

	if (index >= TLOB_MAX_DEPTH || !keeper)
		return ESRCH;
	w = window_of(slot, index);
	start = tlob_load(&w->start_ns);
	deadline = tlob_load(&w->deadline_ns);
	if (was == TLOB_CANCELLED)
		return ECANCELED;
	if (was == TLOB_EXPIRED && sight->now < deadline)
		sight->now = deadline;
	over = was == TLOB_EXPIRED || sight->now >= deadline;
	if (over) {
		if (was == TLOB_ARMED)
			sight->flags = TLOB_F_AT_STOP;
		emit_transit_end(sight, slot);
	}
	note_ended(sight, keeper, w, sight->now > start ? sight->now - start : 0, over);
	return over ? EOVERFLOW : 0;
}

/* Take the window of @ref. What it was; TLOB_IDLE: it has been ended otherwise. */
static __noinline __u32 win_shared(struct tlob_slot *slot, const struct tlob_shared *ref)
{
	__u32 index = ref->index;
	struct tlob_window *w;

	if (index >= TLOB_MAX_DEPTH)
		return TLOB_IDLE;
	w = window_of(slot, index);
	for (int i = 0; i < 3; i++) { /* it may expire or be cancelled in between */
		__u64 word = tlob_load_acquire(&w->state);

		if (TLOB_WINDOW_GEN(word) != ref->gen || TLOB_WINDOW_STATE(word) == TLOB_IDLE)
			return TLOB_IDLE;
		if (tlob_window_take(w, word, TLOB_IDLE))
			return TLOB_WINDOW_STATE(word);
	}
	return TLOB_IDLE;
}

/* The place is its beginner's again. As tlob_transit_release(). */
static __always_inline void give_back(struct tlob_slot *slot, __u32 index)
{
	struct tlob_transit *transit = (struct tlob_transit *)slot;

	if (index >= TLOB_MAX_DEPTH)
		return;
	barrier_var(index);
	index %= TLOB_MAX_DEPTH;
	tlob_store(&transit->key[index], 0);
	__sync_fetch_and_and(&transit->used, ~(1U << index));
}

/* It was over budget: whoever ends it tells its own callback. The window is still ours. */
static __always_inline void leave_ended(struct tlob_kick *kick, const struct tlob_sight *sight,
					struct tlob_slot *slot)
{
	struct tlob_keeper *keeper = keeper_of(sight->arena);
	__u32 index = sight->index;
	struct tlob_window *w;

	if (index >= TLOB_MAX_DEPTH || !keeper)
		return;
	w = window_of(slot, index);
	kick->op = TLOB_KICK_ENDED;
	kick->arena = tlob_load(&keeper->tgid);
	kick->slot = tlob_load(&w->switches);
	kick->window = sight->flags & TLOB_F_AT_STOP;
	kick->cookie = tlob_load(&w->start_ns);
	kick->now_ns = sight->now;
	kick->deadline_ns = tlob_load(&w->deadline_ns);
}

/* End, by any client. */
static __always_inline int end_shared(struct tlob_kick *kick)
{
	struct tlob_shared_key key = {.name = kick->now_ns, .tag = kick->deadline_ns};
	struct tlob_shared *found = bpf_map_lookup_elem(&shared, &key), ref;
	struct tlob_sight sight = {.now = bpf_ktime_get_ns()};
	struct tlob_slot *slot;
	int result = ESRCH;
	__u32 was;

	if (!found)
		return ESRCH;
	ref = *found;
	if (!claim_shared(found, &ref))
		return ESRCH;
	slot = shared_slot(&ref);
	was = slot ? win_shared(slot, &ref) : TLOB_IDLE;
	if (slot && was != TLOB_IDLE) {
		sight.arena = ref.arena;
		sight.slot = ref.slot;
		sight.index = ref.index;
		result = close_shared(&sight, slot, was);
		if (result == EOVERFLOW)
			leave_ended(kick, &sight, slot);
	}
	forget_shared(&key, &ref);
	if (slot && was != TLOB_IDLE)
		give_back(slot, ref.index);
	return result;
}

/* An arena has been closed: take out what was in it. */
static long purge_one(void *map, struct tlob_shared_key *key, struct tlob_shared *ref, void *ctx)
{
	(void)ctx;
	if (!is_of_today(ref))
		bpf_map_delete_elem(map, key);
	return 0;
}

static __always_inline void purge_shared(void)
{
	bpf_for_each_map_elem(&shared, purge_one, NULL, 0);
}

#endif
