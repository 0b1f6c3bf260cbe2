/* SPDX-License-Identifier: GPL-2.0-only */
/* Records and notes into the ring. A full ring drops the new one and counts it. */
#ifndef TLOB_BPF_EMIT_H
#define TLOB_BPF_EMIT_H

#include "raise.h"
#include "switch.h"

/*
 * Which window is looked at, and when. Small, as every frame of a program on a probe has to be: larger ones, from 64 bytes
 * when rounded up to 16, come from a stack of the CPU's where the kernel has such (Linux 6.13), and a program on a
 * probe may be preempted by the same program of another thread.
 */
struct tlob_sight {
	__u32 arena;
	__u32 slot;
	__u32 index; /* of the window in its slot */
	__u16 flags; /* enum tlob_record_flags */
	__u16 former; /* of the program that this thread ran before exec */
	__u64 now;
};

/*
 * Functions that are not static are looked at by the verifier once, instead of once for each way to each call: loading takes
 * 0.1 s instead of 0.4.
 */

/* What one client has put into the ring since it was crowded last. */
struct tlob_share {
	__u32 turn;
	__u32 taken;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TLOB_BPF_SHARES);
	__type(key, __u32);
	__type(value, struct tlob_share);
} shares SEC(".maps");

__u32 ring_turn; /* how often it has been crowded */
__u32 ring_was_crowded;
const volatile __u64 ring_crowded_bytes = 1 << 19;
const volatile __u32 ring_share = 256; /* records; what is kept free is enough for several */

/*
 * May @arena put one more record into the ring? While there is plenty of room, always. When it is getting full each
 * client has a share left, so that one that floods it loses records of its own and nobody else's.
 */
__noinline int has_room(__u32 arena)
{
	struct tlob_keeper *keeper = keeper_of(arena);
	struct tlob_share *share;
	__u32 client, turn;

	if (!keeper)
		return 1;
	if (bpf_ringbuf_query(&records, BPF_RB_AVAIL_DATA) < ring_crowded_bytes) {
		if (tlob_load(&ring_was_crowded)) {
			tlob_store(&ring_was_crowded, 0);
			tlob_add(&ring_turn, 1);
		}
		return 1;
	}
	tlob_store(&ring_was_crowded, 1);
	client = keeper->client % TLOB_BPF_SHARES;
	share = bpf_map_lookup_elem(&shares, &client);
	if (!share)
		return 1;
	turn = tlob_load(&ring_turn);
	if (tlob_load(&share->turn) != turn) {
		tlob_store(&share->taken, 0);
		tlob_store(&share->turn, turn);
	}
	return __sync_fetch_and_add(&share->taken, 1) < ring_share;
}

#define READ_ATTEMPTS 64

/* A thread that is switched on another CPU makes an attempt fail; only a scribbler makes all of them fail. */
__noinline int read_clock(struct tlob_clock *c, __u64 now, struct tlob_split *split)
{
	if (!c || !split)
		return 0;
	for (int i = 0; i < READ_ATTEMPTS; i++)
		if (tlob_clock_try_read(c, now, split))
			return 1;
	return 0;
}

/* Off the CPU, and by the clock asleep: since when has it been in a queue? Moves that part to waiting. */
static __always_inline void look_into_queue(struct tlob_clock *c, struct task_struct *task,
					    __u64 now, struct tlob_split *split)
{
	__u64 since = tlob_load(&c->since_ns);
	__u64 waited;

	if (follow_wakeups || !kernel_has_queue_stamp(task) || split->state != TLOB_SLEEPING)
		return;
	if (now <= since) /* it left another CPU after this one read the time */
		return;
	if (!task->sched_info.last_queued)
		return;
	waited = queued_ns(c, task, now - tlob_load(&c->queue_skew_ns));
	if (waited > now - since)
		waited = now - since;
	waited -= tlob_take_back(&split->sleeping_ns, waited);
	split->waiting_ns += waited;
	split->state = TLOB_WAITING;
}

/*
 * Where the thread's clocks are kept until they have been used: not on the stack, see above, but in that part of the record
 * that is filled in last.
 */
static __always_inline struct tlob_split *split_in(struct tlob_record *r)
{
	TLOB_ASSERT(__builtin_offsetof(struct tlob_record, running_ns) -
				    __builtin_offsetof(struct tlob_record, time_ns) >=
			    sizeof(struct tlob_split),
		    "the split fits between them");
	return (struct tlob_split *)&r->time_ns;
}

static __always_inline void describe_owner(const struct tlob_sight *sight, struct tlob_slot *slot,
					   struct tlob_record *r)
{
	struct tlob_bpf_owner *owner = owner_of(sight->arena, sight->slot);

	r->tgid = owner ? owner->tgid : 0;
	r->tid = owner ? owner->tid : 0;
	read_clock(&slot->clock, sight->now, split_in(r));
	/* the name it registered with */
	__builtin_memcpy(r->comm, slot->reserved, sizeof(r->comm));
}

/* What only the thread itself can tell, which may be anywhere: its name of today, and whether it waits. */
static __always_inline void ask_owner(const struct tlob_sight *sight, struct tlob_slot *slot,
				      struct tlob_record *r)
{
	struct task_struct *task;

	if (!kernel_task_from_pid)
		return;
	task = bpf_task_from_pid(r->tid);
	if (!task)
		return;
	look_into_queue(&slot->clock, task, sight->now, split_in(r));
	bpf_probe_read_kernel(r->comm, sizeof(r->comm), task->comm);
	bpf_task_release(task);
}

static __always_inline void fill_record(const struct tlob_sight *sight, struct tlob_slot *slot,
					struct tlob_window *w, struct tlob_record *r)
{
	struct tlob_keeper *keeper = keeper_of(sight->arena);
	__u64 start = tlob_load(&w->start_ns), elapsed = 0;

	if (start < sight->now)
		elapsed = sight->now - start;
	r->flags = sight->flags | tlob_window_split(w, split_in(r), elapsed, r);
	if (sight->arena >= TLOB_BPF_ARENAS) {
		r->flags &= ~TLOB_F_SPOILED; /* nobody can: the thread was switched in between */
		r->flags |= TLOB_F_PROBE;
	}
	__asm__ volatile("" ::: "memory"); /* that was the last use of the split */
	r->time_ns = sight->now;
	r->start_ns = sight->now - elapsed;
	r->budget_ns = tlob_load(&w->deadline_ns) - start;
	r->elapsed_ns = elapsed;
	r->client = keeper ? keeper->client : 0;
	r->cpu = tlob_load(&slot->clock.cpu);
	r->region = tlob_load(&w->region);
	r->uncertain_ns = 0;
	r->tag = sight->arena < TLOB_BPF_ARENAS ? tlob_load(&w->tag) : 0; /* see frame_of() */
	r->window = TLOB_WINDOW_GEN(tlob_load(&w->state)) * TLOB_MAX_DEPTH + sight->index;
}

/* The closing record of a window that was late at its stop: all as in its overrun record. */
static __always_inline void emit_closing(const struct tlob_record *overrun)
{
	struct tlob_record *r = bpf_ringbuf_reserve(&records, sizeof(*r), 0);

	if (!r) {
		tlob_add(&records_dropped, 1);
		return;
	}
	__builtin_memcpy(r, overrun, sizeof(*r));
	r->type = TLOB_REC_CLOSE;
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP); /* it is not to be had before the other one is */
}

/*
 * One record of type @type for the current thread's own window, which stays as it is meanwhile. With TLOB_F_AT_STOP: its
 * closing record, too.
 */
__noinline int emit_own(struct tlob_sight *sight, struct tlob_slot *slot, __u32 type)
{
	struct tlob_record *r;
	__u32 index;

	if (!sight || !slot)
		return 0;
	index = sight->index;
	if (index >= TLOB_MAX_DEPTH)
		return 0;
	r = has_room(sight->arena) ? bpf_ringbuf_reserve(&records, sizeof(*r), 0) : NULL;
	if (!r) {
		tlob_add(&records_dropped, 1);
		return 0;
	}
	r->type = type;
	describe_owner(sight, slot, r);
	if (!sight->former)
		bpf_get_current_comm(r->comm, sizeof(r->comm));
	fill_record(sight, slot, &slot->windows[index], r);
	if (sight->flags & TLOB_F_AT_STOP)
		emit_closing(r);
	bpf_ringbuf_submit(r, BPF_RB_FORCE_WAKEUP);
	return 0;
}

/* Where the thread of @r was: now if it is here, later if it is not. */
static __always_inline void stack_of_expiry(const struct tlob_sight *sight,
					    const struct tlob_record *r)
{
	struct tlob_bpf_owner *owner = owner_of(sight->arena, sight->slot);

	if ((__u32)bpf_get_current_pid_tgid() == r->tid)
		capture_here(r->client, r->window, sight->now);
	else if (owner)
		want_stack(owner, r->window);
}

/*
 * Expire the window in @slot, any thread's, of which @copy was seen armed, and tell it. 1: it was still that one. Once it
 * is taken the thread may stop, tell so, and exit: the record has its place in the ring and its owner's number before
 * that. Not from probes, which may not look for a task.
 */
__noinline int emit_expiry(struct tlob_sight *sight, struct tlob_slot *slot,
			   struct tlob_window *copy)
{
	struct tlob_record *r;
	__u32 index;

	if (!sight || !slot || !copy)
		return 0;
	index = sight->index;
	if (index >= TLOB_MAX_DEPTH)
		return 0;
	r = has_room(sight->arena) ? bpf_ringbuf_reserve(&records, sizeof(*r), 0) : NULL;
	if (!r) {
		if (!tlob_window_take(&slot->windows[index], copy->state, TLOB_EXPIRED))
			return 0;
		tlob_add(&records_dropped, 1);
		return 1;
	}
	r->type = TLOB_REC_OVERRUN;
	describe_owner(sight, slot, r);
	ask_owner(sight, slot, r);
	fill_record(sight, slot, copy, r);
	if (!tlob_window_take(&slot->windows[index], copy->state, TLOB_EXPIRED)) {
		bpf_ringbuf_discard(r, BPF_RB_NO_WAKEUP);
		return 0;
	}
	if (stacks_on)
		stack_of_expiry(sight, r);
	bpf_ringbuf_submit(r, BPF_RB_FORCE_WAKEUP);
	return 1;
}

#endif
