/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which regions are stages of which chain, and the log beside a chain's window. */
#ifndef TLOB_LIB_CHAINS_H
#define TLOB_LIB_CHAINS_H

#include <tlob/tlob.h>

#include "home.h"

/* The chain that @region is a stage of; NULL: of none. */
struct tlob_region *tlob_chain_of(const struct tlob_region *region, __u32 *stage, __u32 *nstages);
/* Enter it and its regions into @home's ledger. 0 or negative errno. Signal-safe. */
int tlob_chain_enter(struct tlob_home *home, struct tlob_region *chain);

/* The log of the chain at @p; mark @n is set to @now_ns. */
void tlob_log_clear(const struct tlob_place *p);
void tlob_log_mark(const struct tlob_place *p, __u32 n, __u64 now_ns);
/* What goes before record @r of the chain at @p. */
void tlob_log_stages(const struct tlob_place *p, const struct tlob_record *r,
		     struct tlob_stages *out);

#endif
