/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text tables with aligned columns. A table wider than the terminal is printed as several below
 * each other: the columns of group 0 lead each of them, those of another group stay together.
 */
#ifndef TLOB_CLI_TABLE_H
#define TLOB_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "terminal.h"

#define CLI_TABLE_COLUMNS 24

struct cli_column {
	const char *head;
	int group; /* 0 .. 31 */
	bool left; /* aligned to the left; numbers are to the right */
	bool hide;
};

struct cli_table {
	const struct cli_column *columns;
	size_t ncolumns;
	char **cells; /* row by row */
	size_t nrows;
	size_t width[CLI_TABLE_COLUMNS];
};

/* @columns stay the caller's, and may be hidden until the table is printed. */
void cli_table_init(struct cli_table *t, const struct cli_column *columns, size_t ncolumns);
void cli_table_deinit(struct cli_table *t);
/* One row; the texts are copied. Returns 0 or -1 with errno, the table then unchanged. */
int cli_table_add(struct cli_table *t, const char *const *cells);
void cli_table_print(const struct cli_table *t, const struct cli_terminal *term);

#endif
