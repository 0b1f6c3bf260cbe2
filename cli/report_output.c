// SPDX-License-Identifier: GPL-2.0-or-later
/* See report_output.h. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "report_output.h"

static int no_memory(void)
{
	return cli_error(CLI_ERROR, "out of memory for the stacks");
}

int cli_report_output_begin(struct cli_report_output *o)
{
	*o = (struct cli_report_output){.bytes = NULL};
	o->out = open_memstream(&o->bytes, &o->size);
	return o->out ? 0 : no_memory();
}

int cli_report_output_finish(struct cli_report_output *o, const char *path)
{
	int status = ferror(o->out) ? no_memory() : 0;
	bool failed;
	FILE *out;

	if (fclose(o->out) && !status)
		status = no_memory();
	if (!status) {
		out = strcmp(path, "-") ? fopen(path, "we") : stdout;
		failed = !out || fwrite(o->bytes, 1, o->size, out) != o->size || fflush(out);
		if (failed)
			status = cli_error(CLI_ERROR, "cannot write '%s': %m", path);
		if (out && out != stdout && fclose(out) && !failed)
			status = cli_error(CLI_ERROR, "cannot write '%s': %m", path);
	}
	free(o->bytes);
	return status;
}
