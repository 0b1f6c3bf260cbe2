// SPDX-License-Identifier: GPL-2.0-or-later
/* See report_flame.h. */
#include <stdlib.h>
#include <string.h>

#include "../report/flame.h"
#include "cli.h"
#include "format.h"
#include "report_flame.h"
#include "report_output.h"
#include "text.h"
#include "words.h"

#define US 1000 /* folded text counts microseconds */

static const struct {
	const char *word, *title, *verb;
	const char *lack; /* why there may be none, and what to do */
} kinds[CLI_REPORT_STACKS] = {
	[CLI_REPORT_LATE] = {"late", "Late windows, on the CPU", "ran",
			     "no CPU samples of late windows: record with --why=samples, and long "
			     "enough for some to be late"},
	[CLI_REPORT_GOOD] = {"good", "Windows within budget, on the CPU", "ran",
			     "no CPU samples of windows within their budget: record with "
			     "--why=samples, and until the end"},
	[CLI_REPORT_SLEPT] = {"slept", "Late windows, asleep", "slept",
			      "no stacks of where late windows slept: record with --why=stacks"},
};

int cli_report_parse_of(const char *value, unsigned int *of)
{
	*of = 0;
	for (const char *word = value;;) {
		size_t n = strcspn(word, ","), i = 0;

		while (i < CLI_REPORT_STACKS &&
		       (strlen(kinds[i].word) != n || strncmp(kinds[i].word, word, n)))
			i++;
		if (i == CLI_REPORT_STACKS)
			return cli_usage("--of is a list of late, good and slept, not '%s'", value);
		*of |= 1u << i;
		if (!word[n])
			return 0;
		word += n + 1;
	}
}

/* ---- what is drawn */

static double windows_of(const struct cli_report *r, enum cli_report_stacks kind)
{
	double windows = 0;

	for (size_t i = 0; i < r->nregions; i++) {
		if (!r->regions[i]->stacks[kind])
			continue;
		if (!r->regions[i]->counted[kind])
			return 0;
		windows += (double)r->regions[i]->counted[kind];
	}
	return windows;
}

static uint64_t value_of(const struct cli_report *r, enum cli_report_stacks kind)
{
	uint64_t value = 0;

	for (size_t i = 0; i < r->nregions; i++)
		if (r->regions[i]->stacks[kind])
			value += report_tree_value(r->regions[i]->stacks[kind], 0);
	return value;
}

/* One tree of all regions. */
static void add_up(const struct cli_report *r, enum cli_report_stacks kind, struct report_tree *to,
		   int which, double factor)
{
	for (size_t i = 0; i < r->nregions; i++)
		if (r->regions[i]->stacks[kind])
			report_tree_merge(to, r->regions[i]->stacks[kind], 0, which, factor);
}

/* ---- files */

static int no_memory(void)
{
	return cli_error(CLI_ERROR, "out of memory for the stacks");
}

static int lacking(const char *path, enum cli_report_stacks kind)
{
	return cli_error(CLI_ERROR, "nothing to write to '%s': %s", path, kinds[kind].lack);
}

static int write_folded(const struct cli_report *r, const struct cli_report_graphs *graphs)
{
	unsigned int of = graphs->of ? graphs->of : 1u << CLI_REPORT_LATE;
	enum cli_report_stacks kind = 0;
	struct report_tree *tree;
	struct cli_report_output text;
	int status;

	while (!(of & 1u << kind))
		kind++;
	if (of != 1u << kind)
		return cli_usage("--folded takes one kind of stacks: --of=late, good or slept");
	if (!value_of(r, kind))
		return lacking(graphs->folded, kind);
	tree = report_tree_new();
	status = tree ? cli_report_output_begin(&text) : no_memory();
	if (!status) {
		add_up(r, kind, tree, 0, 1);
		report_tree_folded(tree, 0, US, text.out);
		status = cli_report_output_finish(&text, graphs->folded);
	}
	report_tree_free(tree);
	return status;
}

/* ---- graphs */

struct graph {
	struct report_panel panels[CLI_REPORT_STACKS];
	struct report_tree *trees[CLI_REPORT_STACKS];
	struct cli_words notes[CLI_REPORT_STACKS];
	size_t count;
};

static struct report_tree *add_panel(struct graph *g, const char *title)
{
	size_t i = g->count;

	g->trees[i] = report_tree_new();
	if (!g->trees[i])
		return NULL;
	g->notes[i].used = 0;
	g->panels[i] = (struct report_panel){.title = title, .note = g->notes[i].text};
	g->count++;
	return g->trees[i];
}

static void say_left_out(struct cli_words *w, const struct report_tree *t)
{
	char text[TLOB_DURATION_BYTES];
	uint64_t left_out = report_tree_left_out(t, 0) + report_tree_left_out(t, 1);

	if (!left_out)
		return;
	tlob_duration_print(text, sizeof(text), left_out);
	cli_say(w, " Of it %s are not shown: too many different stacks.", text);
}

static void say_note(struct cli_words *w, const struct cli_report *r, enum cli_report_stacks kind,
		     const struct report_tree *t)
{
	char total[TLOB_DURATION_BYTES], each[TLOB_DURATION_BYTES], n[CLI_COUNT_BYTES];
	double windows = windows_of(r, kind);
	uint64_t value = value_of(r, kind);

	tlob_duration_print(total, sizeof(total), value);
	if (windows > 0) {
		tlob_duration_print(each, sizeof(each), (uint64_t)((double)value / windows));
		cli_say(w, "%s window%s %s %s, %s each.", cli_count(n, (uint64_t)windows),
			windows > 1 ? "s" : "", kinds[kind].verb, total, each);
	} else {
		cli_say(w, "They %s %s.", kinds[kind].verb, total);
	}
	say_left_out(w, t);
	cli_say(w, " The wider a frame, the longer; below it is what it called.");
}

/* Of the regions that have stacks. */
static void make_title(const struct cli_report *r, char *buf, size_t size)
{
	const struct cli_report_region *one = NULL;
	char name[96], program[64];
	size_t n = 0;

	for (size_t i = 0; i < r->nregions; i++) {
		struct cli_report_region *g = r->regions[i];

		if (!g->stacks[CLI_REPORT_LATE] && !g->stacks[CLI_REPORT_GOOD] &&
		    !g->stacks[CLI_REPORT_SLEPT])
			continue;
		one = g;
		n++;
	}
	if (n == 1)
		snprintf(buf, size, "%s in %s",
			 cli_printable(name, sizeof(name), one->stat.region, 0),
			 cli_printable(program, sizeof(program), one->stat.program, 0));
	else
		snprintf(buf, size, "%zu regions", n);
}

static int draw(const struct cli_report *r, const struct graph *g, const char *path)
{
	char title[192];
	struct cli_report_output text;
	int status = cli_report_output_begin(&text);

	if (status)
		return status;
	make_title(r, title, sizeof(title));
	report_flame_write(text.out, title, g->panels, g->count);
	return cli_report_output_finish(&text, path);
}

static void free_graph(struct graph *g)
{
	for (size_t i = 0; i < g->count; i++)
		report_tree_free(g->trees[i]);
}

/* One panel. */
static int add_flame(struct graph *g, const struct cli_report *r, enum cli_report_stacks k)
{
	struct report_tree *t = add_panel(g, kinds[k].title);
	size_t i = g->count - 1;

	if (!t)
		return no_memory();
	add_up(r, k, t, 0, 1);
	g->panels[i].root = report_tree_sum(t);
	g->panels[i].windows = windows_of(r, k);
	say_note(&g->notes[i], r, k, t);
	return 0;
}

static int write_flame(const struct cli_report *r, const struct cli_report_graphs *graphs)
{
	unsigned int of = graphs->of ? graphs->of : 1u << CLI_REPORT_LATE | 1u << CLI_REPORT_GOOD;
	struct graph g = {.count = 0};
	int status = 0;

	for (enum cli_report_stacks k = 0; k < CLI_REPORT_STACKS && !status; k++) {
		if (!(of & 1u << k))
			continue;
		if (value_of(r, k))
			status = add_flame(&g, r, k);
		else if (graphs->of || k != CLI_REPORT_GOOD)
			/* good windows are there to compare with, if there are any */
			status = lacking(graphs->flame, k);
	}
	if (!status)
		status = draw(r, &g, graphs->flame);
	free_graph(&g);
	return status;
}

int cli_report_flame(const struct cli_report *r, FILE *out)
{
	struct graph g = {.count = 0};
	char title[192];
	int status = 0;

	for (enum cli_report_stacks k = 0; k < CLI_REPORT_STACKS && !status; k++)
		if (value_of(r, k))
			status = add_flame(&g, r, k);
	if (!status && g.count) {
		make_title(r, title, sizeof(title));
		report_flame_write(out, title, g.panels, g.count);
	}
	free_graph(&g);
	return status;
}

/* Something late that ran, and something good to hold it against. */
static bool is_comparable(const struct cli_report_region *g)
{
	return g->stacks[CLI_REPORT_LATE] && g->stacks[CLI_REPORT_GOOD] &&
	       report_tree_value(g->stacks[CLI_REPORT_LATE], 0) &&
	       report_tree_value(g->stacks[CLI_REPORT_GOOD], 0) && g->counted[CLI_REPORT_LATE];
}

/*
 * One window of each kind, each[] their times. If nobody says how many good ones there were, both kinds are taken to have
 * run equally long.
 */
static void add_difference(struct report_tree *t, const struct cli_report_region *g, double *each)
{
	struct report_tree *late = g->stacks[CLI_REPORT_LATE], *good = g->stacks[CLI_REPORT_GOOD];
	double total = (double)report_tree_value(good, 0);

	each[0] = (double)report_tree_value(late, 0) / (double)g->counted[CLI_REPORT_LATE];
	each[1] = g->counted[CLI_REPORT_GOOD] ? total / (double)g->counted[CLI_REPORT_GOOD] :
						each[0];
	report_tree_merge(t, late, 0, 0, 1 / (double)g->counted[CLI_REPORT_LATE]);
	report_tree_merge(t, good, 0, 1, each[1] / total);
}

static void say_difference(struct cli_words *w, const struct cli_report_region *g, size_t n,
			   const double *each)
{
	char late[TLOB_DURATION_BYTES], good[TLOB_DURATION_BYTES];

	tlob_duration_print(late, sizeof(late), (uint64_t)each[0]);
	tlob_duration_print(good, sizeof(good), (uint64_t)each[1]);
	if (n > 1)
		cli_say(w, "For each region, what one late window ran against one within budget.");
	else if (g->counted[CLI_REPORT_GOOD])
		cli_say(w, "A late window ran %s, one within budget %s.", late, good);
	else
		cli_say(w,
			"A late window ran %s; those within budget are drawn as if they had too.",
			late);
}

static int write_difference(const struct cli_report *r, const char *path)
{
	const struct cli_report_region *one = NULL;
	struct graph g = {.count = 0};
	struct report_tree *t;
	double each[2];
	size_t n = 0;
	int status;

	for (enum cli_report_stacks k = CLI_REPORT_LATE; k <= CLI_REPORT_GOOD; k++)
		if (!value_of(r, k))
			return lacking(path, k);
	t = add_panel(&g, "Late windows against those within budget, on the CPU");
	if (!t)
		return no_memory();
	for (size_t i = 0; i < r->nregions; i++) {
		if (!is_comparable(r->regions[i]))
			continue;
		one = r->regions[i];
		add_difference(t, one, each);
		n++;
	}
	if (!n) {
		free_graph(&g);
		return cli_error(
			CLI_ERROR,
			"nothing to write to '%s': no region has CPU samples of late windows "
			"and of some within budget",
			path);
	}
	say_difference(&g.notes[0], one, n, each);
	say_left_out(&g.notes[0], t);
	cli_say(&g.notes[0],
		" A frame is as wide as the longer of the two; below it is what it called.");
	g.panels[0].root = report_tree_sum(t);
	g.panels[0].difference = true;
	g.panels[0].names[0] = "late";
	g.panels[0].names[1] = "good";
	status = draw(r, &g, path);
	free_graph(&g);
	return status;
}

int cli_report_graphs(const struct cli_report *r, const struct cli_report_graphs *graphs)
{
	int status = 0;

	if (graphs->folded)
		status = write_folded(r, graphs);
	if (graphs->flame && !status)
		status = write_flame(r, graphs);
	if (graphs->difference && !status)
		status = write_difference(r, graphs->difference);
	return status;
}
