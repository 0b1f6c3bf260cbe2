/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a process has one of. It lives in a page that the kernel wipes in a forked child
 * (MADV_WIPEONFORK), however the child was made, so that a child finds nothing of its parent's: no
 * engine, no lock that somebody else holds, no watcher. The epoch in it is what each start compares
 * first.
 */
#ifndef TLOB_LIB_PROCESS_H
#define TLOB_LIB_PROCESS_H

#include "home.h"

#define TLOB_OWN_LINE __attribute__((aligned(64)))

enum tlob_watch_state {
	TLOB_WATCH_NONE,
	TLOB_WATCH_RUNS,
	TLOB_WATCH_ENDS
};

struct tlob_live {
	/* read by every start and stop, written when the home changes */
	__u32 epoch; /* of the current home; 0: none yet, or none at all */
	__u32 first_epoch; /* lower ones are a parent's */
	struct tlob_home *home;

	/* slow paths */
	struct tlob_lock changing TLOB_OWN_LINE; /* for the home, and the fields down to pending */
	__u32 pid; /* a child that shares the memory (vfork) has another */
	__u64 look_ns; /* when to look for an agent again */
	__u64 pending_ns; /* since when @pending */
	struct tlob_home *buried; /* its descriptors are still open */
	__u64 buried_ns;
	int pending; /* socket whose agent has not answered yet, + 1; 0: none */
	__u32 kept_books;
	__s32 holders; /* main thread and those with a seat: as long the watcher stays */

	/* lib/watch.c */
	__u64 wake_ns TLOB_OWN_LINE; /* when the watcher wakes up by itself */
	__u32 calls; /* futex: it has been called */
	__u32 watch; /* enum tlob_watch_state */
	__u32 watch_tid;
	struct tlob_lock watching; /* for starting and stopping it */
	const void *expiring; /* the window whose overrun is being told */
};

/* Never NULL. Before there is a page it points to one with epoch 0. */
extern struct tlob_live *tlob_live __attribute__((visibility("hidden")));

/* TLOB=0, or the library has been unloaded: nothing is measured any more. Outlives fork. */
extern __u32 tlob_switched_off __attribute__((visibility("hidden")));

/* The epoch given out last; outlives fork, so that a child's never equals its parent's. */
extern __u32 tlob_last_epoch __attribute__((visibility("hidden")));

/* Where a start goes: connects at first use. NULL: nowhere, now. Slow; signal-safe. */
struct tlob_home *tlob_process_home(void);

/* @home's agent is gone. Another home takes over if it was the current one. */
void tlob_process_lost(struct tlob_home *home);

/*
 * From any slow path: at most once per second, look whether an agent has come or gone. Never waits.
 */
void tlob_process_look(__u64 now_ns);

/* Would anybody be told of an overrun in @home? */
bool tlob_process_listens(const struct tlob_home *home);

#endif
