/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Windows of no thread: their records, and their expiry. They lie in arenas of their own, which hold nothing else, and
 * remember in place of a thread clock who began them.
 */
#ifndef TLOB_BPF_TRANSIT_H
#define TLOB_BPF_TRANSIT_H

#include "chain.h"
#include "emit.h"
#include "transit_table.h"

static __always_inline bool is_transit(__u32 arena)
{
	struct tlob_keeper *keeper = keeper_of(arena);

	return keeper && keeper->transit;
}

/* The entry in the table of slots of the thread that began @w: what the library says, which may be anything. */
static __noinline void describe_beginner(const struct tlob_sight *sight, struct tlob_keeper *keeper,
					 struct tlob_window *w, struct tlob_record *r)
{
	__u64 entry = tlob_load(&w->running_ns); /* of a passage: what the kernel says */
	__u32 arena = (__u32)entry / TLOB_ARENA_SLOTS, number = (__u32)entry % TLOB_ARENA_SLOTS;
	struct tlob_bpf_owner *owner;
	struct tlob_slot *slot;

	if (sight->arena >= TLOB_BPF_ARENAS) {
		r->tgid = entry >> 32;
		r->tid = (__u32)entry;
		__builtin_memcpy(r->comm, &w->waiting_ns, sizeof(r->comm));
		return;
	}
	r->tgid = keeper->tgid;
	r->tid = 0;
	__builtin_memset(r->comm, 0, sizeof(r->comm));
	if (arena == 0 || arena >= TLOB_BPF_ARENAS || number == 0)
		return;
	owner = owner_of(arena, number);
	slot = slot_at(arena, number);
	if (!owner || !slot || owner->tgid != keeper->tgid)
		return;
	r->tid = owner->tid;
	__builtin_memcpy(r->comm, slot->reserved, sizeof(r->comm));
}

static __noinline void fill_transit(const struct tlob_sight *sight, struct tlob_keeper *keeper,
				    struct tlob_window *w, struct tlob_record *r)
{
	__u64 start = tlob_load(&w->start_ns), elapsed = 0;

	if (start < sight->now)
		elapsed = sight->now - start;
	r->flags = sight->flags | TLOB_F_TRANSIT;
	if (sight->arena >= TLOB_BPF_ARENAS)
		r->flags |= TLOB_F_PROBE;
	r->region = tlob_load(&w->region);
	r->client = keeper->client;
	r->cpu = 0;
	r->end_tgid = 0;
	r->end_tid = 0;
	r->time_ns = sight->now;
	r->start_ns = sight->now - elapsed;
	r->budget_ns = tlob_load(&w->deadline_ns) - start;
	r->elapsed_ns = elapsed;
	r->running_ns = 0;
	r->waiting_ns = 0;
	r->sleeping_ns = 0;
	r->uncertain_ns = 0;
	r->tag = tlob_load(&w->tag);
	r->window = tlob_transit_window(tlob_load(&w->state), sight->arena % TLOB_BPF_ARENAS,
					sight->slot, sight->index);
}

static __always_inline void describe_ender(struct tlob_record *r)
{
	__u64 id = bpf_get_current_pid_tgid();

	r->end_tid = (__u32)id;
	r->end_tgid = id >> 32;
}

/* Room for one, or it is counted as lost. */
static __always_inline struct tlob_record *reserve_transit(__u32 arena)
{
	struct tlob_record *r = has_room(arena) ? bpf_ringbuf_reserve(&records, sizeof(*r), 0) :
						  NULL;

	if (!r)
		tlob_add(&records_dropped, 1);
	return r;
}

/*
 * What comes before a record @of a chain, as its place in the ring was taken first: its log lies in the window behind its
 * own.
 */
static __noinline void fill_stages(const struct tlob_sight *sight, struct tlob_slot *slot,
				   const struct tlob_record *of, struct tlob_stages *s)
{
	__u32 index = sight->index + 1;
	struct tlob_chain_log *log;

	tlob_stages_init(s, of);
	if (index >= TLOB_MAX_DEPTH)
		return;
	log = (struct tlob_chain_log *)&slot->windows[index];
	__builtin_memcpy(s->mark, log->mark, sizeof(s->mark));
}

/* NULL: it comes without. */
static __always_inline struct tlob_stages *reserve_stages(void)
{
	struct tlob_stages *s = bpf_ringbuf_reserve(&records, sizeof(*s), 0);

	if (!s)
		tlob_add(&records_dropped, 1);
	return s;
}

/* Two windows wide. */
static __noinline bool is_chain(const struct tlob_sight *sight, struct tlob_window *w)
{
	__u32 region = tlob_load(&w->region);
	struct tlob_bpf_binding *b;

	if (sight->arena < TLOB_BPF_ARENAS)
		return tlob_load(&w->sleeping_ns) != 0;
	b = bpf_map_lookup_elem(&bindings, &region);
	return b && b->stages;
}

/*
 * @s, or none, which the compiler must know: verifiers before Linux 6.3 take what has been reserved for possibly nothing
 * wherever it is asked again.
 */
static __always_inline void put_transit(const struct tlob_sight *sight, struct tlob_slot *slot,
					__u32 type, struct tlob_keeper *keeper,
					struct tlob_stages *s)
{
	struct tlob_record *r = reserve_transit(sight->arena);
	struct tlob_window *w;
	__u32 index = sight->index;

	if (!r) {
		if (s)
			bpf_ringbuf_discard(s, BPF_RB_NO_WAKEUP);
		return;
	}
	barrier_var(index);
	w = &slot->windows[index % TLOB_MAX_DEPTH];
	r->type = type;
	describe_beginner(sight, keeper, w, r);
	fill_transit(sight, keeper, w, r);
	if (type == TLOB_REC_CLOSE && !(sight->flags & TLOB_F_ABANDONED))
		describe_ender(r);
	if (s) {
		fill_stages(sight, slot, r, s);
		bpf_ringbuf_submit(s, BPF_RB_NO_WAKEUP);
	}
	bpf_ringbuf_submit(r, BPF_RB_FORCE_WAKEUP);
}

/* One record of the window that @sight is on, and what belongs before it. */
static __noinline void emit_transit(const struct tlob_sight *sight, struct tlob_slot *slot,
				    __u32 type)
{
	struct tlob_keeper *keeper = keeper_of(sight->arena);
	__u32 index = sight->index;
	struct tlob_stages *s;

	if (index >= TLOB_MAX_DEPTH || !keeper)
		return;
	s = is_chain(sight, &slot->windows[index]) ? reserve_stages() : NULL;
	if (s)
		put_transit(sight, slot, type, keeper, s);
	else
		put_transit(sight, slot, type, keeper, NULL);
}

/* The window has been ended by the current thread, late: its closing record; with TLOB_F_AT_STOP both. */
__noinline int emit_transit_end(struct tlob_sight *sight, struct tlob_slot *slot)
{
	if (!sight || !slot)
		return 0;
	if (sight->flags & TLOB_F_AT_STOP) {
		emit_transit(sight, slot, TLOB_REC_OVERRUN);
		sight->flags &= ~TLOB_F_AT_STOP;
	}
	emit_transit(sight, slot, TLOB_REC_CLOSE);
	return 0;
}

/*
 * Is the process still there that the arena was given to, and still the same program? What it has left open is the
 * agent's to end, when it hears of that.
 */
static __noinline bool has_process(__u32 tgid, bool same_program, __u64 exec)
{
	struct task_struct *leader;
	bool here;

	if (!kernel_task_from_pid)
		return true;
	leader = bpf_task_from_pid((__s32)tgid);
	if (!leader)
		return false;
	here = !kernel_is_leaving(leader) && (!same_program || kernel_exec_of(leader) == exec);
	bpf_task_release(leader);
	return here;
}

/* Verifiers before Linux 6.3 have forgotten by then that @index is within bounds. */
static __always_inline bool take_expired(struct tlob_slot *slot, __u32 index,
					 struct tlob_window *copy)
{
	barrier_var(index);
	return tlob_window_take(&slot->windows[index % TLOB_MAX_DEPTH], copy->state, TLOB_EXPIRED);
}

/* @s as for put_transit(). */
static __always_inline int tell_expiry(struct tlob_sight *sight, struct tlob_slot *slot,
				       struct tlob_window *copy, struct tlob_keeper *keeper,
				       struct tlob_stages *s)
{
	struct tlob_record *r;

	r = reserve_transit(sight->arena);
	if (!r) {
		if (s)
			bpf_ringbuf_discard(s, BPF_RB_NO_WAKEUP);
		return take_expired(slot, sight->index, copy);
	}
	r->type = TLOB_REC_OVERRUN;
	describe_beginner(sight, keeper, copy, r);
	fill_transit(sight, keeper, copy, r);
	if (s)
		fill_stages(sight, slot, r, s);
	if (!take_expired(slot, sight->index, copy)) {
		if (s)
			bpf_ringbuf_discard(s, BPF_RB_NO_WAKEUP);
		bpf_ringbuf_discard(r, BPF_RB_NO_WAKEUP);
		return 0;
	}
	if (s)
		bpf_ringbuf_submit(s, BPF_RB_NO_WAKEUP);
	bpf_ringbuf_submit(r, BPF_RB_FORCE_WAKEUP);
	return 1;
}

/* As emit_expiry(): the record has its place before the window is taken. 1: it was still open. */
__noinline int expire_transit(struct tlob_sight *sight, struct tlob_slot *slot,
			      struct tlob_window *copy)
{
	struct tlob_keeper *keeper;
	struct tlob_stages *s;
	__u32 index;

	if (!sight || !slot || !copy)
		return 0;
	index = sight->index;
	keeper = keeper_of(sight->arena);
	if (index >= TLOB_MAX_DEPTH || !keeper)
		return 0;
	if (sight->arena < TLOB_BPF_ARENAS ?
		    !has_process(keeper->tgid, true, keeper->exec) :
		    !has_process((__u32)(copy->running_ns >> 32), false, 0))
		return 0;
	s = is_chain(sight, copy) ? reserve_stages() : NULL;
	if (s)
		return tell_expiry(sight, slot, copy, keeper, s);
	return tell_expiry(sight, slot, copy, keeper, NULL);
}

#endif
