/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What /proc says about a thread of this process. All return false when it says nothing, or
 * something else.
 */
#ifndef TLOB_LIB_PROCFILE_H
#define TLOB_LIB_PROCFILE_H

#include <stdbool.h>

#include <tlob/abi.h>

struct tlob_procfile_stat {
	char comm[TLOB_COMM_BYTES];
	char state; /* R S D T t Z X I */
	__u32 cpu; /* where it runs or ran last */
};

/* The scheduler's debug file; may be absent. */
struct tlob_procfile_sched {
	__u64 exec_start_ns; /* when it was last on its CPU, by that CPU's clock */
	__u64 voluntary;
};

/* A file of a thread; negative if there is none. */
int tlob_procfile_open(__u32 tid, const char *name);
/* @n numbers, apart by blanks and nothing else, from the beginning of @fd. */
bool tlob_procfile_numbers(int fd, __u64 *values, int n);
/* @fd is thread @tid's. */
bool tlob_procfile_stat(int fd, __u32 tid, struct tlob_procfile_stat *out);
bool tlob_procfile_sched(__u32 tid, struct tlob_procfile_sched *out);

#endif
