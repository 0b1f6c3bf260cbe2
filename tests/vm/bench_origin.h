/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What two context switches cost with tests/vm/origin loaded, for bench.c. Needs median() and friends from there. */
#ifndef TESTS_VM_BENCH_ORIGIN_H
#define TESTS_VM_BENCH_ORIGIN_H

#include <sys/syscall.h>

#include "tap.h"

#define ORIGIN_ADD "/sys/module/origin/parameters/add"
#define ORIGIN_MOST 64

static unsigned int origin_tasks(void)
{
	char text[32];

	return strtoul(read_file(ORIGIN_ADD, text, sizeof(text)), NULL, 10);
}

static int origin_add(void)
{
	int ret = write_file(ORIGIN_ADD, "1");

	return ret < 0 ? ret : 0;
}

static void origin_load(const char *parameters)
{
	int fd = open("/origin.ko", O_RDONLY | O_CLOEXEC);

	check(syscall(SYS_finit_module, fd, parameters, 0) == 0, "%s", parameters);
	close(fd);
}

static void origin_unload(void)
{
	check(syscall(SYS_delete_module, "origin", O_NONBLOCK) == 0);
}

#endif
