/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The objects of --json. Each field is described in tlob-json(5); scripts/check-docs holds the two
 * together.
 */
#ifndef TLOB_CLI_NDJSON_H
#define TLOB_CLI_NDJSON_H

#include "json.h"
#include "regions.h"
#include "samples.h"
#include "summary.h"

#define CLI_NDJSON_FORMAT \
	1 /* raised when a field changes its meaning or goes; new fields do not raise it */

#define CLI_NDJSON_PER_SECOND 10000 /* overruns and ends; more cost too much of a CPU */

struct cli_ndjson_end {
	int exit_status; /* tlob's own */
	int program_status; /* of tlob run's program, as a shell reports it; -1: none */
	uint64_t elapsed_ns;
	const struct tlobctl_stat *total;
	uint64_t lost_ends, strange;
	const struct tlobctl_why_stat *why;
	const struct tlobctl_sample_stat *samples;
};

/* @program: what is run, or NULL. */
void cli_ndjson_start(struct cli_json *j, const char *command, const struct tlobctl *ctl,
		      char *const *program, pid_t pid, const struct cli_regions *regions);
/* At most CLI_NDJSON_PER_SECOND of them are written in a second; the rest is counted in left_out. */
void cli_ndjson_event(struct cli_json *j, const struct tlobctl_event *event);
/* Members of an object that is under way: "why", null if the event has none; and a thread of its table, or null. */
void cli_ndjson_why(struct cli_json *j, const struct tlobctl_event *event);
void cli_ndjson_who(struct cli_json *j, const char *key, const struct tlobctl_why *why,
		    uint32_t who);
void cli_ndjson_summary(struct cli_json *j, const struct cli_summary *summary);
void cli_ndjson_end(struct cli_json *j, const struct cli_ndjson_end *end);

#endif
