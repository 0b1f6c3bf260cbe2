/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The trace buffer, as text. */
#ifndef TESTS_VM_TRACE_H
#define TESTS_VM_TRACE_H

#include "tap.h"

static char trace_text[1 << 16];

static inline void trace_begin(void)
{
	write_file(TRACE_DIR "trace", "");
	check(write_file(TRACE_DIR "events/rv_tlob/error_env_tlob/enable", "1") == 0);
	check(write_file(TRACE_DIR "events/rv_tlob/detail_env_tlob/enable", "1") == 0);
	check(write_file(TRACE_DIR "events/rv_tlob/tlob_budget_exceeded/enable", "1") == 0);
}

static inline void trace_end(void)
{
	write_file(TRACE_DIR "events/rv_tlob/enable", "0");
	read_file(TRACE_DIR "trace", trace_text, sizeof(trace_text));
}

/* Lines of @event in the text; the last one is copied to @line, if not NULL. */
static inline int trace_count(const char *event, char *line, size_t size)
{
	char key[64];
	int n = 0;

	snprintf(key, sizeof(key), " %s: ", event);
	for (char *at = trace_text; (at = strstr(at, key)); at += strlen(key)) {
		n++;
		if (line)
			snprintf(line, size, "%.*s", (int)strcspn(at + strlen(key), "\n"),
				 at + strlen(key));
	}
	return n;
}

static inline unsigned long long trace_field(const char *line, const char *name)
{
	char key[64];
	const char *at;

	snprintf(key, sizeof(key), "%s=", name);
	at = strstr(line, key);
	check(at, "no %s in '%s'", name, line);
	return at ? strtoull(at + strlen(key), NULL, 0) : 0;
}

#endif
