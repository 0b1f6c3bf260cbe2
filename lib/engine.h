/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an engine does for the library. A new engine is one file with such a table, and one line in
 * home.c.
 */
#ifndef TLOB_LIB_ENGINE_H
#define TLOB_LIB_ENGINE_H

#include <errno.h>

#include "home.h"
#include "pool.h"

/*
 * A window at its stop, which has ended it: the slot's fields are still there, nobody else looks at
 * them.
 */
struct tlob_ending {
	struct tlob_seat *seat;
	const struct tlob_window *window;
	__u32 index; /* of the window */
	__u64 now_ns;
};

/*
 * All are called by the thread that owns the seat. They return 0 or negative errno: -ESRCH means
 * that the calling task is not the one that enrolled (the child of a vfork), -EINTR, -EAGAIN and
 * -ENOMEM that it did not work this time, anything else that the engine has gone.
 */
struct tlob_engine {
	const char *name; /* what tlob_engine() says */
	bool clocked; /* lives outside: gives the arenas, and keeps the thread clocks in them */
	/* This thread takes @seat; its slot is empty. Signals are blocked. */
	int (*enroll)(struct tlob_seat *seat);
	/*
	 * This thread leaves @seat; windows that are still open end as abandoned. Signals are
	 * blocked.
	 */
	int (*leave)(struct tlob_seat *seat);
	/* @deadline_ns lies before the arena's next wake-up. */
	int (*arm)(struct tlob_seat *seat, __u64 now_ns, __u64 deadline_ns);
	/*
	 * The window had expired; or it was late and its stop won: if the engine has gone then,
	 * nobody is told.
	 */
	int (*finish)(const struct tlob_ending *end, bool expired);
	/*
	 * Arena @number, from the engine itself; NULL: the agent has them, or the process makes
	 * them.
	 */
	int (*grow)(struct tlob_home *home, __u32 number);
	/*
	 * The same as arm and finish for windows of no thread, in any thread. NULL: this engine has
	 * no such windows. @arena is the pool's.
	 */
	int (*transit_arm)(struct tlob_home *home, __u32 arena, __u64 now_ns, __u64 deadline_ns);
	int (*transit_finish)(const struct tlob_transit_ending *end, bool expired);
	/*
	 * Windows that any process of the same agent may end, by a hash of the region's name and
	 * the tag. Begin: the window at @p is filled in; 0: it is the engine's. -EEXIST, -ENOSPC. End:
	 * 0, -EOVERFLOW, and then all but the region is in @late, whose budget is else 0; -ESRCH, -ECANCELED.
	 * NULL: this engine has none.
	 */
	int (*shared_begin)(struct tlob_home *home, const struct tlob_place *p, __u64 name,
			    __u64 tag);
	int (*shared_end)(struct tlob_home *home, __u64 name, __u64 tag, struct tlob_record *late);
	/*
	 * Tell of the records that the engine has for this process alone, in any thread; @wait_ns
	 * for whoever is at it. NULL: there are none.
	 */
	void (*hear)(struct tlob_home *home, __u64 wait_ns);
	/* The process ends, and the window had expired. NULL: the engine sees that itself. */
	void (*transit_abandon)(const struct tlob_transit_ending *end);
};

extern const struct tlob_engine tlob_engine_bpf;
extern const struct tlob_engine tlob_engine_kernel;
extern const struct tlob_engine tlob_engine_user;

/*
 * Both records of a late window as its thread sees them: for the callback, or for everybody if the
 * engine has gone.
 */
void tlob_engine_tell(const struct tlob_ending *end, bool engine_gone);

/*
 * Result @r of a kick in @seat's name: that nobody is enrolled here is only true in the child of a
 * vfork.
 */
static inline int tlob_engine_result(const struct tlob_seat *seat, int r)
{
	return r == -ESRCH && tlob_load(&seat->slot->tid) == tlob_gettid() ? -ESHUTDOWN : r;
}

/* Is this kick's result a reason to give the engine up? */
static inline bool tlob_engine_gone(int r)
{
	return r < 0 && r != -ESRCH && r != -EINTR && r != -EAGAIN && r != -ENOMEM;
}

#endif
