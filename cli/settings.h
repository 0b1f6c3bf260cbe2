/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What run and watch can be told: the options they share and where their values go. */
#ifndef TLOB_CLI_SETTINGS_H
#define TLOB_CLI_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <tlob/ctl.h>

#include "options.h"
#include "terminal.h"

struct cli_settings {
	const char **regions;
	size_t nregions;
	const char **chains;
	size_t nchains;
	enum tlobctl_engine engine;
	const char *json; /* path, "-": standard output; NULL: none */
	const char *hgrm; /* folder; NULL: none */
	const char *metrics; /* path; NULL: none */
	enum tlobctl_why_mode why;
	struct cli_history history;
	bool interrupts;
	uint32_t sample_hz; /* 0: the library's default */
	uint32_t good_share; /* likewise */
	bool fail;
	bool quiet;
	enum cli_color color;
	pid_t pid; /* watch only, as are those below */
	const char *cgroup;
	uint64_t duration_ns;
	bool top;
};

extern const struct cli_option cli_option_region, cli_option_chain, cli_option_engine,
	cli_option_json, cli_option_hgrm, cli_option_metrics, cli_option_why, cli_option_history,
	cli_option_interrupts, cli_option_sample_rate, cli_option_good_share, cli_option_fail,
	cli_option_quiet, cli_option_color;

void cli_settings_deinit(struct cli_settings *s);

#endif
