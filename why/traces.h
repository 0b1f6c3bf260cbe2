/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stacks of samples: each that is different is kept once, and has a number. Fed with the stream of sync.h. */
#ifndef TLOB_WHY_TRACES_H
#define TLOB_WHY_TRACES_H

#include "sync.h"

#define WHY_MAX_TRACES 65536
#define WHY_MAX_TRACE_BYTES ((size_t)64 << 20) /* of all; deep ones take much */

struct why_place {
	const struct why_object *object; /* NULL: memory without a file */
	uint64_t offset;
	bool kernel;
};

struct why_trace {
	uint32_t hash;
	uint16_t n;
	bool cut;
	struct why_place places[]; /* innermost first; all but the first are return addresses */
};

struct why_traces {
	struct why_trace **list;
	size_t count, room;
	size_t bytes;
	uint32_t *table; /* number + 1 by hash; 0: free */
	size_t slots; /* power of two */
	uint64_t refused; /* there were as many, or as large ones, as there may be, or no memory */
	/* the one that is coming in, and what the stream said before */
	struct why_place places[WHY_MAX_CHAIN];
	uint16_t n;
	bool kernel;
	const struct why_object *object;
};

void why_traces_deinit(struct why_traces *traces);
/* True: with this event a trace has come to its end, and *@number is its number; UINT32_MAX: refused. */
bool why_traces_take(struct why_traces *traces, const struct why_event *event, uint32_t *number);

#endif
