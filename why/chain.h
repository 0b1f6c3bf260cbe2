/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A slept until B woke it: and what did B do all that time? */
#ifndef TLOB_WHY_CHAIN_H
#define TLOB_WHY_CHAIN_H

#include "culprit.h"

#define WHY_CHAIN_DEPTH 8

struct why_chain {
	const struct why_stream *stream;
	struct why_answer *answer;
	size_t *nwho;
	uint32_t victim; /* whose window it is */
	struct tlobctl_link *links; /* WHY_CHAIN_DEPTH */
	size_t nlinks;
};

/* Follows the wakers from @tid on, which ended a sleep of [@start_ns, @end_ns]. */
void why_chain(struct why_chain *chain, uint32_t tid, uint64_t start_ns, uint64_t end_ns);

#endif
