// SPDX-License-Identifier: GPL-2.0-or-later
/* See floor.h. A floor of another kernel or boot is none. */
#include <string.h>

#include "floor.h"
#include "format.h"
#include "text.h"
#include "words.h"

#define NAMED 4
#define NAME_BYTES 64

struct warning {
	struct tlobctl_floor floor;
	bool known;
	size_t budgets;
	struct cli_words words;
};

static void begin(struct warning *w)
{
	*w = (struct warning){.budgets = 0};
	w->known = !tlobctl_floor_read(&w->floor);
}

static void look_at(struct warning *w, const char *name, uint64_t budget_ns)
{
	char budget[TLOB_DURATION_BYTES], shown[NAME_BYTES];

	if (!w->known || !budget_ns || budget_ns >= TLOBCTL_FLOOR_TIMES * w->floor.p99_9_ns)
		return;
	if (w->budgets++ >= NAMED)
		return;
	tlob_duration_print_exact(budget, sizeof(budget), budget_ns);
	cli_say(&w->words, "%s %s %s", w->budgets > 1 ? "," : "",
		cli_printable(shown, sizeof(shown), name, 30), budget);
}

static void end(struct warning *w, const struct cli_terminal *term)
{
	char floor[TLOB_DURATION_BYTES];
	struct cli_words all = {.used = 0};

	if (!w->budgets)
		return;
	tlob_duration_print(floor, sizeof(floor), w->floor.p99_9_ns);
	if (w->budgets > NAMED)
		cli_say(&w->words, " and %zu more", w->budgets - NAMED);
	cli_say(&all,
		"%sClose to this machine's own latency%s (p99.9 %s by tlob timerlat, %s; keep %d times that):%s.",
		cli_style(term, CLI_WARN), cli_style(term, CLI_PLAIN), floor, w->floor.scheduling,
		TLOBCTL_FLOOR_TIMES, w->words.text);
	cli_wrap(term, all.text, 0);
}

void cli_floor_regions(const struct cli_regions *regions, const struct cli_terminal *term)
{
	struct warning w;

	begin(&w);
	for (size_t i = 0; i < regions->count; i++)
		look_at(&w, regions->list[i].name, regions->list[i].budget_ns);
	end(&w, term);
}

static bool was_told(const struct cli_regions *told, const struct tlobctl_stat *stat)
{
	for (size_t i = 0; i < told->count; i++)
		if (!strcmp(told->list[i].name, stat->region) &&
		    told->list[i].budget_ns == stat->budget_ns)
			return true;
	return false;
}

void cli_floor_summary(const struct cli_summary *summary, const struct cli_regions *told,
		       const struct cli_terminal *term)
{
	struct warning w;

	begin(&w);
	for (size_t i = 0; i < summary->nrows; i++)
		if (!was_told(told, &summary->rows[i].stat))
			look_at(&w, summary->rows[i].stat.region, summary->rows[i].stat.budget_ns);
	end(&w, term);
}
