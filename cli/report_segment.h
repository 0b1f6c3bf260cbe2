/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parts of a late window in words, for those who draw it: what it went into from begin to end, and its stacks. */
#ifndef TLOB_CLI_REPORT_SEGMENT_H
#define TLOB_CLI_REPORT_SEGMENT_H

#include "report_event.h"
#include "why.h"

#define CLI_REPORT_STACK_BYTES 1024

/* A walk: set @event, all else 0. */
struct cli_report_segment {
	const struct cli_report_event *event;
	uint64_t start_ns, end_ns;
	enum tlobctl_cause cause;
	char name[CLI_WHY_CAUSE_BYTES];
	size_t next;
};

/* Of a window whose end lies past all time, its begin. */
uint64_t cli_report_end_ns(const struct tlob_record *r);
/*
 * The next part, or false. Files can be written by anybody: what is not within its window, or not behind the part before, is left
 * out or cut.
 */
bool cli_report_segment_next(struct cli_report_segment *s);

/* "slept 5.00ms in nap < main". False: there are no frames. */
bool cli_report_stack(char *buf, size_t size, const struct tlobctl_snapshot *s);

#endif
