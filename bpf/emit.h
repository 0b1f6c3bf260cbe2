/* SPDX-License-Identifier: GPL-2.0-only */
/* Records and notes into the ring. A full ring drops the new one and counts it. */
#ifndef TLOB_BPF_EMIT_H
#define TLOB_BPF_EMIT_H

#include "maps.h"
#include "switch.h"

/* Which window, and what it was when it was looked at: a copy, because the thread may go on and change it. */
struct tlob_sight {
	__u32 arena;
	__u32 slot;
	__u32 index; /* of the window in its slot */
	__u16 flags; /* enum tlob_record_flags */
	__u16 former; /* of the program that this thread ran before exec */
	__u64 now;
	struct tlob_window window;
};

static __always_inline void sight_copy(struct tlob_sight *sight, struct tlob_window *w)
{
	sight->window.state = tlob_load(&w->state);
	sight->window.start_ns = tlob_load(&w->start_ns);
	sight->window.deadline_ns = tlob_load(&w->deadline_ns);
	sight->window.tag = tlob_load(&w->tag);
	sight->window.region = tlob_load(&w->region);
	sight->window.switches = tlob_load(&w->switches);
	sight->window.running_ns = tlob_load(&w->running_ns);
	sight->window.waiting_ns = tlob_load(&w->waiting_ns);
	sight->window.sleeping_ns = tlob_load(&w->sleeping_ns);
}

#define READ_ATTEMPTS 64

/* A thread that is switched on another CPU makes an attempt fail; only a scribbler makes all of them fail. */
static __always_inline void read_clock(struct tlob_clock *c, __u64 now, struct tlob_split *split)
{
	for (int i = 0; i < READ_ATTEMPTS; i++)
		if (tlob_clock_try_read(c, now, split))
			return;
}

/* Off the CPU, and by the clock asleep: since when has it been in a queue? Moves that part to waiting. */
static __always_inline void look_into_queue(struct tlob_clock *c, struct task_struct *task,
					    __u64 now, struct tlob_split *split)
{
	__u64 since = tlob_load(&c->since_ns);
	__u64 waited;

	if (follow_wakeups || !kernel_has_queue_stamp(task) || split->state != TLOB_SLEEPING)
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

static __always_inline void describe_owner(const struct tlob_sight *sight, struct tlob_slot *slot,
					   struct tlob_split *split, struct tlob_record *r)
{
	struct tlob_bpf_owner *owner = owner_of(sight->arena, sight->slot);

	r->tgid = owner ? owner->tgid : 0;
	r->tid = owner ? owner->tid : 0;
	read_clock(&slot->clock, sight->now, split);
	/* the name it registered with */
	__builtin_memcpy(r->comm, slot->reserved, sizeof(r->comm));
}

/* What only the thread itself can tell, which may be anywhere: its name of today, and whether it waits. */
static __always_inline void ask_owner(const struct tlob_sight *sight, struct tlob_slot *slot,
				      struct tlob_split *split, struct tlob_record *r)
{
	struct task_struct *task;

	if (!kernel_task_from_pid)
		return;
	task = bpf_task_from_pid(r->tid);
	if (!task)
		return;
	look_into_queue(&slot->clock, task, sight->now, split);
	bpf_probe_read_kernel(r->comm, sizeof(r->comm), task->comm);
	bpf_task_release(task);
}

static __always_inline void fill_record(const struct tlob_sight *sight, struct tlob_slot *slot,
					const struct tlob_split *split, struct tlob_record *r)
{
	const struct tlob_window *w = &sight->window;
	struct tlob_keeper *keeper = keeper_of(sight->arena);

	r->client = keeper ? keeper->client : 0;
	r->cpu = tlob_load(&slot->clock.cpu);
	r->region = w->region;
	r->time_ns = sight->now;
	r->start_ns = w->start_ns < sight->now ? w->start_ns : sight->now;
	r->budget_ns = w->deadline_ns - w->start_ns;
	r->elapsed_ns = r->time_ns - r->start_ns;
	r->uncertain_ns = 0;
	r->tag = w->tag;
	r->window = TLOB_WINDOW_GEN(w->state) * TLOB_MAX_DEPTH + sight->index;
	r->flags = sight->flags | tlob_window_split(w, split, r->elapsed_ns, r);
	if (sight->arena >= TLOB_BPF_ARENAS)
		r->flags |= TLOB_F_PROBE;
}

static __always_inline int emit(struct tlob_sight *sight, struct tlob_slot *slot, __u32 type,
				bool own)
{
	struct tlob_split split = {};
	struct tlob_record *r;

	if (!sight || !slot)
		return 0;
	r = bpf_ringbuf_reserve(&records, sizeof(*r), 0);
	if (!r) {
		tlob_add(&records_dropped, 1);
		return 0;
	}
	r->type = type;
	describe_owner(sight, slot, &split, r);
	if (!own)
		ask_owner(sight, slot, &split, r);
	else if (!sight->former)
		bpf_get_current_comm(r->comm, sizeof(r->comm));
	fill_record(sight, slot, &split, r);
	bpf_ringbuf_submit(r, BPF_RB_FORCE_WAKEUP);
	return 0;
}

/* One record of type @type for what @sight saw in @slot. Global functions: the verifier looks at them once. */

/* The slot is the current thread's. */
__noinline int emit_own(struct tlob_sight *sight, struct tlob_slot *slot, __u32 type)
{
	return emit(sight, slot, type, true);
}

/* Any thread's; not from probes, which may not look for a task. */
__noinline int emit_other(struct tlob_sight *sight, struct tlob_slot *slot, __u32 type)
{
	return emit(sight, slot, type, false);
}

static __always_inline void note(__u32 kind, __u32 client, __u32 region, bool probe)
{
	struct tlob_bpf_note *n = bpf_ringbuf_reserve(&records, sizeof(*n), 0);

	if (!n) {
		tlob_add(&records_dropped, 1);
		return;
	}
	n->kind = kind;
	n->client = client;
	n->region = region;
	n->probe = probe;
	bpf_ringbuf_submit(n, BPF_RB_FORCE_WAKEUP);
}

#endif
