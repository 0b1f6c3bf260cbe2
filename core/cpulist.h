/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists of CPUs as people and the kernel write them: "0-3,6". */
#ifndef TLOB_CORE_CPULIST_H
#define TLOB_CORE_CPULIST_H

#include <stddef.h>
#include <stdint.h>

#include "parse.h"

#define TLOB_CPULIST_MAX 8192 /* CPUs: what the kernel can be built for */

/*
 * Numbers and ranges, separated by commas, in any order; one named twice counts once. Fills @cpus, of @room, in ascending
 * order. Returns how many, or -EINVAL (that is no list), -ERANGE (a number of TLOB_CPULIST_MAX or more), -E2BIG (more
 * than @room); @err may be NULL.
 */
int tlob_cpulist_parse(const char *text, uint32_t *cpus, size_t room, struct tlob_parse_error *err);

/* The shortest list of the @n ascending @cpus. Returns the length it has in a buffer without end. */
size_t tlob_cpulist_print(char *buf, size_t size, const uint32_t *cpus, size_t n);

#endif
