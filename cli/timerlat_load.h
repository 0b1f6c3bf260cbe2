/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --load: noise of known kinds, to see what it does to this machine's latency. */
#ifndef TLOB_CLI_TIMERLAT_LOAD_H
#define TLOB_CLI_TIMERLAT_LOAD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct timerlat_load {
	unsigned int kinds; /* bit by bit, of the table in timerlat_load.c; 0: none */
	pid_t pid; /* of the process that makes it; 0: none runs */
};

/* "cpu,io", "all". 0 or an exit status having said why. */
int timerlat_load_parse(const char *text, unsigned int *kinds);
/*
 * One thread of each kind on each of @cpus (NULL: wherever the scheduler puts them), in a process of its own that ends
 * with this one. 0 or an exit status having said why.
 */
int timerlat_load_start(struct timerlat_load *load, const uint32_t *cpus, size_t ncpus);
void timerlat_load_stop(struct timerlat_load *load);

#endif
