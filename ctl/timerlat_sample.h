/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel's timerlat tracer writes about a cycle, out of the pages of its trace buffer. */
#ifndef TLOBCTL_TIMERLAT_SAMPLE_H
#define TLOBCTL_TIMERLAT_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kbuffer;

/* Where the fields of the event are, as its file "format" says. */
struct timerlat_format {
	int id;
	size_t seqnum, context, latency; /* offsets of an int, an int and 8 bytes */
	size_t bytes; /* an event has at least that many */
};

/* The latest of each kind. Latencies count from the time that was set. */
struct timerlat_sample {
	struct {
		uint32_t seqnum;
		uint64_t latency_ns;
		uint64_t time_ns; /* when it was written */
	} irq, thread;
	bool any;
};

/* False: that is no such format. */
bool timerlat_format_parse(const char *text, struct timerlat_format *format);
/* Take what @page, as trace_pipe_raw gives it, has. */
void timerlat_sample_take(struct kbuffer *buffer, void *page, const struct timerlat_format *format,
			  struct timerlat_sample *sample);

#endif
