// SPDX-License-Identifier: GPL-2.0-or-later
/* See spans.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "spans.h"

int why_spans_add(struct why_spans *s, uint64_t low, uint64_t high, uint32_t what, uint32_t rank)
{
	if (low >= high)
		return 0;
	if (s->count == s->room) {
		size_t room = s->room ? s->room * 2 : 64;
		struct why_span *more = reallocarray(s->list, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		s->list = more;
		s->room = room;
	}
	s->list[s->count++] =
		(struct why_span){.low = low, .high = high, .what = what, .rank = rank};
	return 0;
}

static int by_address(const void *a, const void *b)
{
	const struct why_span *x = a, *y = b;

	if (x->low != y->low)
		return x->low < y->low ? -1 : 1;
	if (x->high != y->high)
		return x->high > y->high ? -1 : 1;
	return x->rank < y->rank ? -1 : x->rank > y->rank;
}

void why_spans_sort(struct why_spans *s)
{
	uint64_t reach = 0;

	if (s->count)
		qsort(s->list, s->count, sizeof(*s->list), by_address);
	for (size_t i = 0; i < s->count; i++) {
		reach = s->list[i].high > reach ? s->list[i].high : reach;
		s->list[i].reach = reach;
	}
}

const struct why_span *why_spans_find(const struct why_spans *s, uint64_t address)
{
	size_t low = 0, high = s->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->list[middle].low <= address)
			low = middle + 1;
		else
			high = middle;
	}
	while (low-- > 0 && s->list[low].reach > address)
		if (s->list[low].high > address)
			return &s->list[low];
	return NULL;
}

void why_spans_deinit(struct why_spans *s)
{
	free(s->list);
	memset(s, 0, sizeof(*s));
}
