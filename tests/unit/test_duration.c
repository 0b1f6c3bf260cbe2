// SPDX-License-Identifier: GPL-2.0-or-later
/* Durations: read to the nanosecond or refused with a reason, printed as a person reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "core/format.h"
#include "core/parse.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define UNTOUCHED 0x5a5a5a5a5a5aULL

struct good {
	const char *text;
	uint64_t ns;
};

static void test_accepted(void **state)
{
	static const struct good good[] = {
		{"0ns", 0},
		{"0s", 0},
		{"0.000000000000000000000000000000h", 0},
		{"1ns", 1},
		{"007us", 7000},
		{"500us", 500000},
		{"500\302\265s", 500000},
		{"500\316\274s", 500000},
		{"5ms", 5000000},
		{"1s", 1000000000},
		{"1m", 60000000000},
		{"1h", 3600000000000},
		{"1.5ms", 1500000},
		{"0.1us", 100},
		{"1.000000001s", 1000000001},
		{"1.0000000010000000000000000000000000000s", 1000000001},
		{"0.3ms", 300000}, /* not what a double holds */
		{"2.675us", 2675},
		{"0.0000000000025h", 9}, /* 3.6e12 * 2.5e-12 */
		{"0.0001220703125h", 439453125}, /* 2^-13 h, the most decimals there can be */
		{"18446744073709551615ns", UINT64_MAX},
		{"18446744073.709551615s", UINT64_MAX},
	};
	struct tlob_parse_error err;
	size_t i;

	for (i = 0; i < COUNT(good); i++) {
		uint64_t ns = UNTOUCHED;
		int ret = tlob_duration_parse(good[i].text, &ns, &err);

		if (ret || ns != good[i].ns)
			fail_msg("%s: %d, %llu ns", good[i].text, ret, (unsigned long long)ns);
	}
}

struct bad {
	const char *text;
	int ret;
	size_t at;
	const char *why; /* part of it */
};

static void check_refused(int parse(const char *, uint64_t *, struct tlob_parse_error *),
			  const struct bad *bad)
{
	struct tlob_parse_error err = {99, NULL};
	uint64_t ns = UNTOUCHED;
	int ret = parse(bad->text, &ns, &err);

	if (ret != bad->ret || err.at != bad->at || !strstr(err.why, bad->why))
		fail_msg("%s: %d at %zu: %s", bad->text, ret, err.at, err.why ? err.why : "");
	assert_int_equal(ns, UNTOUCHED);
	assert_int_equal(parse(bad->text, &ns, NULL), ret);
}

static void test_refused(void **state)
{
	static const struct bad bad[] = {
		{"", -EINVAL, 0, "starts with a digit"},
		{"ms", -EINVAL, 0, "starts with a digit"},
		{"-5ms", -EINVAL, 0, "starts with a digit"},
		{"+5ms", -EINVAL, 0, "starts with a digit"},
		{" 5ms", -EINVAL, 0, "starts with a digit"},
		{".5ms", -EINVAL, 0, "starts with a digit"},
		{"5.ms", -EINVAL, 2, "digit is needed behind the point"},
		{"5.", -EINVAL, 2, "digit is needed behind the point"},
		{"5", -EINVAL, 1, "a duration needs a unit: 500us, 5ms, 1s"},
		{"5.25", -EINVAL, 4, "a duration needs a unit: 500us, 5ms, 1s"},
		{"5 ms", -EINVAL, 1, "the unit must be one of"},
		{"5ms ", -EINVAL, 1, "the unit must be one of"},
		{"5msx", -EINVAL, 1, "the unit must be one of"},
		{"5MS", -EINVAL, 1, "the unit must be one of"},
		{"5d", -EINVAL, 1, "the unit must be one of"},
		{"5\302s", -EINVAL, 1, "the unit must be one of"},
		{"1e3us", -EINVAL, 1, "the unit must be one of"},
		{"0x10us", -EINVAL, 1, "the unit must be one of"},
		{"1,5ms", -EINVAL, 1, "the unit must be one of"},
		{"1.5.5ms", -EINVAL, 3, "the unit must be one of"},
		{"0.5ns", -EINVAL, 2, "nothing finer than 1ns"},
		{"1.0000000001s", -EINVAL, 2, "nothing finer than 1ns"},
		{"0.33333333333333333333s", -EINVAL, 2, "nothing finer than 1ns"},
		{"18446744073709551616ns", -ERANGE, 0, "too long to count"},
		{"18446744073.709551616s", -ERANGE, 0, "too long to count"},
		{"99999999999999999999999999999h", -ERANGE, 0, "too long to count"},
		{"5124096h", -ERANGE, 0, "too long to count"},
	};
	size_t i;

	for (i = 0; i < COUNT(bad); i++)
		check_refused(tlob_duration_parse, &bad[i]);
}

static void test_budget(void **state)
{
	static const struct bad bad[] = {
		{"0ms", -ERANGE, 0, "between 1us and 1h"},
		{"999ns", -ERANGE, 0, "between 1us and 1h"},
		{"3600.000000001s", -ERANGE, 0, "between 1us and 1h"},
		{"99999999999999999999s", -ERANGE, 0, "between 1us and 1h"},
		{"5", -EINVAL, 1, "a duration needs a unit"},
	};
	uint64_t ns = 0;
	size_t i;

	for (i = 0; i < COUNT(bad); i++)
		check_refused(tlob_budget_parse, &bad[i]);
	assert_int_equal(tlob_budget_parse("1us", &ns, NULL), 0);
	assert_int_equal(ns, TLOB_BUDGET_MIN_NS);
	assert_int_equal(tlob_budget_parse("60m", &ns, NULL), 0);
	assert_int_equal(ns, TLOB_BUDGET_MAX_NS);
}

/* ---- printing -------------------------------------------------------------------------------- */

static void test_printed(void **state)
{
	static const struct good good[] = {
		{"0ns", 0},
		{"45ns", 45},
		{"999ns", 999},
		{"1.00us", 1000},
		{"1.23us", 1234},
		{"1.24us", 1235},
		{"9.99us", 9994},
		{"10.0us", 9995},
		{"12.3us", 12345},
		{"812us", 812345},
		{"999us", 999499},
		{"1.00ms", 999500},
		{"1.23ms", 1234567},
		{"100ms", 99950000},
		{"1.00s", 1000000000},
		{"59.9s", 59949999999},
		{"1.00m", 59950000000},
		{"1.50m", 90000000000},
		{"59.9m", 3596999999999},
		{"1.00h", 3597000000000},
		{"1.00h", 3600000000000},
		{"5124096h", UINT64_MAX},
	};
	char buf[TLOB_DURATION_BYTES];
	size_t i;

	for (i = 0; i < COUNT(good); i++) {
		size_t n = tlob_duration_print(buf, sizeof(buf), good[i].ns);

		assert_string_equal(buf, good[i].text);
		assert_int_equal(n, strlen(good[i].text));
	}
}

static void test_printed_exactly(void **state)
{
	static const struct good good[] = {
		{"0ns", 0},
		{"999ns", 999},
		{"1us", 1000},
		{"1500us", 1500000},
		{"5ms", 5000000},
		{"1234567ns", 1234567},
		{"90s", 90000000000},
		{"1m", 60000000000},
		{"1h", 3600000000000},
		{"18446744073709551615ns", UINT64_MAX},
	};
	char buf[TLOB_DURATION_BYTES];
	size_t i;

	for (i = 0; i < COUNT(good); i++) {
		uint64_t ns = UNTOUCHED;
		size_t n = tlob_duration_print_exact(buf, sizeof(buf), good[i].ns);

		assert_string_equal(buf, good[i].text);
		assert_int_equal(n, strlen(good[i].text));
		assert_int_equal(tlob_duration_parse(buf, &ns, NULL), 0);
		assert_int_equal(ns, good[i].ns);
	}
}

/* Never more than half of the last digit off, never four digits where three do. */
static void test_print_is_close(void **state)
{
	char buf[TLOB_DURATION_BYTES];
	uint64_t x = 88172645463325252ULL;
	int i;

	for (i = 0; i < 300000; i++) {
		uint64_t ns, back, off;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		ns = (x >> (22 + i % 42)) % (100 * TLOB_BUDGET_MAX_NS);
		assert_true(tlob_duration_print(buf, sizeof(buf), ns) <= 6);
		assert_int_equal(tlob_duration_parse(buf, &back, NULL), 0);
		off = back > ns ? back - ns : ns - back;
		assert_true(off * 200 <= ns);
	}
}

static void test_print_into_too_little(void **state)
{
	char buf[4] = "xyz";

	assert_int_equal(tlob_duration_print(buf, 4, 1234567), 6);
	assert_string_equal(buf, "1.2");
	assert_int_equal(tlob_duration_print(buf, 1, 1234567), 6);
	assert_string_equal(buf, "");
	buf[0] = 'x';
	assert_int_equal(tlob_duration_print(buf, 0, 1234567), 6);
	assert_int_equal(buf[0], 'x');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_printed),
		cmocka_unit_test(test_printed_exactly),
		cmocka_unit_test(test_print_is_close),
		cmocka_unit_test(test_print_into_too_little),
	};

	return cmocka_run_group_tests_name("duration", tests, NULL, NULL);
}
