// SPDX-License-Identifier: LGPL-2.1-or-later
/* See procfile.h. */
#include "procfile.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "text.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The number at *@text, which is moved behind it. */
static bool take_number(const char **text, __u64 *value)
{
	const char *p = *text;

	if (!is_digit(*p))
		return false;
	for (*value = 0; is_digit(*p); p++)
		*value = *value * 10 + (__u64)(*p - '0');
	*text = p;
	return true;
}

static const char *skip_blanks(const char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

bool tlob_procfile_numbers(int fd, __u64 *values, int n)
{
	char text[128];
	const char *p = text;
	ssize_t bytes = pread(fd, text, sizeof(text) - 1, 0);

	if (bytes <= 0)
		return false;
	text[bytes] = '\0';
	for (int i = 0; i < n; i++) {
		p = skip_blanks(p);
		if (!take_number(&p, &values[i]))
			return false;
	}
	return *p == '\n' && p == text + bytes - 1;
}

int tlob_procfile_open(__u32 tid, const char *name)
{
	char path[64];
	struct tlob_text t = {.buf = path, .size = sizeof(path)};

	tlob_text_string(&t, "/proc/self/task/");
	tlob_text_decimal(&t, tid, 0, 0);
	tlob_text_char(&t, '/');
	tlob_text_string(&t, name);
	tlob_text_end(&t);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* The beginning of the file, terminated; false if there is none. */
static bool read_text(int fd, char *buf, size_t size)
{
	ssize_t bytes = pread(fd, buf, size - 1, 0);

	buf[bytes > 0 ? bytes : 0] = '\0';
	return bytes > 0;
}

/* Fields of stat behind the name, counted from the state. */
#define STAT_CPU 36

bool tlob_procfile_stat(int fd, __u32 tid, struct tlob_procfile_stat *out)
{
	char text[640];
	const char *p = text;
	char *end;
	__u64 n;

	memset(out, 0, sizeof(*out));
	if (!read_text(fd, text, sizeof(text)) || !take_number(&p, &n) || n != tid || p[0] != ' ' ||
	    p[1] != '(')
		return false;
	end = strrchr(text, ')'); /* a name may hold anything */
	if (!end || end[1] != ' ')
		return false;
	*end = '\0';
	strncpy(out->comm, p + 2, sizeof(out->comm) - 1);
	p = end + 2;
	out->state = *p;
	for (int i = 0; i < STAT_CPU && p; i++)
		p = strchr(p + 1, ' ');
	if (!p || (p++, !take_number(&p, &n)))
		return false;
	out->cpu = (__u32)n;
	return true;
}

/* The text behind "@name   :" at the beginning of a line. */
static const char *entry(const char *text, const char *name)
{
	size_t length = strlen(name);

	for (const char *p = text; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (strncmp(p, name, length))
			continue;
		p = skip_blanks(p + length);
		if (*p == ':')
			return skip_blanks(p + 1);
	}
	return NULL;
}

/* Milliseconds with six decimals. */
static bool take_ms(const char *p, __u64 *ns)
{
	__u64 whole, part;

	if (!p || !take_number(&p, &whole) || *p++ != '.' || !take_number(&p, &part))
		return false;
	*ns = whole * 1000000 + part;
	return true;
}

bool tlob_procfile_sched(__u32 tid, struct tlob_procfile_sched *out)
{
	int fd = tlob_procfile_open(tid, "sched");
	char text[2048];
	const char *p;
	bool read;

	if (fd < 0)
		return false;
	read = read_text(fd, text, sizeof(text));
	close(fd);
	if (!read)
		return false;
	p = entry(text, "nr_voluntary_switches");
	return p && take_number(&p, &out->voluntary) &&
	       take_ms(entry(text, "se.exec_start"), &out->exec_start_ns);
}
