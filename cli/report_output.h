/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file that is in memory until it is whole: what cannot be written to its end is not begun. */
#ifndef TLOB_CLI_REPORT_OUTPUT_H
#define TLOB_CLI_REPORT_OUTPUT_H

#include <stddef.h>
#include <stdio.h>

struct cli_report_output {
	char *bytes;
	size_t size;
	FILE *out;
};

/* Returns 0 or an exit status, having said why. */
int cli_report_output_begin(struct cli_report_output *o);
/* Writes it to the file, "-" is standard output, and frees it. Likewise. */
int cli_report_output_finish(struct cli_report_output *o, const char *path);

#endif
