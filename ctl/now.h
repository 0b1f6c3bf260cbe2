/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TLOBCTL_NOW_H
#define TLOBCTL_NOW_H

#include <stdint.h>
#include <time.h>

#define TLOBCTL_NS_PER_S 1000000000ULL

/* CLOCK_MONOTONIC. */
static inline uint64_t tlobctl_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * TLOBCTL_NS_PER_S + (uint64_t)t.tv_nsec;
}

#endif
