// SPDX-License-Identifier: GPL-2.0-or-later
/* See page.h. */
#include <string.h>
#include <sys/ioctl.h>

#include "page.h"

void cli_page_draw(const struct cli_terminal *term, const char *text)
{
	struct winsize size = {.ws_row = 0};
	size_t room;

	ioctl(fileno(term->out), TIOCGWINSZ, &size);
	room = size.ws_row > 1 ? size.ws_row - 1u : 24;
	fputs("\033[H", term->out);
	for (; *text && room; room--) {
		size_t length = strcspn(text, "\n");

		fprintf(term->out, "%.*s\033[K\n", (int)length, text);
		text += length + (text[length] == '\n');
	}
	fputs("\033[J", term->out);
}

void cli_page_clear(const struct cli_terminal *term)
{
	fputs("\033[H\033[J", term->out);
}
