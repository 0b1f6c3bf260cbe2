/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every sub-command of tlob shares: the command table's row, exit status, and the way to say
 * what went wrong.
 */
#ifndef TLOB_CLI_H
#define TLOB_CLI_H

#include <stdbool.h>
#include <stddef.h>

struct cli_option;

enum cli_exit {
	CLI_OK = 0,
	CLI_ERROR = 1,
	CLI_OVERRUN = 2, /* with --fail */
	CLI_USAGE = 64, /* EX_USAGE of sysexits(3) */
	CLI_NOT_EXECUTABLE = 126, /* as shells do */
	CLI_NOT_FOUND = 127,
	CLI_SIGNALLED = 128, /* plus the signal */
};

/* One row of the table in main.c; each sub-command's file defines one. */
struct cli_command {
	const char *name;
	const char *synopsis; /* what follows the name on the usage line */
	const char *summary; /* one line, for the list of commands */
	const char *about; /* paragraphs above the options */
	const struct cli_option *const *options; /* ends with NULL */
	bool alone; /* takes no operands */
	bool mixed; /* options may follow operands; else what follows is a program's own */
	int (*main)(const struct cli_command *self, int argc,
		    char **argv); /* returns the exit status */
};

extern const struct cli_command *const cli_commands[]; /* ends with NULL */
extern const struct cli_command cli_run, cli_watch, cli_report, cli_timerlat, cli_ls, cli_add,
	cli_rm, cli_doctor, cli_help, cli_version;
extern const struct cli_command cli_ring;

/* NULL if there is none; then *nearest, if given, is the most similar name or NULL. */
const struct cli_command *cli_command_find(const char *name, const char **nearest);

/* Prefix of all messages: "tlob run". */
void cli_error_prefix(const char *command);
/* One message on stderr, prefix and newline added. Returns @status. */
int cli_error(enum cli_exit status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same for wrong usage: adds where to read more. Returns CLI_USAGE. */
int cli_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
