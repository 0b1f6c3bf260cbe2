/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading the switch history: a part of it as one stream of entries in order of time. Layout: core/history_entry.h. */
#ifndef TLOB_WHY_HISTORY_H
#define TLOB_WHY_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "history_entry.h"

struct why_history {
	const union tlob_history_line *lines; /* NULL: there is none */
	size_t bytes;
	uint32_t cpus;
	uint32_t capacity; /* entries of one CPU's ring, power of two */
};

/* A copy, private to the reader; one may be used again and again. */
struct why_stream {
	struct tlob_history_entry *entries; /* in order of time */
	size_t count;
	size_t room;
	uint64_t from_ns; /* that was asked for */
	uint64_t covers_ns; /* from here on nothing is missing */
	bool cut; /* there was more than @max */
	/* while it is read */
	struct tlob_history_entry *parts;
	size_t nparts, parts_room;
	size_t *ends; /* of each CPU's part */
};

/* Map @fd, an array map of @cpus heads and as many rings. Returns 0 or a negative errno. */
int why_history_map(struct why_history *history, int fd, uint32_t cpus, uint32_t capacity);
void why_history_unmap(struct why_history *history);

/*
 * Copy what happened in [@from_ns, @to_ns], and for each CPU from its last switch before. At most @max entries; if there
 * are more, the latest. Entries that are overwritten meanwhile are left out, and covers_ns then says so. Returns 0 or
 * -ENOMEM.
 */
int why_history_read(const struct why_history *history, uint64_t from_ns, uint64_t to_ns,
		     size_t max, struct why_stream *stream);
void why_stream_deinit(struct why_stream *stream);

#endif
