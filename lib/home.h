/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Home of a process's windows: one engine, one ledger, the arenas with a slot per thread. A process has one current
 * home, which new windows go to; it gets another when its agent goes or comes. Windows that are open in an older
 * home end there, unless it is dead. A home is never freed, so whoever holds a pointer to one may look at it.
 */
#ifndef TLOB_LIB_HOME_H
#define TLOB_LIB_HOME_H

#include <stdbool.h>
#include <stddef.h>

#include "atomic.h"
#include "descriptor.h"
#include "lock.h"

struct tlob_engine;
struct tlob_home;

#define TLOB_MAX_ARENAS 1024 /* 64,512 threads at once */

/*
 * What a thread knows of its slot. Everything but the last line is constant from the moment that the thread
 * points to it, so that a start which was interrupted goes on with one consistent picture whatever the
 * handler did. Private memory of the process.
 */
struct tlob_seat {
	__u32 epoch; /* of the home */
	__u32 tag; /* low 12 bits of its window handles, but for the index */
	struct tlob_slot *slot;
	struct tlob_arena_head *head;
	__u64 salt; /* upper bits of its handles are mixed with this: another thread's do not match */
	__u64 shard; /* this thread's, in bytes from the first */
	struct tlob_home *home;
	struct tlob_seat *older; /* seat of the same thread in an older home */
	__u16 clocked; /* the engine keeps the slot's thread clock */
	__u16 own_shard; /* no other thread counts in this shard */
	__u32 shared_adds;

	/* engine user, lib/baseline.c */
	struct tlob_descriptor books; /* kept-open schedstat */
	__u32 samples;
	__u32 reserved32;
	__u64 reserved[4];
};
TLOB_ASSERT(sizeof(struct tlob_seat) == 128, "seats do not share cache lines");
TLOB_ASSERT(offsetof(struct tlob_seat, books) == 64, "constant part is one cache line");

struct tlob_arena {
	union tlob_arena_entry *entries; /* NULL: none; set last, with release */
	struct tlob_seat *seats; /* by slot */
	__u64 taken; /* bit per slot; bit 0 is the head */
	__u64 cookie;
	__u32 id; /* the engine's number */
};

struct tlob_home {
	__u32 epoch;
	__u32 dead; /* its agent has gone: windows here end as cancelled */
	const struct tlob_engine *engine;
	struct tlob_home *older;
	struct tlob_ledger *ledger; /* up to its histograms */
	struct tlob_descriptor ledger_file;
	char *hists[TLOB_MAX_REGIONS]; /* all shards; NULL: not entered here, or there is nobody to read them */
	bool agent; /* records go to an agent */
	struct tlob_descriptor socket, kick;
	__u32 shards; /* bit per shard that belongs to one thread */
	__u32 serial; /* threads so far, for salts */
	struct tlob_lock growing; /* for everything down to narenas */
	bool asked; /* the agent owes one arena */
	__u32 narenas; /* release after the arena is complete */
	struct tlob_arena arenas[TLOB_MAX_ARENAS];
	struct tlob_msg_welcome
		welcome; /* as received; noverrides is checked, names are terminated */
};

/* In a mapping of its own, no descriptor open; NULL when memory is short. */
struct tlob_home *tlob_home_new(void);
/* Only before anybody else has seen it. */
void tlob_home_free(struct tlob_home *home);
/* Make @home one that needs no agent. 0 or negative errno. */
int tlob_home_make_local(struct tlob_home *home);
/* The same, with the clocks and the expiry of the kernel's module. */
int tlob_home_make_kernel(struct tlob_home *home);
/*
 * Make @home one that serves @home->welcome, with the @nfds descriptors that came with it, which are taken over in any case.
 * Nothing of it is believed unchecked. 0 or negative errno.
 */
int tlob_home_make_guest(struct tlob_home *home, int *fds, int nfds);
/* The agent has gone: close the descriptors and let go of the memory, which stays readable and writable. */
void tlob_home_bury(struct tlob_home *home);
/* In a forked child: close what belongs to the parent, and leave its memory alone. */
void tlob_home_forget(struct tlob_home *home);

/* lib/arena.c */
/* Make @entries the next arena of @home; -ENOSPC if there are too many. Caller owns @home->growing or @home itself. */
int tlob_arena_append(struct tlob_home *home, union tlob_arena_entry *entries, __u32 id,
		      __u64 cookie);
/* Fresh memory for an arena of the process itself; NULL when it is short. */
union tlob_arena_entry *tlob_arena_map_own(void);
/* Memory of the map behind @fd, which is checked to be an arena; NULL otherwise. */
union tlob_arena_entry *tlob_arena_map_shared(int fd);
/* A free slot, growing if need be; waits a few milliseconds for the agent at most. NULL: none. Signals are blocked. */
struct tlob_seat *tlob_arena_claim(struct tlob_home *home);
void tlob_arena_release(struct tlob_seat *seat);
/* Where @seat is. */
struct tlob_arena *tlob_arena_of(const struct tlob_seat *seat, __u32 *slot);

#endif
