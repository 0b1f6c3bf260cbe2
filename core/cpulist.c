/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See cpulist.h. */
#include <errno.h>

#include "cpulist.h"
#include "text.h"

/* Digits at *@at, which is moved behind them; UINT32_MAX: there are none, or too many. */
static uint32_t number(const char **at)
{
	const char *p = *at;
	uint32_t n = 0;

	if (*p < '0' || *p > '9')
		return UINT32_MAX;
	for (; *p >= '0' && *p <= '9'; p++)
		n = n < TLOB_CPULIST_MAX ? n * 10 + (uint32_t)(*p - '0') : n;
	*at = p;
	return n;
}

/* One number or range, into the bits of @set. */
static int add_range(const char *text, const char **at, uint64_t *set, struct tlob_parse_error *err)
{
	const char *begin = *at;
	uint32_t first = number(at), last = first;

	if (first == UINT32_MAX)
		return tlob_parse_fail(err, -EINVAL, text, begin,
				       "the number of a CPU was expected");
	if (**at == '-') {
		(*at)++;
		last = number(at);
		if (last == UINT32_MAX)
			return tlob_parse_fail(err, -EINVAL, text, *at,
					       "the last CPU of a range was expected");
	}
	if (first >= TLOB_CPULIST_MAX || last >= TLOB_CPULIST_MAX)
		return tlob_parse_fail(err, -ERANGE, text, begin,
				       "there is no CPU of so large a number");
	if (last < first)
		return tlob_parse_fail(err, -EINVAL, text, begin,
				       "a range goes from the lower to the higher number");
	for (; first <= last; first++)
		set[first / 64] |= 1ULL << first % 64;
	return 0;
}

int tlob_cpulist_parse(const char *text, uint32_t *cpus, size_t room, struct tlob_parse_error *err)
{
	uint64_t set[TLOB_CPULIST_MAX / 64] = {0};
	const char *at = text;
	size_t n = 0, count = 0;
	int r;

	for (;; at++) {
		r = add_range(text, &at, set, err);
		if (r)
			return r;
		if (!*at)
			break;
		if (*at != ',')
			return tlob_parse_fail(
				err, -EINVAL, text, at,
				"a list is numbers and ranges with commas between them");
	}
	for (uint32_t i = 0; i < TLOB_CPULIST_MAX; i++)
		count += set[i / 64] >> i % 64 & 1;
	if (count > room)
		return tlob_parse_fail(err, -E2BIG, text, text, "these are more CPUs than fit");
	for (uint32_t i = 0; i < TLOB_CPULIST_MAX; i++)
		if (set[i / 64] >> i % 64 & 1)
			cpus[n++] = i;
	return (int)n;
}

size_t tlob_cpulist_print(char *buf, size_t size, const uint32_t *cpus, size_t n)
{
	struct tlob_text t = {buf, size, 0};
	size_t i = 0;

	while (i < n) {
		size_t last = i;

		while (last + 1 < n && cpus[last + 1] == cpus[last] + 1)
			last++;
		if (i)
			tlob_text_char(&t, ',');
		tlob_text_decimal(&t, cpus[i], 0, 0);
		if (last > i) {
			tlob_text_char(&t, '-');
			tlob_text_decimal(&t, cpus[last], 0, 0);
		}
		i = last + 1;
	}
	return tlob_text_end(&t);
}
