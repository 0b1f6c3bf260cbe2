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

#define TLOB_LINE_STOPS 64

enum tlob_line_form {
	TLOB_LINE_PAIR, /* one stop */
	TLOB_LINE_EXITS, /* stops are all by which the function at @start is left */
	TLOB_LINE_RETURN, /* no stop: until the function at @start returns */
};

struct tlob_line {
	bool remove;
	__u64 budget_ns; /* this and all that follows but @path: not if @remove */
	enum tlob_line_form form;
	__u64 start; /* also if @remove */
	__u32 nstops;
	__u64 stops[TLOB_LINE_STOPS];
	const char *path; /* within the text */
};

/*
 * Add:     THRESHOLD_US:START:STOP:PATH  or  p PATH:START STOP threshold=NS
 * Remove: -START:PATH                    or -PATH:START
 * START and STOP are offsets in the file: decimal, 0x or 0. PATH is absolute and may hold blanks and colons. The
 * second form wants START and STOP to differ; in the first, equal ones measure from hit to hit. In the second, STOP may also be
 * "return", or "exit=OFFSET,OFFSET...", if a function begins at START.
 *
 * -EINVAL, or -ERANGE for a budget outside TLOB_BUDGET_MIN_NS .. TLOB_BUDGET_MAX_NS. Changes @text.
 */
int tlob_line_parse(char *text, struct tlob_line *line);

#endif
