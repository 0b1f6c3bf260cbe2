// SPDX-License-Identifier: GPL-2.0-or-later
/* See words.h. */
#include <stdarg.h>
#include <stdio.h>

#include "words.h"

void cli_say(struct cli_words *w, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(w->text + w->used, sizeof(w->text) - w->used, fmt, args);
	va_end(args);
	w->used += n > 0 ? (size_t)n : 0;
	if (w->used >= sizeof(w->text))
		w->used = sizeof(w->text) - 1;
}
