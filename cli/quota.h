/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may have how many lines of a second: so many for all, and of these so many for each process, so that one that is
 * late without end does not hide the others. Even when all are used up, those not heard of yet get their first.
 */
#ifndef TLOB_CLI_QUOTA_H
#define TLOB_CLI_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLI_QUOTA_EACH 20
#define CLI_QUOTA_ALL 100
#define CLI_QUOTA_PROCESSES 64 /* told apart; the rest share one place */

struct cli_quota {
	struct {
		uint32_t process;
		unsigned int used;
	} places[CLI_QUOTA_PROCESSES + 1];
	size_t nplaces;
	unsigned int used;
};

/* True if @process may have one line more; then it is taken. A new second begins with {0}. */
bool cli_quota_take(struct cli_quota *quota, uint32_t process);

#endif
