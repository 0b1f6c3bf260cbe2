/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What ls, add and rm share: standing regions of the kernel module, as a table. */
#ifndef TLOB_CLI_STANDING_H
#define TLOB_CLI_STANDING_H

#include <stddef.h>

#include <tlob/ctl.h>

#include "terminal.h"

struct cli_standing {
	struct tlobctl_standing *list; /* own copies, texts too */
	size_t count;
};

/* A tlobctl_standing_fn; @standing is a struct cli_standing. */
int cli_standing_take(const struct tlobctl_standing *region, void *standing);
void cli_standing_deinit(struct cli_standing *standing);
void cli_standing_print(const struct cli_standing *standing, const struct cli_terminal *term);

#endif
