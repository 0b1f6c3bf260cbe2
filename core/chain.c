/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Chains as people type them; as in region.c every error says at which byte. */
#include <errno.h>
#include <string.h>

#include "parse.h"

static int fail(const char *text, struct tlob_parse_error *err, const char *at, const char *why)
{
	return tlob_parse_fail(err, -EINVAL, text, at, why);
}

static int take_name(const char *text, struct tlob_parse_error *err, const char *from,
		     const char *to, char *name)
{
	if (from == to)
		return fail(text, err, from, "a name is missing");
	if (*from == ' ' || to[-1] == ' ')
		return fail(text, err, from, "a name does not begin or end with a blank");
	if (to - from >= TLOB_NAME_BYTES)
		return fail(text, err, from, "a name has at most 47 bytes");
	for (const char *c = from; c < to; c++)
		if ((unsigned char)*c < ' ' || *c == 127)
			return fail(text, err, c, "control characters have no place here");
	memcpy(name, from, (size_t)(to - from));
	name[to - from] = '\0';
	return 0;
}

static int take_stages(const char *text, struct tlob_parse_error *err, const char *from,
		       const char *to, struct tlob_chain_spec *spec)
{
	for (;;) {
		const char *end = memchr(from, '>', (size_t)(to - from));
		int ret;

		if (spec->nstages == TLOB_MAX_STAGES)
			return fail(text, err, from, "a chain has at most 6 regions");
		ret = take_name(text, err, from, end ? end : to, spec->stages[spec->nstages]);
		if (ret)
			return ret;
		for (size_t i = 0; i < spec->nstages; i++)
			if (!strcmp(spec->stages[i], spec->stages[spec->nstages]))
				return fail(text, err, from, "a region can be in a chain once");
		spec->nstages++;
		if (!end)
			return 0;
		from = end + 1;
	}
}

int tlob_chain_parse(const char *text, struct tlob_chain_spec *spec, struct tlob_parse_error *err)
{
	const char *equals = strchr(text, '='), *at = strrchr(text, '@');
	struct tlob_chain_spec found;
	int ret;

	memset(&found, 0, sizeof(found));
	if (!at)
		return fail(text, err, text + strlen(text), "a budget is needed at the end: @16ms");
	if (!equals || equals > at)
		return fail(text, err, at, "a chain is NAME=REGION>REGION@BUDGET");
	ret = take_name(text, err, text, equals, found.name);
	if (!ret)
		ret = take_stages(text, err, equals + 1, at, &found);
	if (!ret && found.nstages < 2)
		ret = fail(text, err, at, "a chain has two regions at least: FIRST>SECOND");
	for (size_t i = 0; !ret && i < found.nstages; i++)
		if (!strcmp(found.stages[i], found.name))
			ret = fail(text, err, text, "the chain needs a name of its own");
	if (ret)
		return ret;
	ret = tlob_budget_parse_at(text, at + 1, &found.budget_ns, err);
	if (ret)
		return ret;
	*spec = found;
	return 0;
}
