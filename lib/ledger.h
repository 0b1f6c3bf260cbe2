/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ledger: regions, counters, histograms and, for engine user, the record ring. Layout in abi.h.
 */
#ifndef TLOB_LIB_LEDGER_H
#define TLOB_LIB_LEDGER_H

#include "hist.h"
#include "home.h"
#include "now.h"

/*
 * Map the agent's file into @home, checked so that touching it can never fault; @fd is taken over.
 * 0 or negative errno.
 */
int tlob_ledger_map(struct tlob_home *home, int fd);
/*
 * For a home without an agent: neither ring nor histograms, which nobody could read. 0 or negative
 * errno.
 */
int tlob_ledger_map_own(struct tlob_home *home);
/*
 * Map the histograms of @region. Where that fails, its windows are missing from the statistics.
 * Signal-safe.
 */
void tlob_ledger_enter(struct tlob_home *home, __u32 region);
/* Only before anybody else has seen @home. */
void tlob_ledger_unmap(struct tlob_home *home);
/* Give the memory back and keep the addresses: late writers write into nothing. */
void tlob_ledger_blank(struct tlob_home *home);
/* Append to the agent's ring; when it is full the record is dropped and counted. */
void tlob_ledger_push(struct tlob_ledger *ledger, const struct tlob_record *record);

/*
 * Half of the shards each belong to one busy thread, which counts without atomics; the others share
 * the rest.
 */
#define TLOB_OWN_SHARDS (TLOB_HIST_SHARDS / 2)
#define TLOB_BUSY_ADDS 256u /* so many windows make a busy thread */

/*
 * One more of @what, a counter of the region; @region may come from memory that an agent can write.
 */
#define tlob_ledger_count(seat, number, what) \
	do { \
		__u32 tlob_number_ = (number); \
		if (tlob_number_ < TLOB_MAX_REGIONS) \
			tlob_add(&(seat)->home->ledger->regions[tlob_number_].what, 1); \
	} while (0)

/* Count one more window that shares its shard, and try for an own one now and then. */
void tlob_ledger_add_shared(struct tlob_seat *seat, struct tlob_hist *hist, __u64 elapsed_ns);
/* Thread exit: the shard is free for another. */
void tlob_ledger_leave_shard(struct tlob_seat *seat);

/* Where a window counts. Looked up before it ends, so that the end has little left to do. */
struct tlob_cell {
	struct tlob_hist *hist; /* NULL: nowhere */
	bool own;
};

/*
 * @region as above. A handler may make this thread's shard its own at any moment, never the other
 * way: what is read first here stays true of what is read next.
 */
tlob_inline struct tlob_cell tlob_ledger_cell(const struct tlob_seat *seat, __u32 region)
{
	struct tlob_cell cell = {.own = tlob_load(&seat->own_shard) != 0};
	char *hist = NULL;

	if (tlob_likely(region < TLOB_MAX_REGIONS))
		hist = tlob_load(&seat->home->hists[region]);
	if (tlob_likely(hist != NULL))
		cell.hist = (struct tlob_hist *)(hist + tlob_load(&seat->shard));
	return cell;
}

tlob_inline void tlob_ledger_add(struct tlob_seat *seat, struct tlob_cell cell, __u64 elapsed_ns)
{
	struct tlob_hist *h = cell.hist;

	if (tlob_unlikely(!h))
		return;
	if (tlob_unlikely(!cell.own)) {
		tlob_ledger_add_shared(seat, h, elapsed_ns);
		return;
	}
	if (tlob_unlikely(elapsed_ns > tlob_load(&h->max_ns)))
		tlob_hist_raise(h, elapsed_ns);
	tlob_own_increment(&h->count[tlob_hist_index(elapsed_ns)]);
}

#endif
