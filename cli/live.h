/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Overruns as they happen: one line when the budget expires, one when the code has returned. When
 * they come faster than anybody reads, the rest of each second is only counted, and the view says
 * so; see quota.h for whose.
 */
#ifndef TLOB_CLI_LIVE_H
#define TLOB_CLI_LIVE_H

#include <stdint.h>

#include <tlob/ctl.h>

#include "quota.h"
#include "terminal.h"

#define CLI_LIVE_OPEN 256 /* shown overruns whose end is still awaited */

struct cli_live {
	const struct cli_terminal *term;
	size_t region_columns;
	size_t lines_below_head; /* 0: no heads printed yet */
	uint64_t second_ns; /* when the current second began */
	struct cli_quota quota; /* of it */
	uint64_t hidden;
	struct {
		uint32_t client, tid;
		uint64_t window;
		size_t nameless; /* see cli_snapshots_print() */
	} open[CLI_LIVE_OPEN];
	size_t next_open;
	uint64_t last_stack; /* see cli_snapshots_print() */
};

void cli_live_init(struct cli_live *live, const struct cli_terminal *term);
/* Make room for a region name before it is first needed, so that columns do not shift. */
void cli_live_expect(struct cli_live *live, const char *region);
void cli_live_event(struct cli_live *live, const struct tlobctl_event *event);
/*
 * Says how many were hidden in the second that is over. Returns ms until it wants to be called
 * again, -1: not.
 */
int cli_live_tick(struct cli_live *live, uint64_t now_ns);

/* Which of the three clocks took most of @record's time. */
enum tlob_state cli_dominant(const struct tlob_record *record);

#endif
