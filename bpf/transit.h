/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Windows of no thread: their records, and their expiry. They lie in arenas of their own, which hold nothing else, and
 * remember in place of a thread clock who began them.
 */
#ifndef TLOB_BPF_TRANSIT_H
#define TLOB_BPF_TRANSIT_H

#include "emit.h"
#include "transit_table.h"

static __always_inline bool is_transit(__u32 arena)
{
	struct tlob_keeper *keeper = keeper_of(arena);

	return keeper && keeper->transit;
}

/* The entry in the table of slots of the thread that began @w: what the library says, which may be anything. */
static __always_inline void describe_beginner(struct tlob_keeper *keeper, struct tlob_window *w,
					      struct tlob_record *r)
{
	__u64 entry = tlob_load(&w->running_ns);
	__u32 arena = (__u32)entry / TLOB_ARENA_SLOTS, number = (__u32)entry % TLOB_ARENA_SLOTS;
	struct tlob_bpf_owner *owner;
	struct tlob_slot *slot;

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

static __always_inline void fill_transit(const struct tlob_sight *sight, struct tlob_keeper *keeper,
					 struct tlob_window *w, struct tlob_record *r)
{
	__u64 start = tlob_load(&w->start_ns), elapsed = 0;

	if (start < sight->now)
		elapsed = sight->now - start;
	describe_beginner(keeper, w, r);
	r->flags = sight->flags | TLOB_F_TRANSIT;
	r->region = tlob_load(&w->region);
	r->client = keeper->client;
	r->cpu = 0;
	r->state = 0;
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

/* Room for one, or it is counted as lost. */
static __always_inline struct tlob_record *reserve_transit(__u32 arena)
{
	struct tlob_record *r = has_room(arena) ? bpf_ringbuf_reserve(&records, sizeof(*r), 0) :
						  NULL;

	if (!r)
		tlob_add(&records_dropped, 1);
	return r;
}

/* The window has been ended by the current thread, late: its closing record; with TLOB_F_AT_STOP both. */
__noinline int emit_transit_end(struct tlob_sight *sight, struct tlob_slot *slot)
{
	struct tlob_keeper *keeper;
	struct tlob_record *r;
	__u32 index;

	if (!sight || !slot)
		return 0;
	index = sight->index;
	keeper = keeper_of(sight->arena);
	if (index >= TLOB_MAX_DEPTH || !keeper)
		return 0;
	if (sight->flags & TLOB_F_AT_STOP) {
		r = reserve_transit(sight->arena);
		if (!r)
			return 0;
		r->type = TLOB_REC_OVERRUN;
		fill_transit(sight, keeper, &slot->windows[index], r);
		bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
		sight->flags &= ~TLOB_F_AT_STOP;
	}
	r = reserve_transit(sight->arena);
	if (!r)
		return 0;
	r->type = TLOB_REC_CLOSE;
	fill_transit(sight, keeper, &slot->windows[index], r);
	r->end_tid = (__u32)bpf_get_current_pid_tgid();
	bpf_ringbuf_submit(r, BPF_RB_FORCE_WAKEUP);
	return 0;
}

/*
 * Is the process still there that the arena was given to, and still the same program? What it has left open is the
 * agent's to end, when it hears of that.
 */
static __noinline bool has_process(struct tlob_keeper *keeper)
{
	struct task_struct *leader;
	bool here;

	if (!kernel_task_from_pid)
		return true;
	leader = bpf_task_from_pid(keeper->tgid);
	if (!leader)
		return false;
	here = !kernel_is_leaving(leader) && kernel_exec_of(leader) == keeper->exec;
	bpf_task_release(leader);
	return here;
}

/* As emit_expiry(): the record has its place before the window is taken. 1: it was still open. */
__noinline int expire_transit(struct tlob_sight *sight, struct tlob_slot *slot,
			      struct tlob_window *copy)
{
	struct tlob_keeper *keeper;
	struct tlob_record *r;
	__u32 index;

	if (!sight || !slot || !copy)
		return 0;
	index = sight->index;
	keeper = keeper_of(sight->arena);
	if (index >= TLOB_MAX_DEPTH || !keeper || !has_process(keeper))
		return 0;
	r = reserve_transit(sight->arena);
	if (!r)
		return tlob_window_take(&slot->windows[index], copy->state, TLOB_EXPIRED);
	r->type = TLOB_REC_OVERRUN;
	fill_transit(sight, keeper, copy, r);
	if (!tlob_window_take(&slot->windows[index], copy->state, TLOB_EXPIRED)) {
		bpf_ringbuf_discard(r, BPF_RB_NO_WAKEUP);
		return 0;
	}
	bpf_ringbuf_submit(r, BPF_RB_FORCE_WAKEUP);
	return 1;
}

#endif
