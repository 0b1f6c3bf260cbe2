// SPDX-License-Identifier: GPL-2.0-or-later
/* What tlob timerlat can be told. Letters are those of rtla and cyclictest where they mean the same. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cpulist.h"
#include "timerlat.h"
#include "values.h"

static int set_cpus(void *settings, const char *value)
{
	struct timerlat_settings *s = settings;
	uint32_t *cpus = calloc(TLOB_CPULIST_MAX, sizeof(*cpus));
	struct tlob_parse_error err;
	int n;

	if (!cpus)
		return cli_error(CLI_ERROR, "out of memory");
	n = tlob_cpulist_parse(value, cpus, TLOB_CPULIST_MAX, &err);
	if (n < 0) {
		free(cpus);
		return cli_usage("--cpus '%s': %s, at '%s'", value, err.why, value + err.at);
	}
	free(s->cpus);
	s->cpus = cpus;
	s->opts.cpus = cpus;
	s->opts.ncpus = (size_t)n;
	return 0;
}

static int set_priority(void *settings, const char *value)
{
	static const struct {
		const char *name;
		enum tlobctl_timerlat_policy policy;
		long least, most;
	} policies[] = {
		{"f", TLOBCTL_TIMERLAT_FIFO, 1, 99},	{"fifo", TLOBCTL_TIMERLAT_FIFO, 1, 99},
		{"r", TLOBCTL_TIMERLAT_RR, 1, 99},	{"rr", TLOBCTL_TIMERLAT_RR, 1, 99},
		{"o", TLOBCTL_TIMERLAT_OTHER, -20, 19}, {"other", TLOBCTL_TIMERLAT_OTHER, -20, 19},
	};
	struct timerlat_settings *s = settings;
	size_t length = strcspn(value, ":");
	char *end = NULL;
	long priority;

	errno = 0;
	priority = value[length] ? strtol(value + length + 1, &end, 10) : 0;
	for (size_t i = 0; end && end > value + length + 1 && !*end && !errno &&
			   i < sizeof(policies) / sizeof(*policies);
	     i++) {
		if (strlen(policies[i].name) != length || strncmp(policies[i].name, value, length))
			continue;
		if (priority < policies[i].least || priority > policies[i].most)
			return cli_usage("--priority '%s': it goes from %ld to %ld", value,
					 policies[i].least, policies[i].most);
		s->opts.policy = policies[i].policy;
		s->opts.priority = (int)priority;
		return 0;
	}
	return cli_usage("--priority is f:1 to f:99, r:1 to r:99 or o:-20 to o:19, not '%s'",
			 value);
}

static int set_backend(void *settings, const char *value)
{
	static const char *const names[TLOBCTL_TIMERLAT_BACKENDS] = {
		[TLOBCTL_TIMERLAT_AUTO] = "auto",     [TLOBCTL_TIMERLAT_KERNEL] = "kernel",
		[TLOBCTL_TIMERLAT_MODULE] = "module", [TLOBCTL_TIMERLAT_BPF] = "bpf",
		[TLOBCTL_TIMERLAT_PLAIN] = "plain",
	};
	size_t backend;
	int status = cli_value_choice("backend", value, names, TLOBCTL_TIMERLAT_BACKENDS, &backend);

	if (!status)
		((struct timerlat_settings *)settings)->opts.backend =
			(enum tlobctl_timerlat_backend)backend;
	return status;
}

static int set_top(void *settings, const char *value)
{
	(void)value;
	((struct timerlat_settings *)settings)->view = TIMERLAT_TOP;
	return 0;
}

static int set_hist(void *settings, const char *value)
{
	(void)value;
	((struct timerlat_settings *)settings)->view = TIMERLAT_HIST;
	return 0;
}

static int set_why(void *settings, const char *value)
{
	struct timerlat_settings *s = settings;

	if (!strcmp(value, "none"))
		s->opts.why = TLOBCTL_WHY_NONE;
	else if (!strcmp(value, "culprit"))
		s->opts.why = TLOBCTL_WHY_CULPRIT;
	else if (!strcmp(value, "stacks"))
		s->opts.why = TLOBCTL_WHY_STACKS;
	else
		return cli_usage("--why is none, culprit or stacks, not '%s'", value);
	return 0;
}

static int set_load(void *settings, const char *value)
{
	return timerlat_load_parse(value, &((struct timerlat_settings *)settings)->load.kinds);
}

static const struct cli_option option_cpus = {
	'c', "cpus", "LIST", "CPUs to measure, such as 0-3,6 (default: all)", .set = set_cpus};
static const struct cli_option option_period = {
	'p', "period", "TIME", "time between two wake-ups (1ms; 100us to 10s)",
	CLI_DURATION(struct timerlat_settings, opts.period_ns)};
static const struct cli_option option_priority = {
	'P', "priority", "POLICY",
	"f:PRIORITY (FIFO; default f:95), r:PRIORITY (RR) or\no:NICE (ordinary)",
	.set = set_priority};
static const struct cli_option option_duration = {
	'd', "duration", "TIME", "stop after this time: 10s, 5m, 1h (default: at Ctrl-C)",
	CLI_DURATION(struct timerlat_settings, duration_ns)};
static const struct cli_option option_total = {
	'T', "total", "TIME", "stop when a thread is later than that, with status 2",
	CLI_DURATION(struct timerlat_settings, opts.stop_total_ns)};
static const struct cli_option option_irq = {
	'i', "irq", "TIME", "stop when a timer's interrupt is later than that, with\nstatus 2",
	CLI_DURATION(struct timerlat_settings, opts.stop_irq_ns)};
static const struct cli_option option_backend = {
	'b', "backend", "NAME", "auto (default), kernel, module, bpf or plain", .set = set_backend};
static const struct cli_option option_top = {
	0, "top", NULL, "a table of what was measured so far, each second", .set = set_top};
static const struct cli_option option_hist = {
	0, "hist", NULL, "at the end how often which latency was measured", .set = set_hist};
static const struct cli_option option_json = {
	'j', "json", "FILE",
	"write one JSON object per result to FILE, or to\nstandard output with -",
	CLI_TEXT(struct timerlat_settings, json)};
static const struct cli_option option_hgrm = {
	0, "hgrm", "FOLDER", "write each distribution to a file in FOLDER, for\nplotting (.hgrm)",
	CLI_TEXT(struct timerlat_settings, hgrm)};
static const struct cli_option option_why = {
	0, "why", "WHAT",
	"if a limit is passed: culprit (default), stacks (of\nshort delays too), by BPF; none: do not ask",
	.set = set_why};
static const struct cli_option option_history = {
	0, "history", "SIZE",
	"of what the whole machine did last, to ask in: MiB\n(8 for each CPU), or a time of a busy machine (2s)",
	CLI_HISTORY(struct timerlat_settings, history)};
static const struct cli_option option_load = {
	0, "load", "KINDS",
	"disturb this machine meanwhile: all, or some of cpu,\ntimer, fork, memory, io and rt",
	.set = set_load};
static const struct cli_option option_deep_idle = {
	0, "deep-idle", NULL,
	"let idle CPUs sleep as deeply as without tlob\n(/dev/cpu_dma_latency is left alone)",
	CLI_FLAG(struct timerlat_settings, opts.deep_idle)};
static const struct cli_option option_quiet = {'q', "quiet", NULL, "only the results",
					       CLI_FLAG(struct timerlat_settings, quiet)};
static const struct cli_option option_color = CLI_OPTION_COLOR(struct timerlat_settings, color);

const struct cli_option *const timerlat_options[] = {
	&option_cpus,
	&option_period,
	&option_priority,
	&option_duration,
	&option_total,
	&option_irq,
	&option_why,
	&option_history,
	&option_backend,
	&option_top,
	&option_hist,
	&option_json,
	&option_hgrm,
	&option_load,
	&option_deep_idle,
	&option_quiet,
	&option_color,
	&cli_option_help,
	NULL,
};

void timerlat_settings_deinit(struct timerlat_settings *s)
{
	free(s->cpus);
	s->cpus = NULL;
}
