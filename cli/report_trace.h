/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Late windows on a time line: a file in the Trace Event Format (JSON), which Perfetto and chrome://tracing open. Each thread has
 * a track with its late windows, what they went into below them.
 */
#ifndef TLOB_CLI_REPORT_TRACE_H
#define TLOB_CLI_REPORT_TRACE_H

#include "json.h"
#include "report_event.h"

struct cli_report_trace {
	const char *path; /* NULL: not wanted */
	struct cli_json json;
	bool open;
	uint64_t windows;
	void *tracks; /* tsearch(3) */
};

/* One record, @o being what it was read from. Returns 0 or an exit status, having said why. */
int cli_report_trace_add(struct cli_report_trace *t, const struct cli_report_event *e,
			 struct json_object *o);
/* The end of the file. Likewise; that there is nothing to draw is an error. */
int cli_report_trace_finish(struct cli_report_trace *t);
void cli_report_trace_deinit(struct cli_report_trace *t);

#endif
