// SPDX-License-Identifier: GPL-2.0-or-later
/* See summary.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "format.h"
#include "hgrm.h"
#include "live.h"
#include "shorten.h"
#include "summary.h"
#include "table.h"
#include "text.h"
#include "words.h"

const struct cli_percentile cli_percentiles[CLI_PERCENTILES] = {
	{"p50_ns", "p50", 50},	     {"p90_ns", "p90", 90},	     {"p99_ns", "p99", 99},
	{"p99_9_ns", "p99.9", 99.9}, {"p99_99_ns", "p99.99", 99.99},
};

void cli_lateness_add(struct cli_lateness *lateness, const struct tlob_record *record)
{
	size_t state = record->flags & TLOB_F_TRANSIT ? 3 : cli_dominant(record);

	if (record->type == TLOB_REC_OVERRUN)
		lateness->at_expiry[state]++;
	else if (record->type == TLOB_REC_CLOSE)
		lateness->at_end[state]++;
}

void cli_summary_event(struct cli_summary *s, const struct tlobctl_event *event)
{
	cli_lateness_add(&s->lateness, event->record);
	cli_why_add(&s->why, event);
	cli_samples_add(&s->samples, event);
}

struct collection {
	struct cli_summary *summary;
	const char *hgrm;
};

void cli_summary_add(struct tlobctl_stat *total, const struct tlobctl_stat *stat)
{
	total->windows += stat->windows;
	total->overruns += stat->overruns;
	total->records += stat->records;
	total->lost += stat->lost;
	total->refused += stat->refused;
	total->abandoned += stat->abandoned;
	total->cancelled += stat->cancelled;
	total->cost_ns += stat->cost_ns;
}

static int no_memory(void)
{
	cli_error(CLI_ERROR, "out of memory for the summary");
	return -ENOMEM;
}

static int collect_row(const struct tlobctl_stat *stat, void *arg)
{
	struct collection *c = arg;
	struct cli_summary *s = c->summary;
	struct cli_summary_row *rows = reallocarray(s->rows, s->nrows + 1, sizeof(*rows));
	struct cli_summary_row *row;

	if (!rows)
		return no_memory();
	s->rows = rows;
	row = &rows[s->nrows++];
	*row = (struct cli_summary_row){.stat = *stat};
	row->stat.hist = NULL;
	row->stat.region = strdup(stat->region);
	row->stat.program = strdup(stat->program ? stat->program : "");
	if (!row->stat.region || !row->stat.program)
		return no_memory();
	cli_summary_add(&s->total, stat);
	if (!stat->hist || !stat->windows)
		return 0;
	for (size_t i = 0; i < CLI_PERCENTILES; i++)
		row->percentile_ns[i] =
			tlobctl_hist_percentile(stat->hist, cli_percentiles[i].percent);
	return c->hgrm ? cli_hgrm_write(c->hgrm, stat) : 0;
}

/* The worst first, measured by how far past its budget it went. */
static int by_overruns(const void *a, const void *b)
{
	const struct tlobctl_stat *x = &((const struct cli_summary_row *)a)->stat;
	const struct tlobctl_stat *y = &((const struct cli_summary_row *)b)->stat;

	if (x->overruns != y->overruns)
		return x->overruns < y->overruns ? 1 : -1;
	if (x->windows != y->windows)
		return x->windows < y->windows ? 1 : -1;
	return strcmp(x->region, y->region);
}

static void free_rows(struct cli_summary *s)
{
	for (size_t i = 0; i < s->nrows; i++) {
		free((char *)s->rows[i].stat.region);
		free((char *)s->rows[i].stat.program);
	}
	free(s->rows);
	s->rows = NULL;
	s->nrows = 0;
}

int cli_summary_collect(struct cli_summary *s, struct tlobctl *ctl, const char *hgrm)
{
	struct collection c = {.summary = s, .hgrm = hgrm};
	int err;

	free_rows(s);
	s->total = (struct tlobctl_stat){0};
	err = tlobctl_stats(ctl, collect_row, &c);
	if (err < 0 && !s->nrows)
		cli_error(CLI_ERROR, "cannot read the statistics: %s", tlobctl_error());
	tlobctl_why_stats(ctl, &s->why.stat);
	snprintf(s->why.note, sizeof(s->why.note), "%s", s->why.stat.note);
	s->why.stat.note = NULL; /* ends with the session */
	tlobctl_losses(ctl, &s->loss);
	tlobctl_sample_stats(ctl, &s->samples.stat);
	snprintf(s->sample_note, sizeof(s->sample_note), "%s", s->samples.stat.note);
	s->samples.stat.note = s->sample_note;
	cli_why_sort(&s->why);
	cli_samples_sort(&s->samples);
	if (s->nrows)
		qsort(s->rows, s->nrows, sizeof(*s->rows), by_overruns);
	return err < 0 ? err : 0;
}

void cli_summary_deinit(struct cli_summary *s)
{
	free_rows(s);
	cli_why_deinit(&s->why);
	cli_samples_deinit(&s->samples);
	*s = (struct cli_summary){0};
}

/* ---- table ---- */

enum {
	PROGRAM = 1,
	ABANDONED = 13,
	CANCELLED = 14,
	COLUMNS = 16,
	CELL_BYTES = 64
};

static const struct cli_column summary_columns[COLUMNS] = {
	{.head = "region", .group = 0, .left = true},
	{.head = "program", .group = 0, .left = true},
	{.head = "budget", .group = 1},
	{.head = "windows", .group = 1},
	{.head = "overruns", .group = 1},
	{.head = "p50", .group = 2},
	{.head = "p90", .group = 2},
	{.head = "p99", .group = 2},
	{.head = "p99.9", .group = 2},
	{.head = "p99.99", .group = 2},
	{.head = "max", .group = 2},
	{.head = "lost", .group = 3},
	{.head = "refused", .group = 3},
	{.head = "abandoned", .group = 3},
	{.head = "cancelled", .group = 3},
	{.head = "probe cost", .group = 3},
};

/* "5ms", "5ms-20ms" */
static void put_budget(char *cell, const struct cli_summary_row *row)
{
	size_t n = tlob_duration_print_exact(cell, CELL_BYTES, row->stat.budget_ns);

	if (row->budget_max_ns > row->stat.budget_ns) {
		cell[n++] = '-';
		tlob_duration_print_exact(cell + n, CELL_BYTES - n, row->budget_max_ns);
	}
}

static void put_percentile(char *cell, const struct cli_summary_row *row, uint64_t ns)
{
	size_t n = row->at_most ? (size_t)snprintf(cell, CELL_BYTES, "<=") : 0;

	tlob_duration_print(cell + n, CELL_BYTES - n, ns);
}

/* "?", ">=12" */
static void put_windows(char *cell, const struct cli_summary_row *row)
{
	uint64_t n = row->stat.windows;

	if (row->at_least && !n)
		strcpy(cell, "?");
	else
		cli_count(cell + (row->at_least ? sprintf(cell, ">=") : 0), n);
}

static int add_row(struct cli_table *t, const struct cli_summary_row *row)
{
	const struct tlobctl_stat *s = &row->stat;
	char cells[COLUMNS][CELL_BYTES];
	const char *pointers[COLUMNS];
	size_t n = 0;

	cli_shorten(cells[n++], CELL_BYTES, s->region, 30);
	cli_printable(cells[n++], CELL_BYTES, s->program, 15);
	put_budget(cells[n++], row);
	put_windows(cells[n++], row);
	cli_count(cells[n++], s->overruns);
	for (size_t i = 0; i < CLI_PERCENTILES; i++)
		put_percentile(cells[n++], row, row->percentile_ns[i]);
	tlob_duration_print(cells[n++], CELL_BYTES, s->max_ns);
	for (size_t i = 5; i < n && !s->windows; i++)
		strcpy(cells[i], "-");
	cli_count(cells[n++], s->lost);
	cli_count(cells[n++], s->refused);
	cli_count(cells[n++], s->abandoned);
	cli_count(cells[n++], s->cancelled);
	tlob_duration_print(cells[n++], CELL_BYTES, s->cost_ns);
	for (size_t i = 0; i < COLUMNS; i++)
		pointers[i] = cells[i];
	return cli_table_add(t, pointers);
}

/* Regions that were never entered belong to none. */
static bool one_program(const struct cli_summary *s)
{
	const char *program = "";

	for (size_t i = 0; i < s->nrows; i++) {
		const char *other = s->rows[i].stat.program;

		if (*program && *other && strcmp(program, other))
			return false;
		if (*other)
			program = other;
	}
	return true;
}

static void print_table(const struct cli_summary *s, const struct cli_terminal *term)
{
	struct cli_column columns[COLUMNS];
	struct cli_table t;

	memcpy(columns, summary_columns, sizeof(columns));
	columns[PROGRAM].hide = one_program(s);
	columns[ABANDONED].hide = !s->total.abandoned;
	columns[CANCELLED].hide = !s->total.cancelled;
	cli_table_init(&t, columns, COLUMNS);
	for (size_t i = 0; i < s->nrows; i++)
		if (add_row(&t, &s->rows[i]))
			break;
	cli_table_print(&t, term);
	cli_table_deinit(&t);
}

/* ---- in words ---- */

/* Where they all have ended, what took most of the whole time. */
static uint64_t count_lateness(const struct cli_lateness *l, uint64_t counts[4])
{
	uint64_t expired = 0, ended = 0;

	for (size_t i = 0; i < 4; i++) {
		expired += l->at_expiry[i];
		ended += l->at_end[i];
	}
	memcpy(counts, ended >= expired ? l->at_end : l->at_expiry, sizeof(l->at_end));
	return ended >= expired ? ended : expired;
}

static void say_causes(const struct cli_summary *s, struct cli_words *w)
{
	static const char *const causes[] = {[TLOB_RUNNING] = "mostly running",
					     [TLOB_WAITING] = "mostly waiting for a CPU",
					     [TLOB_SLEEPING] = "mostly sleeping",
					     [3] = "crossing threads"};
	uint64_t left[4], sum = count_lateness(&s->lateness, left);
	const char *before = ": ";
	char count[CLI_COUNT_BYTES];

	for (size_t i = 0; i < 4; i++) { /* the most frequent first */
		size_t top = 0;

		for (size_t k = 1; k < 4; k++)
			top = left[k] > left[top] ? k : top;
		if (!left[top])
			return;
		if (sum == s->total.overruns && left[top] == sum)
			cli_say(w, "%s%s%s", before, left[top] > 1 ? "all " : "", causes[top]);
		else
			cli_say(w, "%s%s %s", before, cli_count(count, left[top]), causes[top]);
		left[top] = 0;
		before = ", ";
	}
}

static void say_worst(const struct cli_summary *s, struct cli_words *w)
{
	const struct tlobctl_stat *worst = NULL;
	char max[TLOB_DURATION_BYTES], budget[TLOB_DURATION_BYTES], name[CELL_BYTES];

	for (size_t i = 0; i < s->nrows; i++) {
		const struct tlobctl_stat *r = &s->rows[i].stat;

		if (r->overruns && r->budget_ns &&
		    (!worst || (double)r->max_ns / (double)r->budget_ns >
				       (double)worst->max_ns / (double)worst->budget_ns))
			worst = r;
	}
	if (!worst || worst->max_ns <= worst->budget_ns)
		return;
	tlob_duration_print(max, sizeof(max), worst->max_ns);
	tlob_duration_print_exact(budget, sizeof(budget), worst->budget_ns);
	cli_say(w, " Worst: %s took %s, budget %s.",
		cli_shorten(name, sizeof(name), worst->region, 30), max, budget);
}

/* Of how many: those that ended otherwise than by their stop are not among the windows, and some may be open yet. */
static uint64_t begun(const struct tlobctl_stat *t)
{
	uint64_t n = t->windows + t->abandoned + t->cancelled;

	return n < t->overruns ? t->overruns : n;
}

static void print_verdict(const struct cli_summary *s, const struct cli_terminal *term)
{
	const struct tlobctl_stat *t = &s->total;
	const char *plain = cli_style(term, CLI_PLAIN);
	char windows[CLI_COUNT_BYTES], overruns[CLI_COUNT_BYTES];
	struct cli_words w = {.used = 0};

	cli_count(windows, t->overruns ? begun(t) : t->windows);
	cli_count(overruns, t->overruns);
	if (!t->windows && !t->overruns) {
		cli_say(&w, "%sNo window was measured.%s", cli_style(term, CLI_WARN), plain);
	} else if (!t->overruns) {
		cli_say(&w, "%s%s%s within budget.%s", cli_style(term, CLI_GOOD),
			t->windows > 1 ? "All " : "",
			t->windows > 1 ? windows : "The one window was", plain);
	} else {
		cli_say(&w, "%s%s", cli_style(term, CLI_OVER), overruns);
		if (!s->windows_unknown)
			cli_say(&w, " of %s", windows);
		cli_say(&w, " window%s went over budget%s", begun(t) == 1 ? "" : "s", plain);
		say_causes(s, &w);
		cli_say(&w, ".");
		say_worst(s, &w);
	}
	cli_wrap(term, w.text, 0);
}

/*
 * A region that was asked for and never entered makes "all within budget" say less than it seems
 * to.
 */
static void print_untouched(const struct cli_summary *s, const struct cli_terminal *term)
{
	struct cli_words w = {.used = 0};
	char name[CELL_BYTES];
	size_t untouched = 0;

	for (size_t i = 0; i < s->nrows && s->total.windows; i++) {
		const struct tlobctl_stat *r = &s->rows[i].stat;

		if (r->windows || r->overruns || r->abandoned || r->cancelled)
			continue;
		if (!untouched++)
			cli_say(&w, "%sNever entered:%s", cli_style(term, CLI_WARN),
				cli_style(term, CLI_PLAIN));
		if (untouched <= 5)
			cli_say(&w, "%s %s", untouched > 1 ? "," : "",
				cli_shorten(name, sizeof(name), r->region, 30));
	}
	if (!untouched)
		return;
	if (untouched > 5)
		cli_say(&w, " and %zu more", untouched - 5);
	cli_say(&w, ".");
	cli_wrap(term, w.text, 0);
}

uint64_t cli_summary_lost_ends(const struct cli_summary *s)
{
	uint64_t others = s->loss.dropped > s->total.lost ? s->loss.dropped - s->total.lost : 0;

	return others + s->loss.ends;
}

static void print_losses(const struct cli_summary *s, const struct cli_terminal *term)
{
	const struct {
		uint64_t n;
		const char *what, *so;
	} losses[] = {{s->total.lost, "overrun records were lost", "counted, but not shown"},
		      {cli_summary_lost_ends(s), "records of how windows ended were lost",
		       "what became of them is not known"},
		      {s->loss.strange, "records were of no region that their program has",
		       "left out"}};
	char count[CLI_COUNT_BYTES];

	for (size_t i = 0; i < sizeof(losses) / sizeof(*losses); i++)
		if (losses[i].n)
			fprintf(term->out, "%s%s %s%s: %s.\n", cli_style(term, CLI_WARN),
				cli_count(count, losses[i].n), losses[i].what,
				cli_style(term, CLI_PLAIN), losses[i].so);
}

void cli_summary_print(const struct cli_summary *s, const struct cli_terminal *term,
		       uint64_t elapsed_ns)
{
	char cost[TLOB_DURATION_BYTES], elapsed[TLOB_DURATION_BYTES];

	if (s->nrows) {
		print_table(s, term);
		fputc('\n', term->out);
	}
	print_verdict(s, term);
	print_untouched(s, term);
	cli_why_print_ranking(&s->why, term, elapsed_ns);
	cli_samples_print_end(&s->samples, term);
	print_losses(s, term);
	if (s->total.windows) {
		tlob_duration_print(cost, sizeof(cost), s->total.cost_ns);
		tlob_duration_print(elapsed, sizeof(elapsed), elapsed_ns);
		fprintf(term->out, "Measuring cost about %s of thread time in %s.\n", cost,
			elapsed);
	}
	fflush(term->out);
}
