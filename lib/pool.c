// SPDX-License-Identifier: LGPL-2.1-or-later
/* Arenas of the pool. */
#include "pool.h"

#include <errno.h>
#include <sys/mman.h>

#include "connect.h"
#include "engine.h"
#include "now.h"

#define FIRST_WAIT_NS (20 * TLOB_NS_PER_MS) /* for the first arena, in all */

static int place(struct tlob_home *home, union tlob_arena_entry *entries,
		 const struct tlob_msg_arena *msg)
{
	for (__u32 i = 0; i < TLOB_TRANSIT_ARENAS; i++) {
		union tlob_arena_entry *none = NULL;

		if (tlob_load(&home->pool.entries[i]))
			continue;
		/* one thread at a time gets here with an agent's */
		if (msg) {
			home->pool_ids[i] = msg->arena;
			home->pool_cookies[i] = msg->cookie;
		}
		if (!tlob_cmpxchg(&home->pool.entries[i], none, entries))
			return 0;
		if (!msg) /* another thread has just grown it: that will do */
			break;
	}
	munmap(entries, TLOB_ARENA_BYTES);
	return msg ? -ENOSPC : 0;
}

static int grow_own(struct tlob_home *home)
{
	union tlob_arena_entry *entries = mmap(NULL, TLOB_ARENA_BYTES, PROT_READ | PROT_WRITE,
					       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (entries == MAP_FAILED)
		return -ENOMEM;
	entries->head.magic = TLOB_ABI_MAGIC;
	entries->head.version = TLOB_ABI_VERSION;
	entries->head.next_wake_ns = TLOB_NEVER;
	return place(home, entries, NULL);
}

int tlob_pool_add(struct tlob_home *home, int fd, const struct tlob_msg_arena *msg)
{
	union tlob_arena_entry *entries;

	if (!tlob_arena_is_map(fd))
		return -EPROTO;
	entries = mmap(NULL, TLOB_ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return entries == MAP_FAILED ? -ENOMEM : place(home, entries, msg);
}

int tlob_pool_grow(struct tlob_home *home, __u32 seen, __u64 wait_ns)
{
	if (seen >= TLOB_TRANSIT_ARENAS)
		return -ENOSPC;
	if (tlob_pool_at(&home->pool, seen))
		return 0;
	if (!home->engine->transit_arm)
		return -EOPNOTSUPP;
	return home->engine->clocked ? tlob_arena_await_transit(home, seen, wait_ns) :
				       grow_own(home);
}

int tlob_pool_first(struct tlob_home *home)
{
	__u64 now = tlob_now(), until = now + FIRST_WAIT_NS, was;
	int r;

	if (tlob_pool_at(&home->pool, 0))
		return 0;
	was = tlob_cmpxchg(&home->pool_until_ns, (__u64)0, until);
	if (was)
		until = was;
	r = tlob_pool_grow(home, 0, now < until ? until - now : 0);
	return !r || r == -EOPNOTSUPP ? r : -ENOSPC;
}

void tlob_pool_free(struct tlob_home *home)
{
	for (__u32 i = 0; tlob_pool_at(&home->pool, i); i++)
		munmap(home->pool.entries[i], TLOB_ARENA_BYTES);
}

/* What is open there shall still be found, so that its end can say that it was not measured. */
void tlob_pool_keep(struct tlob_home *home)
{
	union tlob_arena_entry *entries;

	for (__u32 i = 0; (entries = tlob_pool_at(&home->pool, i)); i++) {
		void *copy = mmap(NULL, TLOB_ARENA_BYTES, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (copy == MAP_FAILED) {
			(void)mmap(entries, TLOB_ARENA_BYTES, PROT_READ | PROT_WRITE,
				   MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			continue;
		}
		for (__u32 k = 0; k < TLOB_ARENA_BYTES / sizeof(__u64); k++)
			((__u64 *)copy)[k] = tlob_load((__u64 *)entries + k);
		(void)mremap(copy, TLOB_ARENA_BYTES, TLOB_ARENA_BYTES,
			     MREMAP_MAYMOVE | MREMAP_FIXED, entries);
	}
}
