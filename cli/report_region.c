// SPDX-License-Identifier: GPL-2.0-or-later
/* The regions of a report: one for each name and program, found by both, and in the order that was asked for. */
#include <fnmatch.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "report_data.h"

#define MAX_REGIONS 65536

static void free_region(struct cli_report_region *g)
{
	for (size_t i = 0; i < g->ncauses; i++)
		free(g->causes[i].deepest.text);
	for (size_t i = 0; i < CLI_REPORT_STACKS; i++)
		report_tree_free(g->stacks[i]);
	free(g->causes);
	free(g->worst.text);
	free((char *)g->stat.region);
	free((char *)g->stat.program);
	free(g);
}

static void keep_node(void *node)
{
	(void)node; /* is in the list too */
}

void cli_report_regions_deinit(struct cli_report *r)
{
	tdestroy(r->index, keep_node);
	for (size_t i = 0; i < r->nregions; i++)
		free_region(r->regions[i]);
	free(r->regions);
}

static int by_identity(const void *a, const void *b)
{
	const struct tlobctl_stat *x = &((const struct cli_report_region *)a)->stat;
	const struct tlobctl_stat *y = &((const struct cli_report_region *)b)->stat;
	int order = strcmp(x->region, y->region);

	return order ? order : strcmp(x->program, y->program);
}

static int no_memory(const struct cli_report *r)
{
	return cli_error(CLI_ERROR, "out of memory for what '%s' holds", r->file->name);
}

static int add_region(struct cli_report *r, const char *region, const char *program,
		      struct cli_report_region **out)
{
	struct cli_report_region *g;

	if (r->nregions == MAX_REGIONS)
		return cli_error(CLI_ERROR,
				 "more than %d regions and programs up to line %llu of '%s'; "
				 "choose some with --region",
				 MAX_REGIONS, (unsigned long long)r->file->lines, r->file->name);
	if (r->nregions == r->room) {
		size_t room = r->room ? r->room * 2 : 16;
		struct cli_report_region **more =
			reallocarray(r->regions, room, sizeof(struct cli_report_region *));

		if (!more)
			return no_memory(r);
		r->regions = more;
		r->room = room;
	}
	g = calloc(1, sizeof(*g));
	if (!g)
		return no_memory(r);
	g->stat.region = strdup(region);
	g->stat.program = strdup(program);
	if (!g->stat.region || !g->stat.program || !tsearch(g, &r->index, by_identity)) {
		free_region(g);
		return no_memory(r);
	}
	r->regions[r->nregions++] = g;
	*out = g;
	return 0;
}

int cli_report_region_of(struct cli_report *r, struct json_object *o,
			 struct cli_report_region **out)
{
	const char *region = cli_report_string(o, "region"), *program;
	struct cli_report_region key, **found;

	*out = NULL;
	if (r->glob && fnmatch(r->glob, region, 0))
		return 0;
	program = cli_report_string(o, "program");
	key.stat.region = region;
	key.stat.program = program;
	found = tfind(&key, &r->index, by_identity);
	if (!found)
		return add_region(r, region, program, out);
	*out = *found;
	return 0;
}

/* ---- order */

static int descending(uint64_t x, uint64_t y)
{
	return x < y ? 1 : x > y ? -1 : 0;
}

static int compare(const void *a, const void *b, void *arg)
{
	const struct cli_report_region *x = *(struct cli_report_region *const *)a;
	const struct cli_report_region *y = *(struct cli_report_region *const *)b;
	int order = 0;

	switch (*(enum cli_report_order *)arg) {
	case CLI_REPORT_BY_OVERRUNS:
		order = descending(x->stat.overruns, y->stat.overruns);
		if (!order)
			order = descending(x->stat.windows, y->stat.windows);
		break;
	case CLI_REPORT_BY_WINDOWS:
		order = descending(x->stat.windows, y->stat.windows);
		break;
	case CLI_REPORT_BY_MAX:
		order = descending(x->stat.max_ns, y->stat.max_ns);
		break;
	case CLI_REPORT_BY_P99:
		order = descending(x->percentile_ns[2], y->percentile_ns[2]);
		break;
	case CLI_REPORT_BY_NAME:
		break;
	}
	return order ? order : by_identity(x, y);
}

static int by_count(const void *a, const void *b)
{
	const struct cli_report_cause *x = a, *y = b;
	int order = descending(x->count, y->count);

	if (!order)
		order = descending(x->ns, y->ns);
	return order ? order : strcmp(x->text, y->text);
}

void cli_report_sort(struct cli_report *r, enum cli_report_order order)
{
	cli_samples_sort(&r->samples);
	if (r->nregions)
		qsort_r(r->regions, r->nregions, sizeof(*r->regions), compare, &order);
	for (size_t i = 0; i < r->nregions; i++)
		if (r->regions[i]->ncauses)
			qsort(r->regions[i]->causes, r->regions[i]->ncauses,
			      sizeof(*r->regions[i]->causes), by_count);
}
