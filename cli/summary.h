/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is printed at the end: a table with a row per region, and what it means in plain words. */
#ifndef TLOB_CLI_SUMMARY_H
#define TLOB_CLI_SUMMARY_H

#include <tlob/ctl.h>

#include "samples.h"
#include "terminal.h"
#include "why.h"

#define CLI_PERCENTILES 5

/* JSON key, table head and value of each percentile. */
struct cli_percentile {
	const char *key, *head;
	double percent;
};
extern const struct cli_percentile cli_percentiles[CLI_PERCENTILES];

struct cli_summary_row {
	struct tlobctl_stat stat; /* own copies of the texts; no histogram */
	uint64_t percentile_ns[CLI_PERCENTILES];
	/* of several sessions, see report_text.c: */
	uint64_t budget_max_ns; /* 0: they have one budget */
	bool at_most; /* percentiles are no more than that */
	bool at_least; /* there may have been more windows: a session has no end */
};

/* Overruns by the enum tlob_state that took most of their time; [3]: of no thread. */
struct cli_lateness {
	uint64_t at_expiry[4];
	uint64_t at_end[4];
};

struct cli_summary {
	struct cli_summary_row *rows;
	size_t nrows;
	struct tlobctl_stat total;
	struct tlobctl_loss loss;
	struct cli_why_ranking why;
	struct cli_samples samples;
	char sample_note[256]; /* where that of samples.stat is kept when the session has ended */
	bool windows_unknown; /* only those that were late are known */
	struct cli_lateness lateness;
};

/* Counts one record. */
void cli_lateness_add(struct cli_lateness *lateness, const struct tlob_record *record);

/* One overrun record was handed out. */
void cli_summary_event(struct cli_summary *s, const struct tlobctl_event *event);
/* What @stat counts is added to @total. */
void cli_summary_add(struct tlobctl_stat *total, const struct tlobctl_stat *stat);
/*
 * Take the statistics of the session, as they are now. @hgrm: folder for distributions, or NULL. Returns 0 or a
 * negative errno, having said why.
 */
int cli_summary_collect(struct cli_summary *s, struct tlobctl *ctl, const char *hgrm);
/* Records that say how windows ended, and have not arrived. */
uint64_t cli_summary_lost_ends(const struct cli_summary *s);
void cli_summary_deinit(struct cli_summary *s);

/* @elapsed_ns: how long was measured. */
void cli_summary_print(const struct cli_summary *s, const struct cli_terminal *term,
		       uint64_t elapsed_ns);

#endif
