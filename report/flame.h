/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flame graphs as one SVG file that needs nothing else: what it says is in hover texts, and a small script inside adds
 * zoom and search where scripts may run.
 */
#ifndef TLOB_REPORT_FLAME_H
#define TLOB_REPORT_FLAME_H

#include <stdbool.h>
#include <stdio.h>

#include "tree.h"

struct report_panel {
	const char *title, *note;
	const struct report_node
		*root; /* summed up; values in ns, of all windows unless @difference */
	double windows; /* to say what each of them took; 0: not known */
	/*
	 * Both values, in ns per window, over each other: as wide as the larger of them, red where the first is larger,
	 * blue where the second is.
	 */
	bool difference;
	const char *names[2]; /* of the two values: "late", "good" */
};

/* Panels below each other. */
void report_flame_write(FILE *out, const char *title, const struct report_panel *panels,
			size_t npanels);

#endif
