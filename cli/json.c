// SPDX-License-Identifier: GPL-2.0-or-later
/* See json.h. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "text.h"

int cli_json_open(struct cli_json *j, const char *path)
{
	int fd = strcmp(path, "-") ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) :
				     fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);

	if (fd < 0)
		return -1;
	*j = (struct cli_json){.out = fdopen(fd, "w")};
	if (!j->out) {
		close(fd);
		return -1;
	}
	setvbuf(j->out, NULL, _IOFBF, 1 << 17);
	return 0;
}

int cli_json_close(struct cli_json *j)
{
	if (j->out && fclose(j->out) && !j->error)
		j->error = errno;
	j->out = NULL;
	errno = j->error;
	return j->error ? -1 : 0;
}

static void put_string(FILE *out, const char *s)
{
	fputc('"', out);
	while (*s) {
		uint32_t c = 0;
		int n = cli_utf8(s, &c);

		if (!n)
			fputs("\\ufffd", out);
		else if (c == '"' || c == '\\')
			fprintf(out, "\\%c", (char)c);
		else if (c < 0x20 || c == 0x7f)
			fprintf(out, "\\u%04x", (unsigned int)c);
		else
			fwrite(s, 1, (size_t)n, out);
		s += n ? n : 1;
	}
	fputc('"', out);
}

static void put_key(struct cli_json *j, const char *key)
{
	if (j->comma)
		fputc(',', j->out);
	j->comma = true;
	if (!key)
		return;
	put_string(j->out, key);
	fputc(':', j->out);
}

void cli_json_begin(struct cli_json *j, const char *type)
{
	fputc('{', j->out);
	j->comma = false;
	cli_json_string(j, "type", type);
}

void cli_json_end(struct cli_json *j)
{
	fputs("}\n", j->out);
	if (fflush(j->out) && !j->error)
		j->error = errno;
}

void cli_json_object(struct cli_json *j, const char *key)
{
	put_key(j, key);
	fputc('{', j->out);
	j->comma = false;
}

void cli_json_object_end(struct cli_json *j)
{
	fputc('}', j->out);
	j->comma = true;
}

void cli_json_array(struct cli_json *j, const char *key)
{
	put_key(j, key);
	fputc('[', j->out);
	j->comma = false;
}

void cli_json_array_end(struct cli_json *j)
{
	fputc(']', j->out);
	j->comma = true;
}

void cli_json_string(struct cli_json *j, const char *key, const char *value)
{
	if (!value) {
		cli_json_null(j, key);
		return;
	}
	put_key(j, key);
	put_string(j->out, value);
}

void cli_json_number(struct cli_json *j, const char *key, uint64_t value)
{
	put_key(j, key);
	fprintf(j->out, "%" PRIu64, value);
}

void cli_json_micros(struct cli_json *j, const char *key, uint64_t ns)
{
	put_key(j, key);
	fprintf(j->out, "%" PRIu64 ".%03" PRIu64, ns / 1000, ns % 1000);
}

void cli_json_bool(struct cli_json *j, const char *key, bool value)
{
	put_key(j, key);
	fputs(value ? "true" : "false", j->out);
}

void cli_json_null(struct cli_json *j, const char *key)
{
	put_key(j, key);
	fputs("null", j->out);
}
