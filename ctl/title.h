/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What to call functions that are shown side by side. */
#ifndef TLOBCTL_TITLE_H
#define TLOBCTL_TITLE_H

#include "symbol.h"

#define TLOBCTL_TITLE_BYTES (TLOBCTL_SYMBOL_TEXT + 32)

typedef char tlobctl_title[TLOBCTL_TITLE_BYTES];

/*
 * One for each of @found, to free: as the source has it, with parameters where nothing else tells functions
 * apart, and with the offset where those do not either. NULL: no memory.
 */
tlobctl_title *tlobctl_titles_new(const struct tlobctl_elf *elf,
				  const struct tlobctl_symbol *const *found, size_t count);

#endif
