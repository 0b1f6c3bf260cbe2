/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A view that is drawn over itself on a terminal. */
#ifndef TLOB_CLI_PAGE_H
#define TLOB_CLI_PAGE_H

#include "terminal.h"

/* Over what was drawn before; as many lines of @text as fit. */
void cli_page_draw(const struct cli_terminal *term, const char *text);
/* What follows begins at the top of an empty screen. */
void cli_page_clear(const struct cli_terminal *term);

#endif
