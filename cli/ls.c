// SPDX-License-Identifier: GPL-2.0-or-later
/* tlob ls: what can be watched of a binary; or the regions that the kernel module watches by itself. */
#include <stdio.h>
#include <unistd.h>

#include <tlob/ctl.h>

#include "functions.h"
#include "json.h"
#include "options.h"
#include "standing.h"

struct ls_settings {
	pid_t pid;
	bool json;
	enum cli_color color;
};

static const struct cli_option option_json = {'j', "json", NULL, "print one JSON object a line",
					      CLI_FLAG(struct ls_settings, json)};
static const struct cli_option option_pid = {'p', "pid", "PID",
					     "look for BINARY as this process sees it",
					     CLI_PID(struct ls_settings, pid)};
static const struct cli_option option_color = CLI_OPTION_COLOR(struct ls_settings, color);

static int write_regions(const struct cli_standing *s)
{
	struct cli_json json = {0}, *j = &json;

	if (cli_json_open(j, "-"))
		return cli_error(CLI_ERROR, "cannot write to standard output: %m");
	for (size_t i = 0; i < s->count; i++) {
		const struct tlobctl_standing *r = &s->list[i];

		cli_json_begin(j, "standing");
		cli_json_string(j, "path", r->path);
		cli_json_string(j, "start", r->start);
		cli_json_string(j, "stop", r->stop);
		cli_json_number(j, "start_offset", r->start_offset);
		if (r->stop)
			cli_json_number(j, "stop_offset", r->stop_offset);
		else
			cli_json_null(j, "stop_offset");
		cli_json_number(j, "budget_ns", r->budget_ns);
		cli_json_end(j);
	}
	if (cli_json_close(j))
		return cli_error(CLI_ERROR, "cannot write to standard output: %m");
	return CLI_OK;
}

static int print_regions(const struct cli_standing *s, enum cli_color color)
{
	struct cli_terminal term;
	unsigned int threads = 0;
	int enabled = tlobctl_standing_enabled(&threads);

	if (enabled < 0)
		return cli_error(CLI_ERROR, "%s", tlobctl_error());
	if (cli_terminal_init(&term, STDOUT_FILENO, color))
		return cli_error(CLI_ERROR, "cannot write to standard output: %m");
	fprintf(term.out, "kernel module: monitor %s, %u thread%s watched\n",
		enabled ? "enabled" : "not enabled", threads, threads == 1 ? "" : "s");
	cli_standing_print(s, &term);
	if (!s->count)
		cli_wrap(&term, "No standing regions; tlob add BINARY:FUNCTION@BUDGET adds one.",
			 0);
	else if (!enabled)
		cli_wrap(&term,
			 "They are not watched: the monitor was disabled; tlob add enables it.", 0);
	return cli_terminal_deinit(&term) ? CLI_ERROR : CLI_OK;
}

static int list_standing(const struct ls_settings *settings)
{
	struct cli_standing standing = {0};
	int status;

	if (tlobctl_standing_list(cli_standing_take, &standing) < 0)
		status = cli_error(CLI_ERROR, "%s. For the functions of a binary: tlob ls BINARY",
				   tlobctl_error());
	else if (settings->json)
		status = write_regions(&standing);
	else
		status = print_regions(&standing, settings->color);
	cli_standing_deinit(&standing);
	return status;
}

static int ls_main(const struct cli_command *self, int argc, char **argv)
{
	struct ls_settings settings = {0};
	int status;
	int first = cli_options_parse(self, argc, argv, &settings, &status);

	if (first < 0)
		return status;
	if (first + 1 < argc)
		return cli_usage("one binary at a time, not '%s' too", argv[first + 1]);
	if (first < argc)
		return cli_functions_list(argv[first], settings.pid, settings.json, settings.color);
	if (settings.pid)
		return cli_usage("--pid needs a binary: tlob ls -p PID BINARY");
	return list_standing(&settings);
}

const struct cli_command cli_ls = {
	.name = "ls",
	.synopsis = "[OPTION]... [BINARY[:PATTERN]]",
	.summary = "list the functions of a binary, or what the kernel module watches",
	.about =
		"Lists the functions of BINARY that a region can be made of, those whose name has\n"
		"PATTERN in it or matches it, as libc.so.6:*alloc* does.\n"
		"Without BINARY, lists standing regions: those that the kernel module watches by\n"
		"itself in all processes. That needs root, and the module loaded.",
	.options = (const struct cli_option *const[]){&option_pid, &option_json, &option_color,
						      &cli_option_help, NULL},
	.mixed = true,
	.main = ls_main,
};
