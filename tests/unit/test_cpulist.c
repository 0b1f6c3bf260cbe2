// SPDX-License-Identifier: GPL-2.0-or-later
/* Lists of CPUs: what is one, what is not and why, and back to text. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/cpulist.h"

static void assert_list(const char *text, const char *again, size_t count)
{
	uint32_t cpus[64];
	char out[128];
	int n = tlob_cpulist_parse(text, cpus, 64, NULL);

	assert_int_equal(n, count);
	assert_int_equal(tlob_cpulist_print(out, sizeof(out), cpus, (size_t)n), strlen(again));
	assert_string_equal(out, again);
}

static void assert_refused(const char *text, int err, size_t at)
{
	struct tlob_parse_error why = {.at = 99};
	uint32_t cpus[4] = {7, 7, 7, 7};

	assert_int_equal(tlob_cpulist_parse(text, cpus, 4, &why), err);
	assert_int_equal(why.at, at);
	assert_non_null(why.why);
	assert_int_equal(cpus[0], 7); /* untouched */
	assert_int_equal(tlob_cpulist_parse(text, cpus, 4, NULL), err);
}

static void test_lists_are_sorted_and_shortened(void **state)
{
	assert_list("0", "0", 1);
	assert_list("0-3,6", "0-3,6", 5);
	assert_list("6,0-1,2-3,3", "0-3,6", 5);
	assert_list("5-5", "5", 1);
	assert_list("1,3,5", "1,3,5", 3);
	assert_list("8190-8191", "8190-8191", 2);
}

static void test_what_is_no_list_is_refused_where_it_is_wrong(void **state)
{
	assert_refused("", -EINVAL, 0);
	assert_refused("x", -EINVAL, 0);
	assert_refused("1,", -EINVAL, 2);
	assert_refused("1,,2", -EINVAL, 2);
	assert_refused("1-", -EINVAL, 2);
	assert_refused("-1", -EINVAL, 0);
	assert_refused("1 2", -EINVAL, 1);
	assert_refused("0,3-2", -EINVAL, 2);
	assert_refused("8192", -ERANGE, 0);
	assert_refused("1,0-99999999999999999999", -ERANGE, 2);
	assert_refused("0-4", -E2BIG, 0);
}

static void test_printing_stops_at_the_end_of_the_buffer(void **state)
{
	const uint32_t cpus[] = {10, 12, 14};
	char out[6] = "-----";

	assert_int_equal(tlob_cpulist_print(out, sizeof(out), cpus, 3), 8);
	assert_string_equal(out, "10,12");
	assert_int_equal(tlob_cpulist_print(out, sizeof(out), cpus, 0), 0);
	assert_string_equal(out, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists_are_sorted_and_shortened),
		cmocka_unit_test(test_what_is_no_list_is_refused_where_it_is_wrong),
		cmocka_unit_test(test_printing_stops_at_the_end_of_the_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
