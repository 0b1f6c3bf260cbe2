/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Home of a process's windows: one engine, one ledger, the arenas with a slot per thread. A process
 * has one current home, which new windows go to; it gets another when its agent goes or comes.
 * Windows that are open in an older home end there, unless it is dead. A home is never freed, so
 * whoever holds a pointer to one may look at it.
 */
#ifndef TLOB_LIB_HOME_H
#define TLOB_LIB_HOME_H

#include <stdbool.h>
#include <stddef.h>

#include "atomic.h"
#include "descriptor.h"
#include "lock.h"
#include "transit_table.h"

struct tlob_engine;
struct tlob_home;

#define TLOB_MAX_ARENAS 1024 /* 64,512 threads at once */

/*
 * What a thread knows of its slot. Everything but the last line is constant from the moment that
 * the thread points to it, so that a start which was interrupted goes on with one consistent
 * picture whatever the handler did. Private memory of the process.
 */
struct tlob_seat {
	__u32 epoch; /* of the home */
	__u32 tag; /* low 12 bits of its window handles, but for the index */
	struct tlob_slot *slot;
	struct tlob_arena_head *head;
	__u64 salt; /* mixed into the upper bits of its handles: another thread's do not match */
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

/* In a mapping of its own, together with the seats. */
struct tlob_arena {
	union tlob_arena_entry *entries;
	__u64 taken; /* bit per slot; bit 0 is the head */
	__u64 cookie;
	__u32 id; /* the engine's number */
	struct tlob_seat seats[TLOB_ARENA_SLOTS] __attribute__((aligned(64))); /* by slot */
};

struct tlob_home {
	__u32 epoch;
	__u32 dead; /* its agent has gone: windows here end as cancelled */
	const struct tlob_engine *engine;
	struct tlob_home *older;
	struct tlob_ledger *ledger; /* up to its histograms */
	struct tlob_descriptor ledger_file;
	char *hists[TLOB_MAX_REGIONS]; /* all shards; NULL: not entered, or nobody reads them */
	bool agent; /* records go to an agent */
	struct tlob_descriptor socket, kick;
	struct tlob_lock hearing; /* for telling of what the engine has */
	__u32 shards; /* bit per shard that belongs to one thread */
	__u32 serial; /* threads so far, for salts */
	struct tlob_lock growing; /* for talking to the agent about arenas */
	__u32 asked; /* arenas that it owes */
	struct tlob_arena *arenas[TLOB_MAX_ARENAS]; /* NULL behind the last; never taken out */
	/* lib/transit.c; number and cookie of each are the engine's */
	struct tlob_pool pool;
	__u32 pool_ids[TLOB_TRANSIT_ARENAS];
	__u64 pool_cookies[TLOB_TRANSIT_ARENAS];
	__u32 pool_asked; /* the agent owes one of those; with growing, as is the next */
	__u32 pool_refused; /* and will not give any more */
	__u64 pool_until_ns; /* how long the first is waited for */
	/* as received; noverrides is checked, names are terminated */
	struct tlob_msg_welcome welcome;
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
 * Make @home one that serves @home->welcome, with the @nfds descriptors that came with it, which
 * are taken over in any case. Nothing of it is believed unchecked. 0 or negative errno.
 */
int tlob_home_make_guest(struct tlob_home *home, int *fds, int nfds);
/* The agent has gone: let go of the memory, which stays readable and writable. */
void tlob_home_bury(struct tlob_home *home);
/* Close the descriptors, when nobody can be in the middle of using one any more. */
void tlob_home_close(struct tlob_home *home);
/* In a forked child: close what belongs to the parent, and leave its memory alone. */
void tlob_home_forget(struct tlob_home *home);

/* lib/arena.c */
/*
 * The arena of an agent that is described in @msg, behind @fd, which is checked to be one. 0 or
 * negative errno.
 */
int tlob_arena_add(struct tlob_home *home, int fd, const struct tlob_msg_arena *msg);
/* Does @fd stand for memory of an arena's shape? */
bool tlob_arena_is_map(int fd);
/* One more for the pool, from the agent, which gets @wait_ns; @seen are there. */
int tlob_arena_await_transit(struct tlob_home *home, __u32 seen, __u64 wait_ns);
/* Arena @number in @entries, which it takes over. */
int tlob_arena_place(struct tlob_home *home, union tlob_arena_entry *entries, __u32 number);
/* Only before anybody else has seen them. */
void tlob_arena_free_all(struct tlob_home *home);
/* @i-th; NULL behind the last. */
static inline struct tlob_arena *tlob_arena_at(struct tlob_home *home, __u32 i)
{
	return i < TLOB_MAX_ARENAS ? tlob_load_acquire(&home->arenas[i]) : NULL;
}

/*
 * A free slot; when they have run out, an agent gets @wait_ns for another arena. NULL: none.
 * Signals are blocked.
 */
struct tlob_seat *tlob_arena_claim(struct tlob_home *home, __u64 wait_ns);
void tlob_arena_release(struct tlob_seat *seat);
/* Where @seat is. */
struct tlob_arena *tlob_arena_of(const struct tlob_seat *seat, __u32 *slot);

#endif
