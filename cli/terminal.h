/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where text for people goes: how wide it is and whether it takes colours. */
#ifndef TLOB_CLI_TERMINAL_H
#define TLOB_CLI_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

enum cli_color {
	CLI_COLOR_AUTO,
	CLI_COLOR_ALWAYS,
	CLI_COLOR_NEVER
};

enum cli_style {
	CLI_PLAIN,
	CLI_BOLD,
	CLI_DIM,
	CLI_OVER, /* what went over its budget */
	CLI_WARN,
	CLI_GOOD,
};

struct cli_terminal {
	FILE *out; /* fully buffered: each flush is one write */
	bool color;
	size_t columns; /* what is written is for a terminal of that width elsewhere; 0: ask this one */
};

/* On a copy of @fd. Returns 0 or -1 with errno. */
int cli_terminal_init(struct cli_terminal *t, int fd, enum cli_color color);
/* 0, or -1: what was written did not all arrive, which has been said. Who has stopped reading knows that himself. */
int cli_terminal_deinit(struct cli_terminal *t);
/* Now: a window may be resized meanwhile. */
size_t cli_terminal_width(const struct cli_terminal *t);
/* Escape sequence that switches to @style, "" without colours. */
const char *cli_style(const struct cli_terminal *t, enum cli_style style);

/*
 * Print @text and a newline, broken at blanks to fit the terminal. Lines after the first begin at
 * @margin, where the first already stands. Escape sequences of cli_style() take no room.
 */
void cli_wrap(const struct cli_terminal *t, const char *text, size_t margin);

#endif
