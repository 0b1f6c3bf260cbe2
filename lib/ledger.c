// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "ring.h"

static struct tlob_ledger *map(int flags, int fd)
{
	void *p = mmap(NULL, TLOB_LEDGER_BYTES, PROT_READ | PROT_WRITE, flags, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

/*
 * A mapping faults when the file is cut short afterwards, or, with huge pages, when none is left. So: of full size,
 * sealed against shrinking, and plain shared memory.
 */
static bool is_safe(int fd)
{
	struct statfs fs;
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & F_SEAL_SHRINK) && !fstat(fd, &st) && S_ISREG(st.st_mode) &&
	       (__u64)st.st_size >= TLOB_LEDGER_BYTES && !fstatfs(fd, &fs) &&
	       fs.f_type == TMPFS_MAGIC;
}

struct tlob_ledger *tlob_ledger_map(int fd)
{
	if (!is_safe(fd)) {
		errno = EPROTO;
		return NULL;
	}
	return map(MAP_SHARED, fd);
}

struct tlob_ledger *tlob_ledger_map_own(void)
{
	return map(MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
}

void tlob_ledger_blank(struct tlob_ledger *ledger)
{
	/* if this fails the pages stay until the process ends, and nothing else is wrong */
	(void)mmap(ledger, TLOB_LEDGER_BYTES, PROT_READ | PROT_WRITE,
		   MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

void tlob_ledger_push(struct tlob_ledger *ledger, const struct tlob_record *record)
{
	struct tlob_ring *ring = (void *)((char *)ledger + TLOB_LEDGER_RING_OFFSET);

	(void)tlob_ring_push(ring, (struct tlob_ring_cell *)(ring + 1), TLOB_LEDGER_RING_CAPACITY,
			     record);
}

static void claim_shard(struct tlob_seat *seat)
{
	struct tlob_home *home = seat->home;
	__u32 shards = tlob_load(&home->shards);

	for (__u32 shard = 0; shard < TLOB_OWN_SHARDS; shard++) {
		__u32 was;

		if (shards & 1u << shard)
			continue;
		was = tlob_cmpxchg(&home->shards, shards, shards | 1u << shard);
		if (was != shards)
			return; /* somebody else is at it: next time */
		tlob_store(&seat->hist, tlob_ledger_shard(home->ledger, shard));
		tlob_store(&seat->own_shard, (__u16)(shard + 1));
		return;
	}
}

void tlob_ledger_add_shared(struct tlob_seat *seat, struct tlob_hist *hist, __u64 elapsed_ns)
{
	tlob_hist_add(hist, elapsed_ns);
	if (++seat->shared_adds % TLOB_BUSY_ADDS == 0)
		claim_shard(seat);
}

void tlob_ledger_leave_shard(struct tlob_seat *seat)
{
	__u32 shard = seat->own_shard;

	if (!shard)
		return;
	seat->own_shard = 0;
	__atomic_fetch_and(&seat->home->shards, ~(1u << (shard - 1)), __ATOMIC_RELEASE);
}
