/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A paragraph under way: pieces are added, then cli_wrap() fits it to the terminal. */
#ifndef TLOB_CLI_WORDS_H
#define TLOB_CLI_WORDS_H

#include <stddef.h>

struct cli_words {
	char text[1024];
	size_t used;
};

/* What does not fit is left out. */
void cli_say(struct cli_words *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
