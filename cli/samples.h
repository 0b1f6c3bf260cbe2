/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CPU samples of late windows, and of some good ones beside them: for people and as JSON. */
#ifndef TLOB_CLI_SAMPLES_H
#define TLOB_CLI_SAMPLES_H

#include <tlob/ctl.h>

#include "json.h"
#include "terminal.h"

/* In how many samples a function was what ran. */
struct cli_hot {
	char *region, *program, *function;
	uint64_t late, good;
};

struct cli_samples {
	struct cli_hot *list;
	size_t count;
	struct tlobctl_sample_stat stat; /* clock NULL: no samples were asked for */
};

/* "samples" and "sampled" of the object under way. */
void cli_samples_json(struct cli_json *j, const struct tlobctl_why *why);
/* An object of its own: a region's good windows. */
void cli_profile_json(struct cli_json *j, const struct tlobctl_profile *profile);
/* Members of the last object: what was taken and lost. */
void cli_samples_json_end(struct cli_json *j, const struct tlobctl_sample_stat *stat);

/* Below the line of a window that has ended: the functions that took most of its CPU time. */
void cli_samples_print(const struct tlobctl_event *event, const struct cli_terminal *term);

/* For the end: the functions of each region, in late windows and in good ones. */
void cli_samples_add(struct cli_samples *s, const struct tlobctl_event *event);
void cli_samples_add_profile(struct cli_samples *s, const struct tlobctl_profile *profile);
void cli_samples_sort(struct cli_samples *s);
void cli_samples_print_end(const struct cli_samples *s, const struct cli_terminal *term);
void cli_samples_deinit(struct cli_samples *s);

#endif
