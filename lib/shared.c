// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Windows that another process may end. Each lies where this process's windows of no thread are, so that it expires and is
 * abandoned like those; the engine knows it by the name of its region and its tag, and ends it. One system call each.
 */
#include "shared.h"

#include <errno.h>

#include "calm.h"
#include "engine.h"
#include "now.h"
#include "process.h"
#include "record.h"
#include "region.h"
#include "thread.h"

/* FNV-1a, of as much as others see of the name. */
static __u64 name_of(const struct tlob_region *region)
{
	__u64 hash = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < TLOB_NAME_BYTES - 1 && region->name && region->name[i]; i++)
		hash = (hash ^ (unsigned char)region->name[i]) * 0x100000001b3ULL;
	return hash;
}

static int finish(int r)
{
	if (r < 0)
		errno = -r;
	return r;
}

/* ---- begin */

static void refuse(struct tlob_home *home, __u32 region)
{
	if (region < TLOB_MAX_REGIONS)
		tlob_add(&home->ledger->regions[region].refused, 1);
}

/* A home that has such windows, a seat in it, and a place for them. */
static int sit(struct tlob_region *region, struct tlob_seat **seat)
{
	struct tlob_home *home = tlob_process_home();
	int r;

	if (!home)
		return -ECANCELED;
	if (!home->engine->shared_begin)
		return -EOPNOTSUPP;
	r = tlob_load(&region->internal_id) == TLOB_NO_REGION ? -ENOSPC :
								tlob_region_enter(home, region);
	if (r) {
		tlob_add(&home->ledger->unmeasured, 1);
		return -ECANCELED;
	}
	r = tlob_pool_first(home);
	*seat = r ? NULL : tlob_thread_sit(home);
	if (*seat)
		return 0;
	refuse(home, tlob_load(&region->internal_id));
	return r ? r : -ENOSPC;
}

/* The window as its engine is to find it; not armed. */
static void fill(const struct tlob_seat *seat, const struct tlob_region *region,
		 struct tlob_window *w)
{
	__u64 now = tlob_now();

	tlob_store(&w->switches, tlob_load(&seat->slot->tid));
	tlob_store(&w->running_ns, (__u64)tlob_load(&seat->slot->flags));
	tlob_store(&w->sleeping_ns, (__u64)0); /* no chain */
	tlob_store(&w->start_ns, now);
	tlob_store(&w->deadline_ns, now + tlob_load(&region->internal_budget_ns));
}

static int begin(struct tlob_seat *seat, struct tlob_region *region, uint64_t tag)
{
	struct tlob_home *home = seat->home;
	__u32 id = tlob_load(&region->internal_id);
	struct tlob_place p;
	int r = tlob_transit_claim(&home->pool, id, tag, 1, &p);

	if (!r) {
		fill(seat, region, &p.slot->windows[p.index]);
		r = home->engine->shared_begin(home, &p, name_of(region), tag);
		if (r)
			tlob_transit_release(&p);
	}
	if (r == -ENOSPC || r == -EINTR || r == -EAGAIN || r == -ENOMEM) {
		refuse(home, id);
		return -ENOSPC;
	}
	if (!r || r == -EEXIST)
		return r;
	if (tlob_engine_gone(r))
		tlob_process_lost(home);
	return -ECANCELED;
}

static bool is_ready(const struct tlob_seat *seat, const struct tlob_region *region)
{
	__u32 epoch = tlob_load(&tlob_live->epoch);

	return seat->epoch == epoch && tlob_load(&region->internal_epoch) == epoch &&
	       seat->home->engine->shared_begin && tlob_pool_at(&seat->home->pool, 0);
}

int tlob_shared_begin(struct tlob_region *region, uint64_t tag)
{
	struct tlob_seat *seat = tlob_seat;
	int r = 0;

	if (tlob_load(&tlob_switched_off))
		return finish(-ECANCELED);
	{
		TLOB_CALM;

		if (!is_ready(seat, region))
			r = sit(region, &seat);
		if (!r)
			r = begin(seat, region, tag);
	}
	return finish(r);
}

/* ---- end */

/* No such engine now: was there one, whose agent has gone? */
static int without_engine(const struct tlob_home *home)
{
	for (; home && home->epoch >= tlob_load(&tlob_live->first_epoch); home = home->older)
		if (home->engine->shared_begin)
			return -ECANCELED;
	return -EOPNOTSUPP;
}

/*
 * Where the record says that it is not a region of this process, the callback still gets the region: it has ended here. Whoever
 * began it is not told, as of no window that an agent looks after until it stops it itself.
 */
static void tell(struct tlob_home *home, const struct tlob_region *region, struct tlob_record *late)
{
	late->region = tlob_load(&region->internal_epoch) == home->epoch ?
			       tlob_load(&region->internal_id) :
			       TLOB_NO_REGION;
	tlob_record_call_both(late, region);
}

static int end(const struct tlob_region *region, uint64_t tag)
{
	struct tlob_record late;
	struct tlob_home *home;
	int r;

	tlob_process_look(tlob_now()); /* an agent that has gone notices nothing any more */
	home = tlob_process_home();
	if (!home)
		return -ECANCELED;
	if (!home->engine->shared_end)
		return without_engine(home);
	r = home->engine->shared_end(home, name_of(region), tag, &late);
	if (r == -EOVERFLOW && late.budget_ns)
		tell(home, region, &late);
	if (!r || r == -EOVERFLOW || r == -ESRCH || r == -ECANCELED)
		return r;
	if (tlob_engine_gone(r))
		tlob_process_lost(home);
	return -ECANCELED;
}

int tlob_shared_end(struct tlob_region *region, uint64_t tag)
{
	int r;

	if (tlob_load(&tlob_switched_off))
		return finish(-ECANCELED);
	{
		TLOB_CALM;

		r = end(region, tag);
	}
	return finish(r);
}
