// SPDX-License-Identifier: GPL-2.0-or-later
/* See functions.h. A library may have a hundred thousand: each is printed as it comes. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include <tlob/ctl.h>

#include "cli.h"
#include "functions.h"
#include "json.h"
#include "regions.h"
#include "text.h"
#include "words.h"

struct list {
	struct cli_terminal term;
	struct cli_json json;
	char path[4096]; /* as it was found */
	bool complete;
	size_t dear;
};

static int write_function(const struct tlobctl_function *f, void *arg)
{
	struct cli_json *j = &((struct list *)arg)->json;
	const char *probe = cli_probe_name(f->kind);

	cli_json_begin(j, "function");
	cli_json_string(j, "path", f->path);
	cli_json_string(j, "function", f->name);
	cli_json_string(j, "symbol", f->symbol);
	cli_json_number(j, "offset", f->offset);
	cli_json_number(j, "bytes", f->bytes);
	if (probe)
		cli_json_string(j, "start_probe", probe);
	else
		cli_json_null(j, "start_probe");
	if (f->unfit)
		cli_json_string(j, "unfit", f->unfit);
	else
		cli_json_null(j, "unfit");
	cli_json_end(j);
	return j->error ? -j->error : 0;
}

static int print_function(const struct tlobctl_function *f, void *arg)
{
	struct list *l = arg;
	const char *probe = f->unfit ? "-" : cli_probe_name(f->kind);
	char name[1024];

	if (!*l->path) {
		snprintf(l->path, sizeof(l->path), "%s", f->path);
		l->complete = f->complete;
		fprintf(l->term.out, "%s%10s %8s  %-8s  function%s\n",
			cli_style(&l->term, CLI_BOLD), "offset", "bytes", "probe",
			cli_style(&l->term, CLI_PLAIN));
	}
	l->dear += !f->unfit && f->kind == TLOBCTL_PROBE_STEPPED;
	fprintf(l->term.out, "0x%08" PRIx64 " %8" PRIu64 "  %-8s  %s\n", f->offset, f->bytes, probe,
		cli_printable(name, sizeof(name), f->name, 0));
	return ferror(l->term.out) ? -1 : 0;
}

static void print_end(const struct list *l, const char *binary, size_t count)
{
	char n[CLI_COUNT_BYTES], path[1024];
	struct cli_words w = {.used = 0};

	if (!count) {
		cli_say(&w,
			"No function of '%s' is known. If the file is stripped, install its debug symbols "
			"(Debian: the -dbgsym package), or watch a function of a library that it uses, "
			"as libc.so.6:write.",
			cli_printable(path, sizeof(path), binary, 0));
	} else {
		cli_say(&w, "%s function%s of %s", cli_count(n, count), count > 1 ? "s" : "",
			cli_printable(path, sizeof(path), l->path, 0));
		cli_say(&w, "%s.",
			l->complete ? "" : ", which is stripped: others need its debug symbols");
		if (l->dear)
			cli_say(&w, " A probe that is stepped costs a multiple of others.");
	}
	fputc('\n', l->term.out);
	cli_wrap(&l->term, w.text, 0);
}

static int list_json(struct list *l, const char *binary, pid_t pid)
{
	int r;

	if (cli_json_open(&l->json, "-"))
		return cli_error(CLI_ERROR, "cannot write to standard output: %m");
	r = tlobctl_functions(binary, pid, write_function, l);
	if (cli_json_close(&l->json))
		return cli_error(CLI_ERROR, "cannot write to standard output: %m");
	return r < 0 ? cli_error(CLI_ERROR, "%s", tlobctl_error()) : CLI_OK;
}

static int list_text(struct list *l, const char *binary, pid_t pid, enum cli_color color)
{
	int r, status = CLI_OK;

	if (cli_terminal_init(&l->term, STDOUT_FILENO, color))
		return cli_error(CLI_ERROR, "cannot write to standard output: %m");
	r = tlobctl_functions(binary, pid, print_function, l);
	if (r >= 0)
		print_end(l, binary, (size_t)r);
	else if (!ferror(l->term.out))
		status = cli_error(CLI_ERROR, "%s", tlobctl_error());
	if (cli_terminal_deinit(&l->term))
		return cli_error(CLI_ERROR, "cannot write to standard output: %m");
	return status || r ? status : CLI_ERROR;
}

int cli_functions_list(const char *binary, pid_t pid, bool json, enum cli_color color)
{
	struct list list = {.complete = true};

	return json ? list_json(&list, binary, pid) : list_text(&list, binary, pid, color);
}
