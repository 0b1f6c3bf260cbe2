/* SPDX-License-Identifier: GPL-2.0-only */
/* What is counted of a binding's windows. */
#ifndef MONITORS_TLOB_TALLY_H
#define MONITORS_TLOB_TALLY_H

#include <tlob/rv.h>

#define TLOB_TALLY_SHARDS 8

struct tlob_tally {
	u64 overruns;
	u64 refused;
	u64 abandoned;
	struct tlob_hist *
		shards[TLOB_TALLY_SHARDS]; /* by CPU; made where a window is first opened, then stay */
};

struct tlob_tally *tlob_tally_new(void);
void tlob_tally_free(struct tlob_tally *tally);
/* Before a window is opened on this CPU. Sleeps. NULL is fine, as it is below. */
void tlob_tally_prepare(struct tlob_tally *tally);
/* A stop has ended a window. Any context. */
void tlob_tally_window(struct tlob_tally *tally, u64 elapsed_ns, bool late);
/* Sum into @hist and @args. */
void tlob_tally_sum(struct tlob_tally *tally, struct tlob_hist *hist, struct tlob_tally_args *args);

#endif
