// SPDX-License-Identifier: GPL-2.0-or-later
/* See settings.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nearest.h"
#include "settings.h"

#define HISTORY_MAX_MIB 4096

static int set_region(void *settings, const char *value)
{
	struct cli_settings *s = settings;
	const char **all = reallocarray(s->regions, s->nregions + 1, sizeof(*all));

	if (!all)
		return cli_error(CLI_ERROR, "out of memory");
	s->regions = all;
	s->regions[s->nregions++] = value;
	return 0;
}

static int set_engine(void *settings, const char *value)
{
	static const struct {
		const char *name;
		enum tlobctl_engine engine;
	} engines[] = {
		{"auto", TLOBCTL_ENGINE_AUTO},
		{"bpf", TLOBCTL_ENGINE_BPF},
		{"kernel", TLOBCTL_ENGINE_KERNEL},
		{"user", TLOBCTL_ENGINE_USER},
	};
	struct cli_settings *s = settings;
	struct cli_nearest near;

	cli_nearest_init(&near, value);
	for (size_t i = 0; i < sizeof(engines) / sizeof(*engines); i++) {
		cli_nearest_offer(&near, engines[i].name);
		if (strcmp(engines[i].name, value))
			continue;
		s->engine = engines[i].engine;
		return 0;
	}
	if (near.word)
		return cli_usage("unknown engine '%s'; did you mean %s?", value, near.word);
	return cli_usage("unknown engine '%s'; there are auto, bpf, kernel and user", value);
}

static int set_json(void *settings, const char *value)
{
	((struct cli_settings *)settings)->json = value;
	return 0;
}

static int set_hgrm(void *settings, const char *value)
{
	((struct cli_settings *)settings)->hgrm = value;
	return 0;
}

static int set_why(void *settings, const char *value)
{
	static const char *const words[] = {
		[TLOBCTL_WHY_NONE] = "none",
		[TLOBCTL_WHY_CULPRIT] = "culprit",
		[TLOBCTL_WHY_STACKS] = "stacks",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcmp(words[i], value))
			continue;
		((struct cli_settings *)settings)->why = (enum tlobctl_why_mode)i;
		return 0;
	}
	return cli_usage("--why is none, culprit or stacks, not '%s'", value);
}

int cli_history_parse(const char *value, uint64_t *bytes)
{
	char *end;
	unsigned long mib;

	errno = 0;
	mib = strtoul(value, &end, 10);
	if (errno || end == value || *end || !mib || mib > HISTORY_MAX_MIB || *value == '-')
		return cli_usage("--history is a size in MiB, from 1 to %d, not '%s'",
				 HISTORY_MAX_MIB, value);
	*bytes = (uint64_t)mib << 20;
	return 0;
}

static int set_history(void *settings, const char *value)
{
	return cli_history_parse(value, &((struct cli_settings *)settings)->history_bytes);
}

static int set_fail(void *settings, const char *value)
{
	(void)value;
	((struct cli_settings *)settings)->fail = true;
	return 0;
}

static int set_quiet(void *settings, const char *value)
{
	(void)value;
	((struct cli_settings *)settings)->quiet = true;
	return 0;
}

static int set_color(void *settings, const char *value)
{
	return cli_color_parse(value, &((struct cli_settings *)settings)->color);
}

const struct cli_option cli_option_region = {'r', "region", "REGION",
					     "watch this region; may be given several times\n"
					     "NAME@BUDGET, [NAME=]BINARY:FUNCTION@BUDGET or\n"
					     "[NAME=]BINARY:START..STOP@BUDGET; see tlob(7),\n"
					     "also for windows that cross threads",
					     set_region};
const struct cli_option cli_option_engine = {'e', "engine", "ENGINE",
					     "auto (default), bpf, kernel or user; see tlob doctor",
					     set_engine};
const struct cli_option cli_option_json = {
	'j', "json", "FILE",
	"write one JSON object per event to FILE, or to\nstandard output with -", set_json};
const struct cli_option cli_option_hgrm = {
	0, "hgrm", "FOLDER",
	"write each region's distribution to a file in\nFOLDER, for plotting (.hgrm)", set_hgrm};
const struct cli_option cli_option_why = {
	0, "why", "WHAT",
	"culprit (default): who made it late; stacks: and\nwhere its code was. Both with engine bpf;\n"
	"none: do not ask",
	set_why};
const struct cli_option cli_option_history = {
	0, "history", "MIB",
	"memory for what the whole machine did last, to ask\nin (8 for each CPU)", set_history};
const struct cli_option cli_option_fail = {
	0, "fail", NULL, "exit with 0 within budget, 2 on an overrun,\n1 on an error", set_fail};
const struct cli_option cli_option_quiet = {
	'q', "quiet", NULL, "no notices and no live overruns, only the summary", set_quiet};
const struct cli_option cli_option_color = {0, "color", "WHEN", "auto (default), always or never",
					    set_color};

void cli_settings_deinit(struct cli_settings *s)
{
	free(s->regions);
	s->regions = NULL;
}
