/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options as a table: one row yields the parsing, the --help text and, through that text, what
 * scripts/check-docs demands of the man pages and of the completion.
 */
#ifndef TLOB_CLI_OPTIONS_H
#define TLOB_CLI_OPTIONS_H

#include <stdio.h>

#include "cli.h"

struct cli_option {
	char letter; /* 0: none */
	const char *name;
	const char *arg; /* NULL: takes no value */
	const char *help; /* a newline continues in the same column */
	/* Returns 0 or an exit status, having said why. */
	int (*set)(void *settings, const char *value);
};

extern const struct cli_option cli_option_help; /* -h, --help: handled by the parser itself */

/* Index of the first operand, or -1: leave with *status. */
int cli_options_parse(const struct cli_command *command, int argc, char **argv, void *settings,
		      int *status);
void cli_options_help(const struct cli_command *command, FILE *out);

#endif
