// SPDX-License-Identifier: GPL-2.0-only
/* Both grammars of the control file; see line.h. */
#ifdef __KERNEL__
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/string.h>
#else
#include <errno.h>
#include <string.h>
#define S64_MAX 0x7fffffffffffffffLL
#define U64_MAX (~0ULL)
#endif

#include <tlob/abi.h>

#include "line.h"

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

/* A number without a sign at *@text, which moves behind it. @base 0: by its prefix. */
static int number(char **text, unsigned int base, __u64 *value)
{
	char *c = *text;
	__u64 sum = 0;

	if (base == 0) {
		base = 10;
		if (c[0] == '0' && (c[1] == 'x' || c[1] == 'X')) {
			base = 16;
			c += 2;
		} else if (c[0] == '0') {
			base = 8;
		}
	}
	if ((unsigned int)digit_of(*c) >= base)
		return -EINVAL;
	for (; (unsigned int)digit_of(*c) < base; c++) {
		if (sum > (U64_MAX - digit_of(*c)) / base)
			return -EINVAL;
		sum = sum * base + digit_of(*c);
	}
	*text = c;
	*value = sum;
	return 0;
}

/* An offset that fills all of @text. */
static int offset_of(char *text, __u64 *value)
{
	int ret = number(&text, 0, value);

	if (ret)
		return ret;
	return *text == '\0' && *value <= S64_MAX ? 0 : -EINVAL;
}

/* A number, after blanks and before a colon. */
static int field(char **text, unsigned int base, __u64 *value)
{
	int ret;

	while (**text == ' ' || **text == '\t')
		(*text)++;
	ret = number(text, base, value);
	if (ret)
		return ret;
	if (**text != ':' || *value > S64_MAX)
		return -EINVAL;
	(*text)++;
	return 0;
}

static int check_budget(__u64 budget_ns)
{
	return budget_ns < TLOB_BUDGET_MIN_NS || budget_ns > TLOB_BUDGET_MAX_NS ? -ERANGE : 0;
}

static int check_path(const char *path)
{
	return path[0] == '/' ? 0 : -EINVAL;
}

/* THRESHOLD_US:START:STOP:PATH */
static int parse_colons(char *text, struct tlob_line *line)
{
	__u64 us;

	if (field(&text, 10, &us) || us == 0 || field(&text, 0, &line->start) ||
	    field(&text, 0, &line->stops[0]) || check_path(text))
		return -EINVAL;
	line->nstops = 1;
	line->path = text;
	if (us > TLOB_BUDGET_MAX_NS / 1000)
		return -ERANGE;
	line->budget_ns = us * 1000;
	return check_budget(line->budget_ns);
}

/* Cut off what follows the last @c of @text; NULL if there is none. */
static char *cut_last(char *text, char c)
{
	char *at = strrchr(text, c);

	if (!at)
		return NULL;
	*at = '\0';
	return at + 1;
}

/* Blanks at the end may be many. */
static void trim_end(char *text)
{
	size_t n = strlen(text);

	while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t'))
		text[--n] = '\0';
}

/* OFFSET,OFFSET... */
static int parse_exits(char *text, struct tlob_line *line)
{
	line->form = TLOB_LINE_EXITS;
	do {
		__u64 *stop = &line->stops[line->nstops];

		if (line->nstops++ == TLOB_LINE_STOPS || number(&text, 0, stop) || *stop > S64_MAX)
			return -EINVAL;
	} while (*text++ == ',');
	return text[-1] == '\0' ? 0 : -EINVAL;
}

static int parse_stop(char *text, struct tlob_line *line)
{
	static const char exits[] = "exit=";

	if (strcmp(text, "return") == 0) {
		line->form = TLOB_LINE_RETURN;
		return 0;
	}
	if (strncmp(text, exits, sizeof(exits) - 1) == 0)
		return parse_exits(text + sizeof(exits) - 1, line);
	line->nstops = 1;
	return offset_of(text, &line->stops[0]) || line->stops[0] == line->start ? -EINVAL : 0;
}

/* PATH:START STOP threshold=NS, from the end, as only the path may hold anything */
static int parse_words(char *text, struct tlob_line *line)
{
	static const char key[] = "threshold=";
	char *threshold, *stop, *start;

	while (*text == ' ' || *text == '\t')
		text++;
	trim_end(text);
	threshold = cut_last(text, ' ');
	if (!threshold || strncmp(threshold, key, sizeof(key) - 1) != 0)
		return -EINVAL;
	threshold += sizeof(key) - 1;
	trim_end(text);
	stop = cut_last(text, ' ');
	if (!stop)
		return -EINVAL;
	trim_end(text);
	start = cut_last(text, ':');
	if (!start || check_path(text) || offset_of(start, &line->start) ||
	    parse_stop(stop, line) || number(&threshold, 0, &line->budget_ns) || *threshold != '\0')
		return -EINVAL;
	line->path = text;
	return check_budget(line->budget_ns);
}

static int parse_remove(char *text, struct tlob_line *line)
{
	char *start;

	line->remove = true;
	if (text[0] == '/') {
		start = cut_last(text, ':');
		if (!start || offset_of(start, &line->start))
			return -EINVAL;
	} else if (field(&text, 0, &line->start)) {
		return -EINVAL;
	}
	line->path = text;
	return check_path(text) || text[1] == '\0' ? -EINVAL : 0;
}

int tlob_line_parse(char *text, struct tlob_line *line)
{
	size_t n = strlen(text);

	memset(line, 0, sizeof(*line));
	if (n > 0 && text[n - 1] == '\n')
		text[n - 1] = '\0';
	if (text[0] == '-')
		return parse_remove(text + 1, line);
	if (text[0] == 'p' && (text[1] == ' ' || text[1] == '\t'))
		return parse_words(text + 2, line);
	return parse_colons(text, line);
}
