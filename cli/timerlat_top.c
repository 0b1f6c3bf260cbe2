// SPDX-License-Identifier: GPL-2.0-or-later
/* tlob timerlat --top: on a terminal a table that is drawn over itself, elsewhere a line each time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format.h"
#include "page.h"
#include "table.h"
#include "text.h"
#include "timerlat.h"
#include "when.h"

#define HEAD_EVERY 40
#define VALUES 4
#define COLUMNS (2 + TLOBCTL_TIMERLAT_PARTS * VALUES)

void timerlat_top_init(struct timerlat_top *top, const struct cli_terminal *term)
{
	*top = (struct timerlat_top){
		.term = term, .begun_ns = cli_now_ns(), .redraw = isatty(fileno(term->out))};
}

static void add_cpu(struct cli_table *t, const struct timerlat_row *row)
{
	char cpu[16] = "all", cells[COLUMNS][CLI_COUNT_BYTES];
	const char *pointers[COLUMNS];
	size_t n = 0;

	if (row->stat.cpu >= 0)
		snprintf(cpu, sizeof(cpu), "%d", row->stat.cpu);
	pointers[n++] = cpu;
	pointers[n] = cli_count(cells[n], row->stat.cycles);
	n++;
	for (int p = 0; p < TLOBCTL_TIMERLAT_PARTS; p++) {
		const struct tlobctl_timerlat_values *v = &row->stat.parts[p];
		const uint64_t ns[VALUES] = {v->last_ns, v->min_ns, v->avg_ns, v->max_ns};

		for (int i = 0; i < VALUES; i++, n++) {
			tlob_duration_print(cells[n], sizeof(cells[n]), ns[i]);
			pointers[n] = v->count ? cells[n] : "";
			/* of all CPUs, there is no latest */
			if (!i && row->stat.cpu < 0)
				pointers[n] = "";
		}
	}
	cli_table_add(t, pointers);
}

static void print_table(const struct timerlat_rows *rows, const struct cli_terminal *term)
{
	static const char *const heads[TLOBCTL_TIMERLAT_PARTS][VALUES] = {
		{"irq: now", "min", "avg", "max"},
		{"thread: now", "min", "avg", "max"},
		{"user-ret: now", "min", "avg", "max"},
		{"total: now", "min", "avg", "max"},
	};
	struct cli_column columns[COLUMNS] = {{.head = "cpu"}, {.head = "cycles"}};
	const struct timerlat_row *all = rows->rows[rows->nrows - 1];
	struct cli_table t;

	for (int i = 0; i < TLOBCTL_TIMERLAT_PARTS * VALUES; i++)
		columns[2 + i] = (struct cli_column){.head = heads[i / VALUES][i % VALUES],
						     .group = 1 + i / VALUES,
						     .hide = !all->stat.parts[i / VALUES].count};
	cli_table_init(&t, columns, COLUMNS);
	for (size_t i = 0; i < rows->nrows; i++)
		if (rows->nrows > 2 || rows->rows[i]->stat.cpu >= 0)
			add_cpu(&t, rows->rows[i]);
	cli_table_print(&t, term);
	cli_table_deinit(&t);
}

static void draw_over(struct timerlat_top *top, const struct timerlat_rows *rows, const char *title,
		      const char *note)
{
	struct cli_terminal page = *top->term;
	char *text = NULL, elapsed[TLOB_DURATION_BYTES];
	size_t bytes;

	page.columns = cli_terminal_width(top->term);
	page.out = open_memstream(&text, &bytes);
	if (!page.out)
		return;
	tlob_duration_print(elapsed, sizeof(elapsed), cli_now_ns() - top->begun_ns);
	fprintf(page.out, "%s%s%s, for %s; Ctrl-C to stop\n\n", cli_style(&page, CLI_BOLD), title,
		cli_style(&page, CLI_PLAIN), elapsed);
	if (rows->nrows)
		print_table(rows, &page);
	if (*note)
		fputc('\n', page.out);
	timerlat_print_lines(note, &page);
	fclose(page.out);
	if (text)
		cli_page_draw(top->term, text);
	free(text);
}

static void draw_line(struct timerlat_top *top, const struct timerlat_rows *rows)
{
	FILE *out = top->term->out;
	const struct timerlat_row *all = rows->nrows ? rows->rows[rows->nrows - 1] : NULL;
	char time[CLI_TIME_BYTES], count[CLI_COUNT_BYTES], ns[TLOB_DURATION_BYTES];

	if (!all)
		return;
	if (top->lines++ % HEAD_EVERY == 0) {
		fprintf(out, "%-12s  %11s", "time", "cycles");
		for (int p = 0; p < TLOBCTL_TIMERLAT_PARTS; p++)
			if (all->stat.parts[p].count)
				fprintf(out, "  %9s avg      max", timerlat_part_names[p]);
		fputc('\n', out);
	}
	fprintf(out, "%-12s  %11s", cli_time_of_day(time, cli_now_ns()),
		cli_count(count, all->stat.cycles));
	for (int p = 0; p < TLOBCTL_TIMERLAT_PARTS; p++) {
		if (!all->stat.parts[p].count)
			continue;
		tlob_duration_print(ns, sizeof(ns), all->stat.parts[p].avg_ns);
		fprintf(out, "  %13s", ns);
		tlob_duration_print(ns, sizeof(ns), all->stat.parts[p].max_ns);
		fprintf(out, "  %7s", ns);
	}
	fputc('\n', out);
}

void timerlat_top_draw(struct timerlat_top *top, const struct timerlat_rows *rows,
		       const char *title, const char *note)
{
	if (top->redraw)
		draw_over(top, rows, title, note);
	else
		draw_line(top, rows);
	fflush(top->term->out);
}

void timerlat_top_end(struct timerlat_top *top)
{
	if (top->redraw)
		cli_page_clear(top->term);
}
