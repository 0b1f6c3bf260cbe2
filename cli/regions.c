// SPDX-License-Identifier: GPL-2.0-or-later
/* See regions.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "regions.h"
#include "shorten.h"
#include "table.h"
#include "text.h"

#define COSTLY_SHARE 4 /* a probe may take one in so many of a budget, then it is said */
#define MAX_SHOWN 12 /* a glob may match hundreds */

static char *copy(const char *s)
{
	return s ? strdup(s) : NULL;
}

int cli_regions_add(const struct tlobctl_region *region, void *regions)
{
	struct cli_regions *r = regions;
	struct tlobctl_region *list = reallocarray(r->list, r->count + 1, sizeof(*list));
	struct tlobctl_region *own;

	if (!list)
		return -ENOMEM;
	r->list = list;
	own = &list[r->count++];
	*own = *region;
	own->name = copy(region->name);
	own->path = copy(region->path);
	own->start = copy(region->start);
	own->stop = copy(region->stop);
	own->onward = copy(region->onward);
	if (own->name && !own->path == !region->path && !own->start == !region->start &&
	    !own->stop == !region->stop)
		return 0;
	return -ENOMEM;
}

void cli_regions_deinit(struct cli_regions *regions)
{
	for (size_t i = 0; i < regions->count; i++) {
		free((char *)regions->list[i].name);
		free((char *)regions->list[i].path);
		free((char *)regions->list[i].start);
		free((char *)regions->list[i].stop);
		free((char *)regions->list[i].onward);
	}
	free(regions->list);
	*regions = (struct cli_regions){0};
}

const char *cli_probe_name(enum tlobctl_probe_kind kind)
{
	switch (kind) {
	case TLOBCTL_PROBE_NOP5:
		return "nop5";
	case TLOBCTL_PROBE_EMULATED:
		return "emulated";
	case TLOBCTL_PROBE_STEPPED:
		return "stepped";
	default:
		return NULL;
	}
}

static bool is_stepped(const struct tlobctl_region *r)
{
	return r->start_kind == TLOBCTL_PROBE_STEPPED || r->stop_kind == TLOBCTL_PROBE_STEPPED;
}

static int add_row(struct cli_table *t, const struct tlobctl_region *r)
{
	const char *file = r->path ? strrchr(r->path, '/') : NULL;
	char budget[TLOB_DURATION_BYTES], cost[TLOB_DURATION_BYTES] = "", where[512], name[256];
	char place[600] = "programs linked with libtlob";

	tlob_duration_print_exact(budget, sizeof(budget), r->budget_ns);
	if (r->path) {
		tlob_duration_print(cost, sizeof(cost), (uint64_t)(r->cost_ns + 0.5));
		snprintf(place, sizeof(place), "%s:%s%s%s", file ? file + 1 : r->path, r->start,
			 r->stop ? ".." : " to its return", r->stop ? r->stop : "");
	}
	cli_printable(where, sizeof(where), place, 56);
	cli_shorten(name, sizeof(name), r->name, 40);
	return cli_table_add(t, (const char *const[]){name, budget, cost, where});
}

static void warn_stepped(const struct cli_regions *regions, const struct cli_terminal *term)
{
	size_t stepped = 0, first = 0;
	char cost[TLOB_DURATION_BYTES], name[256], text[640];

	for (size_t i = regions->count; i-- > 0;) {
		if (is_stepped(&regions->list[i])) {
			stepped++;
			first = i;
		}
	}
	if (!stepped)
		return;
	tlob_duration_print(cost, sizeof(cost), (uint64_t)(regions->list[first].cost_ns + 0.5));
	cli_shorten(name, sizeof(name), regions->list[first].name, 40);
	snprintf(
		text, sizeof(text),
		"%sDEAR:%s %s%s begins or ends at an instruction that the kernel has to single-step: %s for "
		"each window. An address that begins with a nop or a push costs a fraction of that.",
		cli_style(term, CLI_WARN), cli_style(term, CLI_PLAIN), name,
		stepped > 1 ? " (as others)" : "", cost);
	cli_wrap(term, text, 0);
}

/* Those that end earlier than their source says. */
static void warn_onward(const struct cli_regions *regions, const struct cli_terminal *term)
{
	const struct tlobctl_region *first = NULL;
	char name[256], onward[256], text[1024];
	size_t count = 0;

	for (size_t i = regions->count; i-- > 0;) {
		if (!regions->list[i].onward)
			continue;
		first = &regions->list[i];
		count++;
	}
	if (!first)
		return;
	snprintf(
		text, sizeof(text),
		"%sPART:%s %s%s may end in a jump to %s, which then returns in its place, and whose "
		"time is not measured. Watch that function too.",
		cli_style(term, CLI_WARN), cli_style(term, CLI_PLAIN),
		cli_shorten(name, sizeof(name), first->name, 40), count > 1 ? " (as others)" : "",
		cli_shorten(onward, sizeof(onward), first->onward, 60));
	cli_wrap(term, text, 0);
}

/* Those whose windows would be late by being measured. */
static void warn_costly(const struct cli_regions *regions, const struct cli_terminal *term)
{
	char cost[TLOB_DURATION_BYTES], budget[TLOB_DURATION_BYTES], name[256], text[640];
	const struct tlobctl_region *worst = NULL;

	for (size_t i = 0; i < regions->count; i++) {
		const struct tlobctl_region *r = &regions->list[i];

		if (r->path && r->cost_ns * COSTLY_SHARE > (double)r->budget_ns &&
		    (!worst ||
		     r->cost_ns / (double)r->budget_ns > worst->cost_ns / (double)worst->budget_ns))
			worst = r;
	}
	if (!worst)
		return;
	tlob_duration_print(cost, sizeof(cost), (uint64_t)(worst->cost_ns + 0.5));
	tlob_duration_print_exact(budget, sizeof(budget), worst->budget_ns);
	snprintf(
		text, sizeof(text),
		"%sCLOSE:%s to measure %s takes %s, of a budget of %s: windows may be late by that "
		"alone. Mark it in the source, or give a larger budget.",
		cli_style(term, CLI_WARN), cli_style(term, CLI_PLAIN),
		cli_shorten(name, sizeof(name), worst->name, 40), cost, budget);
	cli_wrap(term, text, 0);
}

void cli_regions_print(const struct cli_regions *regions, const struct cli_terminal *term)
{
	static const struct cli_column columns[] = {
		{.head = "region", .group = 0, .left = true},
		{.head = "budget", .group = 1},
		{.head = "each costs", .group = 1},
		{.head = "where", .group = 1, .left = true},
	};
	struct cli_table t;

	if (!regions->count)
		return;
	cli_table_init(&t, columns, sizeof(columns) / sizeof(*columns));
	for (size_t i = 0; i < regions->count && i < MAX_SHOWN; i++)
		if (add_row(&t, &regions->list[i]))
			break;
	cli_table_print(&t, term);
	if (regions->count > MAX_SHOWN)
		fprintf(term->out, "and %zu more\n", regions->count - MAX_SHOWN);
	cli_table_deinit(&t);
	warn_stepped(regions, term);
	warn_costly(regions, term);
	warn_onward(regions, term);
}
