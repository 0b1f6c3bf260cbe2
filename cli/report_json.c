// SPDX-License-Identifier: GPL-2.0-or-later
/* See report_print.h. */
#include "report_print.h"

static void put_causes(struct cli_json *j, const struct cli_report_region *g, size_t top)
{
	size_t n = top && top < g->ncauses ? top : g->ncauses;

	cli_json_array(j, "causes");
	for (size_t i = 0; i < n; i++) {
		const struct cli_report_cause *c = &g->causes[i];

		cli_json_object(j, NULL);
		cli_json_string(j, "reason", c->text);
		cli_json_number(j, "count", c->count);
		cli_json_number(j, "total_ns", c->ns);
		cli_json_number(j, "elapsed_ns", c->elapsed_ns);
		cli_json_number(j, "longest_ns", c->longest_ns);
		cli_json_number(j, "links", c->links);
		cli_json_object_end(j);
	}
	cli_json_array_end(j);
	cli_json_number(j, "causes_left_out", g->ncauses - n);
}

static void put_region(struct cli_json *j, const struct cli_report_region *g,
		       const struct cli_report_view *view)
{
	cli_json_begin(j, "region");
	cli_json_string(j, "region", g->stat.region);
	cli_json_string(j, "program", g->stat.program);
	cli_json_number(j, "budget_ns", g->stat.budget_ns);
	cli_json_number(j, "budget_max_ns", g->budget_max_ns);
	cli_json_number(j, "windows", g->stat.windows);
	cli_json_number(j, "overruns", g->stat.overruns);
	cli_json_number(j, "records", g->stat.records);
	cli_json_number(j, "lost", g->stat.lost);
	cli_json_number(j, "refused", g->stat.refused);
	cli_json_number(j, "abandoned", g->stat.abandoned);
	cli_json_number(j, "cancelled", g->stat.cancelled);
	cli_json_number(j, "cost_ns", g->stat.cost_ns);
	for (size_t i = 0; i < CLI_PERCENTILES; i++)
		cli_json_number(j, cli_percentiles[i].key, g->percentile_ns[i]);
	cli_json_bool(j, "at_most", g->summaries > 1);
	cli_json_number(j, "max_ns", g->stat.max_ns);
	if (view->why) {
		cli_json_number(j, "closed", g->closed);
		cli_json_number(j, "looked_into", g->looked_into);
		put_causes(j, g, view->top);
	}
	cli_json_end(j);
}

void cli_report_json(const struct cli_report *r, const struct cli_report_view *view,
		     struct cli_json *j)
{
	size_t n = view->top && view->top < r->nregions ? view->top : r->nregions;

	for (size_t i = 0; i < n; i++)
		put_region(j, r->regions[i], view);
	cli_json_begin(j, "report");
	cli_json_number(j, "files", r->files);
	cli_json_number(j, "unfinished", r->unfinished);
	cli_json_number(j, "regions_left_out", r->nregions - n);
	cli_json_number(j, "elapsed_ns", r->elapsed_ns);
	cli_json_number(j, "lost_ends", r->lost_ends);
	cli_json_number(j, "strange", r->strange);
	cli_json_number(j, "left_out", r->left_out);
	cli_json_end(j);
}
