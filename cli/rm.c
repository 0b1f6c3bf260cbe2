// SPDX-License-Identifier: GPL-2.0-or-later
/* tlob rm: end what tlob add began. */
#include <stdbool.h>
#include <stdio.h>

#include <tlob/ctl.h>

#include "options.h"

struct rm_settings {
	bool all;
};

static const struct cli_option option_all = {'a', "all", NULL, "remove all there are",
					     CLI_FLAG(struct rm_settings, all)};

static int rm(char **regions)
{
	int status = CLI_OK;

	for (; *regions; regions++)
		if (tlobctl_standing_remove(*regions, NULL, NULL) < 0)
			status = cli_error(CLI_ERROR, "%s", tlobctl_error());
	return status;
}

static int rm_main(const struct cli_command *self, int argc, char **argv)
{
	struct rm_settings settings = {0};
	int status;
	int first = cli_options_parse(self, argc, argv, &settings, &status);

	if (first < 0)
		return status;
	if (settings.all && first < argc)
		return cli_usage("with --all there is nothing to name, as '%s'", argv[first]);
	if (!settings.all && first == argc)
		return cli_usage("no region given: tlob rm BINARY:FUNCTION, or --all");
	if (!settings.all)
		return rm(argv + first);
	if (tlobctl_standing_remove(NULL, NULL, NULL) < 0)
		return cli_error(CLI_ERROR, "%s", tlobctl_error());
	return CLI_OK;
}

const struct cli_command cli_rm = {
	.name = "rm",
	.synopsis = "[OPTION]... REGION...",
	.summary = "remove regions that the kernel module watches",
	.about = "Removes standing regions by where they begin: BINARY:FUNCTION, BINARY:START, or\n"
		 "the whole that tlob add was given. Windows that are open end without a report.\n"
		 "The monitor stays enabled. Needs root, and the module loaded.",
	.options = (const struct cli_option *const[]){&option_all, &cli_option_help, NULL},
	.main = rm_main,
};
