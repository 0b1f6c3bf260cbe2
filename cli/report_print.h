/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A report for people, and as JSON. */
#ifndef TLOB_CLI_REPORT_PRINT_H
#define TLOB_CLI_REPORT_PRINT_H

#include "json.h"
#include "report_data.h"

struct cli_report_view {
	bool why;
	size_t top; /* regions and causes of each, at most; 0: all regions, the usual number of causes */
};

/* Returns 0 or an exit status, having said why. */
int cli_report_print(struct cli_report *r, const struct cli_report_view *view,
		     const struct cli_terminal *term);
void cli_report_json(const struct cli_report *r, const struct cli_report_view *view,
		     struct cli_json *j);

#endif
