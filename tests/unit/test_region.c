// SPDX-License-Identifier: GPL-2.0-or-later
/* Region specifications: each form taken apart as meant, each mistake with its place and reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "core/parse.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MS 1000000ULL

struct point {
	const char *symbol;
	uint64_t offset;
	bool glob;
};

struct good {
	const char *text;
	const char *name, *path;
	struct point start, stop; /* no stop: to the return */
	uint64_t budget_ns;
};

static const struct good accepted[] = {
	/* regions of linked programs */
	{"decode@5ms", "decode", "", {"", 0, false}, {"", 0, false}, 5 * MS},
	{"two words@5ms", "two words", "", {"", 0, false}, {"", 0, false}, 5 * MS},
	{"a@b@5ms", "a@b", "", {"", 0, false}, {"", 0, false}, 5 * MS},
	{"d\303\251coder@1h", "d\303\251coder", "", {"", 0, false}, {"", 0, false}, 3600000 * MS},
	/* entry to return */
	{"/bin/x:main@1.5ms", "", "/bin/x", {"main", 0, false}, {NULL, 0, false}, 1500000},
	{"n=/bin/x:main@5ms", "n", "/bin/x", {"main", 0, false}, {NULL, 0, false}, 5 * MS},
	{"libfoo.so:step@5ms", "", "libfoo.so", {"step", 0, false}, {NULL, 0, false}, 5 * MS},
	{"/x:0x1a2B@5ms", "", "/x", {"", 0x1a2b, false}, {NULL, 0, false}, 5 * MS},
	{"/x:sqlite3_*@5ms", "", "/x", {"sqlite3_*", 0, true}, {NULL, 0, false}, 5 * MS},
	{"/x:f?@5ms", "", "/x", {"f?", 0, true}, {NULL, 0, false}, 5 * MS},
	{"/x:[fg]oo@5ms", "", "/x", {"[fg]oo", 0, true}, {NULL, 0, false}, 5 * MS},
	{"/x:memcpy@@GLIBC_2.14@5ms",
	 "",
	 "/x",
	 {"memcpy@@GLIBC_2.14", 0, false},
	 {NULL, 0, false},
	 5 * MS},
	{"/x:f.isra.0@5ms", "", "/x", {"f.isra.0", 0, false}, {NULL, 0, false}, 5 * MS},
	{"/x:_ZN1a1bEv@5ms", "", "/x", {"_ZN1a1bEv", 0, false}, {NULL, 0, false}, 5 * MS},
	{"/x:a=b@5ms", "", "/x", {"a=b", 0, false}, {NULL, 0, false}, 5 * MS},
	/* two addresses */
	/* as the source has them */
	{"/x:a::b@5ms", "", "/x", {"a::b", 0, false}, {NULL, 0, false}, 5 * MS},
	{"/x:::b@5ms", "", "/x", {"::b", 0, false}, {NULL, 0, false}, 5 * MS},
	{"x.so:a::f(int, char*)@5ms",
	 "",
	 "x.so",
	 {"a::f(int, char*)", 0, false},
	 {NULL, 0, false},
	 5 * MS},
	{"n=/a::b/x:c::d@5ms", "n", "/a::b/x", {"c::d", 0, false}, {NULL, 0, false}, 5 * MS},
	{"/x:a::f(...)..b::g(...)+0x4@5ms",
	 "",
	 "/x",
	 {"a::f(...)", 0, false},
	 {"b::g(...)", 4, false},
	 5 * MS},
	{"/x:a::operator+@5ms", "", "/x", {"a::operator+", 0, false}, {NULL, 0, false}, 5 * MS},
	{"/x:a::operator*@5ms", "", "/x", {"a::operator*", 0, false}, {NULL, 0, false}, 5 * MS},
	{"/x:a::operator[]@5ms", "", "/x", {"a::operator[]", 0, false}, {NULL, 0, false}, 5 * MS},
	{"/x:a::operator/(a)@5ms", "", "/x", {"a::operator/(a)", 0, false}, {NULL, 0, false}, 5 * MS},
	{"/x:a::*@5ms", "", "/x", {"a::*", 0, true}, {NULL, 0, false}, 5 * MS},
	{"/x:a<*>::f@5ms", "", "/x", {"a<*>::f", 0, true}, {NULL, 0, false}, 5 * MS},
	{"/x:a::f(*)@5ms", "", "/x", {"a::f(*)", 0, true}, {NULL, 0, false}, 5 * MS},
	{"/x:f(void (*)(int))@5ms",
	 "",
	 "/x",
	 {"f(void (*)(int))", 0, false},
	 {NULL, 0, false},
	 5 * MS},
	{"/x:main::{lambda()#1}::operator()() const@5ms",
	 "",
	 "/x",
	 {"main::{lambda()#1}::operator()() const", 0, false},
	 {NULL, 0, false},
	 5 * MS},
	{"/x:net/http.(*conn).serve..main.f+0x10@5ms",
	 "",
	 "/x",
	 {"net/http.(*conn).serve", 0, false},
	 {"main.f", 16, false},
	 5 * MS},
	{"net::recv@5ms", "net::recv", "", {"", 0, false}, {"", 0, false}, 5 * MS},
	{"./x:f@5ms", "", "./x", {"f", 0, false}, {NULL, 0, false}, 5 * MS},
	{"n=a/b:f@5ms", "n", "a/b", {"f", 0, false}, {NULL, 0, false}, 5 * MS},

	{"/x:a..b@5ms", "", "/x", {"a", 0, false}, {"b", 0, false}, 5 * MS},
	{"/x:a+0x10..b@5ms", "", "/x", {"a", 16, false}, {"b", 0, false}, 5 * MS},
	{"/x:a..a+0x10@5ms", "", "/x", {"a", 0, false}, {"a", 16, false}, 5 * MS},
	{"/x:0x10..0x20@5ms", "", "/x", {"", 16, false}, {"", 32, false}, 5 * MS},
	{"/x:0x0..0xffffffffffffffff@5ms", "", "/x", {"", 0, false}, {"", UINT64_MAX, false}, 5 * MS},
	{"/x:0x10..a+0x10@5ms", "", "/x", {"", 16, false}, {"a", 16, false}, 5 * MS},
	{"/x:f.cold..f.part.0@5ms", "", "/x", {"f.cold", 0, false}, {"f.part.0", 0, false}, 5 * MS},
	/* paths that hold what separates */
	{"/a:b/x:f@5ms", "", "/a:b/x", {"f", 0, false}, {NULL, 0, false}, 5 * MS},
	{"/a=b/x:f@5ms", "", "/a=b/x", {"f", 0, false}, {NULL, 0, false}, 5 * MS},
	{"/a@b/x:f@5ms", "", "/a@b/x", {"f", 0, false}, {NULL, 0, false}, 5 * MS},
	{"/my prog/x y:f@5ms", "", "/my prog/x y", {"f", 0, false}, {NULL, 0, false}, 5 * MS},
	{"/ /x :f@5ms", "", "/ /x ", {"f", 0, false}, {NULL, 0, false}, 5 * MS},
	{"/a..b/../x:f@5ms", "", "/a..b/../x", {"f", 0, false}, {NULL, 0, false}, 5 * MS},
	{"n=/a:b=c@d e/x:f..g@5ms", "n", "/a:b=c@d e/x", {"f", 0, false}, {"g", 0, false}, 5 * MS},
	{"n=a=b:f@5ms", "n", "a=b", {"f", 0, false}, {NULL, 0, false}, 5 * MS},
	{"a:b@c=/x:f@5ms", "a:b@c", "/x", {"f", 0, false}, {NULL, 0, false}, 5 * MS},
};

static void check_point(const char *text, const struct tlob_point *got, const struct point *want)
{
	if (strcmp(got->symbol, want->symbol) || got->offset != want->offset ||
	    got->glob != want->glob)
		fail_msg("%s: '%s' + 0x%llx", text, got->symbol, (unsigned long long)got->offset);
}

static void test_accepted(void **state)
{
	static struct tlob_region_spec spec;
	size_t i;

	for (i = 0; i < COUNT(accepted); i++) {
		const struct good *g = &accepted[i];
		struct tlob_parse_error err = {0, ""};
		const struct point none = {"", 0, false};

		memset(&spec, 0x5a, sizeof(spec));
		if (tlob_region_parse(g->text, &spec, &err))
			fail_msg("%s: at %zu: %s", g->text, err.at, err.why);
		assert_string_equal(spec.name, g->name);
		assert_string_equal(spec.path, g->path);
		assert_int_equal(spec.to_return, g->stop.symbol == NULL);
		assert_int_equal(spec.budget_ns, g->budget_ns);
		check_point(g->text, &spec.start, &g->start);
		check_point(g->text, &spec.stop, g->stop.symbol ? &g->stop : &none);
	}
}

/* The same argument at both ends: windows that cross threads, and processes. */
static void test_tags(void **state)
{
	static const struct {
		const char *text, *name, *path, *start, *stop_path, *stop;
		unsigned int start_argument, stop_argument;
		uint64_t start_offset;
	} tagged[] = {
		{"/x:a#arg1..b#arg2@5ms", "", "/x", "a", "", "b", 1, 2, 0},
		{"n=/x:a#arg6..b#arg1@5ms", "n", "/x", "a", "", "b", 6, 1, 0},
		{"/x:0x10#arg1..b#arg2@5ms", "", "/x", "", "", "b", 1, 2, 16},
		{"/x:a#arg1../y:b#arg2@5ms", "", "/x", "a", "/y", "b", 1, 2, 0},
		{"n=/x:a#arg1..y.so:b#arg2@5ms", "n", "/x", "a", "y.so", "b", 1, 2, 0},
		{"/x:a::f#arg1..b::g(int)#arg2@5ms", "", "/x", "a::f", "", "b::g(int)", 1, 2, 0},
		{"/x:a::f#arg1../y:b::g#arg2@5ms", "", "/x", "a::f", "/y", "b::g", 1, 2, 0},
		{"/x:a#arg1../x:a#arg1@5ms", "", "/x", "a", "/x", "a", 1, 1, 0},
		{"/p..q:r/x:a#arg1../y..z:b/c:b#arg2@5ms", "", "/p..q:r/x", "a", "/y..z:b/c", "b",
		 1, 2, 0},
	};
	static struct tlob_region_spec spec;

	for (size_t i = 0; i < COUNT(tagged); i++) {
		struct tlob_parse_error err = {0, ""};

		if (tlob_region_parse(tagged[i].text, &spec, &err))
			fail_msg("%s: at %zu: %s", tagged[i].text, err.at, err.why);
		assert_string_equal(spec.name, tagged[i].name);
		assert_string_equal(spec.path, tagged[i].path);
		assert_string_equal(spec.start.symbol, tagged[i].start);
		assert_int_equal(spec.start.offset, tagged[i].start_offset);
		assert_string_equal(spec.stop_path, tagged[i].stop_path);
		assert_string_equal(spec.stop.symbol, tagged[i].stop);
		assert_int_equal(spec.start.argument, tagged[i].start_argument);
		assert_int_equal(spec.stop.argument, tagged[i].stop_argument);
		assert_false(spec.to_return);
	}
}

struct bad {
	const char *text;
	int ret;
	size_t at;
	const char *why; /* part of it */
};

static void check_refused(const struct bad *bad)
{
	static struct tlob_region_spec spec, before;
	struct tlob_parse_error err = {99999, ""};
	int ret;

	memset(&spec, 0x5a, sizeof(spec));
	before = spec;
	ret = tlob_region_parse(bad->text, &spec, &err);
	if (ret != bad->ret || err.at != bad->at || !strstr(err.why, bad->why))
		fail_msg("%s: %d at %zu: %s", bad->text, ret, err.at, err.why);
	assert_memory_equal(&spec, &before, sizeof(spec));
	assert_int_equal(tlob_region_parse(bad->text, &spec, NULL), ret);
}

static void test_refused(void **state)
{
	static const struct bad bad[] = {
		/* budget */
		{"", -EINVAL, 0, "a budget is needed"},
		{"decode", -EINVAL, 6, "a budget is needed at the end: @5ms"},
		{"/x:main", -EINVAL, 7, "a budget is needed"},
		{"decode@", -EINVAL, 7, "a duration starts with a digit"},
		{"decode@5", -EINVAL, 8, "a duration needs a unit: 500us, 5ms, 1s"},
		{"decode@0ms", -ERANGE, 7, "between 1us and 1h"},
		{"decode@2h", -ERANGE, 7, "between 1us and 1h"},
		{"/x:f@5 ms", -EINVAL, 6, "the unit must be one of"},
		/* name */
		{"@5ms", -EINVAL, 0, "name is missing"},
		{"=/x:f@5ms", -EINVAL, 0, "name is missing"},
		{" a@5ms", -EINVAL, 0, "does not start with a blank"},
		{"a =/x:f@5ms", -EINVAL, 1, "does not end with a blank"},
		{"a\tb@5ms", -EINVAL, 1, "control characters"},
		{"a\x1b[31m@5ms", -EINVAL, 1, "control characters"},
		{"a\x7f@5ms", -EINVAL, 1, "control characters"},
		/* binary */
		{":f@5ms", -EINVAL, 0, "binary is missing"},
		{"n=:f@5ms", -EINVAL, 2, "binary is missing"},
		{"~/x:f@5ms", -EINVAL, 0, "$HOME"},
		{"n=~/x:f@5ms", -EINVAL, 2, "$HOME"},
		/* points */
		{"/bin/x@5ms", -EINVAL, 6, "BINARY:FUNCTION or BINARY:START..STOP"},
		{"n=x@5ms", -EINVAL, 3, "BINARY:FUNCTION or BINARY:START..STOP"},
		{"/a:b/x@5ms", -EINVAL, 4, "BINARY:FUNCTION or BINARY:START..STOP"},
		{"/x:@5ms", -EINVAL, 3, "symbol or 0xOFFSET is missing"},
		{"/x:..b@5ms", -EINVAL, 3, "symbol or 0xOFFSET is missing"},
		{"/x:a..@5ms", -EINVAL, 6, "symbol or 0xOFFSET is missing"},
		{"/x:..@5ms", -EINVAL, 3, "symbol or 0xOFFSET is missing"},
		{"/x:+0x10..b@5ms", -EINVAL, 3, "symbol or 0xOFFSET is missing"},
		{"/x:a b@5ms", -EINVAL, 4, "no blanks"},
		{"/x: a@5ms", -EINVAL, 3, "no blanks"},
		{"/x: a::b@5ms", -EINVAL, 3, "no blanks"},
		{"/x:a::f+0x10@5ms", -EINVAL, 7, "without an offset"},
		{"/x:a::*..b@5ms", -EINVAL, 3, "glob is for BINARY:FUNCTION, not for START"},
		{"/x:4096@5ms", -EINVAL, 3, "file offset is hexadecimal"},
		{"/x:0X10@5ms", -EINVAL, 3, "file offset is hexadecimal"},
		{"/x:0x@5ms", -EINVAL, 5, "digits are missing"},
		{"/x:0x12g4@5ms", -EINVAL, 7, "not a hexadecimal digit"},
		{"/x:0x10000000000000000@5ms", -ERANGE, 3, "at most 64 bits"},
		{"/x:a+16..b@5ms", -EINVAL, 5, "hexadecimal: 0x10"},
		{"/x:a+..b@5ms", -EINVAL, 5, "hexadecimal: 0x10"},
		{"/x:a+0x..b@5ms", -EINVAL, 7, "digits are missing"},
		{"/x:0x10+0x10..b@5ms", -EINVAL, 7, "not a hexadecimal digit"},
		{"/x:f+0x10@5ms", -EINVAL, 4, "without an offset"},
		{"/x:f*+0x10@5ms", -EINVAL, 5, "without an offset"},
		{"/x:a*..b@5ms", -EINVAL, 3, "glob is for BINARY:FUNCTION, not for START"},
		{"/x:a..b?@5ms", -EINVAL, 6, "glob is for BINARY:FUNCTION, not for STOP"},
		{"/x:a..b..c@5ms", -EINVAL, 7, "a second '..'"},
		{"/x:a...b@5ms", -EINVAL, 5, "a second '..'"},
		{"/x:a..a@5ms", -EINVAL, 6, "STOP must differ from START"},
		{"/x:a..a+0x0@5ms", -EINVAL, 6, "STOP must differ from START"},
		{"/x:a+0x10..a+0x010@5ms", -EINVAL, 11, "STOP must differ from START"},
		{"/x:0x1A..0x1a@5ms", -EINVAL, 9, "STOP must differ from START"},
		/* tags */
		{"/x:a#arg1..b@5ms", -EINVAL, 12, "at both points"},
		{"/x:a..b#arg1@5ms", -EINVAL, 4, "at both points"},
		{"/x:a#arg1@5ms", -EINVAL, 4, "a function for the end too"},
		{"/x:a#arg0..b#arg1@5ms", -EINVAL, 4, "#arg1 to #arg6"},
		{"/x:a#arg1..b#arg7@5ms", -EINVAL, 12, "#arg1 to #arg6"},
		{"/x:a#arg1..b#arg12@5ms", -EINVAL, 12, "an argument of the function"},
		{"/x:a#1..b#1@5ms", -EINVAL, 4, "an argument of the function"},
		{"/x:a#arg1..b#ret@5ms", -EINVAL, 12, "an argument of the function"},
		{"/x:#arg#arg1..b#arg1@5ms", -EINVAL, 3, "no '#'"},
		{"/x:a+0x10#arg1..b#arg1@5ms", -EINVAL, 4, "at the entry of a function"},
		{"/x:a#arg1..a#arg1@5ms", -EINVAL, 11, "STOP must differ from START"},
		{"a#arg1../y:b#arg1@5ms", -EINVAL, 6, "needs its binary too"},
		{"/x:a#arg1..:b#arg1@5ms", -EINVAL, 11, "binary is missing"},
		{"/x:a#arg1../y:b@5ms", -EINVAL, 15, "at both points"},
	};
	size_t i;

	for (i = 0; i < COUNT(bad); i++)
		check_refused(&bad[i]);
}

/* Each part with the longest text that fits, and one byte more. */
static void test_lengths(void **state)
{
	static struct tlob_region_spec spec;
	static char text[8192];
	char part[5000];

	memset(part, 'a', sizeof(part));
	snprintf(text, sizeof(text), "%.47s@5ms", part);
	assert_int_equal(tlob_region_parse(text, &spec, NULL), 0);
	assert_int_equal(strlen(spec.name), 47);
	snprintf(text, sizeof(text), "%.48s@5ms", part);
	check_refused(&(struct bad){text, -EINVAL, 47, "at most 47 bytes"});

	snprintf(text, sizeof(text), "/%.4094s:f@5ms", part);
	assert_int_equal(tlob_region_parse(text, &spec, NULL), 0);
	assert_int_equal(strlen(spec.path), 4095);
	snprintf(text, sizeof(text), "/%.4095s:f@5ms", part);
	check_refused(&(struct bad){text, -EINVAL, 4095, "at most 4095 bytes"});

	snprintf(text, sizeof(text), "/x:%.255s..%.255s+0x1@5ms", part, part);
	assert_int_equal(tlob_region_parse(text, &spec, NULL), 0);
	assert_int_equal(strlen(spec.stop.symbol), 255);
	snprintf(text, sizeof(text), "/x:%.256s@5ms", part);
	check_refused(&(struct bad){text, -EINVAL, 3 + 255, "at most 255 bytes"});
}

static void test_chains(void **state)
{
	static const struct {
		const char *text;
		size_t at;
		const char *why;
	} bad[] = {
		{"a=b>c", 5, "a budget is needed"},
		{"b>c@5ms", 3, "NAME=REGION>REGION"},
		{"a@b=c@5ms", 5, "two regions"},
		{"a=b@5ms", 3, "two regions"},
		{"=b>c@5ms", 0, "name is missing"},
		{"a=>c@5ms", 2, "name is missing"},
		{"a=b>@5ms", 4, "name is missing"},
		{"a=b> c@5ms", 4, "blank"},
		{"a=b>c>b@5ms", 6, "once"},
		{"a=b>a@5ms", 0, "name of its own"},
		{"a=1>2>3>4>5>6>7@5ms", 14, "at most 6"},
		{"a=b>c@5", 7, "needs a unit"},
		{"a=b>c\x01@5ms", 5, "control characters"},
		{"a=b>ccccccccccccccccccccccccccccccccccccccccccccccccc@5ms", 4, "at most 47"},
	};
	struct tlob_chain_spec spec, before;
	struct tlob_parse_error err;

	assert_int_equal(tlob_chain_parse("the request=de code>queue@x>render@16ms", &spec, &err),
			 0);
	assert_string_equal(spec.name, "the request");
	assert_int_equal(spec.nstages, 3);
	assert_string_equal(spec.stages[0], "de code");
	assert_string_equal(spec.stages[1], "queue@x");
	assert_string_equal(spec.stages[2], "render");
	assert_int_equal(spec.budget_ns, 16 * MS);
	before = spec;
	for (size_t i = 0; i < COUNT(bad); i++) {
		if (!tlob_chain_parse(bad[i].text, &spec, &err) || err.at != bad[i].at ||
		    !strstr(err.why, bad[i].why))
			fail_msg("%s: at %zu: %s", bad[i].text, err.at, err.why);
		assert_memory_equal(&spec, &before, sizeof(spec));
	}
}

TLOB_ASSERT(TLOB_NAME_BYTES == 48 && TLOB_PATH_BYTES == 4096 && TLOB_SYMBOL_BYTES == 256,
	    "the limits that the messages name");

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted), cmocka_unit_test(test_tags),
		cmocka_unit_test(test_refused),	 cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_chains),
	};

	return cmocka_run_group_tests_name("region", tests, NULL, NULL);
}
