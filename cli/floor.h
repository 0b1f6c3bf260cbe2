/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Budgets against what this machine itself is late by, as tlob timerlat found out. */
#ifndef TLOB_CLI_FLOOR_H
#define TLOB_CLI_FLOOR_H

#include "regions.h"
#include "summary.h"

/* One line about the budgets of @regions that are too close to it, if there are any. */
void cli_floor_regions(const struct cli_regions *regions, const struct cli_terminal *term);
/* The same about those of a summary that are not among @told. */
void cli_floor_summary(const struct cli_summary *summary, const struct cli_regions *told,
		       const struct cli_terminal *term);

#endif
