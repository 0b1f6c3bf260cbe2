// SPDX-License-Identifier: GPL-2.0-or-later
/* The file of the platform's floor: to text and back, what is none, and whose it is. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "ctl/floor.h"

static const struct tlobctl_floor sample = {
	.kernel = "6.1.0-30-amd64 #1 SMP",
	.boot_id = "11111111-2222-3333-4444-555555555555",
	.cpus = "0-3,6",
	.backend = "bpf",
	.scheduling = "fifo:95",
	.time_unix_ns = 1795903861769998428,
	.cycles = 60000,
	.p50_ns = 4000,
	.p99_9_ns = 52000,
	.max_ns = 1000000,
};

static void assert_equal(const struct tlobctl_floor *a, const struct tlobctl_floor *b)
{
	assert_string_equal(a->kernel, b->kernel);
	assert_string_equal(a->boot_id, b->boot_id);
	assert_string_equal(a->cpus, b->cpus);
	assert_string_equal(a->backend, b->backend);
	assert_string_equal(a->scheduling, b->scheduling);
	assert_int_equal(a->time_unix_ns, b->time_unix_ns);
	assert_int_equal(a->cycles, b->cycles);
	assert_int_equal(a->p50_ns, b->p50_ns);
	assert_int_equal(a->p99_9_ns, b->p99_9_ns);
	assert_int_equal(a->max_ns, b->max_ns);
}

static void test_text_and_back(void **state)
{
	char text[TLOBCTL_FLOOR_BYTES];
	struct tlobctl_floor floor;
	size_t length;

	length = tlobctl_floor_format(text, &sample);
	assert_int_equal(length, strlen(text));
	assert_true(tlobctl_floor_parse(text, &floor));
	assert_equal(&floor, &sample);
	/* a later version may write more */
	strcat(text, "color blue\n");
	assert_true(tlobctl_floor_parse(text, &floor));
}

static void assert_no_floor(const char *text, const char *line, const char *instead)
{
	char changed[2 * TLOBCTL_FLOOR_BYTES];
	struct tlobctl_floor floor = {.p50_ns = 77};
	const char *at = strstr(text, line);

	assert_non_null(at);
	snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(at - text), text, instead,
		 at + strlen(line));
	assert_false(tlobctl_floor_parse(changed, &floor));
	assert_int_equal(floor.p50_ns, 77); /* untouched */
}

static void test_what_is_no_floor(void **state)
{
	char text[TLOBCTL_FLOOR_BYTES], lengthy[400];
	struct tlobctl_floor floor;

	tlobctl_floor_format(text, &sample);
	assert_false(tlobctl_floor_parse("", &floor));
	assert_false(tlobctl_floor_parse("{}", &floor));
	assert_no_floor(text, "tlob-floor 1", "tlob-floor 2");
	assert_no_floor(text, "p99_9_ns 52000\n", "");
	assert_no_floor(text, "p99_9_ns 52000", "p99_9_ns");
	assert_no_floor(text, "p99_9_ns 52000", "p99_9_ns ");
	assert_no_floor(text, "p99_9_ns 52000", "p99_9_ns -1");
	assert_no_floor(text, "p99_9_ns 52000", "p99_9_ns 52us");
	assert_no_floor(text, "p99_9_ns 52000", "p99_9_ns 99999999999999999999");
	assert_no_floor(text, "max_ns 1000000\n", "max_ns 1000000"); /* cut short */
	memset(lengthy, 'x', sizeof(lengthy) - 1);
	lengthy[sizeof(lengthy) - 1] = '\0';
	assert_no_floor(text, "6.1.0-30-amd64", lengthy);
}

/* In a folder of its own. */
static void change_file(const char *path, const char *line, const char *instead)
{
	char text[TLOBCTL_FLOOR_BYTES], *at;
	FILE *f = fopen(path, "r+");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	at = strstr(text, line);
	assert_non_null(at);
	memcpy(at, instead, strlen(instead));
	rewind(f);
	fwrite(text, 1, n, f);
	fclose(f);
}

static void test_a_floor_is_of_this_boot(void **state)
{
	char home[] = "/tmp/test_floor.XXXXXX", path[128];
	struct tlobctl_floor floor, here = sample;
	struct stat st;

	assert_non_null(mkdtemp(home));
	setenv("XDG_STATE_HOME", home, 1);
	snprintf(path, sizeof(path), "%s/tlob/floor", home);
	assert_int_equal(tlobctl_floor_read(&floor), -ENOENT);
	assert_int_equal(tlobctl_floor_write(&sample), 0);
	assert_int_equal(tlobctl_floor_read(&floor), 0);
	tlobctl_floor_here(&here);
	assert_equal(&floor, &here);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	change_file(path, "boot_id ", "boot_id -------");
	assert_int_equal(tlobctl_floor_read(&floor), -ESTALE);
	assert_int_equal(tlobctl_floor_write(&sample), 0);
	change_file(path, "kernel ", "kernel -.-");
	assert_int_equal(tlobctl_floor_read(&floor), -ESTALE);
	change_file(path, "max_ns ", "most_ns");
	assert_int_equal(tlobctl_floor_read(&floor), -ENOENT);

	unlink(path);
	snprintf(path, sizeof(path), "%s/tlob", home);
	assert_int_equal(rmdir(path), 0); /* nothing is left beside it */
	rmdir(home);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_and_back),
		cmocka_unit_test(test_what_is_no_floor),
		cmocka_unit_test(test_a_floor_is_of_this_boot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
