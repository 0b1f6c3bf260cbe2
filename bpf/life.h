/* SPDX-License-Identifier: GPL-2.0-only */
/* How threads come and go: registration, and the ends that are not stops. */
#ifndef TLOB_BPF_LIFE_H
#define TLOB_BPF_LIFE_H

#include "chosen.h"
#include "expiry.h"

/* @slot is the current thread's from now on, and its clock starts at zero. */
static __always_inline void take_slot(struct tlob_slot *slot, struct tlob_bpf_owner *owner)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct tlob_clock *c = &slot->clock;

	owner->tgid = id >> 32;
	owner->tid = (__u32)id;
	bpf_get_current_comm(slot->reserved, sizeof(slot->reserved));
	tlob_store(&c->seq, c->seq | 1);
	tlob_store(&c->state, TLOB_RUNNING);
	tlob_store(&c->since_ns, bpf_ktime_get_ns());
	tlob_store(&c->running_ns, 0);
	tlob_store(&c->waiting_ns, 0);
	tlob_store(&c->sleeping_ns, 0);
	tlob_store(&c->switches, 0);
	tlob_store(&c->cpu, bpf_get_smp_processor_id());
	tlob_clock_write_end(c);
}

/* End the window @sight->index of a thread that goes. */
__noinline int abandon_window(struct tlob_sight *sight, struct tlob_slot *slot)
{
	struct tlob_keeper *keeper;
	struct tlob_window *w;
	__u32 index;
	__u64 state;

	if (!sight || !slot)
		return 0;
	index = sight->index;
	keeper = keeper_of(sight->arena);
	if (index >= TLOB_MAX_DEPTH || !keeper)
		return 0;
	w = &slot->windows[index];
	state = tlob_load(&w->state);
	if (TLOB_WINDOW_STATE(state) == TLOB_ARMED && tlob_window_take(w, state, TLOB_IDLE)) {
		note(TLOB_BPF_NOTE_ABANDONED, keeper->client, tlob_load(&w->region),
		     sight->arena >= TLOB_BPF_ARENAS);
		return 0;
	}
	/* expired long since, or at this very moment */
	state = tlob_load(&w->state);
	if (TLOB_WINDOW_STATE(state) != TLOB_EXPIRED || !tlob_window_take(w, state, TLOB_IDLE))
		return 0;
	if (sight->now < tlob_load(&w->deadline_ns))
		sight->now = tlob_load(&w->deadline_ns);
	emit_own(sight, slot, TLOB_REC_CLOSE);
	return 0;
}

/* A thread on its way out of its slots. */
struct tlob_leaver {
	__u32 tid; /* that it had when it took them */
	bool former; /* see struct tlob_sight */
};

static __always_inline void vacate(struct tlob_slot *slot, __u32 arena, __u32 number,
				   const struct tlob_leaver *leaver)
{
	struct tlob_bpf_owner *owner = owner_of(arena, number);
	struct tlob_sight sight = {.arena = arena,
				   .slot = number,
				   .flags = TLOB_F_ABANDONED,
				   .former = leaver->former,
				   .now = bpf_ktime_get_ns()};
	__u32 used = tlob_load(&slot->used);
	__u64 window;

	if (!owner || owner->tid != leaver->tid)
		return;
	for (__u32 index = 0; index < TLOB_MAX_DEPTH; index++) {
		sight.index = index;
		if (used >> index & 1)
			abandon_window(&sight, slot);
	}
	tlob_store(&slot->used, 0);
	take_wanted(owner, &window);
	owner->tid = 0;
	owner->tgid = 0;
}

static __always_inline void leave_process_slot(struct tlob_thread *thread,
					       const struct tlob_leaver *leaver)
{
	struct tlob_slot *slot = thread_slot(thread);

	if (slot)
		vacate(slot, thread->arena, thread->slot, leaver);
	thread->arena = 0;
}

static __always_inline void leave_probe_slot(struct tlob_thread *thread,
					     const struct tlob_leaver *leaver)
{
	struct tlob_slot *slot = probe_slot(thread);
	__u32 entry = thread->probe;

	thread->probe = 0;
	if (!slot)
		return;
	vacate(slot, probe_arena_of(entry), entry % TLOB_ARENA_SLOTS, leaver);
	give_vacant(entry);
}

static __always_inline void leave_all(const struct tlob_leaver *leaver)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct tlob_thread *thread = bpf_task_storage_get(&threads, task, NULL, 0);

	if (!thread)
		return;
	leave_process_slot(thread, leaver);
	leave_probe_slot(thread, leaver);
	bpf_task_storage_delete(&threads, task);
}

SEC("tp_btf/sched_process_exit")
int sched_process_exit(__u64 *ctx)
{
	struct tlob_leaver leaver = {.tid = (__u32)bpf_get_current_pid_tgid()};

	(void)ctx;
	keep_mark(bpf_get_current_task_btf());
	leave_all(&leaver);
	return 0;
}

/*
 * Arguments: task, the id it had until now, binprm. All other threads have exited by now; this one's id has
 * become its leader's, and its name is the new program's already.
 */
SEC("tp_btf/sched_process_exec")
int sched_process_exec(__u64 *ctx)
{
	struct tlob_leaver leaver = {.tid = (__u32)ctx[1], .former = true};

	if (inherit_mark(bpf_get_current_task_btf(), leaver.tid))
		note(TLOB_BPF_NOTE_LEADER, 0, 0, true);
	leave_all(&leaver);
	return 0;
}

#endif
