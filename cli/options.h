/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options as a table: one row yields the parsing, the --help text and, through that text, what
 * scripts/check-docs demands of the man pages and of the completion.
 */
#ifndef TLOB_CLI_OPTIONS_H
#define TLOB_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#include "cli.h"
#include "terminal.h"
#include "values.h"

struct cli_option {
	char letter; /* 0: none */
	const char *name;
	const char *arg; /* NULL: takes no value */
	const char *help; /* a newline continues in the same column */
	/* Either is there. It returns 0 or an exit status, having said why. */
	int (*set)(void *settings, const char *value);
	int (*put)(const char *option, const char *value, void *place);
	size_t place; /* of put(), in the settings */
};

/* For rows of options whose value goes to a member of the settings as it is: see values.h. */
#define CLI_FLAG(type, member) CLI_PUT(cli_put_flag, bool, type, member)
#define CLI_TEXT(type, member) CLI_PUT(cli_put_text, const char *, type, member)
#define CLI_DURATION(type, member) CLI_PUT(cli_put_duration, uint64_t, type, member)
#define CLI_PID(type, member) CLI_PUT(cli_put_pid, pid_t, type, member)
#define CLI_HISTORY(type, member) CLI_PUT(cli_put_history, struct cli_history, type, member)
#define CLI_COLOR(type, member) CLI_PUT(cli_put_color, enum cli_color, type, member)
/* The size of the array is negative if @member is of another kind. */
#define CLI_PUT(how, kind, type, member) \
	.put = how, .place = offsetof(type, member) + \
			     0 * sizeof(char[__builtin_types_compatible_p( \
						     __typeof__(((type *)0)->member), kind) ? \
						     1 : \
						     -1])

/* The row of --color, which has no letter. */
#define CLI_OPTION_COLOR(type, member) \
	{ \
		0, "color", "WHEN", "auto (default), always or never", CLI_COLOR(type, member) \
	}

extern const struct cli_option cli_option_help; /* -h, --help: handled by the parser itself */

/* Index of the first operand, or -1: leave with *status. */
int cli_options_parse(const struct cli_command *command, int argc, char **argv, void *settings,
		      int *status);
void cli_options_help(const struct cli_command *command, FILE *out);

#endif
