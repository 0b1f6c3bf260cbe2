// SPDX-License-Identifier: GPL-2.0-only
/* What is too late, the first sample that was, and the largest of all. */
#include <linux/irq_work.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/wait.h>

#include "timerlat.h"

#define CREATE_TRACE_POINTS
#include "timerlat_trace.h"

u64 timerlat_stop_irq_us, timerlat_stop_total_us; /* 0: never */
DECLARE_WAIT_QUEUE_HEAD(timerlat_news);

static DEFINE_RAW_SPINLOCK(stop_lock); /* innermost, also inside the scheduler's */
static struct timerlat_stop stop_record;
static bool stopped;
static atomic64_t max_ns;

/* where a sample is taken nobody may be woken */
static void tell_news(struct irq_work *work)
{
	wake_up_interruptible_all(&timerlat_news);
}

static struct irq_work news_work = IRQ_WORK_INIT(tell_news);

void timerlat_news_deinit(void)
{
	irq_work_sync(&news_work);
}

/* ---- the largest ---- */

u64 timerlat_max_ns(void)
{
	return atomic64_read(&max_ns);
}

void timerlat_set_max_ns(u64 ns)
{
	atomic64_set(&max_ns, ns);
}

static void note_max(u64 ns)
{
	s64 old = atomic64_read(&max_ns);

	do {
		if (ns <= (u64)old)
			return;
	} while (!atomic64_try_cmpxchg(&max_ns, &old, ns));
	irq_work_queue(&news_work);
}

/* ---- stopping ---- */

bool timerlat_is_stopped(void)
{
	return READ_ONCE(stopped);
}

bool timerlat_stop_get(struct timerlat_stop *stop)
{
	unsigned long flags;
	bool ret;

	raw_spin_lock_irqsave(&stop_lock, flags);
	ret = stopped;
	*stop = stop_record;
	raw_spin_unlock_irqrestore(&stop_lock, flags);
	return ret;
}

void timerlat_stop_clear(void)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&stop_lock, flags);
	WRITE_ONCE(stopped, false);
	raw_spin_unlock_irqrestore(&stop_lock, flags);
}

/* The first one only: what led to it shall stay in the trace buffer. */
static void stop_with(const struct timerlat_stop *stop)
{
	unsigned long flags;
	bool first;

	raw_spin_lock_irqsave(&stop_lock, flags);
	first = !stopped;
	if (first) {
		stop_record = *stop;
		WRITE_ONCE(stopped, true);
	}
	raw_spin_unlock_irqrestore(&stop_lock, flags);
	if (!first)
		return;
	trace_tlob_timerlat_stop(stop);
	tracing_off();
	irq_work_queue(&news_work);
}

void timerlat_stop_migrated(const struct timerlat_holder *h)
{
	struct timerlat_stop stop = {
		.cpu = h->cpu,
		.context = TLOB_TIMERLAT_MIGRATED,
		.expected_ns = READ_ONCE(h->expected_ns),
		.time_ns = ktime_get_mono_fast_ns(),
		.pid = h->task->pid,
	};

	memcpy(stop.comm, h->task->comm, sizeof(stop.comm));
	stop_with(&stop);
}

static void stop_sample(const struct timerlat_holder *h, enum tlob_timerlat_context context,
			u64 latency_ns, u64 limit_us)
{
	struct timerlat_stop stop = {
		.cpu = h->cpu,
		.context = context,
		.latency_ns = latency_ns,
		.limit_ns = limit_us * NSEC_PER_USEC,
	};

	/* later contexts: the cycle that has ended, not one that its timer may have begun */
	stop.expected_ns = context == TLOB_TIMERLAT_IRQ ? h->expected_ns : h->last.expected_ns;
	stop.pid = context == TLOB_TIMERLAT_IRQ ? h->pid : h->last.pid;
	memcpy(stop.comm, context == TLOB_TIMERLAT_IRQ ? h->comm : h->last.comm, sizeof(stop.comm));
	stop.time_ns = stop.expected_ns + latency_ns;
	stop_with(&stop);
}

void timerlat_record(const struct timerlat_holder *h, enum tlob_timerlat_context context,
		     u64 latency_ns)
{
	u64 limit_us = context == TLOB_TIMERLAT_IRQ ? READ_ONCE(timerlat_stop_irq_us) :
						      READ_ONCE(timerlat_stop_total_us);

	if (timerlat_is_stopped())
		return;
	trace_tlob_timerlat_sample(context == TLOB_TIMERLAT_IRQ ? h->seq : h->last.seq, context,
				   latency_ns);
	note_max(latency_ns);
	if (limit_us && div_u64(latency_ns, NSEC_PER_USEC) >= limit_us)
		stop_sample(h, context, latency_ns, limit_us);
}
