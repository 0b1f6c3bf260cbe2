/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is asked of a histogram once it is complete. See hist.h; the text form is in hgrm.c. */
#include "hist.h"

/* A window each ns takes 104 days to get here, and there is still room to multiply by 1000. */
#define COUNT_MAX (1ULL << 53)

void tlob_hist_merge(struct tlob_hist *into, const struct tlob_hist *from)
{
	__u64 max;
	__u32 i;

	for (i = 0; i < TLOB_HIST_BUCKETS; i++)
		into->count[i] += tlob_load_acquire(&from->count[i]);
	/* read after the counts, as it is written before them */
	max = tlob_load(&from->max_ns);
	if (max > into->max_ns)
		into->max_ns = max;
}

__u64 tlob_hist_count(const struct tlob_hist *h)
{
	__u64 total = 0;
	__u32 i;

	for (i = 0; i < TLOB_HIST_BUCKETS; i++) {
		if (h->count[i] > COUNT_MAX - total)
			return COUNT_MAX;
		total += h->count[i];
	}
	return total;
}

__u64 tlob_hist_quantile(const struct tlob_hist *h, __u64 ppb)
{
	__u64 total = tlob_hist_count(h), rank, below = 0;
	__u32 i;

	if (total == 0)
		return 0;
	if (ppb >= TLOB_HIST_PPB)
		return h->max_ns;
	/* the @rank-th smallest; total * ppb / PPB rounded up, in two parts that cannot overflow */
	rank = total / TLOB_HIST_PPB * ppb +
	       (total % TLOB_HIST_PPB * ppb + TLOB_HIST_PPB - 1) / TLOB_HIST_PPB;
	if (rank == 0)
		rank = 1;
	for (i = 0; i < TLOB_HIST_BUCKETS; i++) {
		if (h->count[i] >= rank - below) {
			__u64 value = tlob_hist_value(i);

			return value < h->max_ns ? value : h->max_ns;
		}
		below += h->count[i];
	}
	return h->max_ns;
}
