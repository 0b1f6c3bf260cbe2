/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A report as one HTML file that needs nothing else: for those who have a browser and not tlob. */
#ifndef TLOB_CLI_REPORT_HTML_H
#define TLOB_CLI_REPORT_HTML_H

#include "report_print.h"

/* "-": standard output. Returns 0 or an exit status, having said why. */
int cli_report_html(struct cli_report *r, const struct cli_report_view *view, const char *path);

#endif
