/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Durations as text, in integers throughout. */
#include "format.h"

#include "text.h"

static const struct {
	uint64_t ns;
	const char *name;
} units[] = {
	{1, "ns"},	   {1000, "us"},       {1000000, "ms"},
	{1000000000, "s"}, {60000000000, "m"}, {3600000000000, "h"},
};
#define NUNITS (sizeof(units) / sizeof(units[0]))

static uint64_t divide_rounded(uint64_t ns, uint64_t step)
{
	return ns / step + (ns % step >= step - step / 2);
}

/* Smallest unit in which @ns, once rounded to three digits, is still less than one of the next. */
static size_t unit_for(uint64_t ns)
{
	size_t i;

	for (i = 0; i + 1 < NUNITS; i++) {
		uint64_t next = units[i + 1].ns, unit = units[i].ns;
		uint64_t step = next / unit > 100 ? unit : unit / 10; /* of the largest values */

		if (ns < next - step / 2)
			break;
	}
	return i;
}

size_t tlob_duration_print(char *buf, size_t size, uint64_t ns)
{
	struct tlob_text t = {buf, size, 0};
	size_t i = unit_for(ns);
	unsigned int decimals = i ? 2 : 0;
	uint64_t step = decimals ? units[i].ns / 100 : 1;

	while (decimals && divide_rounded(ns, step) >= 1000) {
		decimals--;
		step *= 10;
	}
	tlob_text_decimal(&t, divide_rounded(ns, step), decimals, 0);
	tlob_text_string(&t, units[i].name);
	return tlob_text_end(&t);
}

size_t tlob_duration_print_exact(char *buf, size_t size, uint64_t ns)
{
	struct tlob_text t = {buf, size, 0};
	size_t i = NUNITS - 1;

	while (i && (ns == 0 || ns % units[i].ns))
		i--;
	tlob_text_decimal(&t, ns / units[i].ns, 0, 0);
	tlob_text_string(&t, units[i].name);
	return tlob_text_end(&t);
}
