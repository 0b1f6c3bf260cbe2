/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which of many ranges of addresses, one inside another or side by side, an address lies in. */
#ifndef TLOB_WHY_SPANS_H
#define TLOB_WHY_SPANS_H

#include <stddef.h>
#include <stdint.h>

struct why_span {
	uint64_t low, high; /* [low, high) */
	uint64_t reach; /* how far this one and some before it do: see why_spans_sort() */
	uint32_t what; /* the caller's */
	uint32_t rank; /* of those with the same range, the highest is found */
};

struct why_spans {
	struct why_span *list;
	size_t count, room;
};

/* An empty range is ignored. Returns 0 or -ENOMEM. */
int why_spans_add(struct why_spans *s, uint64_t low, uint64_t high, uint32_t what, uint32_t rank);
/* Once, after the last one was added. */
void why_spans_sort(struct why_spans *s);
/* The one that begins last of those that contain @address; NULL: none. */
const struct why_span *why_spans_find(const struct why_spans *s, uint64_t address);
void why_spans_deinit(struct why_spans *s);

#endif
