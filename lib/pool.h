/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The pool: where a home keeps the windows that belong to no thread, see core/transit_table.h. Its arenas
 * are apart from those of threads, and come one by one as they are needed.
 */
#ifndef TLOB_LIB_POOL_H
#define TLOB_LIB_POOL_H

#include "home.h"

/*
 * One more arena: made here, or asked for from the agent, which gets @wait_ns. @seen are known to
 * be there. 0 or negative errno. Signal-safe.
 */
int tlob_pool_grow(struct tlob_home *home, __u32 seen, __u64 wait_ns);
/* The first one is there, or comes in time. 0, -EOPNOTSUPP or -ENOSPC. Signal-safe. */
int tlob_pool_first(struct tlob_home *home);
/* An arena that has come, behind @fd, which stays the caller's. 0 or negative errno. */
int tlob_pool_add(struct tlob_home *home, int fd, const struct tlob_msg_arena *msg);
/* Only before anybody else has seen it. */
void tlob_pool_free(struct tlob_home *home);
/* The agent has gone: its memory becomes this process's, as it is. */
void tlob_pool_keep(struct tlob_home *home);

/* A window at its end; nobody else looks at its fields any more. */
struct tlob_transit_ending {
	struct tlob_home *home;
	const struct tlob_window *window;
	struct tlob_place place;
	__u64 word; /* its state while it was open */
	__u64 now_ns;
};

/*
 * The process ends, and engine user measures it: what is open in @home ends as abandoned.
 */
void tlob_transit_leave(struct tlob_home *home);

#endif
