// SPDX-License-Identifier: GPL-2.0-or-later
/* tlob report: what files of --json say, added up. */
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "options.h"
#include "report_flame.h"
#include "report_html.h"
#include "report_print.h"
#include "values.h"

enum why {
	WHY_IF_THERE,
	WHY_ASKED,
	WHY_NOT
};

struct report_settings {
	struct cli_report_view view;
	enum why why;
	const char *glob;
	enum cli_report_order order;
	struct cli_report_graphs graphs;
	const char *trace, *html;
	bool json;
	enum cli_color color;
};

/* ---- options */

static int set_why(void *settings, const char *value)
{
	(void)value;
	((struct report_settings *)settings)->why = WHY_ASKED;
	return 0;
}

static int set_no_why(void *settings, const char *value)
{
	(void)value;
	((struct report_settings *)settings)->why = WHY_NOT;
	return 0;
}

static int set_top(void *settings, const char *value)
{
	unsigned long n;

	if (cli_value_number(value, 1, ULONG_MAX, &n))
		return cli_usage("--top is a number from 1 on, not '%s'", value);
	((struct report_settings *)settings)->view.top = n;
	return 0;
}

static int set_sort(void *settings, const char *value)
{
	static const char *const words[] = {[CLI_REPORT_BY_OVERRUNS] = "overruns",
					    [CLI_REPORT_BY_WINDOWS] = "windows",
					    [CLI_REPORT_BY_MAX] = "max",
					    [CLI_REPORT_BY_P99] = "p99",
					    [CLI_REPORT_BY_NAME] = "name"};
	size_t order;
	int status =
		cli_value_choice("order", value, words, sizeof(words) / sizeof(*words), &order);

	if (!status)
		((struct report_settings *)settings)->order = (enum cli_report_order)order;
	return status;
}

static int set_of(void *settings, const char *value)
{
	return cli_report_parse_of(value, &((struct report_settings *)settings)->graphs.of);
}

static const struct cli_option option_why = {
	'w', "why", NULL, "why windows were late, ranked; the default if the\nfiles say it",
	.set = set_why};
static const struct cli_option option_no_why = {0, "no-why", NULL, "only counts and percentiles",
						.set = set_no_why};
static const struct cli_option option_region = {'r', "region", "GLOB",
						"only regions whose name matches",
						CLI_TEXT(struct report_settings, glob)};
static const struct cli_option option_top = {
	'n', "top", "NUMBER", "only so many regions, and causes of each (all\nregions, 5 causes)",
	.set = set_top};
static const struct cli_option option_sort = {
	's', "sort", "BY", "overruns (default), windows, max, p99 or name", .set = set_sort};
static const struct cli_option option_flame = {
	'f', "flame", "FILE",
	"flame graph (SVG) of where late windows ran, and\nthose within budget, instead of text",
	CLI_TEXT(struct report_settings, graphs.flame)};
static const struct cli_option option_flame_diff = {
	'd', "flame-diff", "FILE",
	"flame graph of the difference: red is more in late\nwindows, blue less",
	CLI_TEXT(struct report_settings, graphs.difference)};
static const struct cli_option option_folded = {
	'F', "folded", "FILE",
	"the stacks as text for other tools, one a line\nwith its microseconds",
	CLI_TEXT(struct report_settings, graphs.folded)};
static const struct cli_option option_of = {
	0, "of", "LIST",
	"which stacks --flame and --folded take: late, good\n(within budget), slept (late and asleep)",
	.set = set_of};
static const struct cli_option option_trace = {
	't', "trace", "FILE",
	"late windows on a time line, to be opened by\nPerfetto, instead of text",
	CLI_TEXT(struct report_settings, trace)};
static const struct cli_option option_html = {
	'H', "html", "FILE", "the report as one page for a browser, instead of\ntext",
	CLI_TEXT(struct report_settings, html)};
static const struct cli_option option_json = {'j', "json", NULL, "print one JSON object per region",
					      CLI_FLAG(struct report_settings, json)};
static const struct cli_option option_color = CLI_OPTION_COLOR(struct report_settings, color);

/* ---- the command */

static int read_files(struct cli_report *r, char **paths, int count)
{
	const char *input = NULL;

	for (int i = 0; i < count; i++) {
		int status;

		if (!strcmp(paths[i], "-") && input)
			return cli_usage("standard input can be read only once");
		input = strcmp(paths[i], "-") ? input : paths[i];
		status = cli_report_add_file(r, paths[i]);
		if (status)
			return status;
	}
	return 0;
}

/* Of the regions, if there are any; otherwise there is nothing to say, which is an answer only if none was asked for. */
static int check_answer(struct cli_report *r, struct report_settings *s)
{
	if (s->glob && !r->nregions)
		return cli_error(CLI_ERROR,
				 "no region matches '%s'; without --region all are shown", s->glob);
	s->view.why = s->why != WHY_NOT && r->ncauses;
	if (s->why != WHY_ASKED || r->ncauses)
		return 0;
	return cli_error(CLI_ERROR,
			 "no window here has a cause: none that was late had ended, or it was "
			 "recorded with --why=none or by an engine other than bpf");
}

static int output(struct cli_report *r, const struct report_settings *s)
{
	bool graphs = s->graphs.folded || s->graphs.flame || s->graphs.difference;
	struct cli_terminal term;
	struct cli_json json;
	int status = 0;

	if (s->trace)
		status = cli_report_trace_finish(&r->trace);
	if (graphs && !status)
		status = cli_report_graphs(r, &s->graphs);
	if (s->html && !status)
		status = cli_report_html(r, &s->view, s->html);
	if (graphs || s->trace || s->html)
		return status;
	if (s->json) {
		if (cli_json_open(&json, "-"))
			return cli_error(CLI_ERROR, "cannot write to standard output: %m");
		cli_report_json(r, &s->view, &json);
		if (cli_json_close(&json))
			status = cli_error(CLI_ERROR, "cannot write to standard output: %m");
		return status;
	}
	if (cli_terminal_init(&term, STDOUT_FILENO, s->color))
		return cli_error(CLI_ERROR, "cannot write to standard output: %m");
	status = cli_report_print(r, &s->view, &term);
	if (cli_terminal_deinit(&term) && !status)
		status = CLI_ERROR;
	return status;
}

static int report_main(const struct cli_command *self, int argc, char **argv)
{
	struct report_settings s = {.glob = NULL};
	struct cli_report r;
	int status, first = cli_options_parse(self, argc, argv, &s, &status);

	if (first < 0)
		return status;
	if (first == argc)
		return cli_usage("no file given; 'tlob run --json FILE' writes one");
	cli_report_init(&r, s.glob);
	r.trace.path = s.trace;
	status = read_files(&r, argv + first, argc - first);
	if (!status)
		status = check_answer(&r, &s);
	if (!status) {
		cli_report_sort(&r, s.order);
		status = output(&r, &s);
	}
	cli_report_deinit(&r);
	return status;
}

const struct cli_command cli_report = {
	.name = "report",
	.synopsis = "[OPTION]... FILE...",
	.summary = "say what a recording holds: who was late, and why",
	.about =
		"Adds up what 'tlob run --json FILE' or 'tlob watch --json FILE' wrote, - is\n"
		"standard input: windows and percentiles of each region, and why windows were late,\n"
		"the most frequent cause first.",
	.options = (const struct cli_option *const[]){&option_why, &option_no_why, &option_region,
						      &option_top, &option_sort, &option_flame,
						      &option_flame_diff, &option_folded,
						      &option_of, &option_trace, &option_html,
						      &option_json, &option_color, &cli_option_help,
						      NULL},
	.mixed = true,
	.main = report_main,
};
