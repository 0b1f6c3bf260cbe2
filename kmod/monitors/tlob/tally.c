// SPDX-License-Identifier: GPL-2.0-only
/* See tally.h. Counts only grow, by atomic adds: whoever reads meanwhile misses the last ones. */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/smp.h>

#include "hist.h"
#include "tally.h"

struct tlob_tally *tlob_tally_new(void)
{
	return kzalloc(sizeof(struct tlob_tally), GFP_KERNEL_ACCOUNT);
}

void tlob_tally_free(struct tlob_tally *tally)
{
	unsigned int i;

	for (i = 0; tally && i < TLOB_TALLY_SHARDS; i++)
		kvfree(tally->shards[i]);
	kfree(tally);
}

static struct tlob_hist **shard_here(struct tlob_tally *tally)
{
	return &tally->shards[raw_smp_processor_id() % TLOB_TALLY_SHARDS];
}

void tlob_tally_prepare(struct tlob_tally *tally)
{
	struct tlob_hist **shard = tally ? shard_here(tally) : NULL, *hist;

	if (!shard || READ_ONCE(*shard))
		return;
	/* not the probed program's to pay */
	hist = kvzalloc(sizeof(*hist), GFP_KERNEL);
	if (hist && cmpxchg(shard, NULL, hist))
		kvfree(hist);
}

/* That of this CPU, or any: the window was opened on one that has one, unless memory was short. */
static struct tlob_hist *hist_for(struct tlob_tally *tally)
{
	struct tlob_hist *hist = READ_ONCE(*shard_here(tally));
	unsigned int i;

	for (i = 0; !hist && i < TLOB_TALLY_SHARDS; i++)
		hist = READ_ONCE(tally->shards[i]);
	return hist;
}

void tlob_tally_window(struct tlob_tally *tally, u64 elapsed_ns, bool late)
{
	struct tlob_hist *hist;

	if (!tally)
		return;
	hist = hist_for(tally);
	if (hist)
		tlob_hist_add(hist, elapsed_ns);
	if (late)
		tlob_add(&tally->overruns, 1);
}

void tlob_tally_sum(struct tlob_tally *tally, struct tlob_hist *hist, struct tlob_tally_args *args)
{
	struct tlob_hist *shard;
	unsigned int i, k;

	for (i = 0; i < TLOB_TALLY_SHARDS; i++) {
		shard = READ_ONCE(tally->shards[i]);
		if (!shard)
			continue;
		hist->max_ns = max(hist->max_ns, tlob_load(&shard->max_ns));
		for (k = 0; k < TLOB_HIST_BUCKETS; k++)
			hist->count[k] += tlob_load(&shard->count[k]);
	}
	args->overruns = tlob_load(&tally->overruns);
	args->refused = tlob_load(&tally->refused);
	args->abandoned = tlob_load(&tally->abandoned);
}
