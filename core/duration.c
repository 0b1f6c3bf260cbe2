/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Durations as people type them, to the nanosecond: integers only, nothing is rounded. */
#include <errno.h>
#include <string.h>

#include "parse.h"

static const struct {
	const char *name;
	uint64_t ns;
} units[] = {
	{"ns", 1},	     {"us", 1000},	{"\302\265s", 1000}, /* U+00B5, micro sign */
	{"\316\274s", 1000}, /* U+03BC, Greek mu */
	{"ms", 1000000},     {"s", 1000000000}, {"m", 60000000000},  {"h", 3600000000000},
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static const char *skip_digits(const char *p)
{
	while (is_digit(*p))
		p++;
	return p;
}

static uint64_t unit_ns(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(units[i].name, name) == 0)
			return units[i].ns;
	return 0;
}

/*
 * Decimals [first, end) of @unit. From the last digit on: f = (f + digit * unit) / 10. A division
 * with a remainder anywhere means that the sum is not whole either, so any number of digits is
 * exact.
 */
static bool add_decimals(const char *first, const char *end, uint64_t unit, uint64_t *ns)
{
	uint64_t f = 0;

	while (end > first) {
		f += (uint64_t)(*--end - '0') * unit;
		if (f % 10)
			return false;
		f /= 10;
	}
	*ns = f;
	return true;
}

static bool add_digits(const char *first, const char *end, uint64_t unit, uint64_t *ns)
{
	uint64_t n = 0;

	for (; first < end; first++) {
		unsigned int digit = (unsigned int)(*first - '0');

		if (n > (UINT64_MAX - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	if (n > UINT64_MAX / unit || n * unit > UINT64_MAX - *ns)
		return false;
	*ns += n * unit;
	return true;
}

int tlob_duration_parse(const char *text, uint64_t *ns, struct tlob_parse_error *err)
{
	const char *end = skip_digits(text), *decimals = end, *unit = end;
	uint64_t scale, value = 0;

	if (end == text)
		return tlob_parse_fail(err, -EINVAL, text, text,
				       "a duration starts with a digit: 500us, 5ms, 1s");
	if (*end == '.') {
		decimals = end + 1;
		unit = skip_digits(decimals);
		if (unit == decimals)
			return tlob_parse_fail(err, -EINVAL, text, unit,
					       "a digit is needed behind the point");
	}
	if (*unit == '\0')
		return tlob_parse_fail(err, -EINVAL, text, unit,
				       "a duration needs a unit: 500us, 5ms, 1s");
	scale = unit_ns(unit);
	if (!scale)
		return tlob_parse_fail(
			err, -EINVAL, text, unit,
			"the unit must be one of ns, us, ms, s, m, h, and end the duration");
	if (!add_decimals(decimals, unit, scale, &value))
		return tlob_parse_fail(err, -EINVAL, text, decimals,
				       "there is nothing finer than 1ns");
	if (!add_digits(text, end, scale, &value))
		return tlob_parse_fail(err, -ERANGE, text, text,
				       "the duration is too long to count in nanoseconds");
	*ns = value;
	return 0;
}

TLOB_ASSERT(TLOB_BUDGET_MIN_NS == 1000 && TLOB_BUDGET_MAX_NS == 3600000000000, "the text below");

int tlob_budget_parse(const char *text, uint64_t *ns, struct tlob_parse_error *err)
{
	uint64_t value;
	int ret = tlob_duration_parse(text, &value, err);

	if (ret && ret != -ERANGE)
		return ret;
	if (ret || value < TLOB_BUDGET_MIN_NS || value > TLOB_BUDGET_MAX_NS)
		return tlob_parse_fail(err, -ERANGE, text, text,
				       "a budget lies between 1us and 1h");
	*ns = value;
	return 0;
}

int tlob_budget_parse_at(const char *text, const char *at, uint64_t *ns,
			 struct tlob_parse_error *err)
{
	int ret = tlob_budget_parse(at, ns, err);

	if (ret && err)
		err->at += (size_t)(at - text);
	return ret;
}
