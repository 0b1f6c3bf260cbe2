// SPDX-License-Identifier: GPL-2.0-or-later
/* Durations: refused with a reason, or what the C library makes of the number, and printed back. */
#include <errno.h>

#include "core/format.h"
#include "core/parse.h"
#include "fuzz.h"

#define UNTOUCHED 0x5a5a5a5a5a5a5a5aULL

static void check_error(int ret, const char *text, const struct tlob_parse_error *err)
{
	CHECK(ret == -EINVAL || ret == -ERANGE);
	CHECK(err->at <= strlen(text));
	CHECK(err->why && *err->why);
}

static long double unit_of(const char *text)
{
	static const struct {
		const char *name;
		long double ns;
	} units[] = {{"h", 3.6e12L}, {"m", 6e10L}, {"ms", 1e6L}, {"ns", 1}, {"s", 1e9L}};
	const char *unit = text + strspn(text, "0123456789.");
	size_t i;

	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(unit, units[i].name) == 0)
			return units[i].ns;
	return 1000; /* us in one of its three spellings */
}

/* The other way to the same number: not exact, but it cannot be wrong in the same manner. */
static void check_value(const char *text, uint64_t ns)
{
	long double want = strtold(text, NULL) * unit_of(text), off = want - (long double)ns;

	CHECK(off < 1 + want * 1e-17L && -off < 1 + want * 1e-17L);
}

static void check_printed(uint64_t ns)
{
	char text[TLOB_DURATION_BYTES];
	uint64_t back = UNTOUCHED, off;

	CHECK(tlob_duration_print_exact(text, sizeof(text), ns) == strlen(text));
	CHECK(tlob_duration_parse(text, &back, NULL) == 0);
	CHECK(back == ns);
	CHECK(tlob_duration_print(text, sizeof(text), ns) == strlen(text));
	if (tlob_duration_parse(text, &back, NULL))
		return; /* half an hour was rounded up past 64 bits */
	off = back > ns ? back - ns : ns - back;
	CHECK(off <= ns / 200);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_string(data, size);
	struct tlob_parse_error err = {SIZE_MAX, NULL};
	uint64_t ns = UNTOUCHED, budget = UNTOUCHED;
	int ret = tlob_duration_parse(text, &ns, &err);
	int within = ret == 0 && ns >= TLOB_BUDGET_MIN_NS && ns <= TLOB_BUDGET_MAX_NS;

	if (ret) {
		check_error(ret, text, &err);
		CHECK(ns == UNTOUCHED);
	} else {
		check_value(text, ns);
		check_printed(ns);
	}
	ret = tlob_budget_parse(text, &budget, &err);
	CHECK((ret == 0) == within);
	CHECK(budget == (within ? ns : UNTOUCHED));
	if (ret)
		check_error(ret, text, &err);
	free(text);
	return 0;
}
