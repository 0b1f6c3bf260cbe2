/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A folder with small programs that a test builds for itself, and short ways to resolve against them. */
#ifndef TLOB_TESTS_UNIT_LAB_H
#define TLOB_TESTS_UNIT_LAB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctl/resolve.h"
#include "parse.h"

static char lab[] = "/tmp/tlob-lab.XXXXXX";

static inline int lab_make(void **state)
{
	return mkdtemp(lab) ? 0 : -1;
}

static inline int lab_remove(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", lab);
	return system(command);
}

static inline void lab_write(const char *name, const void *data, size_t size)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", lab, name);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
}

/* A shell command, run in the lab; it must succeed. */
__attribute__((format(printf, 1, 2))) static inline void lab_run(const char *fmt, ...)
{
	char command[2048];
	va_list args;
	size_t n;

	n = (size_t)snprintf(command, sizeof(command), "cd %s && exec 2>&1 && ", lab);
	va_start(args, fmt);
	vsnprintf(command + n, sizeof(command) - n, fmt, args);
	va_end(args);
	if (system(command))
		fail_msg("%s", command);
}

static inline int lab_resolve(pid_t pid, const char *text, struct tlobctl_site **sites,
			      size_t *count)
{
	static struct tlob_region_spec spec;
	struct tlob_parse_error error;
	char whole[1024];

	snprintf(whole, sizeof(whole), "%s@5ms", text);
	if (tlob_region_parse(whole, &spec, &error))
		fail_msg("%s: %s at %zu", whole, error.why, error.at);
	return tlobctl_resolve(&spec, pid, sites, count);
}

/* The one site of @text; sites to free. */
static inline struct tlobctl_site *lab_site(pid_t pid, const char *text)
{
	struct tlobctl_site *sites = NULL;
	size_t count = 0;

	if (lab_resolve(pid, text, &sites, &count))
		fail_msg("%s: %s", text, tlobctl_error());
	assert_int_equal(count, 1);
	return sites;
}

/* @text fails with @err, and the message has all of the words, NULL at the end. */
static inline void lab_refuses(pid_t pid, const char *text, int err, ...)
{
	struct tlobctl_site *sites = NULL;
	size_t count = 4711;
	const char *word;
	va_list words;
	int ret = lab_resolve(pid, text, &sites, &count);

	if (ret != err)
		fail_msg("%s: %d instead of %d (%s)", text, ret, err, ret ? tlobctl_error() : "");
	assert_null(sites);
	assert_int_equal(count, 4711);
	va_start(words, err);
	while ((word = va_arg(words, const char *)))
		if (!strstr(tlobctl_error(), word))
			fail_msg("%s: '%s' is not in: %s", text, word, tlobctl_error());
	va_end(words);
}

/* "LAB/name:points" */
static inline const char *lab_spec(const char *binary, const char *points)
{
	static char text[2][512];
	static int turn;

	turn ^= 1;
	snprintf(text[turn], sizeof(text[turn]), "%s/%s:%s", lab, binary, points);
	return text[turn];
}

#endif
