// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Messages for people, on stderr, each one write so that they do not mix with the watched
 * program's.
 */
#include <stdarg.h>
#include <stdio.h>

#include "cli.h"

static const char *command_name;

void cli_error_prefix(const char *command)
{
	command_name = command;
}

static void say(const char *fmt, va_list args, const char *more)
{
	char text[4096];
	int n = snprintf(text, sizeof(text), "tlob%s%s: ", command_name ? " " : "",
			 command_name ? command_name : "");

	vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, args);
	fflush(stdout);
	fprintf(stderr, "%s%s\n", text, more);
}

int cli_error(enum cli_exit status, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(fmt, args, "");
	va_end(args);
	return status;
}

int cli_usage(const char *fmt, ...)
{
	char more[128];
	va_list args;

	snprintf(more, sizeof(more), "\nTry 'tlob help%s%s'.", command_name ? " " : "",
		 command_name ? command_name : "");
	va_start(args, fmt);
	say(fmt, args, more);
	va_end(args);
	return CLI_USAGE;
}
