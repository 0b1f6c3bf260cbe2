// SPDX-License-Identifier: GPL-2.0-or-later
/* Names of functions, cut to what a column holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/shorten.c"
#include "cli/text.c"

static void names(void **state)
{
	static const struct {
		const char *name;
		size_t columns;
		const char *wanted;
	} cases[] = {
		{"decode_row", 0, "decode_row"},
		{"decode_row", 10, "decode_row"},
		{"decode_row", 9, "decode_r~"},
		{"robot::Arm::plan(int)", 21, "robot::Arm::plan(int)"},
		{"robot::Arm::plan(int)", 20, "~Arm::plan(int)"},
		{"robot::Arm::plan(int)", 12, "~plan(int)"},
		{"robot::Arm::plan(int)", 9, "~plan(..)"},
		{"robot::Arm::plan(std::string const&)", 20, "robot::Arm::plan(..)"},
		{"std::map<int, std::string>::find(int const&)", 30,
		 "std::map<..>::find(int const&)"},
		{"std::map<int, std::string>::find(int const&)", 20, "~find(int const&)"},
		{"a::b<(c)1>::operator<<(d::e, f)", 22, "~operator<<(d::e, f)"},
		{"a::operator->(d::e, f::g)", 18, "a::operator->(..)"},
		{"x<(a > b)>::operator()(int)", 60, "x<(a > b)>::operator()(int)"},
		{"(anonymous namespace)::helper(char const*)", 20, "~helper(char const*)"},
		{"main::{lambda(int)#1}::operator()(int) const", 28,
		 "main::{lambda(..)#1}::opera~"},
		{"main.(*Server).Handle", 15, "main.(*Server)~"},
		{"a<b", 2, "a~"},
		{"a<b<c::d(", 5, "a<b<~"},
		{"", 5, ""},
		{"::::", 3, "~::"},
	};
	char buf[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(cli_shorten(buf, sizeof(buf), cases[i].name, cases[i].columns),
				    cases[i].wanted);
}

/* Names come from files that anybody may have written. */
static void any_name(void **state)
{
	static const char pieces[][9] = {
		"<", ">", "(", ")", "::", "operator", "a", "-", "{", "\033"};
	char name[600], buf[600];
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		name[0] = '\0';
		for (int i = 0; i < 40; i++) {
			seed = seed * 1664525 + 1013904223;
			strcat(name, pieces[(seed >> 16) % 10]);
		}
		cli_shorten(buf, sizeof(buf), name, 1 + (seed >> 8) % 40);
		assert_true(cli_columns(buf) <= 1 + (seed >> 8) % 40);
		assert_null(strchr(buf, '\033'));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(any_name),
	};

	return cmocka_run_group_tests_name("shorten", tests, NULL, NULL);
}
