// SPDX-License-Identifier: GPL-2.0-or-later
/* tlob help [COMMAND] */
#include <stdio.h>

#include "options.h"

static void overview(FILE *out)
{
	fprintf(out,
		"tlob tells, while it is still happening, that code is taking longer than its\n"
		"latency budget, and why: how long it ran, waited for a CPU, and slept.\n\n"
		"Usage: tlob COMMAND [OPTION]...\n\nCommands:\n");
	for (size_t i = 0; cli_commands[i]; i++)
		fprintf(out, "  %-10s%s\n", cli_commands[i]->name, cli_commands[i]->summary);
	fprintf(out, "\nRegions:\n"
		     "  NAME@BUDGET                        marked in the program's code (libtlob)\n"
		     "  [NAME=]BINARY:FUNCTION@BUDGET      a function, from entry to return\n"
		     "  [NAME=]BINARY:START..STOP@BUDGET   between two addresses\n"
		     "\nExamples:\n"
		     "  tlob run -- ./pipeline\n"
		     "  tlob ls libsqlite3.so.0:step\n"
		     "  tlob run -r '/bin/app:decode@5ms' --fail -- /bin/app input\n"
		     "  tlob watch -d 10s -r 'step=libsqlite3.so.0:sqlite3_step@1ms'\n"
		     "\n'tlob help COMMAND' shows a command's options. See tlob(1), tlob(7).\n");
}

static int help_main(const struct cli_command *self, int argc, char **argv)
{
	const struct cli_command *command;
	const char *nearest = NULL;
	int status;
	int first = cli_options_parse(self, argc, argv, NULL, &status);

	if (first < 0)
		return status;
	if (argc - first > 1)
		return cli_usage("one command at a time, not '%s' too", argv[first + 1]);
	if (first >= argc) {
		overview(stdout);
		return CLI_OK;
	}
	command = cli_command_find(argv[first], &nearest);
	if (!command && nearest)
		return cli_usage("unknown command '%s'; did you mean %s?", argv[first], nearest);
	if (!command)
		return cli_usage("unknown command '%s'", argv[first]);
	cli_options_help(command, stdout);
	return CLI_OK;
}

const struct cli_command cli_help = {
	.name = "help",
	.synopsis = "[COMMAND]",
	.summary = "show this, or a command's options",
	.about = "Lists the commands, or the options of one.",
	.options = (const struct cli_option *const[]){&cli_option_help, NULL},
	.main = help_main,
};
