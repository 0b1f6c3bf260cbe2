// SPDX-License-Identifier: GPL-2.0-or-later
/* See report_print.h. The table and the sentences are those of a session's own summary; what follows needs the file. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "format.h"
#include "frames.h"
#include "report_print.h"
#include "table.h"
#include "text.h"
#include "when.h"
#include "words.h"

#define CAUSES 5
#define CELL_BYTES (CLI_WHY_CAUSE_BYTES + 16)
#define CHAIN_MIN 2 /* shorter ones are no chain */

static size_t shown_regions(const struct cli_report *r, const struct cli_report_view *view)
{
	return view->top && view->top < r->nregions ? view->top : r->nregions;
}

/* ---- as a session says it */

static void fill_row(struct cli_summary_row *row, const struct cli_report *r,
		     const struct cli_report_region *g)
{
	row->stat = g->stat;
	memcpy(row->percentile_ns, g->percentile_ns, sizeof(row->percentile_ns));
	row->budget_max_ns = g->budget_max_ns;
	row->at_most = g->summaries > 1;
	row->at_least = r->unfinished > 0;
}

/* Texts stay the region's. */
static void fill_causes(struct cli_why_ranking *k, const struct cli_report_region *g)
{
	for (size_t i = 0; i < g->ncauses; i++) {
		struct cli_why_count *c = &k->counts[k->ncounts++];

		*c = (struct cli_why_count){.region = (char *)g->stat.region,
					    .program = (char *)g->stat.program,
					    .count = g->causes[i].count};
		memcpy(c->cause, g->causes[i].text, sizeof(c->cause));
	}
}

static int print_summary(const struct cli_report *r, const struct cli_report_view *view,
			 const struct cli_terminal *term)
{
	size_t n = shown_regions(r, view);
	struct cli_summary s = {
		.loss = {.ends = r->lost_ends, .strange = r->strange},
		.windows_unknown = r->unfinished > 0,
		.lateness = r->lateness,
		.why = {.stat = r->why, .shown = view->top ? view->top : CAUSES},
	};

	if (view->why)
		s.samples = r->samples; /* stays the report's */
	s.rows = calloc(n + 1, sizeof(*s.rows));
	s.why.counts = calloc(r->ncauses + 1, sizeof(*s.why.counts));
	if (!s.rows || !s.why.counts) {
		free(s.rows);
		free(s.why.counts);
		return cli_error(CLI_ERROR, "out of memory for the report");
	}
	for (size_t i = 0; i < r->nregions; i++)
		cli_summary_add(&s.total, &r->regions[i]->stat);
	for (size_t i = 0; i < n; i++) {
		fill_row(&s.rows[s.nrows++], r, r->regions[i]);
		if (view->why)
			fill_causes(&s.why, r->regions[i]);
	}
	/* what was lost is in the total; the loss of other records is told apart from it */
	s.loss.dropped = s.total.lost;
	cli_summary_print(&s, term, r->elapsed_ns);
	free(s.rows);
	free(s.why.counts);
	return 0;
}

/* ---- causes */

static const struct cli_column cause_columns[] = {
	{.head = "windows"}, {.head = "took"},		 {.head = "of their time"},
	{.head = "longest"}, {.head = "", .left = true},
};

#define COLUMNS (sizeof(cause_columns) / sizeof(*cause_columns))

static int add_cause(struct cli_table *t, const struct cli_report_cause *c)
{
	char cells[COLUMNS][CELL_BYTES];
	const char *pointers[COLUMNS];

	cli_count(cells[0], c->count);
	tlob_duration_print(cells[1], CELL_BYTES, c->ns);
	snprintf(cells[2], CELL_BYTES, "%.0f %%",
		 c->elapsed_ns ? 100 * (double)c->ns / (double)c->elapsed_ns : 0.0);
	tlob_duration_print(cells[3], CELL_BYTES, c->longest_ns);
	snprintf(cells[4], CELL_BYTES, "%s", c->text);
	for (size_t i = 0; i < COLUMNS; i++)
		pointers[i] = cells[i];
	return cli_table_add(t, pointers);
}

static void print_causes(const struct cli_report_region *g, size_t top,
			 const struct cli_terminal *term)
{
	struct cli_column columns[COLUMNS];
	struct cli_table t;

	memcpy(columns, cause_columns, sizeof(columns));
	cli_table_init(&t, columns, COLUMNS);
	for (size_t i = 0; i < g->ncauses && i < top; i++)
		if (add_cause(&t, &g->causes[i]))
			break;
	cli_table_print(&t, term);
	cli_table_deinit(&t);
	if (g->ncauses > top)
		fprintf(term->out, "and %zu more causes; --top shows more\n", g->ncauses - top);
}

/* ---- one window */

/* "2026-11-28 14:03:07.123" */
static void print_time(struct json_object *o, const struct cli_terminal *term)
{
	uint64_t unix_ns = cli_report_number(o, "time_unix_ns");
	time_t seconds = (time_t)(unix_ns / CLI_NS_PER_S);
	struct tm local;
	char text[64];

	if (unix_ns && localtime_r(&seconds, &local) &&
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &local))
		fprintf(term->out, ", ended %s.%03u", text,
			(unsigned int)(unix_ns % CLI_NS_PER_S / 1000000));
}

/* As below the two lines that a session shows of it: where it was at expiry, then what is known since its end. */
static void print_why(struct cli_report_event *e, const struct cli_terminal *term)
{
	uint64_t last = 0;

	cli_why_print(&e->event, term);
	e->record.type = TLOB_REC_OVERRUN;
	cli_snapshots_print(&e->event, 0, &last, term);
	e->record.type = TLOB_REC_CLOSE;
	cli_snapshots_print(&e->event, 0, &last, term);
	cli_samples_print(&e->event, term);
}

static void print_window(struct cli_report *r, const struct cli_report_kept *kept,
			 const char *title, const struct cli_terminal *term)
{
	struct json_object *o = kept->text ? json_tokener_parse(kept->text) : NULL;
	void *mark = obstack_alloc(&r->memory, 1);
	char took[TLOB_DURATION_BYTES], comm[64];
	struct cli_report_event e;

	if (!o)
		return;
	cli_report_event(&e, o, &r->memory);
	tlob_duration_print(took, sizeof(took), e.record.elapsed_ns);
	fprintf(term->out, "%s: %s in thread %s %u", title, took,
		cli_printable(comm, sizeof(comm), cli_report_string(o, "comm"), 0), e.record.tid);
	if (e.record.tag)
		fprintf(term->out, ", tag %llu", (unsigned long long)e.record.tag);
	print_time(o, term);
	fputc('\n', term->out);
	if (e.event.why)
		print_why(&e, term);
	obstack_free(&r->memory, mark);
	json_object_put(o);
}

/* The window with the longest chain, if that is one and longer than that of the longest window, which is shown already. */
static const struct cli_report_kept *deepest(const struct cli_report_region *g)
{
	const struct cli_report_cause *top = NULL;

	for (size_t i = 0; i < g->ncauses; i++)
		if (g->causes[i].links >= CHAIN_MIN && g->causes[i].deepest.text &&
		    (!top || g->causes[i].links > top->links))
			top = &g->causes[i];
	return top && top->links > g->worst_links ? &top->deepest : NULL;
}

static void print_region(struct cli_report *r, const struct cli_report_region *g,
			 const struct cli_report_view *view, const struct cli_terminal *term)
{
	const struct cli_report_kept *chain = deepest(g);
	char name[128], program[64], n[CLI_COUNT_BYTES];

	fprintf(term->out, "\n%s%s%s", cli_style(term, CLI_BOLD),
		cli_printable(name, sizeof(name), g->stat.region, 0), cli_style(term, CLI_PLAIN));
	if (*g->stat.program)
		fprintf(term->out, " in %s",
			cli_printable(program, sizeof(program), g->stat.program, 0));
	fprintf(term->out, ": %s late window%s", cli_count(n, g->closed),
		g->closed == 1 ? "" : "s");
	if (g->looked_into < g->closed)
		fprintf(term->out, ", %s of them looked into", cli_count(n, g->looked_into));
	fputc('\n', term->out);
	print_causes(g, view->top ? view->top : CAUSES, term);
	print_window(r, &g->worst, "The longest", term);
	if (chain)
		print_window(r, chain, "The deepest chain", term);
}

int cli_report_print(struct cli_report *r, const struct cli_report_view *view,
		     const struct cli_terminal *term)
{
	int status = print_summary(r, view, term);

	for (size_t i = 0; view->why && !status && i < shown_regions(r, view); i++)
		if (r->regions[i]->ncauses)
			print_region(r, r->regions[i], view, term);
	if (r->left_out)
		fprintf(term->out,
			"%llu overruns and ends came too fast to be written: they are counted, and "
			"nothing else is known of them.\n",
			(unsigned long long)r->left_out);
	fflush(term->out);
	return status;
}
