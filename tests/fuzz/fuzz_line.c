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

static char *text, again[4096];

static void check_line(const struct tlob_line *line)
{
	CHECK(line->path >= text && line->path < text + 512);
	CHECK(line->path[0] == '/');
	CHECK(line->start <= S64_MAX && line->nstops <= TLOB_LINE_STOPS);
	for (__u32 i = 0; i < line->nstops; i++)
		CHECK(line->stops[i] <= S64_MAX);
	if (line->remove) {
		CHECK(line->path[1] != '\0');
		return;
	}
	CHECK(line->form == TLOB_LINE_EXITS ? line->nstops >= 1 :
					      line->nstops == (line->form == TLOB_LINE_PAIR));
	CHECK(line->budget_ns >= TLOB_BUDGET_MIN_NS && line->budget_ns <= TLOB_BUDGET_MAX_NS);
}

static void print_line(const struct tlob_line *line)
{
	char *to = again, *end = again + sizeof(again);

	if (line->remove) {
		snprintf(again, sizeof(again), "-%s:0x%llx\n", line->path, line->start);
		return;
	}
	to += snprintf(to, end - to, "p %s:0x%llx ", line->path, line->start);
	if (line->form == TLOB_LINE_RETURN)
		to += snprintf(to, end - to, "return");
	for (__u32 i = 0; i < line->nstops; i++)
		to += snprintf(to, end - to, "%s0x%llx",
			       line->form == TLOB_LINE_PAIR ? "" :
			       i			    ? "," :
							      "exit=",
			       line->stops[i]);
	snprintf(to, end - to, " threshold=%llu\n", line->budget_ns);
}

/* As the listing writes it, which for a path that ends in blanks or holds a newline is not to be read back. */
static void check_again(const struct tlob_line *line)
{
	struct tlob_line second;

	if (!line->remove && line->form == TLOB_LINE_PAIR && line->start == line->stops[0])
		return;
	if (strpbrk(line->path, "\n\t") || line->path[strlen(line->path) - 1] == ' ')
		return;
	print_line(line);
	CHECK(tlob_line_parse(again, &second) == 0);
	CHECK(strcmp(second.path, line->path) == 0 && second.start == line->start &&
	      second.remove == line->remove);
	if (line->remove)
		return;
	CHECK(second.form == line->form && second.budget_ns == line->budget_ns);
	CHECK(second.nstops == line->nstops &&
	      !memcmp(second.stops, line->stops, line->nstops * sizeof(line->stops[0])));
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
