// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Programs on probes may be preempted by themselves, running for another thread. Kernels from 6.13 on take frames of 64
 * bytes and more from a stack that belongs to the CPU, where the two would write over each other; so each frame of
 * these programs must stay below that. The verifier tells their sizes. Skipped where nothing can be loaded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bpf/libbpf.h>

#include "tlob.skel.h"

#define LOG_BYTES (1 << 20)
#define STATISTICS 4 /* log level */
#define PROGRAMS 4
#define LIMIT 64
#define ROUNDED(bytes) (((bytes) + 15) / 16 * 16)

/* "stack depth 16+32+8": the program's own frame, then those of its functions. */
static void check_frames(const char *program, const char *log)
{
	static const char text[] = "stack depth ";
	const char *s = strstr(log, text);
	char *end;

	assert_non_null(s);
	for (s += sizeof(text) - 1;; s = end + 1) {
		unsigned long depth = strtoul(s, &end, 10);

		if (ROUNDED(depth) >= LIMIT)
			print_message("%s: a frame of %lu bytes\n", program, depth);
		assert_true(ROUNDED(depth) < LIMIT);
		if (*end != '+')
			return;
	}
}

/* 0, or what kept it from being loaded. */
static int check_programs(bool timers)
{
	struct tlob *skel = tlob__open();
	struct bpf_program *programs[PROGRAMS];
	char *logs[PROGRAMS];
	int err;

	assert_non_null(skel);
	skel->rodata->kernel_timers = timers;
	programs[0] = skel->progs.probe_start;
	programs[1] = skel->progs.probe_stop;
	programs[2] = skel->progs.passage_start;
	programs[3] = skel->progs.passage_stop;
	for (int i = 0; i < PROGRAMS; i++) {
		logs[i] = calloc(1, LOG_BYTES);
		assert_non_null(logs[i]);
		bpf_program__set_log_level(programs[i], STATISTICS);
		bpf_program__set_log_buf(programs[i], logs[i], LOG_BYTES);
	}
	err = tlob__load(skel);
	for (int i = 0; i < PROGRAMS; i++) {
		if (!err)
			check_frames(bpf_program__name(programs[i]), logs[i]);
		free(logs[i]);
	}
	tlob__destroy(skel);
	return err;
}

static void frames_are_small(void **state)
{
	int without, with;

	libbpf_set_print(NULL);
	without = check_programs(false);
	with = check_programs(true); /* not on real-time kernels */
	if (without && with)
		skip();
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(frames_are_small)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
