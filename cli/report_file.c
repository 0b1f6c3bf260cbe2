// SPDX-License-Identifier: GPL-2.0-or-later
/* See report_file.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "report_file.h"
#include "text.h"

#define FIRST_BYTES ((size_t)1 << 16)
#define LINE_MAX_BYTES ((size_t)64 << 20)
#define DEPTH 64

struct reader {
	int fd;
	char *buf;
	size_t size, used;
	struct json_tokener *tokener;
};

static struct json_object *parse(struct json_tokener *t, const char *text, size_t bytes)
{
	struct json_object *o;

	json_tokener_reset(t);
	o = json_tokener_parse_ex(t, text, (int)bytes);
	if (o && json_object_is_type(o, json_type_object) &&
	    strspn(text + json_tokener_get_parse_end(t), " \t\r") ==
		    bytes - json_tokener_get_parse_end(t))
		return o;
	json_object_put(o);
	return NULL;
}

static int not_ours(const struct cli_report_file *f, const char *text)
{
	char start[64];

	return cli_error(CLI_ERROR,
			 "'%s' is not what tlob writes with --json: line 1 is no JSON object "
			 "but begins with '%s'",
			 f->name, cli_printable(start, sizeof(start), text, 20));
}

/* @text ends with a NUL in place of its newline. */
static int take(struct cli_report_file *f, struct reader *r, char *text, size_t bytes, bool last,
		cli_report_line_fn *fn, void *arg)
{
	struct cli_report_line line = {.text = text, .bytes = bytes};
	int status;

	f->lines++;
	if (strspn(text, " \t\r") == bytes)
		return 0;
	line.object = parse(r->tokener, text, bytes);
	if (line.object) {
		status = fn(&line, arg);
		json_object_put(line.object);
		return status;
	}
	if (last)
		f->cut = true;
	else if (f->lines == 1)
		return not_ours(f, text);
	else if (!f->bad++)
		f->first_bad = f->lines;
	return 0;
}

/* Hands out the whole lines in the buffer and keeps the rest. */
static int take_lines(struct cli_report_file *f, struct reader *r, size_t seen,
		      cli_report_line_fn *fn, void *arg)
{
	size_t begin = 0;
	char *end;
	int status = 0;

	while (!status && (end = memchr(r->buf + seen, '\n', r->used - seen))) {
		*end = '\0';
		status = take(f, r, r->buf + begin, (size_t)(end - r->buf) - begin, false, fn, arg);
		begin = seen = (size_t)(end - r->buf) + 1;
	}
	r->used -= begin;
	memmove(r->buf, r->buf + begin, r->used);
	return status;
}

static int make_room(const struct cli_report_file *f, struct reader *r)
{
	char *more;

	if (r->used + 1 < r->size)
		return 0;
	if (r->size >= LINE_MAX_BYTES)
		return cli_error(CLI_ERROR,
				 "'%s' is not what tlob writes with --json: line %llu is longer "
				 "than %zu MiB",
				 f->name, (unsigned long long)f->lines + 1, LINE_MAX_BYTES >> 20);
	more = realloc(r->buf, r->size * 2);
	if (!more)
		return cli_error(CLI_ERROR, "out of memory for a line of '%s'", f->name);
	r->buf = more;
	r->size *= 2;
	return 0;
}

static int read_all(struct cli_report_file *f, struct reader *r, cli_report_line_fn *fn, void *arg)
{
	for (;;) {
		size_t before = r->used;
		ssize_t n;
		int status = make_room(f, r);

		if (status)
			return status;
		n = read(r->fd, r->buf + r->used, r->size - r->used - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cli_error(CLI_ERROR, "cannot read '%s': %m", f->name);
		if (!n)
			break;
		r->used += (size_t)n;
		status = take_lines(f, r, before, fn, arg);
		if (status)
			return status;
	}
	if (!r->used)
		return 0;
	r->buf[r->used] = '\0';
	return take(f, r, r->buf, r->used, true, fn, arg);
}

static int open_input(const struct cli_report_file *f, const char *path)
{
	struct stat st;
	int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) :
				     fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);

	if (fd < 0) {
		cli_error(CLI_ERROR, "cannot open '%s': %m", f->name);
	} else if (!fstat(fd, &st) && S_ISDIR(st.st_mode)) {
		cli_error(CLI_ERROR, "'%s' is a folder; name the file that --json wrote", f->name);
		close(fd);
		fd = -1;
	}
	return fd;
}

int cli_report_file_read(struct cli_report_file *f, const char *path, cli_report_line_fn *fn,
			 void *arg)
{
	struct reader r = {.size = FIRST_BYTES};
	int status;

	*f = (struct cli_report_file){.name = strcmp(path, "-") ? path : "standard input"};
	r.fd = open_input(f, path);
	if (r.fd < 0)
		return CLI_ERROR;
	r.buf = malloc(r.size);
	r.tokener = json_tokener_new_ex(DEPTH);
	if (r.buf && r.tokener) {
		json_tokener_set_flags(r.tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8 |
							  JSON_TOKENER_ALLOW_TRAILING_CHARS);
		status = read_all(f, &r, fn, arg);
	} else {
		status = cli_error(CLI_ERROR, "out of memory for '%s'", f->name);
	}
	if (r.tokener)
		json_tokener_free(r.tokener);
	free(r.buf);
	close(r.fd);
	return status;
}
