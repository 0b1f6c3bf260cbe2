/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs know of the kernel, and the only place where its versions matter. The structs hold the
 * members that are read and nothing else; libbpf moves each access to where the running kernel keeps it.
 */
#ifndef TLOB_BPF_KERNEL_H
#define TLOB_BPF_KERNEL_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define TASK_COMM_LEN 16
#define TIMER_ABSOLUTE 1 /* BPF_F_TIMER_ABS: Linux 6.4 */
#define TIMER_PINNED 2 /* BPF_F_TIMER_CPU_PIN: Linux 6.7 */
#define HRTIMER_SOFTIRQ 8 /* since 2.6.32; part of what /proc/softirqs shows */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct rq {
	__u64 clock;
};

struct cfs_rq {
	struct rq *rq; /* with CONFIG_FAIR_GROUP_SCHED */
};

struct sched_entity {
	struct cfs_rq *cfs_rq; /* with CONFIG_FAIR_GROUP_SCHED; follows the task of any class from CPU to CPU */
};

/* With CONFIG_SCHED_INFO. Times of the run queue's clock. */
struct sched_info {
	unsigned long long run_delay; /* all waiting up to the last time it was taken off a queue */
	unsigned long long last_arrival; /* when it got the CPU */
	unsigned long long last_queued; /* since when it waits; 0 while it runs or sleeps */
};

struct task_struct {
	unsigned int __state; /* Linux 5.14 */
	int pid;
	int tgid;
	char comm[TASK_COMM_LEN];
	struct task_struct *group_leader;
	struct sched_entity se;
	struct sched_info sched_info;
};

#pragma clang attribute pop

/* Linux 6.2. Without it a wake-up program keeps the books that are otherwise looked up. */
extern struct task_struct *bpf_task_from_pid(__s32 pid) __ksym __weak;
extern void bpf_task_release(struct task_struct *task) __ksym __weak;

/* What the loader found out about this kernel. */
const volatile bool kernel_switch_state; /* sched_switch passes the state of @prev: Linux 5.18 */
const volatile bool kernel_task_from_pid;

/* The run queue's clock of @task's CPU; 0 if this kernel does not let us at it. */
static __always_inline __u64 kernel_queue_clock(struct task_struct *task)
{
	if (!bpf_core_field_exists(task->se.cfs_rq))
		return 0;
	return task->se.cfs_rq->rq->clock;
}

static __always_inline bool kernel_has_queue_stamp(struct task_struct *task)
{
	return bpf_core_field_exists(task->sched_info.last_queued);
}

/* Arguments of sched_switch: bool preempt, prev, next, and since 5.18 unsigned int prev_state. */
static __always_inline bool kernel_still_runnable(__u64 *ctx, struct task_struct *prev)
{
	if (ctx[0] & 0xff)
		return true;
	if (kernel_switch_state)
		return (__u32)ctx[3] == 0;
	return prev->__state == 0;
}

#endif
