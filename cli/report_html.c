// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See report_html.h. No script and no link of its own; the flame graph, which has a script, is a document of its own within. Names
 * come from watched programs: all text goes through put_text().
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "format.h"
#include "report_flame.h"
#include "report_html.h"
#include "report_output.h"
#include "report_segment.h"
#include "text.h"

#define CAUSES 10

static const char style[] =
	"body{font:15px/1.5 system-ui,sans-serif;max-width:76rem;margin:2rem auto;padding:0 1rem;color:#1c1c1c;background:#fff}\n"
	"h1{font-size:1.5rem}h2{font-size:1.2rem;margin-top:2.5rem}small{color:#555}\n"
	"table{border-collapse:collapse;font-variant-numeric:tabular-nums}\n"
	"th,td{padding:.2rem .7rem;text-align:right;border-bottom:1px solid #ddd;white-space:nowrap}\n"
	"th.l,td.l{text-align:left;white-space:normal}.over{color:#b00020;font-weight:600}\n"
	".share{display:inline-block;height:.7em;background:#b00020}\n"
	".bar{display:flex;height:2rem;margin:.5rem 0;background:#ddd}.bar span{min-width:1px}\n"
	".running{background:#2e7d32}.waiting{background:#ef6c00}.sleeping{background:#1565c0}.unknown{background:#999}\n"
	".key span{display:inline-block;width:.9em;height:.9em;margin:0 .3em 0 1em}\n"
	"iframe{border:1px solid #ddd;width:100%;height:42rem}\n";

/* ---- pieces */

static void put_text(FILE *out, const char *s)
{
	while (*s) {
		uint32_t c = 0;
		int n = cli_utf8(s, &c);

		if (!n || c < 0x20 || c == 0x7f)
			fputs("&#xfffd;", out);
		else if (strchr("<>&\"'", *s))
			fprintf(out, "&#%d;", *s);
		else
			fwrite(s, 1, (size_t)n, out);
		s += n ? n : 1;
	}
}

static void put_left(FILE *out, const char *text)
{
	fputs("<td class=l>", out);
	put_text(out, text);
	fputs("</td>", out);
}

static void put_count(FILE *out, uint64_t n)
{
	char text[CLI_COUNT_BYTES];

	fprintf(out, "<td>%s</td>", cli_count(text, n));
}

static void put_time(FILE *out, uint64_t ns)
{
	char text[TLOB_DURATION_BYTES];

	tlob_duration_print(text, sizeof(text), ns);
	fprintf(out, "<td>%s</td>", text);
}

/* ---- all regions */

static void put_budget(FILE *out, const struct cli_report_region *g)
{
	char least[TLOB_DURATION_BYTES], most[TLOB_DURATION_BYTES];

	tlob_duration_print(least, sizeof(least), g->stat.budget_ns);
	tlob_duration_print(most, sizeof(most), g->budget_max_ns);
	if (g->budget_max_ns > g->stat.budget_ns)
		fprintf(out, "<td>%s-%s</td>", least, most);
	else
		fprintf(out, "<td>%s</td>", least);
}

/* Of several files together nobody knows: no larger than the largest. */
static void put_percentile(FILE *out, const struct cli_report_region *g, size_t i)
{
	char text[TLOB_DURATION_BYTES];

	if (!g->summaries) {
		fputs("<td>-</td>", out);
		return;
	}
	tlob_duration_print(text, sizeof(text), g->percentile_ns[i]);
	fprintf(out, "<td>%s%s</td>", g->summaries > 1 ? "&le;" : "", text);
}

static void put_region_row(FILE *out, const struct cli_report *r, const struct cli_report_region *g,
			   size_t number)
{
	const struct tlobctl_stat *t = &g->stat;

	fputs("<tr><td class=l>", out);
	if (g->ncauses)
		fprintf(out, "<a href=\"#r%zu\">", number);
	put_text(out, t->region);
	if (g->ncauses)
		fputs("</a>", out);
	fputs("</td>", out);
	put_left(out, t->program);
	put_budget(out, g);
	if (r->unfinished)
		fputs("<td>?</td>", out);
	else
		put_count(out, t->windows);
	fprintf(out, "<td%s>%" PRIu64 "</td>", t->overruns ? " class=over" : "", t->overruns);
	for (size_t i = 0; i < CLI_PERCENTILES; i++)
		put_percentile(out, g, i);
	put_time(out, t->max_ns);
	put_count(out, t->lost);
	fputs("</tr>\n", out);
}

static void put_table(FILE *out, const struct cli_report *r, size_t n)
{
	fputs("<table><tr><th class=l>region<th class=l>program<th>budget<th>windows<th>overruns",
	      out);
	for (size_t i = 0; i < CLI_PERCENTILES; i++)
		fprintf(out, "<th>%s", cli_percentiles[i].head);
	fputs("<th>max<th>lost</tr>\n", out);
	for (size_t i = 0; i < n; i++)
		put_region_row(out, r, r->regions[i], i);
	fputs("</table>\n", out);
}

static void put_head(FILE *out, const struct cli_report *r, size_t n)
{
	uint64_t windows = 0, overruns = 0;
	char text[CLI_COUNT_BYTES], more[CLI_COUNT_BYTES], took[TLOB_DURATION_BYTES];

	for (size_t i = 0; i < r->nregions; i++) {
		windows += r->regions[i]->stat.windows;
		overruns += r->regions[i]->stat.overruns;
	}
	tlob_duration_print(took, sizeof(took), r->elapsed_ns);
	fprintf(out,
		"<!DOCTYPE html>\n<html lang=en><meta charset=utf-8><title>tlob report</title>\n<style>%s</style>\n"
		"<h1>%s",
		style, cli_count(text, overruns));
	if (!r->unfinished)
		fprintf(out, " of %s", cli_count(more, windows));
	fprintf(out, " windows went over budget</h1>\n<p>%s of recording, %zu file%s", took,
		r->files, r->files == 1 ? "" : "s");
	if (r->unfinished)
		fprintf(out, "; %zu without end, so that windows in time are not known",
			r->unfinished);
	fputs(".</p>\n", out);
	put_table(out, r, n);
}

/* ---- one region */

static void put_causes(FILE *out, const struct cli_report_region *g, size_t top)
{
	fputs("<table><tr><th class=l>late because of<th>windows<th class=l><th>took<th>longest</tr>\n",
	      out);
	for (size_t i = 0; i < g->ncauses && i < top; i++) {
		const struct cli_report_cause *c = &g->causes[i];

		fputs("<tr>", out);
		put_left(out, c->text);
		put_count(out, c->count);
		fprintf(out, "<td class=l><span class=share style=\"width:%.1frem\"></span></td>",
			12 * (double)c->count / (double)g->looked_into);
		put_time(out, c->ns);
		put_time(out, c->longest_ns);
		fputs("</tr>\n", out);
	}
	fputs("</table>\n", out);
	if (g->ncauses > top)
		fprintf(out, "<p>and %zu more causes; --top shows more</p>\n", g->ncauses - top);
}

static const char *class_of(enum tlobctl_cause cause)
{
	switch (cause) {
	case TLOBCTL_CAUSE_RUNNING:
		return "running";
	case TLOBCTL_CAUSE_BEHIND:
	case TLOBCTL_CAUSE_THROTTLED:
	case TLOBCTL_CAUSE_IDLE:
		return "waiting";
	case TLOBCTL_CAUSE_UNKNOWN:
		return "unknown";
	default:
		return "sleeping";
	}
}

static void put_part(FILE *out, const char *class, const char *name, uint64_t ns)
{
	char took[TLOB_DURATION_BYTES];

	if (!ns)
		return;
	tlob_duration_print(took, sizeof(took), ns);
	fprintf(out, "<span class=%s style=\"flex:%" PRIu64 "\" title=\"%s ", class, ns, took);
	put_text(out, name);
	fputs("\"></span>", out);
}

/* The window from left to right; what each part is says its hover text. */
static void put_bar(FILE *out, const struct cli_report_event *e)
{
	struct cli_report_segment s = {.event = e};
	uint64_t at_ns = e->record.start_ns;

	fputs("<div class=bar>", out);
	while (cli_report_segment_next(&s)) {
		put_part(out, "unknown", "not recorded", s.start_ns - at_ns);
		put_part(out, class_of(s.cause), s.name, s.end_ns - s.start_ns);
		at_ns = s.end_ns;
	}
	put_part(out, "unknown", "not recorded", cli_report_end_ns(&e->record) - at_ns);
	fputs("</div>\n<p class=key><small><span class=running></span>ran "
	      "<span class=waiting></span>waited for a CPU <span class=sleeping></span>slept "
	      "<span class=unknown></span>not known</small></p>\n",
	      out);
}

static void put_stacks(FILE *out, const struct cli_report_event *e)
{
	char text[CLI_REPORT_STACK_BYTES];

	if (!e->why.nsnapshots)
		return;
	fputs("<ul>\n", out);
	for (size_t i = 0; i < e->why.nsnapshots; i++)
		if (cli_report_stack(text, sizeof(text), &e->why.snapshots[i])) {
			fputs("<li>", out);
			put_text(out, text);
			fputs("</li>\n", out);
		}
	fputs("</ul>\n", out);
}

static void put_longest(FILE *out, struct cli_report *r, const struct cli_report_kept *kept)
{
	struct json_object *o = kept->text ? json_tokener_parse(kept->text) : NULL;
	void *mark = obstack_alloc(&r->memory, 1);
	char took[TLOB_DURATION_BYTES];
	struct cli_report_event e;

	if (!o)
		return;
	cli_report_event(&e, o, &r->memory);
	tlob_duration_print(took, sizeof(took), e.record.elapsed_ns);
	fprintf(out, "<p>The longest: %s in thread ", took);
	put_text(out, cli_report_string(o, "comm"));
	fprintf(out, " %u", e.record.tid);
	if (e.record.tag)
		fprintf(out, ", tag %" PRIu64, (uint64_t)e.record.tag);
	if (*e.reason) {
		fputs("; ", out);
		put_text(out, e.reason);
	}
	fputs("</p>\n", out);
	if (e.why.nsegments)
		put_bar(out, &e);
	put_stacks(out, &e);
	obstack_free(&r->memory, mark);
	json_object_put(o);
}

static void put_region(FILE *out, struct cli_report *r, const struct cli_report_region *g,
		       size_t number, size_t top)
{
	fprintf(out, "<h2 id=r%zu>", number);
	put_text(out, g->stat.region);
	if (*g->stat.program) {
		fputs(" <small>in ", out);
		put_text(out, g->stat.program);
		fputs("</small>", out);
	}
	fputs("</h2>\n", out);
	put_causes(out, g, top);
	put_longest(out, r, &g->worst);
}

/* ---- the flame graph */

static void put_base64(FILE *out, const char *bytes, size_t size)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < size; i += 3) {
		size_t left = size - i;
		uint32_t v = (uint32_t)(unsigned char)bytes[i] << 16;

		v |= left > 1 ? (uint32_t)(unsigned char)bytes[i + 1] << 8 : 0;
		v |= left > 2 ? (uint32_t)(unsigned char)bytes[i + 2] : 0;
		fputc(digits[v >> 18], out);
		fputc(digits[v >> 12 & 63], out);
		fputc(left > 1 ? digits[v >> 6 & 63] : '=', out);
		fputc(left > 2 ? digits[v & 63] : '=', out);
	}
}

static int put_flame(FILE *out, const struct cli_report *r)
{
	size_t size = 0;
	char *svg = NULL;
	FILE *memory = open_memstream(&svg, &size);
	int status;

	if (!memory)
		return cli_error(CLI_ERROR, "out of memory for the stacks");
	status = cli_report_flame(r, memory);
	if (fclose(memory) && !status)
		status = cli_error(CLI_ERROR, "out of memory for the stacks");
	if (!status && size) {
		fputs("<h2>Where they ran, and slept</h2>\n<iframe title=\"flame graph\" "
		      "src=\"data:image/svg+xml;base64,",
		      out);
		put_base64(out, svg, size);
		fputs("\"></iframe>\n", out);
	}
	free(svg);
	return status;
}

int cli_report_html(struct cli_report *r, const struct cli_report_view *view, const char *path)
{
	size_t n = view->top && view->top < r->nregions ? view->top : r->nregions;
	struct cli_report_output o;
	int status = cli_report_output_begin(&o), written;

	if (status)
		return status;
	put_head(o.out, r, n);
	for (size_t i = 0; view->why && i < n; i++)
		if (r->regions[i]->ncauses)
			put_region(o.out, r, r->regions[i], i, view->top ? view->top : CAUSES);
	status = put_flame(o.out, r);
	fprintf(o.out, "<p><small>tlob %s</small></p></html>\n", TLOB_VERSION);
	written = cli_report_output_finish(&o, path);
	return status ? status : written;
}
