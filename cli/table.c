// SPDX-License-Identifier: GPL-2.0-or-later
/* See table.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"
#include "text.h"

#define GAP 2

void cli_table_init(struct cli_table *t, const struct cli_column *columns, size_t ncolumns)
{
	*t = (struct cli_table){.columns = columns,
				.ncolumns = ncolumns < CLI_TABLE_COLUMNS ? ncolumns :
									   CLI_TABLE_COLUMNS};
	for (size_t i = 0; i < t->ncolumns; i++)
		t->width[i] = cli_columns(columns[i].head);
}

void cli_table_deinit(struct cli_table *t)
{
	for (size_t i = 0; i < t->nrows * t->ncolumns; i++)
		free(t->cells[i]);
	free(t->cells);
	t->cells = NULL;
	t->nrows = 0;
}

int cli_table_add(struct cli_table *t, const char *const *cells)
{
	char **all = reallocarray(t->cells, (t->nrows + 1) * t->ncolumns, sizeof(*all));
	char **row;
	size_t i;

	if (!all)
		return -1;
	t->cells = all;
	row = all + t->nrows * t->ncolumns;
	for (i = 0; i < t->ncolumns; i++) {
		row[i] = strdup(cells[i]);
		if (!row[i])
			goto undo;
	}
	for (i = 0; i < t->ncolumns; i++)
		if (cli_columns(row[i]) > t->width[i])
			t->width[i] = cli_columns(row[i]);
	t->nrows++;
	return 0;
undo:
	while (i--)
		free(row[i]);
	return -1;
}

static size_t group_width(const struct cli_table *t, int group)
{
	size_t width = 0;

	for (size_t i = 0; i < t->ncolumns; i++)
		if (t->columns[i].group == group && !t->columns[i].hide)
			width += t->width[i] + GAP;
	return width;
}

static void print_cell(FILE *out, const char *text, size_t width, bool left, bool last)
{
	int pad = (int)(width - cli_columns(text));

	if (left)
		fprintf(out, "%s%*s", text, last ? 0 : pad, "");
	else
		fprintf(out, "%*s%s", pad, "", text);
}

/* @row NULL: the heads. */
static void print_row(const struct cli_table *t, FILE *out, char *const *row, unsigned int groups)
{
	size_t last = 0;

	for (size_t i = 0; i < t->ncolumns; i++)
		if (groups >> t->columns[i].group & 1 && !t->columns[i].hide)
			last = i;
	for (size_t i = 0; i <= last; i++) {
		const struct cli_column *c = &t->columns[i];

		if (!(groups >> c->group & 1) || c->hide)
			continue;
		print_cell(out, row ? row[i] : c->head, t->width[i], c->left, i == last);
		fprintf(out, "%*s", i == last ? 0 : GAP, "");
	}
}

static void print_block(const struct cli_table *t, const struct cli_terminal *term,
			unsigned int groups)
{
	fputs(cli_style(term, CLI_BOLD), term->out);
	print_row(t, term->out, NULL, groups);
	fprintf(term->out, "%s\n", cli_style(term, CLI_PLAIN));
	for (size_t r = 0; r < t->nrows; r++) {
		print_row(t, term->out, t->cells + r * t->ncolumns, groups);
		fputc('\n', term->out);
	}
}

void cli_table_print(const struct cli_table *t, const struct cli_terminal *term)
{
	size_t width = cli_terminal_width(term) + GAP; /* nothing follows the last column */
	size_t lead = group_width(t, 0);
	unsigned int left = 0;

	for (size_t i = 0; i < t->ncolumns; i++)
		if (!t->columns[i].hide)
			left |= 1u << t->columns[i].group;
	left &= ~1u;
	do {
		unsigned int block = 0;
		size_t used = lead;

		for (int g = 1; g < 32; g++) {
			size_t w = group_width(t, g);

			if (left >> g & 1 && (!block || used + w <= width)) {
				block |= 1u << g;
				used += w;
			}
		}
		print_block(t, term, block | 1);
		left &= ~block;
		if (left)
			fputc('\n', term->out);
	} while (left);
}
