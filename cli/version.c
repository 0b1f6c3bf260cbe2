// SPDX-License-Identifier: GPL-2.0-or-later
/* tlob version */
#include <stdio.h>

#include "options.h"

static int version_main(const struct cli_command *self, int argc, char **argv)
{
	int status;

	if (cli_options_parse(self, argc, argv, NULL, &status) < 0)
		return status;
	puts("tlob " TLOB_VERSION);
	return CLI_OK;
}

const struct cli_command cli_version = {
	.name = "version",
	.synopsis = "",
	.summary = "show the version",
	.about = "Shows the version of tlob.",
	.options = (const struct cli_option *const[]){&cli_option_help, NULL},
	.alone = true,
	.main = version_main,
};
