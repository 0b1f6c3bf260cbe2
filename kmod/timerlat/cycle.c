// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cycle of one holder: arm, interrupt, thread, return. All in the holder's thread, but for the timer, which interrupts it on the
 * same CPU.
 */
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/preempt.h>
#include <linux/sched/signal.h>

#include <compat/compat.h>

#include "timerlat.h"

u64 timerlat_period_us = TLOB_TIMERLAT_PERIOD_DEFAULT_US;

static enum hrtimer_restart timer_fired(struct hrtimer *timer)
{
	struct timerlat_holder *h = container_of(timer, struct timerlat_holder, timer);

	/* one that was armed just before the end may fire anywhere */
	if (READ_ONCE(h->end) == 0) {
		h->irq_ns = ktime_get_ns() - h->expected_ns;
		h->seq++;
		h->pid = current->pid;
		memcpy(h->comm, current->comm, sizeof(h->comm));
		timerlat_record(h, TLOB_TIMERLAT_IRQ, h->irq_ns);
		smp_store_release(&h->fired, true);
	}
	if (READ_ONCE(h->waiting))
		wake_up_process(h->task);
	return HRTIMER_NORESTART;
}

void timerlat_cycle_init(struct timerlat_holder *h)
{
	hrtimer_setup(&h->timer, timer_fired, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_PINNED_HARD);
}

/* The next period that has not begun; the first one is counted from now. */
static void set_expected(struct timerlat_holder *h)
{
	u64 period_ns = READ_ONCE(timerlat_period_us) * NSEC_PER_USEC;
	u64 now = ktime_get_ns(), missed;

	if (h->expected_ns == 0)
		h->expected_ns = now;
	h->expected_ns += period_ns;
	if (h->expected_ns < now) {
		missed = div64_u64(now - h->expected_ns, period_ns) + 1;
		h->expected_ns += missed * period_ns;
		h->missed += missed;
	}
}

static int arm(struct timerlat_holder *h)
{
	int ret;

	set_expected(h);
	WRITE_ONCE(h->fired, false);
	/* pinned means: to where this runs */
	preempt_disable();
	ret = timerlat_holder_check(h);
	if (ret == 0)
		hrtimer_start(&h->timer, ns_to_ktime(h->expected_ns), HRTIMER_MODE_ABS_PINNED_HARD);
	preempt_enable();
	h->armed = ret == 0;
	return ret;
}

static bool is_over(const struct timerlat_holder *h)
{
	return smp_load_acquire(&h->fired) || READ_ONCE(h->end);
}

static int wait_for_timer(struct timerlat_holder *h)
{
	int ret = 0;

	WRITE_ONCE(h->waiting, true);
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (is_over(h))
			break;
		if (signal_pending(current)) {
			ret = -ERESTARTSYS; /* still armed: the next read waits for the same */
			break;
		}
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	WRITE_ONCE(h->waiting, false);
	return ret;
}

/* The interrupt's part, out of the reach of the next one. */
static void take_cycle(struct timerlat_holder *h)
{
	u64 thread_ns = ktime_get_ns() - h->expected_ns;

	h->last = (struct tlob_timerlat_sample){
		.seq = h->seq,
		.missed = h->missed,
		.expected_ns = h->expected_ns,
		.irq_ns = h->irq_ns,
		.thread_ns = thread_ns,
		.pid = h->pid,
	};
	memcpy(h->last.comm, h->comm, sizeof(h->last.comm));
	h->armed = false;
	h->returned = false;
	timerlat_record(h, TLOB_TIMERLAT_THREAD, thread_ns);
}

void timerlat_cycle_return(struct timerlat_holder *h)
{
	if (h->last.seq == 0 || h->returned)
		return;
	h->last.user_ns = ktime_get_ns() - h->last.expected_ns;
	h->returned = true;
	timerlat_record(h, TLOB_TIMERLAT_USER, h->last.user_ns);
}

int timerlat_cycle_wait(struct timerlat_holder *h)
{
	int ret = 0;

	if (!h->armed) {
		timerlat_cycle_return(h);
		ret = arm(h);
	}
	if (ret == 0)
		ret = wait_for_timer(h);
	if (ret == 0)
		ret = timerlat_holder_check(h);
	if (ret == 0)
		take_cycle(h);
	return ret;
}
