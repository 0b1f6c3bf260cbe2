// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Region specifications: refused with a place and a reason, or a specification that keeps every
 * promise of parse.h and, written out, reads as the same one.
 */
#include <errno.h>

#include "core/format.h"
#include "core/parse.h"
#include "fuzz.h"

static struct tlob_region_spec spec, again, untouched;

static int same_point(const struct tlob_point *a, const struct tlob_point *b)
{
	return strcmp(a->symbol, b->symbol) == 0 && a->offset == b->offset && a->glob == b->glob &&
	       a->argument == b->argument;
}

static int same_spec(const struct tlob_region_spec *a, const struct tlob_region_spec *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->path, b->path) == 0 &&
	       strcmp(a->stop_path, b->stop_path) == 0 && a->to_return == b->to_return &&
	       a->budget_ns == b->budget_ns && same_point(&a->start, &b->start) &&
	       same_point(&a->stop, &b->stop);
}

static int is_none(const struct tlob_point *p)
{
	return !*p->symbol && !p->offset && !p->glob && !p->argument;
}

static void check_text(const char *text, size_t size)
{
	size_t bytes = strnlen(text, size), i;

	CHECK(bytes < size);
	for (i = 0; i < bytes; i++)
		CHECK((unsigned char)text[i] >= ' ' && text[i] != 127);
}

/* In C++, Rust or Go, where a name may hold nearly anything. */
static int is_source_name(const char *symbol)
{
	return strstr(symbol, "::") || strpbrk(symbol, "(<");
}

static void check_symbol(const struct tlob_point *p)
{
	check_text(p->symbol, sizeof(p->symbol));
	if (!is_source_name(p->symbol))
		CHECK(!strpbrk(p->symbol, " :#"));
	CHECK(*p->symbol != ' ');
	CHECK(p->argument <= TLOB_MAX_ARGUMENT);
	CHECK(!p->argument || !*p->symbol || !p->offset);
	CHECK(!p->glob || strpbrk(p->symbol, "*?["));
}

/* Two addresses of one binary, as far as can be told. */
static int differ(const struct tlob_region_spec *s)
{
	return s->start.offset != s->stop.offset || strcmp(s->start.symbol, s->stop.symbol) != 0;
}

static void check_spec(const struct tlob_region_spec *s)
{
	check_text(s->name, sizeof(s->name));
	check_text(s->path, sizeof(s->path));
	check_symbol(&s->start);
	check_symbol(&s->stop);
	CHECK(s->budget_ns >= TLOB_BUDGET_MIN_NS && s->budget_ns <= TLOB_BUDGET_MAX_NS);
	CHECK(*s->name || *s->path);
	if (!*s->path)
		CHECK(!s->to_return && is_none(&s->start) && is_none(&s->stop));
	else if (s->to_return)
		CHECK(is_none(&s->stop) && !(*s->start.symbol && s->start.offset));
	else if (*s->stop_path)
		CHECK(s->start.argument && s->stop.argument);
	else
		CHECK(!s->start.argument == !s->stop.argument && differ(s) && !s->start.glob &&
		      !s->stop.glob);
}

/* The offset is always written: a symbol with a '+' in it needs one behind. */
static int print_point(char *text, size_t size, const struct tlob_point *p)
{
	if (p->argument && *p->symbol)
		return snprintf(text, size, "%s#arg%u", p->symbol, p->argument);
	if (p->argument)
		return snprintf(text, size, "0x%llx#arg%u", (unsigned long long)p->offset,
				p->argument);
	return snprintf(text, size, "%s%s0x%llx", p->symbol, *p->symbol ? "+" : "",
			(unsigned long long)p->offset);
}

static const char *print_spec(const struct tlob_region_spec *s)
{
	static char text[2 * sizeof(*s)];
	size_t n, size = sizeof(text);

	n = (size_t)snprintf(text, size, "%s%s%s%s", s->name, *s->name && *s->path ? "=" : "",
			     s->path, *s->path ? ":" : "");
	if (s->to_return && *s->start.symbol) {
		n += (size_t)snprintf(text + n, size - n, "%s", s->start.symbol);
	} else if (*s->path) {
		n += (size_t)print_point(text + n, size - n, &s->start);
		if (!s->to_return) {
			n += (size_t)snprintf(text + n, size - n, "..%s%s", s->stop_path,
					      *s->stop_path ? ":" : "");
			n += (size_t)print_point(text + n, size - n, &s->stop);
		}
	}
	text[n++] = '@';
	n += tlob_duration_print_exact(text + n, size - n, s->budget_ns);
	CHECK(n < size);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_string(data, size);
	struct tlob_parse_error err = {SIZE_MAX, NULL};
	int ret;

	memset(&untouched, 0x5a, sizeof(untouched));
	memset(&spec, 0x5a, sizeof(spec));
	ret = tlob_region_parse(text, &spec, &err);
	if (ret) {
		CHECK(ret == -EINVAL || ret == -ERANGE);
		CHECK(err.at <= strlen(text));
		CHECK(err.why && *err.why);
		CHECK(memcmp(&spec, &untouched, sizeof(spec)) == 0);
	} else {
		check_spec(&spec);
		CHECK(tlob_region_parse(print_spec(&spec), &again, NULL) == 0);
		CHECK(same_spec(&spec, &again));
	}
	free(text);
	return 0;
}
