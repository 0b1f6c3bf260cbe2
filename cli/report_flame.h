/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stacks of a report as graphs, and as text for other tools. */
#ifndef TLOB_CLI_REPORT_FLAME_H
#define TLOB_CLI_REPORT_FLAME_H

#include "report_data.h"

struct cli_report_graphs {
	/* files to write; "-": standard output; NULL: not */
	const char *folded, *flame, *difference;
	unsigned int
		of; /* bit per enum cli_report_stacks; 0: late ones, and for a graph good ones too */
};

/* "late,good,slept". Returns 0 or an exit status, having said why. */
int cli_report_parse_of(const char *value, unsigned int *of);

/* Returns 0 or an exit status, having said why. */
int cli_report_graphs(const struct cli_report *r, const struct cli_report_graphs *graphs);
/* All stacks there are as one SVG; nothing if there are none. Likewise. */
int cli_report_flame(const struct cli_report *r, FILE *out);

#endif
