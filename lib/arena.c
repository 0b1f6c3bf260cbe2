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
#include "pool.h"

#define MAX_ASKED 8u
#define ALL_SLOTS (~0ULL)
TLOB_ASSERT(TLOB_ARENA_SLOTS == 64, "one bit per slot in a word");

static void *map(size_t bytes, int flags, int fd)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Takes @entries over. */
static struct tlob_arena *make_arena(union tlob_arena_entry *entries, __u32 id, __u64 cookie)
{
	struct tlob_arena *arena = NULL;

	if (entries)
		arena = map(sizeof(*arena), MAP_PRIVATE | MAP_ANONYMOUS, -1);
	if (!arena) {
		if (entries)
			munmap(entries, TLOB_ARENA_BYTES);
		return NULL;
	}
	arena->entries = entries;
	arena->id = id;
	arena->cookie = cookie;
	arena->taken = 1; /* the head's */
	return arena;
}

static void free_arena(struct tlob_arena *arena)
{
	munmap(arena->entries, TLOB_ARENA_BYTES);
	munmap(arena, sizeof(*arena));
}

void tlob_arena_free_all(struct tlob_home *home)
{
	for (__u32 i = 0; tlob_arena_at(home, i); i++)
		free_arena(home->arenas[i]);
}

/* An array map of the right shape: its mapping can neither fault nor be too short. */
bool tlob_arena_is_map(int fd)
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

/* Whoever finds the first free place; @seen are known to be taken. */
static int append(struct tlob_home *home, struct tlob_arena *arena, __u32 seen)
{
	if (!arena)
		return -ENOMEM;
	for (__u32 i = seen; i < TLOB_MAX_ARENAS; i++)
		if (!tlob_load(&home->arenas[i]) &&
		    !tlob_cmpxchg(&home->arenas[i], (struct tlob_arena *)NULL, arena))
			return 0;
	free_arena(arena);
	return -ENOSPC;
}

/* Not the place behind @number: if somebody else has just grown the home, that will do. */
int tlob_arena_place(struct tlob_home *home, union tlob_arena_entry *entries, __u32 number)
{
	struct tlob_arena *arena = make_arena(entries, number, 0);

	if (!arena)
		return -ENOMEM;
	if (tlob_cmpxchg(&home->arenas[number], (struct tlob_arena *)NULL, arena))
		free_arena(arena);
	return 0;
}

/* Memory of the process's own. */
static int append_own(struct tlob_home *home, __u32 seen)
{
	union tlob_arena_entry *entries;

	if (seen == TLOB_MAX_ARENAS)
		return -ENOSPC;
	entries = map(TLOB_ARENA_BYTES, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	if (!entries)
		return -ENOMEM;
	entries->head.magic = TLOB_ABI_MAGIC;
	entries->head.version = TLOB_ABI_VERSION;
	entries->head.next_wake_ns = TLOB_NEVER;
	return tlob_arena_place(home, entries, seen);
}

int tlob_arena_add(struct tlob_home *home, int fd, const struct tlob_msg_arena *msg)
{
	if (!tlob_arena_is_map(fd))
		return -EPROTO;
	return append(home,
		      make_arena(map(TLOB_ARENA_BYTES, MAP_SHARED, fd), msg->arena, msg->cookie),
		      0);
}

/* ---- an agent's arenas; home->growing is held */

/* Ask for one more, unless as many are on their way as @have arenas make likely to be wanted. */
static int ask(struct tlob_home *home, __u32 have)
{
	int r;

	if (home->asked > have / 4 || home->asked == MAX_ASKED)
		return 0;
	r = tlob_connect_ask(&home->socket, TLOB_MSG_GROW);
	if (!r)
		home->asked++;
	return r;
}

/* Take what has come within @wait_ns. */
static int take(struct tlob_home *home, __u64 wait_ns)
{
	struct tlob_msg_arena msg;
	int fd, r = tlob_connect_arena(&home->socket, wait_ns, &msg, &fd);

	if (r && r != -EAGAIN) { /* which of them is not known */
		if (home->asked)
			home->asked--;
		home->pool_asked = 0;
	}
	if (r)
		return r;
	if (msg.transit) {
		home->pool_asked = 0;
		r = tlob_pool_add(home, fd, &msg);
	} else {
		home->asked--;
		r = tlob_arena_add(home, fd, &msg);
	}
	close(fd);
	return r;
}

/* One more at least, if it comes within @wait_ns. */
static int append_from_agent(struct tlob_home *home, __u32 seen, __u64 wait_ns)
{
	int r = tlob_lock_take(&home->growing, wait_ns);

	if (r)
		return r;
	if (!tlob_arena_at(home, seen)) { /* nobody has while this thread waited for the lock */
		r = ask(home, seen);
		if (home->asked)
			r = take(home, wait_ns);
	}
	while (!r && home->asked && !take(home, 0))
		;
	tlob_lock_release(&home->growing);
	return r;
}

int tlob_arena_await_transit(struct tlob_home *home, __u32 seen, __u64 wait_ns)
{
	__u64 now = tlob_now(), until = now + wait_ns;
	int r = tlob_lock_take(&home->growing, wait_ns);

	if (r)
		return r;
	if (home->pool_refused) {
		r = -ENOSPC;
	} else if (!tlob_pool_at(&home->pool, seen) && !home->pool_asked) {
		r = tlob_connect_ask(&home->socket, TLOB_MSG_TRANSIT);
		home->pool_asked = !r;
	}
	/* others that are owed may come first */
	while (!r && !tlob_pool_at(&home->pool, seen)) {
		if (!home->pool_asked)
			r = -ENOSPC;
		else
			r = take(home, now < until ? until - now : 0);
		now = tlob_now();
	}
	home->pool_refused |= r == -ECONNREFUSED;
	tlob_lock_release(&home->growing);
	return r;
}

/* An agent is asked before the last arena is full; the sooner, the more threads there are. */
static void ask_ahead(struct tlob_home *home, const struct tlob_arena *arena, __u32 number)
{
	int used = __builtin_popcountll(tlob_load(&arena->taken));

	if (!home->engine->clocked || home->engine->grow || tlob_arena_at(home, number + 1) ||
	    used < (number ? 2 : TLOB_ARENA_SLOTS / 2) || tlob_lock_take(&home->growing, 0))
		return;
	while (home->asked && !take(home, 0))
		;
	if (!tlob_arena_at(home, number + 1))
		(void)ask(home, number + 1);
	tlob_lock_release(&home->growing);
}

/* ---- slots */

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

struct tlob_seat *tlob_arena_claim(struct tlob_home *home, __u64 wait_ns)
{
	__u64 until = 0;

	for (;;) {
		struct tlob_arena *arena;
		struct tlob_seat *seat;
		__u64 now;
		__u32 n;
		int r;

		for (n = 0; (arena = tlob_arena_at(home, n)); n++) {
			seat = claim_in(home, arena);
			if (!seat)
				continue;
			ask_ahead(home, arena, n);
			return seat;
		}
		now = tlob_now();
		if (!until)
			until = now + wait_ns;
		r = home->engine->grow ? home->engine->grow(home, n) :
		    home->engine->clocked ?
					 append_from_agent(home, n, now < until ? until - now : 0) :
					 append_own(home, n);
		if (r)
			return NULL;
	}
}

struct tlob_arena *tlob_arena_of(const struct tlob_seat *seat, __u32 *slot)
{
	struct tlob_arena *arena;

	for (__u32 i = 0; (arena = tlob_arena_at(seat->home, i)); i++) {
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
