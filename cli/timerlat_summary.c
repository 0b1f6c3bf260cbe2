// SPDX-License-Identifier: GPL-2.0-or-later
/* The results of tlob timerlat as tables: percentiles, and how often what. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "hist.h"
#include "table.h"
#include "text.h"
#include "timerlat.h"
#include "words.h"

#define CELL_BYTES 32

void timerlat_print_lines(const char *text, const struct cli_terminal *term)
{
	char line[1024];

	while (*text) {
		size_t length = strcspn(text, "\n");

		snprintf(line, sizeof(line), "%.*s", (int)length, text);
		cli_wrap(term, line, 0);
		text += length + (text[length] == '\n');
	}
}

static const char *cpu_name(char *buf, int cpu)
{
	if (cpu < 0)
		snprintf(buf, CELL_BYTES, "all");
	else
		snprintf(buf, CELL_BYTES, "%d", cpu);
	return buf;
}

static int add_part(struct cli_table *t, const struct timerlat_row *row, int part, bool first)
{
	const struct tlobctl_timerlat_values *v = &row->stat.parts[part];
	char cells[9][CELL_BYTES] = {""};
	const char *pointers[9];
	size_t n = 0;

	if (first)
		cpu_name(cells[0], row->stat.cpu);
	n++;
	snprintf(cells[n++], CELL_BYTES, "%s", timerlat_part_names[part]);
	cli_count(cells[n++], v->count);
	tlob_duration_print(cells[n++], CELL_BYTES, v->min_ns);
	tlob_duration_print(cells[n++], CELL_BYTES, v->avg_ns);
	for (int p = 0; p < TIMERLAT_PERCENTILES; p++)
		tlob_duration_print(cells[n++], CELL_BYTES, row->percentile_ns[part][p]);
	tlob_duration_print(cells[n++], CELL_BYTES, v->max_ns);
	for (size_t i = 0; i < n; i++)
		pointers[i] = cells[i];
	return cli_table_add(t, pointers);
}

static bool has_parts(const struct timerlat_rows *rows)
{
	return rows->nrows && rows->rows[rows->nrows - 1]->stat.parts[TLOBCTL_TIMERLAT_IRQ].count;
}

static void print_table(const struct timerlat_rows *rows, const struct cli_terminal *term)
{
	struct cli_column columns[9] = {{.head = "cpu"},
					{.head = "part", .left = true},
					{.head = "cycles", .group = 1},
					{.head = "min", .group = 1},
					{.head = "avg", .group = 1},
					{.head = "p50", .group = 1},
					{.head = "p99", .group = 1},
					{.head = "p99.9", .group = 1},
					{.head = "max", .group = 1}};
	size_t first = rows->nrows == 2 ? 1 : 0; /* of one CPU, all is the same again */
	struct cli_table t;

	cli_table_init(&t, columns, 9);
	for (size_t i = first; i < rows->nrows; i++) {
		bool heads = true;

		for (int p = 0; p < TLOBCTL_TIMERLAT_PARTS; p++) {
			if (!rows->rows[i]->stat.parts[p].count)
				continue;
			if (add_part(&t, rows->rows[first ? 0 : i], p, heads))
				break;
			heads = false;
		}
	}
	cli_table_print(&t, term);
	cli_table_deinit(&t);
}

static void print_remarks(const struct timerlat_rows *rows, const struct cli_terminal *term)
{
	const struct tlobctl_timerlat_stat *all = &rows->rows[rows->nrows - 1]->stat;
	struct cli_words w = {.used = 0};
	char count[CLI_COUNT_BYTES];

	if (has_parts(rows) && all->unsplit)
		cli_say(&w,
			"%s of the cycles are in the total only: their timer was not seen, it had passed before it was set. ",
			cli_count(count, all->unsplit));
	if (all->skipped)
		cli_say(&w, "Periods skipped because a thread was late for longer: %s.",
			cli_count(count, all->skipped));
	if (w.used)
		cli_wrap(term, w.text, 0);
}

void timerlat_print_summary(const struct timerlat_rows *rows, const struct cli_terminal *term)
{
	if (!rows->nrows || !rows->rows[rows->nrows - 1]->stat.cycles) {
		fprintf(term->out, "%sNothing was measured.%s\n", cli_style(term, CLI_WARN),
			cli_style(term, CLI_PLAIN));
		return;
	}
	print_table(rows, term);
	if (has_parts(rows))
		fputs("\nirq: from the time that was set to the timer's interrupt; thread: on to the thread having the\n"
		      "CPU; user-ret: on to its code; total: all of it.\n",
		      term->out);
	print_remarks(rows, term);
	fflush(term->out);
}

/* ---- how often what */

#define BAR 40

/* Steps of a decade, in tenths. */
static const uint64_t steps[] = {10, 12, 15, 20, 25, 30, 40, 50, 60, 80};
#define STEPS (sizeof(steps) / sizeof(*steps))
#define DECADES 10
#define BINS (STEPS * DECADES)

static uint64_t bin_from(size_t bin)
{
	uint64_t ns = 100; /* the first decade begins there; what is below is in its first bin */

	for (size_t i = 0; i < bin / STEPS; i++)
		ns *= 10;
	return ns * steps[bin % STEPS] / 10;
}

static size_t bin_of(uint64_t ns)
{
	size_t bin = 0;

	while (bin + 1 < BINS && bin_from(bin + 1) <= ns)
		bin++;
	return bin;
}

struct bins {
	uint64_t counts[TLOBCTL_TIMERLAT_PARTS][BINS];
	size_t first, last;
	uint64_t most; /* of the totals */
};

static void sort_into_bins(struct bins *b, const struct timerlat_row *row)
{
	*b = (struct bins){.first = BINS};
	for (int p = 0; p < TLOBCTL_TIMERLAT_PARTS; p++) {
		for (uint32_t i = 0; i < TLOB_HIST_BUCKETS; i++) {
			size_t bin;

			if (!row->hist[p].count[i])
				continue;
			bin = bin_of(tlob_hist_value(i));
			b->counts[p][bin] += row->hist[p].count[i];
			b->first = bin < b->first ? bin : b->first;
			b->last = bin > b->last ? bin : b->last;
		}
	}
	for (size_t i = 0; i < BINS; i++)
		if (b->counts[TLOBCTL_TIMERLAT_TOTAL][i] > b->most)
			b->most = b->counts[TLOBCTL_TIMERLAT_TOTAL][i];
}

#define MAX_CPUS 12 /* that have a column of their own */
#define FIXED (TLOBCTL_TIMERLAT_PARTS + 2)

/* One line: all CPUs by part, with a bar of the totals, then the totals of each CPU. */
static void add_bin(struct cli_table *t, const struct bins *all, const struct bins *cpus,
		    size_t ncpus, size_t bin)
{
	uint64_t total = all->counts[TLOBCTL_TIMERLAT_TOTAL][bin], n;
	size_t length = all->most ? (size_t)((double)total / (double)all->most * BAR + 0.5) : 0;
	char from[CELL_BYTES], bar[BAR + 2], cells[FIXED + MAX_CPUS][CLI_COUNT_BYTES];
	const char *pointers[FIXED + MAX_CPUS] = {from};
	size_t i = 1;

	tlob_duration_print(from, sizeof(from), bin ? bin_from(bin) : 0);
	for (int p = 0; p < TLOBCTL_TIMERLAT_PARTS; p++, i++)
		pointers[i] = all->counts[p][bin] ? cli_count(cells[i], all->counts[p][bin]) : "";
	memset(bar, '#', length);
	strcpy(bar + length, total && !length ? "." : "");
	pointers[i++] = bar;
	for (size_t c = 0; c < ncpus; c++, i++) {
		n = cpus[c].counts[TLOBCTL_TIMERLAT_TOTAL][bin];
		pointers[i] = n ? cli_count(cells[i], n) : "";
	}
	cli_table_add(t, pointers);
}

static void print_bins(const struct timerlat_rows *rows, const struct bins *all, struct bins *cpus,
		       size_t ncpus, const struct cli_terminal *term)
{
	struct cli_column columns[FIXED + MAX_CPUS] = {{.head = "from"},
						       {.head = "irq", .group = 1},
						       {.head = "thread", .group = 1},
						       {.head = "user-ret", .group = 1},
						       {.head = "total", .group = 1},
						       {.head = "", .group = 1, .left = true}};
	char heads[MAX_CPUS][CELL_BYTES];
	struct cli_table t;

	for (int p = 0; p < TLOBCTL_TIMERLAT_TOTAL; p++)
		columns[1 + p].hide = !has_parts(rows);
	for (size_t c = 0; c < ncpus; c++) {
		snprintf(heads[c], CELL_BYTES, "cpu %d", rows->rows[c]->stat.cpu);
		columns[FIXED + c] = (struct cli_column){.head = heads[c], .group = 2};
		sort_into_bins(&cpus[c], rows->rows[c]);
	}
	cli_table_init(&t, columns, FIXED + ncpus);
	for (size_t i = all->first; i <= all->last; i++)
		add_bin(&t, all, cpus, ncpus, i);
	cli_table_print(&t, term);
	cli_table_deinit(&t);
	fputc('\n', term->out);
}

void timerlat_print_hist(const struct timerlat_rows *rows, const struct cli_terminal *term)
{
	size_t ncpus = rows->nrows > 2 && rows->nrows - 1 <= MAX_CPUS ? rows->nrows - 1 : 0;
	struct bins *bins;

	if (!rows->nrows || !rows->rows[rows->nrows - 1]->stat.cycles)
		return;
	bins = calloc(1 + MAX_CPUS, sizeof(*bins));
	if (!bins)
		return;
	sort_into_bins(&bins[0], rows->rows[rows->nrows - 1]);
	print_bins(rows, &bins[0], bins + 1, ncpus, term);
	free(bins);
}
