/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The arithmetic of one cycle: what a thread that was to wake up at a time is late by, and when it is to wake up next. */
#ifndef TLOBCTL_TIMERLAT_CYCLE_H
#define TLOBCTL_TIMERLAT_CYCLE_H

#include <stdbool.h>
#include <stdint.h>

#include <tlob/ctl.h>

/* CLOCK_MONOTONIC, of one cycle. */
struct timerlat_marks {
	uint64_t deadline_ns; /* the time that was set */
	uint64_t user_ns; /* the thread's code looked at the clock */
	bool split; /* those below are known */
	uint64_t irq_ns; /* interrupt of the timer */
	uint64_t cpu_ns; /* the thread got the CPU */
};

static inline uint64_t timerlat_between(uint64_t ns, uint64_t least, uint64_t most)
{
	return ns < least ? least : ns > most ? most : ns;
}

/*
 * The parts always add up to the total. An interrupt that began before the time that was set is one that was being
 * served when it came: its share is 0.
 */
static inline void timerlat_split(const struct timerlat_marks *m, uint64_t parts[])
{
	uint64_t end = m->user_ns > m->deadline_ns ? m->user_ns : m->deadline_ns;
	uint64_t irq = timerlat_between(m->irq_ns, m->deadline_ns, end);
	uint64_t cpu = timerlat_between(m->cpu_ns, irq, end);

	parts[TLOBCTL_TIMERLAT_IRQ] = irq - m->deadline_ns;
	parts[TLOBCTL_TIMERLAT_THREAD] = cpu - irq;
	parts[TLOBCTL_TIMERLAT_USER_RET] = end - cpu;
	parts[TLOBCTL_TIMERLAT_TOTAL] = end - m->deadline_ns;
}

/* The first time after @now_ns on the grid of @deadline_ns; times that were passed over are added to *@skipped. */
static inline uint64_t timerlat_next(uint64_t deadline_ns, uint64_t period_ns, uint64_t now_ns,
				     uint64_t *skipped)
{
	uint64_t next = deadline_ns + period_ns, n = 0;

	if (next <= now_ns)
		n = (now_ns - next) / period_ns + 1;
	*skipped += n;
	return next + n * period_ns;
}

#endif
