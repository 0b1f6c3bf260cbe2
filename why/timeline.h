/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one thread did, cut out of the history of the whole machine. */
#ifndef TLOB_WHY_TIMELINE_H
#define TLOB_WHY_TIMELINE_H

#include "history.h"

#define WHY_UNKNOWN 3 /* beside enum tlob_state */
#define WHY_NO_CPU UINT32_MAX

/* A stretch of time in which nothing changed for the thread. */
struct why_stretch {
	uint64_t start_ns, end_ns;
	int state; /* enum tlob_state or WHY_UNKNOWN */
	uint32_t cpu; /* where it runs or queues, or ran last; WHY_NO_CPU */
	const struct tlob_history_entry *out; /* the switch that took the CPU from it; NULL unknown */
	const struct tlob_history_entry
		*wake; /* what ended its sleep, or its last one; NULL none known */
	bool occupied; /* waiting: it is known who has its CPU */
	uint32_t occupant; /* its tid; 0: idle */
	const struct tlob_history_entry *occupant_entry; /* which names it; NULL: nothing does */
	bool first; /* waiting: nothing of this wait comes before */
	bool moved; /* it came here from another CPU */
};

struct why_window {
	uint32_t tid;
	uint64_t start_ns, end_ns;
	uint64_t budget_ns;
	int end_state; /* that it had at the end, if nothing in the history tells; WHY_UNKNOWN */
};

typedef void why_stretch_fn(const struct why_stretch *stretch, void *arg);

/* Calls @fn for each stretch of @window, in order and without gap. */
void why_timeline(const struct why_stream *stream, const struct why_window *window,
		  why_stretch_fn *fn, void *arg);

/* The latest switch that gave @tid a CPU up to @time_ns, else the first after: it tells its name. NULL: none. */
const struct tlob_history_entry *why_naming(const struct why_stream *stream, uint32_t tid,
					    uint64_t time_ns);

#endif
