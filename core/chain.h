/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * When the stages of a chain began and ended, in 32 bits each: nanoseconds since the chain began,
 * exact up to 67 ms and to one part in 67 million beyond. 0: it has not happened.
 */
#ifndef TLOB_CORE_CHAIN_H
#define TLOB_CORE_CHAIN_H

#include "atomic.h"

#define TLOB_MARK_BITS 26

tlob_inline __u32 tlob_mark_of(__u64 ns)
{
	__u32 shift = 0;

	ns++; /* the beginning is not nothing */
	while (shift < 63 - TLOB_MARK_BITS && ns >> shift >= 1ULL << TLOB_MARK_BITS)
		shift++;
	return shift << TLOB_MARK_BITS | (__u32)(ns >> shift & ((1ULL << TLOB_MARK_BITS) - 1));
}

/* All of what tells the stages in record @of but the marks. */
tlob_inline void tlob_stages_init(struct tlob_stages *s, const struct tlob_record *of)
{
	__builtin_memset(s, 0, sizeof(*s));
	s->type = TLOB_REC_STAGES;
	s->flags = of->flags;
	s->region = of->region;
	s->client = of->client;
	s->tgid = of->tgid;
	s->time_ns = of->time_ns;
	s->start_ns = of->start_ns;
	s->tag = of->tag;
	s->window = of->window;
}

/* Of a mark that is not 0. */
tlob_inline __u64 tlob_mark_ns(__u32 mark)
{
	__u64 ns = mark & ((1U << TLOB_MARK_BITS) - 1);

	return (ns << (mark >> TLOB_MARK_BITS)) - 1;
}

#endif
