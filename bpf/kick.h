/* SPDX-License-Identifier: GPL-2.0-only */
/* Calls from user space: a thread's to its engine, and the agent's own. Both return 0 or a positive errno. */
#ifndef TLOB_BPF_KICK_H
#define TLOB_BPF_KICK_H

#include <linux/errno.h>

#include "transit_kick.h"

static __always_inline int kick_register(struct tlob_kick *kick)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 arena = kick->arena, number = kick->slot, tgid = task->tgid, was;
	struct tlob_leaver leaver = {.tid = task->pid};
	struct tlob_bpf_owner *owner;
	struct tlob_keeper *keeper;
	struct tlob_thread *thread;
	struct tlob_slot *slot;
	__u32 generation;

	if (arena == 0 || arena >= TLOB_BPF_ARENAS || number == 0 || number >= TLOB_ARENA_SLOTS)
		return EINVAL;
	keeper = keeper_of(arena);
	slot = slot_at(arena, number);
	owner = owner_of(arena, number);
	if (!keeper || !slot || !owner)
		return ENOENT;
	/* before the cookie: if the arena changes hands from here on, this registration is void */
	generation = tlob_load_acquire(&arena_generation[arena]);
	if (!kick->cookie || tlob_load_acquire(&keeper->cookie) != kick->cookie)
		return EACCES;
	was = tlob_cmpxchg(&keeper->tgid, 0, tgid);
	if (was && was != tgid)
		return EACCES;
	thread = bpf_task_storage_get(&threads, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!thread)
		return ENOMEM;
	leave_process_slot(thread, &leaver);
	take_slot(slot, owner);
	thread->slot = number;
	thread->generation = generation;
	tlob_store(&thread->arena, arena);
	return 0;
}

static __always_inline int kick_unregister(struct tlob_thread *thread)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct tlob_leaver leaver = {.tid = task->pid};

	leave_process_slot(thread, &leaver);
	if (!thread->probe)
		bpf_task_storage_delete(&threads, task);
	return 0;
}

/* Both records of a window that was late but stopped first, or the second one of a window that had expired. */
static __always_inline int kick_close(struct tlob_thread *thread, struct tlob_slot *slot,
				      const struct tlob_kick *kick)
{
	struct tlob_sight sight = {
		.arena = thread->arena, .slot = thread->slot, .index = kick->window};
	__u64 now = bpf_ktime_get_ns();

	if (sight.index >= TLOB_MAX_DEPTH)
		return EINVAL;
	sight.now = kick->now_ns < now ? kick->now_ns : now;
	if (kick->op == TLOB_KICK_REPORT) {
		sight.flags = TLOB_F_AT_STOP;
		emit_own(&sight, slot, TLOB_REC_OVERRUN);
	} else {
		emit_own(&sight, slot, TLOB_REC_CLOSE);
	}
	return 0;
}

SEC("syscall")
int kick(struct tlob_kick *kick)
{
	struct tlob_thread *thread;
	struct tlob_slot *slot;

	if (kick->op == TLOB_KICK_REGISTER)
		return kick_register(kick);
	if (kick->op >= TLOB_KICK_TRANSIT_ARM)
		return kick_transit(kick);
	thread = bpf_task_storage_get(&threads, bpf_get_current_task_btf(), NULL, 0);
	if (!thread)
		return ESRCH;
	slot = thread_slot(thread);
	if (!slot)
		return ESRCH;
	switch (kick->op) {
	case TLOB_KICK_UNREGISTER:
		return kick_unregister(thread);
	case TLOB_KICK_ARM:
		return arm_arena(thread->arena, kick->deadline_ns);
	case TLOB_KICK_CLOSE:
	case TLOB_KICK_REPORT:
		return kick_close(thread, slot, kick);
	}
	return EINVAL;
}

#endif
