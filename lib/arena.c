// SPDX-License-Identifier: LGPL-2.1-or-later
/* Arenas of a home: which slots are free, and more of them when they run out. */
#include "home.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "connect.h"
#include "engine.h"
#include "ledger.h"

#define SEATS_BYTES (sizeof(struct tlob_seat) * TLOB_ARENA_SLOTS)
#define GROW_WAIT_NS (20 * TLOB_NS_PER_MS) /* a thread's very first start, if slots have run out */
#define ALL_SLOTS (~0ULL)
TLOB_ASSERT(TLOB_ARENA_SLOTS == 64, "one bit per slot in a word");

static void *map_anonymous(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

union tlob_arena_entry *tlob_arena_map_own(void)
{
	union tlob_arena_entry *entries = map_anonymous(TLOB_ARENA_BYTES);

	if (!entries)
		return NULL;
	entries->head.magic = TLOB_ABI_MAGIC;
	entries->head.version = TLOB_ABI_VERSION;
	entries->head.next_wake_ns = TLOB_NEVER;
	return entries;
}

/* An array map of the right shape: its mapping can neither fault nor be too short. */
static bool is_arena_map(int fd)
{
	struct bpf_map_info info = {0};
	union bpf_attr attr = {0};

	if (tlob_is_filtered())
		return false;
	attr.info.bpf_fd = (__u32)fd;
	attr.info.info_len = sizeof(info);
	attr.info.info = (__u64)(uintptr_t)&info;
	return !syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)) &&
	       info.type == BPF_MAP_TYPE_ARRAY && (info.map_flags & BPF_F_MMAPABLE) &&
	       info.value_size == sizeof(union tlob_arena_entry) &&
	       info.max_entries == TLOB_ARENA_SLOTS;
}

union tlob_arena_entry *tlob_arena_map_shared(int fd)
{
	void *p;

	if (!is_arena_map(fd))
		return NULL;
	p = mmap(NULL, TLOB_ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

int tlob_arena_append(struct tlob_home *home, union tlob_arena_entry *entries, __u32 id,
		      __u64 cookie)
{
	struct tlob_arena *arena;

	if (home->narenas == TLOB_MAX_ARENAS)
		return -ENOSPC;
	arena = &home->arenas[home->narenas];
	arena->seats = map_anonymous(SEATS_BYTES);
	if (!arena->seats)
		return -ENOMEM;
	arena->id = id;
	arena->cookie = cookie;
	arena->taken = 1; /* the head's */
	arena->entries = entries;
	tlob_store_release(&home->narenas, home->narenas + 1);
	return 0;
}

static int append_own(struct tlob_home *home)
{
	union tlob_arena_entry *entries = tlob_arena_map_own();
	int r;

	if (!entries)
		return -ENOMEM;
	r = tlob_arena_append(home, entries, home->narenas, 0);
	if (r)
		munmap(entries, TLOB_ARENA_BYTES);
	return r;
}

/* Ask the agent for one more, unless it owes one already, and take what has come within @wait_ns. */
static int append_from_agent(struct tlob_home *home, __u64 wait_ns)
{
	union tlob_arena_entry *entries;
	struct tlob_msg_arena msg;
	int fd, r;

	if (!home->asked) {
		r = tlob_connect_ask(&home->socket, TLOB_MSG_GROW);
		if (r)
			return r;
		home->asked = true;
	}
	r = tlob_connect_arena(&home->socket, wait_ns, &msg, &fd);
	if (r)
		return r;
	home->asked = false;
	entries = tlob_arena_map_shared(fd);
	close(fd);
	if (!entries)
		return -EPROTO;
	r = tlob_arena_append(home, entries, msg.arena, msg.cookie);
	if (r)
		munmap(entries, TLOB_ARENA_BYTES);
	return r;
}

/* Somebody else may have grown the home while this thread waited for the lock: @seen is what it knew before. */
static int grow(struct tlob_home *home, __u32 seen, __u64 wait_ns)
{
	int r = tlob_lock_take(&home->growing, wait_ns);

	if (r)
		return r;
	if (tlob_load(&home->narenas) == seen)
		r = home->engine->grow	  ? home->engine->grow(home) :
		    home->engine->clocked ? append_from_agent(home, wait_ns) :
					    append_own(home);
	tlob_lock_release(&home->growing);
	return r;
}

/* Memory of the program's own making costs nothing to get; an agent is asked before the last arena is full. */
static void grow_ahead(struct tlob_home *home, const struct tlob_arena *arena)
{
	__u32 seen = tlob_load_acquire(&home->narenas);

	if (home->engine->clocked && arena == &home->arenas[seen - 1] &&
	    __builtin_popcountll(tlob_load(&arena->taken)) >= TLOB_ARENA_SLOTS / 2)
		(void)grow(home, seen, 0);
}

static struct tlob_seat *sit_down(struct tlob_home *home, struct tlob_arena *arena, __u32 index)
{
	struct tlob_seat *seat = &arena->seats[index];

	memset(seat, 0, sizeof(*seat));
	seat->home = home;
	seat->epoch = home->epoch;
	seat->slot = &arena->entries[index].slot;
	seat->head = &arena->entries->head;
	seat->books = TLOB_NO_DESCRIPTOR;
	return seat;
}

static struct tlob_seat *claim_in(struct tlob_home *home, struct tlob_arena *arena)
{
	__u64 taken = tlob_load(&arena->taken);

	while (taken != ALL_SLOTS) {
		__u32 index = (__u32)__builtin_ctzll(~taken);
		__u64 was = tlob_cmpxchg(&arena->taken, taken, taken | 1ULL << index);

		if (was == taken)
			return sit_down(home, arena, index);
		taken = was;
	}
	return NULL;
}

struct tlob_seat *tlob_arena_claim(struct tlob_home *home)
{
	__u64 until = 0;

	for (;;) {
		__u32 n = tlob_load_acquire(&home->narenas);
		__u64 now;

		for (__u32 i = 0; i < n; i++) {
			struct tlob_seat *seat = claim_in(home, &home->arenas[i]);

			if (!seat)
				continue;
			grow_ahead(home, &home->arenas[i]);
			return seat;
		}
		now = tlob_now();
		if (!until)
			until = now + GROW_WAIT_NS;
		if (now >= until || grow(home, n, until - now))
			return NULL;
	}
}

struct tlob_arena *tlob_arena_of(const struct tlob_seat *seat, __u32 *slot)
{
	struct tlob_home *home = seat->home;
	__u32 n = tlob_load_acquire(&home->narenas);

	for (__u32 i = 0; i < n; i++) {
		struct tlob_arena *arena = &home->arenas[i];

		if (seat >= arena->seats && seat < arena->seats + TLOB_ARENA_SLOTS) {
			*slot = (__u32)(seat - arena->seats);
			return arena;
		}
	}
	return NULL;
}

void tlob_arena_release(struct tlob_seat *seat)
{
	__u32 index;
	struct tlob_arena *arena = tlob_arena_of(seat, &index);

	if (arena)
		__atomic_fetch_and(&arena->taken, ~(1ULL << index), __ATOMIC_RELEASE);
}
