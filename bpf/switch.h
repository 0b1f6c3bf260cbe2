/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Thread clocks. One program on sched_switch is enough: when a thread gets the CPU back, the scheduler's own
 * stamp tells how much of the time off the CPU it spent in the queue. Wake-ups, of which there are as many as
 * switches, are left alone.
 */
#ifndef TLOB_BPF_SWITCH_H
#define TLOB_BPF_SWITCH_H

#include "interrupts.h"
#include "stacks.h"

/* Wake-ups are followed by a program of their own: on kernels where a queue cannot be looked into at expiry. */
const volatile bool follow_wakeups;

/* Both run with the run queue locked, so a clock has one writer at a time. */

static __always_inline void leave_cpu(struct tlob_clock *c, struct task_struct *task, bool runnable,
				      __u64 now)
{
	__u64 queue_now = kernel_queue_clock(task);

	tlob_clock_write_begin(c);
	if (queue_now)
		tlob_store(&c->queue_skew_ns, now - queue_now);
	else if (kernel_has_queue_stamp(task))
		tlob_store(&c->queue_skew_ns, c->since_ns - task->sched_info.last_arrival);
	if (kernel_has_queue_stamp(task))
		tlob_store(&c->queue_delay_ns, task->sched_info.run_delay);
	tlob_clock_step(c, runnable ? TLOB_MODEL_EVENT_PREEMPT : TLOB_MODEL_EVENT_SLEEP, now);
	tlob_store(&c->switches, c->switches + 1);
	tlob_clock_write_end(c);
}

/*
 * How long @task has waited since it left the CPU. Its last stamp starts anew whenever it is moved from one
 * queue to another; what it waited before that has been added to run_delay.
 */
static __always_inline __u64 queued_ns(struct tlob_clock *c, struct task_struct *task,
				       __u64 queue_now)
{
	__u64 since = task->sched_info.last_queued;
	__u64 waited = task->sched_info.run_delay - tlob_load(&c->queue_delay_ns);

	if (since && queue_now > since)
		waited += queue_now - since;
	return waited;
}

static __always_inline void take_cpu(struct tlob_clock *c, struct task_struct *task, __u64 now)
{
	tlob_clock_write_begin(c);
	if (!follow_wakeups && kernel_has_queue_stamp(task) &&
	    tlob_load(&c->state) == TLOB_SLEEPING) {
		__u64 queue_now = kernel_queue_clock(task);
		__u64 since = tlob_load(&c->since_ns), waited;

		waited = queued_ns(c, task, queue_now ? queue_now : now - c->queue_skew_ns);
		/* a clock that is ahead of this CPU's stays where it is */
		tlob_clock_step(c, TLOB_MODEL_EVENT_WAKEUP,
				now > since && now - since > waited ? now - waited : since);
	}
	tlob_clock_step(c, TLOB_MODEL_EVENT_SWITCH_IN, now);
	tlob_store(&c->cpu, bpf_get_smp_processor_id());
	tlob_clock_write_end(c);
}

/* @task gets the CPU. Returns how long it has slept. */
static __always_inline __u64 resume(struct tlob_clock *c, struct task_struct *task, __u64 now)
{
	__u64 slept = tlob_load(&c->sleeping_ns);

	take_cpu(c, task, now);
	return tlob_load(&c->sleeping_ns) - slept;
}

SEC("tp_btf/sched_switch")
int sched_switch(__u64 *ctx)
{
	struct task_struct *prev = (struct task_struct *)ctx[1];
	struct task_struct *next = (struct task_struct *)ctx[2];
	struct tlob_thread *thread;
	struct tlob_slot *slot;
	__u64 now = 0, since = 0, slept = 0;

	if (history_on) {
		now = bpf_ktime_get_ns();
		if (interrupts_on)
			interrupts_switch(prev, now);
		history_switch(ctx, prev, next, now);
	}
	thread = bpf_task_storage_get(&threads, prev, NULL, 0);
	if (thread) {
		bool runnable = kernel_still_runnable(ctx, prev);

		if (!now)
			now = bpf_ktime_get_ns();
		slot = thread_slot(thread);
		if (slot)
			leave_cpu(&slot->clock, prev, runnable, now);
		slot = probe_slot(thread);
		if (slot)
			leave_cpu(&slot->clock, prev, runnable, now);
	}
	thread = bpf_task_storage_get(&threads, next, NULL, 0);
	if (thread) {
		if (!now)
			now = bpf_ktime_get_ns();
		slot = thread_slot(thread);
		if (slot) {
			since = tlob_load(&slot->clock.since_ns);
			slept = resume(&slot->clock, next, now);
		}
		slot = probe_slot(thread);
		if (slot) {
			since = tlob_load(&slot->clock.since_ns);
			slept = resume(&slot->clock, next, now);
		}
		if (stacks_on && follow_wakeups) {
			since = thread->slept_since_ns;
			slept = thread->slept_ns;
			thread->slept_ns = 0;
		}
		if (stacks_on && (slept >= LONG_SLEEP_MIN_NS || tlob_load(&stacks_wanted)))
			resume_stacks(thread, next, since, slept);
	}
	return 0;
}

static __always_inline void wake_up(struct tlob_thread *thread, struct tlob_clock *c, __u64 now)
{
	__u64 since = tlob_load(&c->since_ns);

	if (tlob_load(&c->state) != TLOB_SLEEPING)
		return;
	thread->slept_since_ns = since;
	thread->slept_ns = now > since ? now - since : 0;
	tlob_clock_write_begin(c);
	tlob_clock_step(c, TLOB_MODEL_EVENT_WAKEUP, now);
	tlob_clock_write_end(c);
}

/* Only loaded with follow_wakeups. A thread that wakes itself before it slept is running in our books. */
SEC("tp_btf/sched_wakeup")
int sched_wakeup(__u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];
	struct tlob_thread *thread = bpf_task_storage_get(&threads, task, NULL, 0);
	struct tlob_slot *slot;
	__u64 now;

	if (!thread)
		return 0;
	now = bpf_ktime_get_ns();
	slot = thread_slot(thread);
	if (slot)
		wake_up(thread, &slot->clock, now);
	slot = probe_slot(thread);
	if (slot)
		wake_up(thread, &slot->clock, now);
	return 0;
}

#endif
