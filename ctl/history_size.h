/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much of the switch history is kept, whichever engine writes it. */
#ifndef TLOBCTL_HISTORY_SIZE_H
#define TLOBCTL_HISTORY_SIZE_H

#include <tlob/ctl.h>

#include "history_entry.h"

#define TLOBCTL_HISTORY_BYTES (256ULL << 20) /* of all CPUs, if nobody says otherwise */

#define TLOBCTL_HISTORY_LEAST 1024u
#define TLOBCTL_HISTORY_MOST (1u << 24)

/* Entries in which @ns has room. */
static inline uint32_t tlobctl_history_of_time(uint64_t ns)
{
	const uint64_t most_ns = TLOBCTL_HISTORY_MOST / TLOBCTL_HISTORY_RATE * 1000000000ULL;
	uint64_t need = (ns < most_ns ? ns : most_ns) * TLOBCTL_HISTORY_RATE;
	uint32_t entries = TLOBCTL_HISTORY_LEAST;

	while (entries * 1000000000ULL < need)
		entries *= 2;
	return entries;
}

/* Entries of each of @cpus, a power of two. If nobody says how many, @usual ones, if there is room for so many. */
static inline uint32_t tlobctl_history_entries(const struct tlobctl_opts *opts, uint32_t cpus,
					       uint32_t usual)
{
	uint64_t bytes = opts->history_bytes;
	uint64_t most =
		(bytes ? bytes : TLOBCTL_HISTORY_BYTES) / sizeof(union tlob_history_line) / cpus;
	uint32_t entries = TLOBCTL_HISTORY_LEAST;

	if (opts->history_ns)
		return tlobctl_history_of_time(opts->history_ns);
	if (!bytes && most > usual)
		most = usual;
	while (entries * 2ULL <= most && entries < TLOBCTL_HISTORY_MOST)
		entries *= 2;
	return entries;
}

#endif
