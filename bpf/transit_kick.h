/* SPDX-License-Identifier: GPL-2.0-only */
/* Calls about windows of no thread: of any thread of the process that the arena was given to. */
#ifndef TLOB_BPF_TRANSIT_KICK_H
#define TLOB_BPF_TRANSIT_KICK_H

#include <linux/errno.h>

#include "shared_kick.h"

/* Is the arena the calling process's? ESRCH: of another one, as in the child of a vfork. */
static __always_inline int check_transit(const struct tlob_kick *kick, struct tlob_keeper *keeper)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 tgid = task->tgid, was;

	if (!keeper->transit || !kick->cookie || tlob_load_acquire(&keeper->cookie) != kick->cookie)
		return EACCES;
	was = tlob_cmpxchg(&keeper->tgid, 0, tgid);
	if (was && was != tgid)
		return ESRCH;
	tlob_store(&keeper->exec, kernel_exec_of(task));
	return 0;
}

/* The window has ended, and is the caller's until this call returns. */
static __always_inline int end_transit(const struct tlob_kick *kick)
{
	struct tlob_sight sight = {.arena = kick->arena, .slot = kick->slot, .index = kick->window};
	struct tlob_slot *slot;
	__u64 now = bpf_ktime_get_ns();

	if (sight.slot == 0 || sight.slot >= TLOB_ARENA_SLOTS || sight.index >= TLOB_MAX_DEPTH)
		return EINVAL;
	slot = slot_at(sight.arena, sight.slot);
	if (!slot)
		return ENOENT;
	sight.now = kick->now_ns < now ? kick->now_ns : now;
	if (kick->op == TLOB_KICK_TRANSIT_REPORT)
		sight.flags = TLOB_F_AT_STOP;
	emit_transit_end(&sight, slot);
	return 0;
}

static __always_inline int kick_transit(struct tlob_kick *kick)
{
	struct tlob_keeper *keeper;
	int err;

	if (kick->op == TLOB_KICK_END)
		return end_shared(kick);
	if (kick->arena == 0 || kick->arena >= TLOB_BPF_ARENAS)
		return EINVAL;
	keeper = keeper_of(kick->arena);
	if (!keeper)
		return ENOENT;
	err = check_transit(kick, keeper);
	if (err)
		return err;
	switch (kick->op) {
	case TLOB_KICK_BEGIN:
		return begin_shared(kick, keeper);
	case TLOB_KICK_TRANSIT_ARM:
		return arm_arena(kick->arena, kick->deadline_ns);
	case TLOB_KICK_TRANSIT_CLOSE:
	case TLOB_KICK_TRANSIT_REPORT:
		return end_transit(kick);
	}
	return EINVAL;
}

#endif
