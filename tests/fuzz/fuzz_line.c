// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lines of the module's control file: refused with one of two errors, or a line that keeps what the rest of the
 * module relies on and, written in the other form, reads as the same one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "kmod/monitors/tlob/line.c"

static char *text, again[1024];

static void check_line(const struct tlob_line *line)
{
	CHECK(line->path >= text && line->path < text + 512);
	CHECK(line->path[0] == '/');
	CHECK(line->start <= S64_MAX && line->stop <= S64_MAX);
	if (line->remove)
		CHECK(line->path[1] != '\0');
	else
		CHECK(line->budget_ns >= TLOB_BUDGET_MIN_NS &&
		      line->budget_ns <= TLOB_BUDGET_MAX_NS);
}

/* As the listing writes it, which for a path that ends in blanks or holds a newline is not to be read back. */
static void check_again(const struct tlob_line *line)
{
	struct tlob_line second;

	if (!line->remove && line->start == line->stop)
		return;
	if (strpbrk(line->path, "\n\t") || line->path[strlen(line->path) - 1] == ' ')
		return;
	if (line->remove)
		snprintf(again, sizeof(again), "-%s:0x%llx\n", line->path, line->start);
	else
		snprintf(again, sizeof(again), "p %s:0x%llx 0x%llx threshold=%llu\n", line->path,
			 line->start, line->stop, line->budget_ns);
	CHECK(tlob_line_parse(again, &second) == 0);
	CHECK(strcmp(second.path, line->path) == 0 && second.start == line->start &&
	      second.remove == line->remove);
	CHECK(line->remove || (second.stop == line->stop && second.budget_ns == line->budget_ns));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tlob_line line;
	int ret;

	if (size >= 512)
		return 0;
	text = fuzz_string(data, size);
	ret = tlob_line_parse(text, &line);
	CHECK(ret == 0 || ret == -EINVAL || ret == -ERANGE);
	if (ret == 0) {
		check_line(&line);
		check_again(&line);
	}
	free(text);
	return 0;
}
