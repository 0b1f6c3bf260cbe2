// SPDX-License-Identifier: GPL-2.0-or-later
/* See terminal.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli.h"
#include "terminal.h"

#define WIDTH_WITHOUT_TERMINAL 120

static bool wants_color(int fd, enum cli_color color)
{
	const char *no_color = getenv("NO_COLOR"); /* no-color.org: any value but the empty one */
	const char *term = getenv("TERM");

	if (color != CLI_COLOR_AUTO)
		return color == CLI_COLOR_ALWAYS;
	return isatty(fd) && !(no_color && *no_color) && term && strcmp(term, "dumb");
}

int cli_terminal_init(struct cli_terminal *t, int fd, enum cli_color color)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (copy < 0)
		return -1;
	t->out = fdopen(copy, "w");
	if (!t->out) {
		close(copy);
		return -1;
	}
	setvbuf(t->out, NULL, _IOFBF, 1 << 16);
	t->color = wants_color(fd, color);
	t->columns = 0;
	return 0;
}

/* Why writing failed a while ago: asked again with a line's end, as errno of then is lost. */
static int write_error(FILE *out)
{
	return write(fileno(out), "\n", 1) < 0 ? errno : EIO;
}

int cli_terminal_deinit(struct cli_terminal *t)
{
	int err = t->out && (fflush(t->out) || ferror(t->out)) ? write_error(t->out) : 0;

	if (t->out && fclose(t->out) && !err)
		err = errno;
	t->out = NULL;
	if (!err || err == EPIPE)
		return 0;
	cli_error(CLI_ERROR, "the output is incomplete: %s", strerror(err));
	return -1;
}

size_t cli_terminal_width(const struct cli_terminal *t)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	int width = columns ? atoi(columns) : 0;

	if (t->columns)
		return t->columns;
	if (!ioctl(fileno(t->out), TIOCGWINSZ, &size) && size.ws_col)
		width = size.ws_col;
	return width > 0 ? (size_t)width : WIDTH_WITHOUT_TERMINAL;
}

const char *cli_style(const struct cli_terminal *t, enum cli_style style)
{
	static const char *const sequence[] = {
		[CLI_PLAIN] = "\033[0m",   [CLI_BOLD] = "\033[1m",    [CLI_DIM] = "\033[2m",
		[CLI_OVER] = "\033[1;31m", [CLI_WARN] = "\033[1;33m", [CLI_GOOD] = "\033[32m",
	};

	return t->color ? sequence[style] : "";
}

/* Columns of the first @bytes of @s. */
static size_t visible(const char *s, size_t bytes)
{
	const char *end = s + bytes;
	size_t columns = 0;

	while (s < end) {
		if (*s == '\033')
			s += strcspn(s, "m") + 1;
		else
			columns += ((unsigned char)*s++ & 0xc0) != 0x80;
	}
	return columns;
}

void cli_wrap(const struct cli_terminal *t, const char *text, size_t margin)
{
	size_t width = cli_terminal_width(t), column = margin;

	while (*text) {
		size_t bytes = strcspn(text, " ");
		size_t word = visible(text, bytes);

		if (column > margin && column + 1 + word > width) {
			fprintf(t->out, "\n%*s", (int)margin, "");
			column = margin;
		} else if (column > margin) {
			fputc(' ', t->out);
			column++;
		}
		fwrite(text, 1, bytes, t->out);
		column += word;
		text += bytes + strspn(text + bytes, " ");
	}
	fputc('\n', t->out);
}
