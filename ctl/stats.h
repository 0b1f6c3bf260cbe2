/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Statistics by region and program. */
#ifndef TLOBCTL_STATS_H
#define TLOBCTL_STATS_H

#include <tlob/ctl.h>

#include "program.h"
#include "region.h"

/* Beyond so many rows, programs are no longer told apart, then regions: short-lived programs without end need an end. */
#define TLOBCTL_ROWS 1024
#define TLOBCTL_ROWS_ANY (TLOBCTL_ROWS + 256)

struct tlobctl_row {
	char region[TLOBCTL_REGION_BYTES];
	char program[TLOBCTL_PROGRAM_BYTES];
	struct tlobctl_stat stat; /* but region, program and hist */
	uint64_t shared; /* of its windows: those that any process may end, which cost more */
	struct tlob_hist hist;
};

struct tlobctl_table {
	struct tlobctl_row **rows;
	size_t nrows;
};

void tlobctl_table_deinit(struct tlobctl_table *table);

struct tlobctl_client;
/* Adds what @client's ledger says to @table. */
int tlobctl_stats_client(struct tlobctl *ctl, struct tlobctl_client *client,
			 struct tlobctl_table *table);

#endif
