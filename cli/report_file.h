/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lines of an NDJSON file, one after the other; however long the file, only one line is in memory. */
#ifndef TLOB_CLI_REPORT_FILE_H
#define TLOB_CLI_REPORT_FILE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

struct cli_report_line {
	struct json_object *object;
	const char *text; /* without newline; ends with a NUL */
	size_t bytes;
};

/* Returns 0, or an exit status that ends the reading, having said why. */
typedef int cli_report_line_fn(const struct cli_report_line *line, void *arg);

struct cli_report_file {
	const char *name; /* for messages */
	uint64_t lines; /* read so far; the number of the current one */
	uint64_t bad, first_bad; /* lines that are no JSON object, and the first of them */
	bool cut; /* the last line has no end: whoever wrote it was killed */
};

/* @path "-": standard input. Returns 0 or an exit status, having said why. */
int cli_report_file_read(struct cli_report_file *f, const char *path, cli_report_line_fn *fn,
			 void *arg);

#endif
