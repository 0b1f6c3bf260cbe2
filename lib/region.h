/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Regions: each gets a number for the life of the process, and an entry under it in the ledger of
 * each home.
 */
#ifndef TLOB_LIB_REGION_H
#define TLOB_LIB_REGION_H

#include <tlob/tlob.h>

#include "home.h"

#define TLOB_NO_REGION (~0u)

/*
 * Enter @region into the current @home's ledger and make it ready for the fast path: internal_id,
 * internal_budget_ns, internal_interval_ns, then internal_epoch. -ENOSPC: there are
 * TLOB_MAX_REGIONS already; its internal_id is TLOB_NO_REGION from then on. Lock-free, signal-safe.
 */
int tlob_region_enter(struct tlob_home *home, struct tlob_region *region);

/* Which one it is; NULL if unknown. */
const struct tlob_region *tlob_region_at(__u32 id);

#endif
