/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Region specifications. The text is taken apart from the right, because only the binary's path, on
 * the left, may hold anything: budget, then points, then name and path. A part is a span of the
 * text, so that every error can say at which byte.
 */
#include <errno.h>
#include <string.h>

#include "parse.h"

/* Bytes [from, to) of text. */
struct span {
	const char *from, *to;
};

struct parser {
	const char *text;
	struct tlob_parse_error *err;
};

static int fail(const struct parser *p, int code, const char *at, const char *why)
{
	return tlob_parse_fail(p->err, code, p->text, at, why);
}

static const char *find(struct span s, char c)
{
	return s.from < s.to ? memchr(s.from, c, (size_t)(s.to - s.from)) : NULL;
}

static const char *find_last(struct span s, char c)
{
	return s.from < s.to ? memrchr(s.from, c, (size_t)(s.to - s.from)) : NULL;
}

/* The ".." between points, which is not the "..." among the parameters of a C++ function. */
static const char *find_dots(struct span s)
{
	const char *at;
	int depth = 0;

	for (at = s.from; at + 1 < s.to; at++) {
		depth += (*at == '(') - (*at == ')');
		if (at[0] == '.' && at[1] == '.' && depth <= 0)
			return at;
	}
	return NULL;
}

/* The last ':' that separates, and is none of the "::" inside of a C++ name or before one. */
static const char *find_colon(struct span s)
{
	struct span rest = s;
	const char *at;

	while ((at = find_last(rest, ':'))) {
		const char *first = at;

		while (first > s.from && first[-1] == ':')
			first--;
		if ((at - first) % 2 == 0)
			return first;
		rest.to = first;
	}
	return NULL;
}

/* A name as the source has it, in C++, Rust or Go: it may hold nearly anything. */
static bool is_source_name(struct span s)
{
	const char *at;

	for (at = s.from; at < s.to; at++)
		if (*at == '(' || *at == '<' || (*at == ':' && at + 1 < s.to && at[1] == ':'))
			return true;
	return false;
}

static int copy(const struct parser *p, struct span s, char *to, size_t size, const char *too_long)
{
	size_t bytes = (size_t)(s.to - s.from);

	if (bytes >= size)
		return fail(p, -EINVAL, s.from + size - 1, too_long);
	memcpy(to, s.from, bytes);
	to[bytes] = '\0';
	return 0;
}

static int check_characters(const struct parser *p)
{
	const char *c;

	for (c = p->text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 127)
			return fail(p, -EINVAL, c, "control characters have no place here");
	return 0;
}

static int parse_name(const struct parser *p, struct span s, struct tlob_region_spec *spec)
{
	if (s.from == s.to)
		return fail(p, -EINVAL, s.from, "the region's name is missing");
	if (*s.from == ' ')
		return fail(p, -EINVAL, s.from, "a name does not start with a blank");
	if (s.to[-1] == ' ')
		return fail(p, -EINVAL, s.to - 1, "a name does not end with a blank");
	return copy(p, s, spec->name, sizeof(spec->name), "a name has at most 47 bytes");
}

static int parse_path(const struct parser *p, struct span s, char *path)
{
	if (s.from == s.to)
		return fail(p, -EINVAL, s.from, "the binary is missing before the ':'");
	if (s.to - s.from > 1 && s.from[0] == '~' && s.from[1] == '/')
		return fail(p, -EINVAL, s.from, "the shell left the '~' as it is: write $HOME");
	return copy(p, s, path, TLOB_PATH_BYTES, "a path has at most 4095 bytes");
}

/* 0x and up to 64 bits of digits, to the end of the span. */
static int parse_hex(const struct parser *p, struct span s, uint64_t *value)
{
	const char *c = s.from + 2;
	uint64_t v = 0;

	if (s.to - s.from < 2 || s.from[0] != '0' || s.from[1] != 'x')
		return fail(p, -EINVAL, s.from, "an offset is hexadecimal: 0x10");
	if (c == s.to)
		return fail(p, -EINVAL, c, "hexadecimal digits are missing behind 0x");
	for (; c < s.to; c++) {
		const char *digits = "0123456789abcdef", *digit;

		digit = strchr(digits, *c >= 'A' && *c <= 'F' ? *c - 'A' + 'a' : *c);
		if (!digit)
			return fail(p, -EINVAL, c, "this is not a hexadecimal digit");
		if (v >> 60)
			return fail(p, -ERANGE, s.from, "an offset has at most 64 bits");
		v = v << 4 | (uint64_t)(digit - digits);
	}
	*value = v;
	return 0;
}

static int parse_symbol(const struct parser *p, struct span s, struct tlob_point *point)
{
	const char *at;
	bool plain;

	if (s.from == s.to)
		return fail(p, -EINVAL, s.from, "a symbol or 0xOFFSET is missing");
	if (*s.from >= '0' && *s.from <= '9')
		return fail(
			p, -EINVAL, s.from,
			"a symbol does not start with a digit, and a file offset is hexadecimal: "
			"0x1234");
	plain = !is_source_name(s);
	at = find(s, '/');
	if (at && plain && !find((struct span){at, s.to}, '.'))
		return fail(p, -EINVAL, at,
			    "a symbol has no '/': BINARY:FUNCTION or BINARY:START..STOP is needed");
	at = find(s, '#');
	if (at && plain)
		return fail(p, -EINVAL, at, "a symbol has no '#'");
	at = find(s, ' ');
	if (at && (plain || at == s.from))
		return fail(p, -EINVAL, at, "a symbol has no blanks");
	return copy(p, s, point->symbol, sizeof(point->symbol),
		    "a symbol has at most 255 bytes; give its 0xOFFSET in the file");
}

/*
 * Parameters are no pattern, "(char*)" least of all, but for "(*)" at the end: any; nor are operators and
 * what the compiler puts in brackets behind a name.
 */
static bool is_glob(const char *symbol)
{
	size_t bytes = strlen(symbol);
	const char *at;
	int depth = 0;

	if (bytes >= 3 && !strcmp(symbol + bytes - 3, "(*)"))
		return true;
	for (at = symbol; *at; at++) {
		depth += (*at == '(') - (*at == ')');
		if (depth > 0)
			continue;
		if (!strncmp(at, "operator", 8))
			at += 8 + strspn(at + 8, " *[]newdlt") - 1;
		else if (!strncmp(at, "[abi:", 5))
			at += strcspn(at, "]") - 1;
		else if (strchr("*?[", *at))
			return true;
	}
	return false;
}

static const char tag_mark[] = "#arg";
#define TAG_BYTES (sizeof(tag_mark)) /* with its digit */

/* #argN at @at, which lies before @to. */
static bool is_tag(const char *at, const char *to)
{
	return (size_t)(to - at) >= TAG_BYTES && !memcmp(at, tag_mark, sizeof(tag_mark) - 1) &&
	       at[TAG_BYTES - 1] >= '0' && at[TAG_BYTES - 1] <= '9';
}

/* The '+' before an offset; "operator+" has one too. */
static const char *find_plus(struct span s)
{
	const char *plus = find_last(s, '+');

	if (plus && is_source_name(s) && (s.to - plus < 3 || plus[1] != '0' || plus[2] != 'x'))
		return NULL;
	return plus;
}

/* Takes #argN off the end of @s. */
static int parse_tag(const struct parser *p, struct span *s, struct tlob_point *point)
{
	const char *hash = find_last(*s, '#'), *plus;

	/* "{lambda(int)#1}" is a part of the name */
	if (!hash || (find((struct span){hash, s->to}, '}') && is_source_name(*s)))
		return 0;
	if (!is_tag(hash, s->to) || s->to != hash + TAG_BYTES)
		return fail(p, -EINVAL, hash, "a tag is an argument of the function: #arg1");
	point->argument = (unsigned int)(s->to[-1] - '0');
	if (!point->argument || point->argument > TLOB_MAX_ARGUMENT)
		return fail(p, -EINVAL, hash, "a tag is one of the arguments #arg1 to #arg6");
	s->to = hash;
	plus = find_plus(*s);
	if (plus)
		return fail(
			p, -EINVAL, plus,
			"arguments are only known at the entry of a function, without an offset");
	return 0;
}

/* symbol, symbol+0x10 or 0xOFFSET, and perhaps #argN */
static int parse_point(const struct parser *p, struct span s, struct tlob_point *point)
{
	const char *plus;
	int ret = parse_tag(p, &s, point);

	if (ret)
		return ret;
	if (s.to - s.from >= 2 && s.from[0] == '0' && s.from[1] == 'x')
		return parse_hex(p, s, &point->offset);
	plus = find_plus(s);
	ret = parse_symbol(p, (struct span){s.from, plus ? plus : s.to}, point);
	if (ret || !plus)
		return ret;
	return parse_hex(p, (struct span){plus + 1, s.to}, &point->offset);
}

static int parse_function(const struct parser *p, struct span s, struct tlob_region_spec *spec)
{
	const char *plus = find_plus(s);
	int ret = parse_point(p, s, &spec->start);

	if (ret)
		return ret;
	if (plus)
		return fail(p, -EINVAL, plus,
			    "entry to return needs the function itself, without an offset");
	if (spec->start.argument)
		return fail(p, -EINVAL, s.to - TAG_BYTES,
			    "a tag needs a function for the end too: START#arg1..STOP#arg1");
	spec->start.glob = is_glob(spec->start.symbol);
	spec->to_return = true;
	return 0;
}

static int parse_points(const struct parser *p, struct span start, struct span stop,
			struct tlob_region_spec *spec)
{
	int ret = parse_point(p, start, &spec->start);

	if (!ret)
		ret = parse_point(p, stop, &spec->stop);
	if (ret)
		return ret;
	if (!spec->start.argument != !spec->stop.argument)
		return fail(p, -EINVAL, spec->start.argument ? stop.to : start.to,
			    "a tag is needed at both points, or at none");
	if (is_glob(spec->start.symbol))
		return fail(p, -EINVAL, start.from, "a glob is for BINARY:FUNCTION, not for START");
	if (is_glob(spec->stop.symbol))
		return fail(p, -EINVAL, stop.from, "a glob is for BINARY:FUNCTION, not for STOP");
	if (!*spec->stop_path && spec->start.offset == spec->stop.offset &&
	    strcmp(spec->start.symbol, spec->stop.symbol) == 0)
		return fail(p, -EINVAL, stop.from, "STOP must differ from START");
	return 0;
}

static int parse_pair(const struct parser *p, struct span s, const char *dots,
		      struct tlob_region_spec *spec)
{
	const char *more = find_dots((struct span){dots + 1, s.to});

	if (more)
		return fail(
			p, -EINVAL, more,
			"a second '..': give the 0xOFFSET of symbols that have one in their name");
	return parse_points(p, (struct span){s.from, dots}, (struct span){dots + 2, s.to}, spec);
}

static int parse_owner(const struct parser *p, struct span head, struct tlob_region_spec *spec)
{
	const char *equals = find(head, '=');
	int ret;

	if (equals && !find((struct span){head.from, equals}, '/')) {
		ret = parse_name(p, (struct span){head.from, equals}, spec);
		if (ret)
			return ret;
		head.from = equals + 1;
	}
	return parse_path(p, head, spec->path);
}

static int parse_binary(const struct parser *p, struct span head, struct span points,
			struct tlob_region_spec *spec)
{
	const char *dots = find_dots(points);
	int ret = parse_owner(p, head, spec);

	if (ret)
		return ret;
	return dots ? parse_pair(p, points, dots, spec) : parse_function(p, points, spec);
}

/*
 * The '..' behind the first tag, if there is a binary behind it: a tag is what no path is likely to
 * have.
 */
static const char *find_second_binary(struct span s)
{
	const char *at;

	for (at = s.from; (at = find((struct span){at, s.to}, '#')); at++) {
		const char *dots = at + TAG_BYTES;

		if (is_tag(at, s.to) && s.to - dots > 2 && dots[0] == '.' && dots[1] == '.')
			return find_colon((struct span){dots + 2, s.to}) ? dots : NULL;
	}
	return NULL;
}

/* BINARY:START#argN..BINARY:STOP#argN, of which the second begins behind @dots. */
static int parse_two(const struct parser *p, struct span head, const char *dots,
		     struct tlob_region_spec *spec)
{
	const char *first = find_colon((struct span){head.from, dots});
	const char *second = find_colon(head);
	struct span start = {first ? first + 1 : dots, dots}, stop = {second + 1, head.to};
	int ret;

	if (!first)
		return fail(p, -EINVAL, dots, "the first function needs its binary too");
	ret = parse_path(p, (struct span){dots + 2, second}, spec->stop_path);
	if (!ret)
		ret = parse_owner(p, (struct span){head.from, first}, spec);
	return ret ? ret : parse_points(p, start, stop, spec);
}

static int parse_head(const struct parser *p, struct span head, struct tlob_region_spec *spec)
{
	const char *colon = find_colon(head), *dots = find_second_binary(head), *binary;

	if (dots)
		return parse_two(p, head, dots, spec);
	if (colon)
		return parse_binary(p, (struct span){head.from, colon},
				    (struct span){colon + 1, head.to}, spec);
	binary = find(head, '/');
	if (!binary)
		binary = find(head, '=');
	if (binary)
		return fail(p, -EINVAL, head.to,
			    "a binary needs its points: BINARY:FUNCTION or BINARY:START..STOP");
	return parse_name(p, head, spec);
}

int tlob_region_parse(const char *text, struct tlob_region_spec *spec, struct tlob_parse_error *err)
{
	const struct parser p = {text, err};
	struct tlob_region_spec found;
	const char *at = strrchr(text, '@');
	int ret;

	memset(&found, 0, sizeof(found));
	ret = check_characters(&p);
	if (ret)
		return ret;
	if (!at)
		return fail(&p, -EINVAL, text + strlen(text),
			    "a budget is needed at the end: @5ms");
	ret = parse_head(&p, (struct span){text, at}, &found);
	if (ret)
		return ret;
	ret = tlob_budget_parse_at(text, at + 1, &found.budget_ns, err);
	if (ret)
		return ret;
	*spec = found;
	return 0;
}
