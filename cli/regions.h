/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The regions given with -r, as the library resolved and attached them. */
#ifndef TLOB_CLI_REGIONS_H
#define TLOB_CLI_REGIONS_H

#include <tlob/ctl.h>

#include "terminal.h"

struct cli_regions {
	struct tlobctl_region *list; /* own copies, texts too */
	size_t count;
};

/* A tlobctl_region_fn; @regions is a struct cli_regions. */
int cli_regions_add(const struct tlobctl_region *region, void *regions);
void cli_regions_deinit(struct cli_regions *regions);
/* Say what is attached and what one window will cost here, loudly where it is dear. */
void cli_regions_print(const struct cli_regions *regions, const struct cli_terminal *term);
/* "nop5", "emulated", "stepped"; NULL for no probe. */
const char *cli_probe_name(enum tlobctl_probe_kind kind);

#endif
