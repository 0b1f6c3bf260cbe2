// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See report_data.h. Nothing grows with the number of events: only with that of different regions, reasons and stacks,
 * and each of these has a limit.
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "ndjson.h"
#include "report_data.h"
#include "text.h"

#define obstack_chunk_alloc malloc
#define obstack_chunk_free free

#define MAX_CAUSES 4096 /* of one region; the rest counts as one */
#define MAX_ALL_CAUSES 65536
#define OTHER "something else"

void cli_report_init(struct cli_report *r, const char *glob)
{
	*r = (struct cli_report){.glob = glob};
	obstack_init(&r->memory);
}

void cli_report_deinit(struct cli_report *r)
{
	cli_report_regions_deinit(r);
	cli_samples_deinit(&r->samples);
	cli_report_trace_deinit(&r->trace);
	obstack_free(&r->memory, NULL);
}

/* ---- summaries */

static void widen_budget(struct cli_report_region *g, uint64_t budget_ns)
{
	if (!budget_ns)
		return;
	if (!g->stat.budget_ns || budget_ns < g->stat.budget_ns)
		g->stat.budget_ns = budget_ns;
	if (budget_ns > g->budget_max_ns)
		g->budget_max_ns = budget_ns;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static int on_summary(struct cli_report *r, struct json_object *o)
{
	struct cli_report_region *g;
	int status = cli_report_region_of(r, o, &g);

	if (status || !g)
		return status;
	widen_budget(g, cli_report_number(o, "budget_ns"));
	g->here.windows += cli_report_number(o, "windows");
	g->here.overruns += cli_report_number(o, "overruns");
	g->stat.windows += cli_report_number(o, "windows");
	g->stat.overruns += cli_report_number(o, "overruns");
	g->stat.records += cli_report_number(o, "records");
	g->stat.lost += cli_report_number(o, "lost");
	g->stat.refused += cli_report_number(o, "refused");
	g->stat.abandoned += cli_report_number(o, "abandoned");
	g->stat.cancelled += cli_report_number(o, "cancelled");
	g->stat.cost_ns += cli_report_number(o, "cost_ns");
	g->stat.max_ns = larger(g->stat.max_ns, cli_report_number(o, "max_ns"));
	for (size_t i = 0; i < CLI_PERCENTILES; i++)
		g->percentile_ns[i] =
			larger(g->percentile_ns[i], cli_report_number(o, cli_percentiles[i].key));
	g->summaries += cli_report_number(o, "windows") > 0;
	g->here.summaries++;
	return 0;
}

/* ---- events */

/* The line replaces what was kept; without memory that stays. */
static void keep(struct cli_report_kept *kept, const struct cli_report_line *line)
{
	char *copy = malloc(line->bytes + 1);

	if (!copy)
		return;
	memcpy(copy, line->text, line->bytes);
	copy[line->bytes] = '\0';
	free(kept->text);
	*kept = (struct cli_report_kept){copy, line->bytes};
}

static struct cli_report_cause *cause_of(struct cli_report *r, struct cli_report_region *g,
					 const char *text)
{
	struct cli_report_cause *c;

	for (size_t i = 0; i < g->ncauses; i++)
		if (!strcmp(g->causes[i].text, text))
			return &g->causes[i];
	if (strcmp(text, OTHER) && (g->ncauses >= MAX_CAUSES - 1 || r->ncauses >= MAX_ALL_CAUSES))
		return cause_of(r, g, OTHER);
	if (g->ncauses == g->room) {
		size_t room = g->room ? g->room * 2 : 8;
		struct cli_report_cause *more = reallocarray(g->causes, room, sizeof(*more));

		if (!more)
			return NULL;
		g->causes = more;
		g->room = room;
	}
	r->ncauses++;
	c = &g->causes[g->ncauses++];
	*c = (struct cli_report_cause){.count = 0};
	snprintf(c->text, sizeof(c->text), "%s", text);
	return c;
}

/* What the culprits took that the same words are said of: threads of one name are one. */
static uint64_t taken(struct cli_report_event *e, const char *text, size_t *links)
{
	char other[CLI_WHY_CAUSE_BYTES];
	size_t blame = e->why.blame;
	uint64_t ns = 0;

	*links = 0;
	for (e->why.blame = 0; e->why.blame < e->why.nculprits; e->why.blame++) {
		const struct tlobctl_culprit *c = &e->why.culprits[e->why.blame];

		if (strcmp(cli_why_cause(other, sizeof(other), &e->event), text))
			continue;
		ns += c->ns;
		*links = c->nlinks > *links ? c->nlinks : *links;
	}
	e->why.blame = blame;
	return ns;
}

static void add_cause(struct cli_report *r, struct cli_report_region *g, struct cli_report_event *e,
		      const struct cli_report_line *line)
{
	char text[CLI_WHY_CAUSE_BYTES];
	struct cli_report_cause *c;
	uint64_t ns;
	size_t links;

	cli_why_cause(text, sizeof(text), &e->event);
	ns = taken(e, text, &links);
	c = cause_of(r, g, text);
	if (!c)
		return;
	g->looked_into++;
	c->count++;
	c->ns += ns;
	c->elapsed_ns += e->record.elapsed_ns;
	c->longest_ns = larger(c->longest_ns, ns);
	if (links > c->links) {
		c->links = links;
		keep(&c->deepest, line);
	}
}

static void keep_worst(struct cli_report_region *g, const struct cli_report_event *e,
		       const struct cli_report_line *line)
{
	if (e->record.elapsed_ns <= g->worst_ns)
		return;
	g->worst_ns = e->record.elapsed_ns;
	g->worst_links = 0;
	for (size_t i = 0; e->event.why && i < e->why.nculprits; i++)
		if (e->why.culprits[i].nlinks > g->worst_links)
			g->worst_links = e->why.culprits[i].nlinks;
	keep(&g->worst, line);
}

/* ---- stacks */

static struct report_tree *stacks_of(struct cli_report_region *g, enum cli_report_stacks which)
{
	if (!g->stacks[which])
		g->stacks[which] = report_tree_new();
	return g->stacks[which];
}

static void add_samples(struct cli_report_region *g, enum cli_report_stacks which,
			const struct tlobctl_samples *samples, size_t n)
{
	struct report_tree *t = n ? stacks_of(g, which) : NULL;

	for (size_t i = 0; t && i < n; i++)
		report_tree_add(t, g->stat.region, &samples[i].stack, 0,
				samples[i].ns ? samples[i].ns : samples[i].count);
}

static void add_sleeps(struct cli_report_region *g, const struct tlobctl_why *why)
{
	bool some = false;

	for (size_t i = 0; i < why->nsnapshots; i++) {
		const struct tlobctl_snapshot *s = &why->snapshots[i];
		struct report_tree *t = s->asleep && s->ns ? stacks_of(g, CLI_REPORT_SLEPT) : NULL;

		if (!t)
			continue;
		report_tree_add(t, g->stat.region, &s->stack, 0, s->ns);
		some = true;
	}
	g->counted[CLI_REPORT_SLEPT] += some;
}

static int on_profile(struct cli_report *r, struct json_object *o)
{
	const struct tlobctl_samples *samples;
	struct cli_report_region *g;
	int status = cli_report_region_of(r, o, &g);
	size_t n;

	if (status || !g || strcmp(cli_report_string(o, "windows"), "good"))
		return status;
	n = cli_report_samples(cli_report_array(o, "samples"), &samples, &r->memory);
	add_samples(g, CLI_REPORT_GOOD, samples, n);
	g->here.sampled_windows += cli_report_number(o, "sampled_windows");
	cli_samples_add_profile(&r->samples, &(struct tlobctl_profile){.region = g->stat.region,
								       .program = g->stat.program,
								       .samples = samples,
								       .nsamples = n});
	return 0;
}

static int on_event(struct cli_report *r, const struct cli_report_line *line)
{
	struct cli_report_region *g;
	struct cli_report_event e;
	int status = cli_report_region_of(r, line->object, &g);

	if (status || !g)
		return status;
	cli_report_event(&e, line->object, &r->memory);
	widen_budget(g, e.record.budget_ns);
	cli_lateness_add(&r->lateness, &e.record);
	if (r->trace.path)
		status = cli_report_trace_add(&r->trace, &e, line->object);
	if (status)
		return status;
	if (e.record.type == TLOB_REC_OVERRUN) {
		g->here.seen++;
		return 0;
	}
	g->closed++;
	keep_worst(g, &e, line);
	if (e.event.why)
		add_cause(r, g, &e, line);
	add_samples(g, CLI_REPORT_LATE, e.why.samples, e.why.nsamples);
	if (e.event.why && cli_report_array(line->object, "samples"))
		g->counted[CLI_REPORT_LATE]++;
	cli_samples_add(&r->samples, &e.event);
	add_sleeps(g, &e.why);
	return 0;
}

/* ---- lines */

static int on_start(struct cli_report *r, struct json_object *o)
{
	uint64_t format = cli_report_number(o, "format");

	if (!strcmp(cli_report_string(o, "command"), "timerlat"))
		return cli_error(CLI_ERROR,
				 "'%s' holds the timer latencies of tlob timerlat, not windows: "
				 "there is nothing to report on",
				 r->file->name);
	if (format == CLI_NDJSON_FORMAT)
		return 0;
	return cli_error(CLI_ERROR,
			 "'%s' is in format %llu of tlob %s, this tlob (%s) reads format %d: use "
			 "the tlob that wrote it",
			 r->file->name, (unsigned long long)format, cli_report_string(o, "version"),
			 TLOB_VERSION, CLI_NDJSON_FORMAT);
}

static void add_sample_stat(struct cli_report *r, struct json_object *o)
{
	struct tlobctl_sample_stat *s = &r->samples.stat;

	if (!*cli_report_string(o, "sample_clock"))
		return;
	r->good_share = cli_report_number(o, "sample_good_share");
	s->clock = strcmp(cli_report_string(o, "sample_clock"), "cycles") ? "cpu-clock" : "cycles";
	s->hz = (uint32_t)cli_report_number(o, "sample_hz");
	s->note = "";
	s->taken += cli_report_number(o, "samples_taken");
	s->late += cli_report_number(o, "samples_late");
	s->good += cli_report_number(o, "samples_good");
	s->no_mapping += cli_report_number(o, "samples_lost_no_mapping");
	s->no_process += cli_report_number(o, "samples_lost_no_process");
	s->no_backtrace += cli_report_number(o, "samples_lost_backtrace");
	s->full += cli_report_number(o, "samples_lost_buffer_full");
	s->crowded += cli_report_number(o, "samples_lost_crowded");
	s->cut += cli_report_number(o, "samples_cut");
}

static int on_end(struct cli_report *r, struct json_object *o)
{
	r->ended = true;
	r->elapsed_ns += cli_report_number(o, "elapsed_ns");
	r->lost_ends += cli_report_number(o, "lost_ends");
	r->strange += cli_report_number(o, "strange");
	r->left_out += cli_report_number(o, "left_out");
	r->why.analyses += cli_report_number(o, "why_analyses");
	r->why.skipped += cli_report_number(o, "why_skipped");
	r->why.cpu_ns += cli_report_number(o, "why_cpu_ns");
	r->why.agent_cpu_ns += cli_report_number(o, "tlob_cpu_ns");
	add_sample_stat(r, o);
	r->why.history_bytes =
		r->why.analyses; /* how large it was is not told, only that there was one */
	return 0;
}

static int begin(struct cli_report *r, const char *type)
{
	r->begun = true;
	if (!strcmp(type, "start"))
		return 0;
	if (!strcmp(type, "check") || !strcmp(type, "engine"))
		return cli_error(CLI_ERROR,
				 "'%s' holds what tlob doctor found, not windows: there is nothing "
				 "to report on",
				 r->file->name);
	if (strcmp(type, "overrun") && strcmp(type, "close") && strcmp(type, "summary"))
		return cli_error(CLI_ERROR,
				 "'%s' is not what tlob run or tlob watch write with --json: its "
				 "first object is not of type start",
				 r->file->name);
	cli_error(CLI_OK, "the beginning of '%s' is missing", r->file->name);
	return 0;
}

static int on_line(const struct cli_report_line *line, void *arg)
{
	struct cli_report *r = arg;
	const char *type = cli_report_string(line->object, "type");
	void *mark = obstack_alloc(&r->memory, 1);
	uint64_t time_ns = cli_report_number(line->object, "time_ns");
	int status = r->begun ? 0 : begin(r, type);

	r->first_ns = r->first_ns ? r->first_ns : time_ns;
	r->last_ns = larger(r->last_ns, time_ns);
	if (status)
		;
	else if (!strcmp(type, "start"))
		status = on_start(r, line->object);
	else if (!strcmp(type, "overrun") || !strcmp(type, "close"))
		status = on_event(r, line);
	else if (!strcmp(type, "summary"))
		status = on_summary(r, line->object);
	else if (!strcmp(type, "profile"))
		status = on_profile(r, line->object);
	else if (!strcmp(type, "end"))
		status = on_end(r, line->object);
	obstack_free(&r->memory, mark);
	return status;
}

static void tell(const struct cli_report *r, const struct cli_report_file *f)
{
	if (!r->ended)
		cli_error(CLI_OK,
			  "'%s' has no end%s: tlob was killed, or is still writing; overruns are "
			  "counted from their records, other windows are not known",
			  f->name, f->cut ? ", and its last line is cut" : "");
	if (f->bad)
		cli_error(CLI_OK, "'%s': %llu line%s no JSON and left out, the first is %llu",
			  f->name, (unsigned long long)f->bad, f->bad == 1 ? " is" : "s are",
			  (unsigned long long)f->first_bad);
}

/*
 * What is only known at the end of a file. Of the good windows chosen, those without any sample are not told, but how many
 * were chosen follows from the share: short windows seldom have one, and without the others each would seem to run long.
 */
static void settle(const struct cli_report *r, struct cli_report_region *g)
{
	uint64_t chosen = 0;

	if (!g->here.summaries) {
		g->stat.overruns += g->here.seen;
		g->stat.records += g->here.seen;
		g->stat.max_ns = larger(g->stat.max_ns, g->worst_ns);
	} else if (r->good_share && g->here.windows > g->here.overruns) {
		chosen = (g->here.windows - g->here.overruns + r->good_share / 2) / r->good_share;
		g->counted[CLI_REPORT_GOOD] += larger(chosen, g->here.sampled_windows);
	}
	memset(&g->here, 0, sizeof(g->here));
}

int cli_report_add_file(struct cli_report *r, const char *path)
{
	struct cli_report_file f;
	int status;

	r->file = &f;
	r->begun = r->ended = false;
	r->first_ns = r->last_ns = r->good_share = 0;
	status = cli_report_file_read(&f, path, on_line, r);
	if (status)
		return status;
	if (!r->begun && f.cut)
		return cli_error(CLI_ERROR, "'%s' is not what tlob writes with --json", f.name);
	if (!r->begun)
		return cli_error(CLI_ERROR, "'%s' is empty", f.name);
	tell(r, &f);
	r->files++;
	r->unfinished += !r->ended;
	if (!r->ended)
		r->elapsed_ns += r->last_ns - r->first_ns;
	for (size_t i = 0; i < r->nregions; i++)
		settle(r, r->regions[i]);
	r->file = NULL;
	return 0;
}
