/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TLOBCTL_NOW_H
#define TLOBCTL_NOW_H

#include <stdint.h>
#include <time.h>

#define TLOBCTL_NS_PER_S 1000000000ULL

static inline uint64_t tlobctl_clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * TLOBCTL_NS_PER_S + (uint64_t)t.tv_nsec;
}

static inline uint64_t tlobctl_now_ns(void)
{
	return tlobctl_clock_ns(CLOCK_MONOTONIC);
}

/* CPU time of this thread. */
static inline uint64_t tlobctl_cpu_ns(void)
{
	return tlobctl_clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

#endif
