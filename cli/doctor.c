// SPDX-License-Identifier: GPL-2.0-or-later
/* tlob doctor: which engines work here, and what the others lack. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tlob/ctl.h>

#include "json.h"
#include "nearest.h"
#include "options.h"
#include "terminal.h"
#include "text.h"

struct doctor_settings {
	bool json;
	const char *usable; /* engine to ask about; NULL: all */
	enum cli_color color;
};

static const struct cli_option option_json = {'j', "json", NULL, "print one JSON object per check",
					      CLI_FLAG(struct doctor_settings, json)};
static const struct cli_option option_usable = {'u', "usable", "ENGINE",
						"only say why this engine is not usable, and exit\n"
						"with 1; say nothing and exit with 0 if it is",
						CLI_TEXT(struct doctor_settings, usable)};
static const struct cli_option option_color = CLI_OPTION_COLOR(struct doctor_settings, color);

/* ---- what the checks say, kept: an engine's heading depends on all of its rows ---- */

struct checks {
	struct tlobctl_check *list; /* own copies of the texts */
	size_t count;
};

static int keep(const struct tlobctl_check *check, void *arg)
{
	struct checks *c = arg;
	struct tlobctl_check *list = reallocarray(c->list, c->count + 1, sizeof(*list));
	struct tlobctl_check *own;

	if (!list)
		return cli_error(CLI_ERROR, "out of memory");
	c->list = list;
	own = &list[c->count++];
	*own = (struct tlobctl_check){.engine = strdup(check->engine),
				      .what = strdup(check->what),
				      .ok = check->ok,
				      .needed = check->needed,
				      .found = strdup(check->found ? check->found : ""),
				      .remedy = strdup(check->remedy ? check->remedy : "")};
	if (!own->engine || !own->what || !own->found || !own->remedy)
		return cli_error(CLI_ERROR, "out of memory");
	return 0;
}

static void checks_deinit(struct checks *c)
{
	for (size_t i = 0; i < c->count; i++) {
		free((char *)c->list[i].engine);
		free((char *)c->list[i].what);
		free((char *)c->list[i].found);
		free((char *)c->list[i].remedy);
	}
	free(c->list);
}

static bool is_usable(const struct checks *c, const char *engine)
{
	for (size_t i = 0; i < c->count; i++)
		if (!strcmp(c->list[i].engine, engine) && c->list[i].needed && !c->list[i].ok)
			return false;
	return true;
}

/* Is row @i the first of its engine? */
static bool is_first(const struct checks *c, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (!strcmp(c->list[k].engine, c->list[i].engine))
			return false;
	return true;
}

static size_t count_usable(const struct checks *c)
{
	size_t usable = 0;

	for (size_t i = 0; i < c->count; i++)
		usable += is_first(c, i) && is_usable(c, c->list[i].engine);
	return usable;
}

/* ---- for people ---- */

static void print_check(const struct cli_terminal *t, const struct tlobctl_check *c, size_t column)
{
	const char *verdict = c->ok ? "ok" : c->needed ? "not ok" : "lacks";
	char text[1024];

	fprintf(t->out, "  %s%-6s%s  %-*s  ", cli_style(t, c->ok ? CLI_GOOD : CLI_WARN), verdict,
		cli_style(t, CLI_PLAIN), (int)column, c->what);
	cli_wrap(t, cli_printable(text, sizeof(text), c->found, 0), column + 12);
	if (c->ok || !*c->remedy)
		return;
	fprintf(t->out, "%*s%s", (int)column + 12, "", cli_style(t, CLI_BOLD));
	cli_printable(text, sizeof(text), c->remedy, 0);
	cli_wrap(t, text, column + 12);
	fputs(cli_style(t, CLI_PLAIN), t->out);
}

static void print_checks(const struct cli_terminal *t, const struct checks *c)
{
	size_t column = 0;

	for (size_t i = 0; i < c->count; i++)
		if (cli_columns(c->list[i].what) > column)
			column = cli_columns(c->list[i].what);
	for (size_t i = 0; i < c->count; i++) {
		const char *engine = c->list[i].engine;
		bool usable = is_usable(c, engine);

		if (is_first(c, i))
			fprintf(t->out, "%s%sengine %s: %s%s\n", i ? "\n" : "",
				cli_style(t, CLI_BOLD), engine,
				usable ? "usable" : "not usable here", cli_style(t, CLI_PLAIN));
		print_check(t, &c->list[i], column);
	}
	if (!count_usable(c))
		fprintf(t->out, "\nNo engine is usable here.\n");
	fflush(t->out);
}

/* ---- for programs ---- */

static void write_checks(struct cli_json *j, const struct checks *c)
{
	for (size_t i = 0; i < c->count; i++) {
		cli_json_begin(j, "check");
		cli_json_string(j, "engine", c->list[i].engine);
		cli_json_string(j, "what", c->list[i].what);
		cli_json_bool(j, "ok", c->list[i].ok);
		cli_json_bool(j, "needed", c->list[i].needed);
		cli_json_string(j, "found", c->list[i].found);
		cli_json_string(j, "remedy", c->list[i].remedy);
		cli_json_end(j);
	}
	for (size_t i = 0; i < c->count; i++) {
		if (!is_first(c, i))
			continue;
		cli_json_begin(j, "engine");
		cli_json_string(j, "engine", c->list[i].engine);
		cli_json_bool(j, "usable", is_usable(c, c->list[i].engine));
		cli_json_end(j);
	}
}

/* ---- one engine, for scripts ---- */

static int report_usable(const struct checks *c, const char *engine)
{
	struct cli_nearest near;
	bool known = false;

	cli_nearest_init(&near, engine);
	for (size_t i = 0; i < c->count; i++) {
		const struct tlobctl_check *check = &c->list[i];

		cli_nearest_offer(&near, check->engine);
		if (strcmp(check->engine, engine))
			continue;
		known = true;
		if (!check->ok && check->needed)
			printf("%s: %s%s%s\n", check->what, check->found,
			       *check->remedy ? "; " : "", check->remedy);
	}
	if (!known && near.word)
		return cli_usage("unknown engine '%s'; did you mean %s?", engine, near.word);
	if (!known)
		return cli_usage("unknown engine '%s'", engine);
	return is_usable(c, engine) ? CLI_OK : CLI_ERROR;
}

static int report(const struct doctor_settings *settings, const struct checks *c)
{
	struct cli_terminal term = {0};
	struct cli_json json = {0};

	if (settings->json) {
		if (cli_json_open(&json, "-"))
			return cli_error(CLI_ERROR, "cannot write to standard output: %m");
		write_checks(&json, c);
		if (cli_json_close(&json))
			return cli_error(CLI_ERROR, "cannot write to standard output: %m");
	} else {
		if (cli_terminal_init(&term, STDOUT_FILENO, settings->color))
			return cli_error(CLI_ERROR, "cannot write to standard output: %m");
		print_checks(&term, c);
		if (cli_terminal_deinit(&term))
			return CLI_ERROR;
	}
	return count_usable(c) ? CLI_OK : CLI_ERROR;
}

static int doctor_main(const struct cli_command *self, int argc, char **argv)
{
	struct doctor_settings settings = {0};
	struct checks checks = {0};
	int status;

	if (cli_options_parse(self, argc, argv, &settings, &status) < 0)
		return status;
	if (tlobctl_doctor(keep, &checks) < 0)
		status = cli_error(CLI_ERROR, "cannot examine this machine: %s", tlobctl_error());
	else if (settings.usable)
		status = report_usable(&checks, settings.usable);
	else
		status = report(&settings, &checks);
	checks_deinit(&checks);
	return status;
}

const struct cli_command cli_doctor = {
	.name = "doctor",
	.synopsis = "[OPTION]...",
	.summary = "say which engines work here, and why others do not",
	.about = "Checks what each engine needs on this machine and says how to get what is\n"
		 "missing. Exits with 0 if at least one engine is usable, else with 1.",
	.options = (const struct cli_option *const[]){&option_json, &option_usable, &option_color,
						      &cli_option_help, NULL},
	.alone = true,
	.main = doctor_main,
};
