/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tlob watch --top: the summary as it would be if it ended now, drawn over itself every second. */
#ifndef TLOB_CLI_TOP_H
#define TLOB_CLI_TOP_H

#include "summary.h"

#define CLI_TOP_INTERVAL_NS 1000000000ULL

/* Takes the statistics of the session into @s, as they are now. Returns 0 or an exit status, having said why. */
int cli_top_draw(struct cli_summary *s, struct tlobctl *ctl, const struct cli_terminal *term,
		 uint64_t elapsed_ns);

#endif
