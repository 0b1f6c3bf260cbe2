// SPDX-License-Identifier: GPL-2.0-or-later
/* See settings.h. */
#include <stdlib.h>
#include <string.h>

#include "settings.h"
#include "values.h"

#define SAMPLE_HZ_MIN 10 /* as in tlobctl_open() */
#define SAMPLE_HZ_MAX 20000
#define GOOD_SHARE_MAX 1000000000

static int append(const char ***list, size_t *n, const char *value)
{
	const char **all = reallocarray(*list, *n + 1, sizeof(*all));

	if (!all)
		return cli_error(CLI_ERROR, "out of memory");
	*list = all;
	all[(*n)++] = value;
	return 0;
}

static int set_region(void *settings, const char *value)
{
	struct cli_settings *s = settings;

	return append(&s->regions, &s->nregions, value);
}

static int set_chain(void *settings, const char *value)
{
	struct cli_settings *s = settings;

	return append(&s->chains, &s->nchains, value);
}

static int set_engine(void *settings, const char *value)
{
	static const char *const names[] = {"auto", "bpf", "kernel", "user"};
	static const enum tlobctl_engine engines[] = {TLOBCTL_ENGINE_AUTO, TLOBCTL_ENGINE_BPF,
						      TLOBCTL_ENGINE_KERNEL, TLOBCTL_ENGINE_USER};
	size_t i;
	int status = cli_value_choice("engine", value, names, sizeof(names) / sizeof(*names), &i);

	if (!status)
		((struct cli_settings *)settings)->engine = engines[i];
	return status;
}

static int set_why(void *settings, const char *value)
{
	static const char *const words[] = {
		[TLOBCTL_WHY_NONE] = "none",
		[TLOBCTL_WHY_CULPRIT] = "culprit",
		[TLOBCTL_WHY_STACKS] = "stacks",
		[TLOBCTL_WHY_SAMPLES] = "samples",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcmp(words[i], value))
			continue;
		((struct cli_settings *)settings)->why = (enum tlobctl_why_mode)i;
		return 0;
	}
	return cli_usage("--why is none, culprit, stacks or samples, not '%s'", value);
}

static int set_sample_rate(void *settings, const char *value)
{
	unsigned long hz;

	if (cli_value_number(value, SAMPLE_HZ_MIN, SAMPLE_HZ_MAX, &hz))
		return cli_usage("--sample-rate is a number per second, from %d to %d, not '%s'",
				 SAMPLE_HZ_MIN, SAMPLE_HZ_MAX, value);
	((struct cli_settings *)settings)->sample_hz = (uint32_t)hz;
	return 0;
}

static int set_good_share(void *settings, const char *value)
{
	unsigned long share;

	if (cli_value_number(value, 0, GOOD_SHARE_MAX, &share))
		return cli_usage(
			"--good-share is a number: one in so many good windows, 0 for none, not '%s'",
			value);
	((struct cli_settings *)settings)->good_share = share ? (uint32_t)share : TLOBCTL_GOOD_NONE;
	return 0;
}

const struct cli_option cli_option_region = {'r', "region", "REGION",
					     "watch this region; may be given several times\n"
					     "NAME@BUDGET, [NAME=]BINARY:FUNCTION@BUDGET or\n"
					     "[NAME=]BINARY:START..STOP@BUDGET; see tlob(7),\n"
					     "also for windows that cross threads",
					     .set = set_region};
const struct cli_option cli_option_chain = {
	0, "chain", "CHAIN",
	"watch what a tag takes from region to region as a\nwhole: NAME=REGION>REGION[>REGION]...@BUDGET",
	.set = set_chain};
const struct cli_option cli_option_engine = {'e', "engine", "ENGINE",
					     "auto (default), bpf, kernel or user; see tlob doctor",
					     .set = set_engine};
const struct cli_option cli_option_json = {
	'j', "json", "FILE",
	"write one JSON object per event to FILE, or to\nstandard output with -",
	CLI_TEXT(struct cli_settings, json)};
const struct cli_option cli_option_hgrm = {
	0, "hgrm", "FOLDER",
	"write each region's distribution to a file in\nFOLDER, for plotting (.hgrm)",
	CLI_TEXT(struct cli_settings, hgrm)};
const struct cli_option cli_option_metrics = {
	0, "metrics", "FILE",
	"keep FILE up to date with counters, percentiles and\ncauses, for Prometheus",
	CLI_TEXT(struct cli_settings, metrics)};
const struct cli_option cli_option_why = {
	0, "why", "WHAT",
	"culprit (default): who made it late; stacks: and\nwhere its code was; samples: and what took its\n"
	"CPU time. With engine bpf, culprit with kernel too;\nnone: do not ask",
	.set = set_why};
const struct cli_option cli_option_history = {
	0, "history", "SIZE",
	"of what the whole machine did last, to ask in: MiB\n(8 for each CPU), or a time of a busy machine (2s)",
	CLI_HISTORY(struct cli_settings, history)};
const struct cli_option cli_option_interrupts = {
	0, "interrupts", NULL,
	"and what interrupts took of a late window, apart\nfrom its own running (engine bpf)",
	CLI_FLAG(struct cli_settings, interrupts)};
const struct cli_option cli_option_sample_rate = {
	0, "sample-rate", "HZ", "CPU samples of each CPU in a second, with\n--why=samples (999)",
	.set = set_sample_rate};
const struct cli_option cli_option_good_share = {
	0, "good-share", "N", "and keep those of one in N windows in time (10),\n0: of none",
	.set = set_good_share};
const struct cli_option cli_option_fail = {
	0, "fail", NULL, "exit with 0 within budget, 2 on an overrun,\n1 on an error",
	CLI_FLAG(struct cli_settings, fail)};
const struct cli_option cli_option_quiet = {'q', "quiet", NULL,
					    "no notices and no live overruns, only the summary",
					    CLI_FLAG(struct cli_settings, quiet)};
const struct cli_option cli_option_color = CLI_OPTION_COLOR(struct cli_settings, color);

void cli_settings_deinit(struct cli_settings *s)
{
	free(s->regions);
	free(s->chains);
	s->regions = s->chains = NULL;
}
