/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why windows were late, in words: a few lines below an overrun that has ended, and at the end the causes of each
 * region, ranked.
 */
#ifndef TLOB_CLI_WHY_H
#define TLOB_CLI_WHY_H

#include <tlob/ctl.h>

#include "terminal.h"

#define CLI_WHY_CAUSE_BYTES 128

/* "waiting behind hog": what made the window of @event, which has a why, late. Returns @buf. */
char *cli_why_cause(char *buf, size_t size, const struct tlobctl_event *event);
/* "running", "behind", ...: for JSON. */
const char *cli_why_word(enum tlobctl_cause cause);
/* Below the line of a window that is still open: what it went into so far, if it is not its own running. */
void cli_why_print_open(const struct tlobctl_event *event, const struct cli_terminal *term);
/* Below the line of one that has ended. */
void cli_why_print(const struct tlobctl_event *event, const struct cli_terminal *term);

/* How often which cause made which region late. */
struct cli_why_count {
	char *region, *program;
	char cause[CLI_WHY_CAUSE_BYTES];
	uint64_t count;
};

struct cli_why_ranking {
	struct cli_why_count *counts;
	size_t ncounts;
	uint64_t uncounted; /* whose cause found no room among them */
	size_t shown; /* causes of a region, at most; 0: the usual number */
	struct tlobctl_why_stat stat; /* without its note: */
	char note[256];
};

/* One record was handed out; counts those that close a window. */
void cli_why_add(struct cli_why_ranking *ranking, const struct tlobctl_event *event);
void cli_why_sort(struct cli_why_ranking *ranking);
void cli_why_deinit(struct cli_why_ranking *ranking);
/* @elapsed_ns: how long was measured. */
void cli_why_print_ranking(const struct cli_why_ranking *ranking, const struct cli_terminal *term,
			   uint64_t elapsed_ns);

#endif
