/* SPDX-License-Identifier: GPL-2.0-only */
/* Lines of the monitor's control file. Compiled into the tests as well. */
#ifndef MONITORS_TLOB_LINE_H
#define MONITORS_TLOB_LINE_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdbool.h>
#include <linux/types.h>
#endif

struct tlob_line {
	bool remove;
	__u64 budget_ns; /* not if @remove */
	__u64 start;
	__u64 stop; /* not if @remove */
	const char *path; /* within the text */
};

/*
 * Add:     THRESHOLD_US:START:STOP:PATH  or  p PATH:START STOP threshold=NS
 * Remove: -START:PATH                    or -PATH:START
 * START and STOP are offsets in the file: decimal, 0x or 0. PATH is absolute and may hold blanks and colons. The
 * second form wants START and STOP to differ; in the first, equal ones measure from hit to hit.
 *
 * -EINVAL, or -ERANGE for a budget outside TLOB_BUDGET_MIN_NS .. TLOB_BUDGET_MAX_NS. Changes @text.
 */
int tlob_line_parse(char *text, struct tlob_line *line);

#endif
