/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "Did you mean": which of some words is most like a mistyped one. */
#ifndef TLOB_CLI_NEAREST_H
#define TLOB_CLI_NEAREST_H

#include <stddef.h>

struct cli_nearest {
	const char *typed;
	const char *word; /* best so far; NULL: none is similar enough */
	size_t distance;
};

void cli_nearest_init(struct cli_nearest *n, const char *typed);
void cli_nearest_offer(struct cli_nearest *n, const char *word);

#endif
