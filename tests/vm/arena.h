/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A program's side of mapped thread slots, as small as it can be: what libtlob does with more care. */
#ifndef TESTS_VM_ARENA_H
#define TESTS_VM_ARENA_H

#include <sys/mman.h>
#include <sys/syscall.h>

#include "tap.h"
#include "window.h"

static inline union tlob_arena_entry *arena_map(int fd)
{
	void *at = mmap(NULL, TLOB_ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			TLOB_ARENA_MMAP_OFFSET);

	return at == MAP_FAILED ? NULL : at;
}

/* 0 or a negative errno. */
static inline int arena_kick(int fd, enum tlob_kick_op op, uint32_t slot, uint32_t window,
			     uint64_t deadline)
{
	struct tlob_kick kick = {.op = op,
				 .slot = slot,
				 .window = window,
				 .now_ns = now_ns(),
				 .deadline_ns = deadline};

	return ioctl(fd, TLOB_IOCTL_KICK, &kick) == 0 ? 0 : -errno;
}

/* Window @i of @slot. Returns its generation, or 0 if the engine has gone. */
static inline uint64_t arena_start(int fd, union tlob_arena_entry *arena, uint32_t slot, uint32_t i,
				   uint64_t budget, uint64_t tag)
{
	struct tlob_slot *s = &arena[slot].slot;
	struct tlob_window *w = &s->windows[i];
	struct tlob_split now;
	uint64_t gen;

	do
		w->start_ns = now_ns();
	while (!tlob_clock_try_read(&s->clock, w->start_ns, &now));
	w->deadline_ns = w->start_ns + budget;
	w->tag = tag;
	w->region = i;
	w->switches = now.switches;
	w->running_ns = now.running_ns;
	w->waiting_ns = now.waiting_ns;
	w->sleeping_ns = now.sleeping_ns;
	__atomic_fetch_or(&s->used, 1u << i, __ATOMIC_RELEASE);
	gen = tlob_window_arm(w);
	if (tlob_window_wants_kick(&arena[0].head, w->start_ns, w->deadline_ns) &&
	    arena_kick(fd, TLOB_KICK_ARM, slot, i, w->deadline_ns) != 0)
		return 0;
	return gen;
}

static inline int arena_stop(int fd, union tlob_arena_entry *arena, uint32_t slot, uint32_t i,
			     uint64_t gen)
{
	struct tlob_slot *s = &arena[slot].slot;
	struct tlob_window *w = &s->windows[i];
	uint64_t now = now_ns();
	uint32_t was = tlob_window_end(w, gen);
	int ret = 0;

	if (was == TLOB_EXPIRED) {
		arena_kick(fd, TLOB_KICK_CLOSE, slot, i, 0);
		ret = -EOVERFLOW;
	} else if (was == TLOB_ARMED && now > w->deadline_ns) {
		arena_kick(fd, TLOB_KICK_REPORT, slot, i, 0);
		ret = -EOVERFLOW;
	} else if (was == TLOB_CANCELLED) {
		ret = -ECANCELED;
	} else if (was != TLOB_ARMED) {
		ret = -EINVAL;
	}
	__atomic_fetch_and(&s->used, ~(1u << i), __ATOMIC_RELEASE);
	return ret;
}

#endif
