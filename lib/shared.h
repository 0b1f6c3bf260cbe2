/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tlob_begin() and tlob_end() of regions that other processes have, too. */
#ifndef TLOB_LIB_SHARED_H
#define TLOB_LIB_SHARED_H

#include <tlob/tlob.h>

/* What the calls return. */
int tlob_shared_begin(struct tlob_region *region, uint64_t tag);
int tlob_shared_end(struct tlob_region *region, uint64_t tag);

#endif
