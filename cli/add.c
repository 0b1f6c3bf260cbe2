// SPDX-License-Identifier: GPL-2.0-or-later
/* tlob add: let the kernel module watch regions by itself. */
#include <stdbool.h>
#include <unistd.h>

#include <tlob/ctl.h>

#include "options.h"
#include "standing.h"

struct add_settings {
	bool quiet;
};

static const struct cli_option option_quiet = {'q', "quiet", NULL, "do not say what was added",
					       CLI_FLAG(struct add_settings, quiet)};

static int print_added(const struct cli_standing *added)
{
	struct cli_terminal term;

	if (cli_terminal_init(&term, STDOUT_FILENO, CLI_COLOR_AUTO))
		return cli_error(CLI_ERROR, "cannot write to standard output: %m");
	cli_standing_print(added, &term);
	cli_wrap(&term,
		 "Watched from now on, until tlob rm. Overruns go to the trace event "
		 "rv_tlob:tlob_budget_exceeded and to the monitor's reactor.",
		 0);
	return cli_terminal_deinit(&term) ? CLI_ERROR : CLI_OK;
}

static int add(const struct add_settings *settings, char **regions)
{
	struct cli_standing added = {0};
	int status = CLI_OK;

	for (; *regions && status == CLI_OK; regions++)
		if (tlobctl_standing_add(*regions, cli_standing_take, &added) < 0)
			status = cli_error(CLI_ERROR, "%s", tlobctl_error());
	if (added.count && !settings->quiet && print_added(&added))
		status = CLI_ERROR;
	cli_standing_deinit(&added);
	return status;
}

static int add_main(const struct cli_command *self, int argc, char **argv)
{
	struct add_settings settings = {0};
	int status;
	int first = cli_options_parse(self, argc, argv, &settings, &status);

	if (first < 0)
		return status;
	if (first == argc)
		return cli_usage("no region given: tlob add BINARY:FUNCTION@BUDGET");
	return add(&settings, argv + first);
}

const struct cli_command cli_add = {
	.name = "add",
	.synopsis = "[OPTION]... REGION...",
	.summary = "let the kernel module watch regions by itself",
	.about = "Adds standing regions, BINARY:FUNCTION@BUDGET or BINARY:START..STOP@BUDGET: the\n"
		 "kernel module watches them in all processes, with no tlob running, until they\n"
		 "are removed. Needs root, and the module loaded.",
	.options = (const struct cli_option *const[]){&option_quiet, &cli_option_help, NULL},
	.main = add_main,
};
