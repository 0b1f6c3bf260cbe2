// SPDX-License-Identifier: LGPL-2.1-or-later
/* See ledger.h. */
#include "ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "ring.h"

/*
 * A mapping faults when the file is cut short afterwards, or, with huge pages, when none is left.
 * So: of full size, sealed against shrinking, and plain shared memory.
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

/*
 * Not all at once: a program that locks its memory would lock all of it, and of most regions there
 * is none. What is nobody's to read is not mapped at all.
 */
#define FRONT_BYTES TLOB_LEDGER_HIST_OFFSET /* regions and ring */
#define OWN_BYTES TLOB_LEDGER_RING_OFFSET
#define HIST_BYTES (TLOB_HIST_SHARDS * TLOB_HIST_STRIDE)
#define OWN_FLAGS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

static void *map(void *at, size_t bytes, int flags, int fd, __u64 offset)
{
	void *p = mmap(at, bytes, PROT_READ | PROT_WRITE, flags, fd, (off_t)offset);

	return p == MAP_FAILED ? NULL : p;
}

/* How far a region's histograms lie behind a page's begin: somewhere, where pages are large. */
static size_t lead_of(__u32 region)
{
	return TLOB_LEDGER_HIST(region, 0) & ((size_t)sysconf(_SC_PAGESIZE) - 1);
}

int tlob_ledger_map(struct tlob_home *home, int fd)
{
	if (!is_safe(fd)) {
		close(fd);
		return -EPROTO;
	}
	home->ledger = map(NULL, FRONT_BYTES, MAP_SHARED, fd, 0);
	if (home->ledger)
		return tlob_descriptor_adopt(fd, &home->ledger_file);
	close(fd);
	return -ENOMEM;
}

int tlob_ledger_map_own(struct tlob_home *home)
{
	home->ledger = map(NULL, OWN_BYTES, OWN_FLAGS, -1, 0);
	return home->ledger ? 0 : -ENOMEM;
}

void tlob_ledger_enter(struct tlob_home *home, __u32 region)
{
	size_t lead = lead_of(region);
	char *p;

	if (tlob_load(&home->hists[region]) || !tlob_descriptor_ours(&home->ledger_file))
		return;
	p = map(NULL, lead + HIST_BYTES, MAP_SHARED, home->ledger_file.fd,
		TLOB_LEDGER_HIST(region, 0) - lead);
	if (p && tlob_cmpxchg(&home->hists[region], (char *)NULL, p + lead))
		munmap(p, lead + HIST_BYTES); /* another thread was faster */
}

void tlob_ledger_unmap(struct tlob_home *home)
{
	if (home->ledger)
		munmap(home->ledger, home->agent ? FRONT_BYTES : OWN_BYTES);
	for (__u32 i = 0; i < TLOB_MAX_REGIONS; i++)
		if (home->hists[i])
			munmap(home->hists[i] - lead_of(i), lead_of(i) + HIST_BYTES);
}

/* If this fails the pages stay until the process ends, and nothing else is wrong. */
void tlob_ledger_blank(struct tlob_home *home)
{
	(void)map(home->ledger, home->agent ? FRONT_BYTES : OWN_BYTES, MAP_FIXED | OWN_FLAGS, -1,
		  0);
	for (__u32 i = 0; i < TLOB_MAX_REGIONS; i++) {
		char *hist = tlob_load(&home->hists[i]);

		if (hist)
			(void)map(hist - lead_of(i), lead_of(i) + HIST_BYTES, MAP_FIXED | OWN_FLAGS,
				  -1, 0);
	}
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
		tlob_store(&seat->shard, shard * TLOB_HIST_STRIDE);
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
