/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an event of the page ring costs its reader, from the mapping and by read(), for bench.c. */
#ifndef TESTS_VM_BENCH_PAGERING_H
#define TESTS_VM_BENCH_PAGERING_H

#include <x86intrin.h>

#include "pagering.h"

#define FETCHES 400

static volatile uint64_t bench_sink;

/* What any reader does: look at each event. */
static uint32_t bench_walk(const char *at, const char *end)
{
	uint64_t sum = 0;
	uint32_t events = 0;

	while (at < end) {
		const struct tlob_page_event *e = (const void *)at;

		if (e->type != TLOB_PAGE_PADDING) {
			sum += e->time_ns + e->type;
			events++;
		}
		at += e->bytes;
	}
	bench_sink += sum;
	return events;
}

static uint32_t bench_mapped(const struct pagering *r)
{
	const char *page;

	if (pagering_get(r) == 0)
		return 0;
	page = r->pages + (size_t)r->meta->reader.id * PAGE;
	return bench_walk(page + r->meta->reader.begin, page + r->meta->reader.read);
}

static char bench_buf[65536];
static size_t bench_room;

static uint32_t bench_read(const struct pagering *r)
{
	ssize_t n = read(r->fd, bench_buf, bench_room);

	return n > 0 ? bench_walk(bench_buf, bench_buf + n) : 0;
}

static int bench_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Hundredths of a tick for an event: the median of the fetches that brought more than a few. */
static uint64_t bench_per_event(const struct pagering *r,
				uint32_t (*fetch)(const struct pagering *))
{
	static uint64_t cost[FETCHES];
	int fd = mark_open(), n = 0;

	for (unsigned long i = 0; i < 12000; i++)
		mark_number(fd, 1000000 + i);
	close(fd);
	while (n < FETCHES) {
		uint64_t began = __rdtsc();
		uint32_t events = fetch(r);
		uint64_t ticks = __rdtsc() - began;

		if (events == 0)
			break;
		if (events > 50)
			cost[n++] = ticks * 100 / events;
	}
	qsort(cost, n, sizeof(cost[0]), bench_compare);
	return n ? cost[n / 2] : 0;
}

static void bench_print(const char *name, uint64_t hundredths, uint64_t base)
{
	printf("%-44s %5llu.%02llu", name, (unsigned long long)hundredths / 100,
	       (unsigned long long)hundredths % 100);
	if (base)
		printf(" %8.3f", (double)hundredths / base);
	printf("\n");
}

static inline void bench_pagering(void)
{
	struct pagering r = pagering_open(0, "pages=256 order=0 mode=drop", "mark");
	uint64_t base;

	if (!pagering_map(&r))
		return;
	bench_per_event(&r, bench_mapped); /* warms up */
	bench_room = PAGE;
	base = bench_per_event(&r, bench_read);
	bench_print("an event by read(), 4 KiB at once", base, base);
	bench_print("an event from the mapping, a page at once", bench_per_event(&r, bench_mapped),
		    base);
	bench_room = sizeof(bench_buf);
	bench_print("an event by read(), 64 KiB at once", bench_per_event(&r, bench_read), base);
	pagering_unmap(&r);
	close(r.fd);
}

#endif
