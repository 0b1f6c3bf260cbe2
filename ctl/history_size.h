/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much of the switch history is kept, whichever engine writes it. */
#ifndef TLOBCTL_HISTORY_SIZE_H
#define TLOBCTL_HISTORY_SIZE_H

#include "history_entry.h"

#define TLOBCTL_HISTORY_BYTES (256ULL << 20) /* of all CPUs, if nobody says otherwise */

/* Entries of each of @cpus, a power of two. @bytes: of all; 0: @usual entries, if there is room for so many. */
static inline uint32_t tlobctl_history_entries(uint64_t bytes, uint32_t cpus, uint32_t usual)
{
	uint64_t most =
		(bytes ? bytes : TLOBCTL_HISTORY_BYTES) / sizeof(union tlob_history_line) / cpus;
	uint32_t entries = 1024;

	if (!bytes && most > usual)
		most = usual;
	while (entries * 2ULL <= most && entries < 1u << 24)
		entries *= 2;
	return entries;
}

#endif
