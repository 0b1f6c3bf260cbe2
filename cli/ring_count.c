// SPDX-License-Identifier: GPL-2.0-or-later
/* See ring_count.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "ring_count.h"
#include "table.h"

static bool is_row(const struct ring_count_row *row, const struct tlobctl_ring_event *event)
{
	return row->cpu == event->cpu && !strcmp(row->name, event->name);
}

int ring_count_add(struct ring_count *c, const struct tlobctl_ring_event *event)
{
	struct ring_count_row *rows;

	if (c->last < c->nrows && is_row(&c->rows[c->last], event)) {
		c->rows[c->last].count++;
		return 0;
	}
	for (c->last = 0; c->last < c->nrows; c->last++)
		if (is_row(&c->rows[c->last], event))
			break;
	if (c->last == c->nrows) {
		rows = reallocarray(c->rows, c->nrows + 1, sizeof(*rows));
		if (!rows)
			return -1;
		c->rows = rows;
		rows[c->nrows] = (struct ring_count_row){strdup(event->name), event->cpu, 0};
		if (!rows[c->nrows].name)
			return -1;
		c->nrows++;
	}
	c->rows[c->last].count++;
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct ring_count_row *x = a, *y = b;

	return x->cpu != y->cpu ? (x->cpu > y->cpu) - (x->cpu < y->cpu) : strcmp(x->name, y->name);
}

static int add_row(struct cli_table *t, long cpu, const char *name, uint64_t count)
{
	char cells[2][24];
	const char *pointers[] = {cells[0], name, cells[1]};

	if (cpu < 0)
		snprintf(cells[0], sizeof(cells[0]), "all");
	else
		snprintf(cells[0], sizeof(cells[0]), "%ld", cpu);
	snprintf(cells[1], sizeof(cells[1]), "%llu", (unsigned long long)count);
	return cli_table_add(t, pointers);
}

int ring_count_print(const struct ring_count *c, struct tlobctl_ring *ring)
{
	static const struct cli_column columns[] = {
		{.head = "cpu"}, {.head = "event", .left = true}, {.head = "count"}};
	struct tlobctl_ring_counts counts;
	struct cli_terminal term;
	struct cli_table table;
	int r = 0;

	if (cli_terminal_init(&term, STDOUT_FILENO, CLI_COLOR_NEVER)) {
		cli_error(CLI_ERROR, "cannot write to standard output: %m");
		return -1;
	}
	qsort(c->rows, c->nrows, sizeof(*c->rows), compare);
	cli_table_init(&table, columns, sizeof(columns) / sizeof(*columns));
	for (size_t i = 0; r == 0 && i < c->nrows; i++) {
		const struct ring_count_row *row = &c->rows[i];

		r = add_row(&table, row->cpu, row->name, row->count);
		if (r == 0 && (i + 1 == c->nrows || c->rows[i + 1].cpu != row->cpu) &&
		    !tlobctl_ring_counts(ring, (int)row->cpu, &counts))
			r = add_row(&table, row->cpu, "(lost)", counts.lost);
	}
	if (r == 0 && !tlobctl_ring_counts(ring, -1, &counts)) {
		r = add_row(&table, -1, "(all)", counts.read);
		if (r == 0)
			r = add_row(&table, -1, "(lost)", counts.lost);
	}
	if (r == 0)
		cli_table_print(&table, &term);
	else
		cli_error(CLI_ERROR, "out of memory");
	cli_table_deinit(&table);
	return cli_terminal_deinit(&term) || r ? -1 : 0;
}

void ring_count_deinit(struct ring_count *c)
{
	for (size_t i = 0; i < c->nrows; i++)
		free(c->rows[i].name);
	free(c->rows);
}
