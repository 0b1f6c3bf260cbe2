// SPDX-License-Identifier: LGPL-2.1-or-later
/* See region.h. */
#include "region.h"

#include <errno.h>
#include <string.h>

#include "baseline.h"
#include "ledger.h"

/*
 * By number. All threads, and a handler that interrupts one of them, walk it in the same order and
 * take the first free place, so that however many enter one region at once they all end up with the
 * same number, without a lock that a handler could find taken by its own thread. A place is never
 * given up.
 */
static struct tlob_region *regions[TLOB_MAX_REGIONS];
static char names[TLOB_MAX_REGIONS][TLOB_NAME_BYTES];

/*
 * What a place holds once the region there turned out to be gone: another library lies at its
 * address now.
 */
static struct tlob_region gone;

/* Whoever comes second writes the same bytes. */
static void copy_text(char *to, const char *from, size_t bytes)
{
	size_t i = 0;

	for (; from && from[i] && i < bytes - 1; i++)
		tlob_store(&to[i], from[i]);
	tlob_store(&to[i], '\0');
}

static bool same_text(const char *have, const char *want, size_t bytes)
{
	for (size_t i = 0; i < bytes - 1; i++) {
		char c = tlob_load(&have[i]);

		if (c != (want ? want[i] : '\0'))
			return false;
		if (!c)
			break;
	}
	return true;
}

/* The end of a path says more than its beginning. */
static const char *tail(const char *path, size_t bytes)
{
	size_t length = path ? strlen(path) : 0;

	return length < bytes ? path : path + (length - bytes + 1);
}

static __u32 number_of(struct tlob_region *region)
{
	for (__u32 id = 0; id < TLOB_MAX_REGIONS; id++) {
		struct tlob_region *have = tlob_load_acquire(&regions[id]);

		if (!have)
			have = tlob_cmpxchg(&regions[id], (struct tlob_region *)NULL, region);
		if (!have)
			return id;
		if (have != region)
			continue;
		if (!tlob_load(&names[id][0]) ||
		    same_text(names[id], region->name, TLOB_NAME_BYTES))
			return id;
		tlob_cmpxchg(&regions[id], region, &gone);
	}
	return TLOB_NO_REGION;
}

const struct tlob_region *tlob_region_at(__u32 id)
{
	struct tlob_region *region = id < TLOB_MAX_REGIONS ? tlob_load_acquire(&regions[id]) : NULL;

	return region == &gone ? NULL : region;
}

static __u64 budget_of(const struct tlob_home *home, const struct tlob_region *region)
{
	__u64 ns = region->budget_ns;

	for (__u32 i = 0; i < home->welcome.noverrides; i++)
		if (same_text(home->welcome.overrides[i].name, region->name, TLOB_NAME_BYTES))
			ns = home->welcome.overrides[i].budget_ns;
	if (ns < TLOB_BUDGET_MIN_NS)
		return TLOB_BUDGET_MIN_NS;
	return ns < TLOB_BUDGET_MAX_NS ? ns : TLOB_BUDGET_MAX_NS;
}

static void count_regions(struct tlob_ledger *ledger, __u32 n)
{
	__u32 have = tlob_load(&ledger->nregions);

	while (have < n) {
		__u32 was = tlob_cmpxchg(&ledger->nregions, have, n);

		if (was == have)
			break;
		have = was;
	}
}

static void write_entry(struct tlob_ledger *ledger, __u32 id, const struct tlob_region *region,
			__u64 budget_ns)
{
	struct tlob_ledger_region *entry = &ledger->regions[id];

	tlob_store(&entry->line, region->line);
	tlob_store(&entry->budget_ns, budget_ns);
	copy_text(entry->name, region->name, sizeof(entry->name));
	copy_text(entry->file, tail(region->file, sizeof(entry->file)), sizeof(entry->file));
	count_regions(ledger, id + 1);
	tlob_store_release(&entry->ready, 1u);
}

/* How old a baseline may be, see baseline.h. */
static __u32 interval_of(__u64 budget_ns)
{
	__u64 ns = budget_ns / 4;

	if (ns < TLOB_BASELINE_MIN_NS)
		return TLOB_BASELINE_MIN_NS;
	return ns < TLOB_BASELINE_MAX_NS ? (__u32)ns : TLOB_BASELINE_MAX_NS;
}

int tlob_region_enter(struct tlob_home *home, struct tlob_region *region)
{
	__u64 budget_ns = budget_of(home, region);
	__u32 id;

	if (tlob_load_acquire(&region->internal_epoch) == home->epoch)
		return 0;
	id = number_of(region);
	if (id == TLOB_NO_REGION) {
		/* places are never given up, so that it need not be tried again */
		if (tlob_xchg(&region->internal_id, TLOB_NO_REGION) != TLOB_NO_REGION)
			tlob_add(&home->ledger->turned_away, 1);
		return -ENOSPC;
	}
	copy_text(names[id], region->name, TLOB_NAME_BYTES);
	tlob_ledger_enter(home, id);
	write_entry(home->ledger, id, region, budget_ns);
	tlob_store(&region->internal_id, id);
	tlob_store(&region->internal_budget_ns, budget_ns);
	tlob_store(&region->internal_interval_ns, interval_of(budget_ns));
	tlob_store_release(&region->internal_epoch, home->epoch);
	return 0;
}
