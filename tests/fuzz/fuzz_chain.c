// SPDX-License-Identifier: GPL-2.0-or-later
/* Chains: refused with a place and a reason, or, written out, read as the same one. */

#include "core/format.h"
#include "core/parse.h"
#include "fuzz.h"

static int print_chain(char *text, size_t size, const struct tlob_chain_spec *s)
{
	int n = snprintf(text, size, "%s=", s->name);

	for (size_t i = 0; i < s->nstages; i++)
		n += snprintf(text + n, size - (size_t)n, "%s%s", i ? ">" : "", s->stages[i]);
	text[n++] = '@';
	return n + (int)tlob_duration_print_exact(text + n, size - (size_t)n, s->budget_ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_string(data, size), printed[1024];
	struct tlob_parse_error err = {SIZE_MAX, NULL};
	struct tlob_chain_spec spec, again, untouched;

	memset(&untouched, 0x5a, sizeof(untouched));
	spec = untouched;
	if (tlob_chain_parse(text, &spec, &err)) {
		CHECK(err.at <= strlen(text));
		CHECK(err.why && *err.why);
		CHECK(memcmp(&spec, &untouched, sizeof(spec)) == 0);
	} else {
		CHECK(spec.nstages >= 2 && spec.nstages <= TLOB_MAX_STAGES);
		print_chain(printed, sizeof(printed), &spec);
		CHECK(tlob_chain_parse(printed, &again, NULL) == 0);
		CHECK(memcmp(&spec, &again, sizeof(spec)) == 0);
	}
	free(text);
	return 0;
}
