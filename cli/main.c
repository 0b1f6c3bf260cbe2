// SPDX-License-Identifier: GPL-2.0-or-later
/* tlob: the table of sub-commands. A new one is one file and one line here. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "nearest.h"

const struct cli_command *const cli_commands[] = {
	&cli_run, &cli_watch, &cli_report, &cli_timerlat, &cli_ring,	&cli_ls,
	&cli_add, &cli_rm,    &cli_doctor, &cli_help,	  &cli_version, NULL,
};

/* Spellings people try before they know the command. */
static const struct {
	const char *option;
	const struct cli_command *command;
} top_options[] = {
	{"--help", &cli_help},
	{"-h", &cli_help},
	{"--version", &cli_version},
	{"-V", &cli_version},
};

const struct cli_command *cli_command_find(const char *name, const char **nearest)
{
	struct cli_nearest near;

	cli_nearest_init(&near, name);
	for (size_t i = 0; cli_commands[i]; i++) {
		if (!strcmp(cli_commands[i]->name, name))
			return cli_commands[i];
		cli_nearest_offer(&near, cli_commands[i]->name);
	}
	if (nearest)
		*nearest = near.word;
	return NULL;
}

static int unknown(const char *word, const char *nearest)
{
	const char *what = word[0] == '-' ? "option" : "command";
	struct cli_nearest near;

	cli_nearest_init(&near, word);
	for (size_t i = 0; i < sizeof(top_options) / sizeof(*top_options); i++)
		if (word[0] == '-' && word[1] == '-')
			cli_nearest_offer(&near, top_options[i].option);
	if (near.word)
		nearest = near.word;
	if (nearest)
		return cli_usage("unknown %s '%s'; did you mean %s?", what, word, nearest);
	return cli_usage("unknown %s '%s'", what, word);
}

/*
 * Output that could not be written is a failure, also for help and version: "tlob help >
 * /dev/full".
 */
static int finish(int status)
{
	if (fflush(stdout) || ferror(stdout))
		return status ? status :
				cli_error(CLI_ERROR, "cannot write to standard output: %m");
	return status;
}

int main(int argc, char **argv)
{
	const struct cli_command *command;
	const char *nearest = NULL;

	if (argc < 2)
		return cli_usage("no command given");
	for (size_t i = 0; i < sizeof(top_options) / sizeof(*top_options); i++)
		if (!strcmp(argv[1], top_options[i].option))
			return finish(
				top_options[i].command->main(top_options[i].command, 1, argv + 1));
	command = cli_command_find(argv[1], &nearest);
	if (!command)
		return unknown(argv[1], nearest);
	cli_error_prefix(command->name);
	return finish(command->main(command, argc - 1, argv + 1));
}
