// SPDX-License-Identifier: GPL-2.0-or-later
/* The causes of each region, ranked; see why.h. */
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "shorten.h"
#include "text.h"
#include "why.h"
#include "words.h"

#define MAX_COUNTS 1024 /* regions times causes */
#define SHOWN 5 /* of one region */

static bool is_of(const struct cli_why_count *c, const char *region, const char *program)
{
	return !strcmp(c->region, region) && !strcmp(c->program, program);
}

static void count(struct cli_why_ranking *k, const struct tlobctl_event *e, const char *cause)
{
	struct cli_why_count *grown;

	for (size_t i = 0; i < k->ncounts; i++)
		if (!strcmp(k->counts[i].cause, cause) &&
		    is_of(&k->counts[i], e->region, e->program)) {
			k->counts[i].count++;
			return;
		}
	if (k->ncounts == MAX_COUNTS) {
		k->uncounted++;
		return;
	}
	grown = reallocarray(k->counts, k->ncounts + 1, sizeof(*grown));
	if (!grown)
		return;
	k->counts = grown;
	grown = &k->counts[k->ncounts];
	*grown = (struct cli_why_count){
		.region = strdup(e->region), .program = strdup(e->program), .count = 1};
	if (!grown->region || !grown->program) {
		free(grown->region);
		free(grown->program);
		return;
	}
	strncpy(grown->cause, cause, sizeof(grown->cause) - 1);
	k->ncounts++;
}

void cli_why_add(struct cli_why_ranking *k, const struct tlobctl_event *e)
{
	char cause[CLI_WHY_CAUSE_BYTES];

	if (e->record->type == TLOB_REC_CLOSE && e->why)
		count(k, e, cli_why_cause(cause, sizeof(cause), e));
}

/* By region, the most frequent cause first. */
static int compare(const void *a, const void *b)
{
	const struct cli_why_count *x = a, *y = b;
	int r = strcmp(x->region, y->region);

	if (!r)
		r = strcmp(x->program, y->program);
	if (r)
		return r;
	return x->count < y->count ? 1 : x->count > y->count ? -1 : strcmp(x->cause, y->cause);
}

void cli_why_sort(struct cli_why_ranking *k)
{
	if (k->ncounts)
		qsort(k->counts, k->ncounts, sizeof(*k->counts), compare);
}

void cli_why_deinit(struct cli_why_ranking *k)
{
	for (size_t i = 0; i < k->ncounts; i++) {
		free(k->counts[i].region);
		free(k->counts[i].program);
	}
	free(k->counts);
	*k = (struct cli_why_ranking){0};
}

static bool one_program(const struct cli_why_ranking *k)
{
	for (size_t i = 1; i < k->ncounts; i++)
		if (strcmp(k->counts[i].program, k->counts[0].program))
			return false;
	return true;
}

/* "detect was over budget 29 times: 25 waiting behind hog, 4 running." Returns the next region's first. */
static size_t print_region(const struct cli_why_ranking *k, size_t first,
			   const struct cli_terminal *term)
{
	const char *region = k->counts[first].region, *program = k->counts[first].program;
	struct cli_words w = {.used = 0};
	char name[128], n[CLI_COUNT_BYTES];
	uint64_t total = 0, rest = 0;
	size_t end = first, shown = k->shown ? k->shown : SHOWN;

	for (; end < k->ncounts && is_of(&k->counts[end], region, program); end++)
		total += k->counts[end].count;
	cli_say(&w, "%s", cli_shorten(name, sizeof(name), region, 60));
	if (!one_program(k))
		cli_say(&w, " in %s", cli_printable(name, sizeof(name), program, 0));
	cli_say(&w, " was over budget");
	cli_say(&w, total == 1 ? " once" : " %s times", cli_count(n, total));
	cli_say(&w, k->stat.skipped ? " that were looked into:" : ":");
	for (size_t i = first; i < end; i++) {
		if (i - first >= shown) {
			rest += k->counts[i].count;
			continue;
		}
		cli_say(&w, "%s %s%s%s", i > first ? "," : "",
			total == 1 ? "" : cli_count(n, k->counts[i].count), total == 1 ? "" : " ",
			k->counts[i].cause);
	}
	if (rest)
		cli_say(&w, ", %s something else", cli_count(n, rest));
	cli_say(&w, ".");
	cli_wrap(term, w.text, 0);
	return end;
}

static void print_cost(const struct cli_why_ranking *k, const struct cli_terminal *term,
		       uint64_t elapsed_ns)
{
	struct cli_words w = {.used = 0};
	char cost[TLOB_DURATION_BYTES], all[TLOB_DURATION_BYTES], n[CLI_COUNT_BYTES];

	tlob_duration_print(cost, sizeof(cost), k->stat.cpu_ns);
	tlob_duration_print(all, sizeof(all), k->stat.agent_cpu_ns);
	cli_say(&w, "tlob itself took %s of CPU time", all);
	if (k->stat.agent_cpu_ns < elapsed_ns) /* to end takes some, however short it was */
		cli_say(&w, " (%.1f %% of one CPU)",
			(double)k->stat.agent_cpu_ns * 100 / (double)elapsed_ns);
	if (k->stat.history_bytes)
		cli_say(&w, ", %s of it to find out why", cost);
	cli_say(&w, ".");
	if (k->stat.skipped)
		cli_say(&w, " %s records came too fast to be looked into: counted only.",
			cli_count(n, k->stat.skipped));
	cli_wrap(term, w.text, 0);
}

void cli_why_print_ranking(const struct cli_why_ranking *k, const struct cli_terminal *term,
			   uint64_t elapsed_ns)
{
	for (size_t i = 0; i < k->ncounts;)
		i = print_region(k, i, term);
	if (k->uncounted)
		fprintf(term->out,
			"%llu more late windows had causes beyond the %d that are told apart.\n",
			(unsigned long long)k->uncounted, MAX_COUNTS);
	if (k->stat.agent_cpu_ns)
		print_cost(k, term, elapsed_ns);
	if (k->note[0])
		cli_wrap(term, k->note, 0);
}
