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

/* A span's number, counted from 1, tells how many its reach is of: as many as its lowest bit, itself the last of them. */
static size_t width(size_t number)
{
	return number & -number;
}

void why_spans_sort(struct why_spans *s)
{
	if (s->count)
		qsort(s->list, s->count, sizeof(*s->list), by_address);
	for (size_t number = 1; number <= s->count; number++) {
		uint64_t reach = s->list[number - 1].high;

		for (size_t before = number - 1; before > number - width(number);
		     before -= width(before))
			if (s->list[before - 1].reach > reach)
				reach = s->list[before - 1].reach;
		s->list[number - 1].reach = reach;
	}
}

/* In a file made to do harm millions of spans may begin before @address and end there too: they are not looked at one by one. */
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
	while (low) {
		const struct why_span *last = &s->list[low - 1];

		if (last->high > address)
			return last;
		low -= last->reach > address ? 1 : width(low);
	}
	return NULL;
}

void why_spans_deinit(struct why_spans *s)
{
	free(s->list);
	memset(s, 0, sizeof(*s));
}
