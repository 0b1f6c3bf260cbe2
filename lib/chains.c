// SPDX-License-Identifier: LGPL-2.1-or-later
/* See chains.h. */
#include "chains.h"

#include <errno.h>
#include <string.h>

#include "chain.h"
#include "region.h"

#define MAX_CHAINS 32

/* Never taken out. A region's internal_chain is its number here + 1, times 8, plus its stage. */
static struct chain {
	struct tlob_region *region; /* NULL: not in use; set last */
	struct tlob_region *stages[TLOB_MAX_STAGES];
	__u32 n;
} chains[MAX_CHAINS];
static struct tlob_lock declaring;

#define STAGE_BITS 3
#define STAGE_MASK ((1u << STAGE_BITS) - 1)
#define DECLARE_WAIT_NS 1000000000u

/* ---- declaring */

static int check(const struct tlob_region *chain, struct tlob_region *const *regions, size_t n)
{
	if (!chain || chain->internal_shared || !regions || n < 2 || n > TLOB_MAX_STAGES)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		if (!regions[i] || regions[i] == chain || regions[i]->internal_shared)
			return -EINVAL;
		for (size_t k = 0; k < i; k++)
			if (regions[k] == regions[i])
				return -EINVAL;
	}
	for (size_t i = 0; i < n; i++)
		if (tlob_load(&regions[i]->internal_chain))
			return -EBUSY;
	for (size_t i = 0; i < MAX_CHAINS; i++)
		if (chains[i].region == chain)
			return -EBUSY;
	return 0;
}

static int declare(struct tlob_region *chain, struct tlob_region *const *regions, size_t n)
{
	__u32 number = 0;

	while (number < MAX_CHAINS && chains[number].region)
		number++;
	if (number == MAX_CHAINS)
		return -ENOSPC;
	memcpy(chains[number].stages, regions, n * sizeof(*regions));
	chains[number].n = (__u32)n;
	tlob_store_release(&chains[number].region, chain);
	for (__u32 i = 0; i < n; i++)
		tlob_store_release(&regions[i]->internal_chain, (number + 1) << STAGE_BITS | i);
	return 0;
}

int tlob_chain(struct tlob_region *chain, struct tlob_region *const *regions, size_t n)
{
	int r = tlob_lock_take(&declaring, DECLARE_WAIT_NS);

	if (!r) {
		r = check(chain, regions, n);
		if (!r)
			r = declare(chain, regions, n);
		tlob_lock_release(&declaring);
	}
	if (r)
		errno = -r;
	return r;
}

static struct chain *chain_at(__u32 number)
{
	return number && number <= MAX_CHAINS ? &chains[number - 1] : NULL;
}

struct tlob_region *tlob_chain_of(const struct tlob_region *region, __u32 *stage, __u32 *nstages)
{
	__u32 of = tlob_load_acquire(&region->internal_chain);
	const struct chain *c = chain_at(of >> STAGE_BITS);

	if (!c)
		return NULL;
	*stage = of & STAGE_MASK;
	*nstages = c->n;
	return tlob_load_acquire(&c->region);
}

static const struct chain *find(const struct tlob_region *region)
{
	for (__u32 i = 0; i < MAX_CHAINS; i++)
		if (tlob_load_acquire(&chains[i].region) == region)
			return &chains[i];
	return NULL;
}

int tlob_chain_enter(struct tlob_home *home, struct tlob_region *chain)
{
	const struct chain *c;
	int r;

	if (tlob_load_acquire(&chain->internal_epoch) == home->epoch)
		return 0;
	c = find(chain);
	if (!c)
		return -ENOENT;
	for (__u32 i = 0; i < c->n; i++) {
		r = tlob_region_enter(home, c->stages[i]);
		if (r)
			return r;
	}
	r = tlob_region_enter(home, chain);
	if (!r) {
		struct tlob_ledger_region *entry = &home->ledger->regions[chain->internal_id];

		for (__u32 i = 0; i < c->n; i++)
			tlob_store(&entry->stages[i], (__u8)c->stages[i]->internal_id);
		tlob_store(&entry->nstages, (__u8)c->n);
	}
	return r;
}

/* ---- the log */

static struct tlob_chain_log *log_of(const struct tlob_place *p)
{
	return (struct tlob_chain_log *)&p->slot->windows[p->index + 1];
}

void tlob_log_clear(const struct tlob_place *p)
{
	for (__u32 i = 0; i < 2 * TLOB_MAX_STAGES; i++)
		tlob_store(&log_of(p)->mark[i], 0u);
}

void tlob_log_mark(const struct tlob_place *p, __u32 n, __u64 now_ns)
{
	__u64 start = tlob_load(&p->slot->windows[p->index].start_ns);

	tlob_store(&log_of(p)->mark[n], tlob_mark_of(now_ns > start ? now_ns - start : 0));
}

void tlob_log_stages(const struct tlob_place *p, const struct tlob_record *r,
		     struct tlob_stages *out)
{
	tlob_stages_init(out, r);
	for (__u32 i = 0; i < 2 * TLOB_MAX_STAGES; i++)
		out->mark[i] = tlob_load(&log_of(p)->mark[i]);
}
