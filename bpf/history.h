/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Switch history: what happened on each CPU in the last seconds, see core/history_entry.h. Context switches are written by
 * the program that keeps the thread clocks. Wake-ups and migrations have programs of their own, which are loaded only
 * for this.
 *
 * All of them run with interrupts off, so that a CPU has one writer at a time. (A thread that wakes itself does not
 * turn them off. That is no wake-up, and is not written.)
 */
#ifndef TLOB_BPF_HISTORY_H
#define TLOB_BPF_HISTORY_H

#include "kernel.h"

#include <history_entry.h>

const volatile bool history_on;
const volatile __u32 history_cpus = 1;
const volatile __u32 history_capacity = 1; /* entries of one CPU's ring, power of two */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* set by the loader */
	__type(key, __u32);
	__type(value, union tlob_history_line);
} history SEC(".maps");

/* An entry under way. */
struct tlob_writing {
	struct tlob_history_head *head;
	struct tlob_history_entry *entry; /* NULL: there is no room for this CPU */
	__u64 position;
	__u32 cpu;
};

static __always_inline void history_begin(struct tlob_writing *w)
{
	__u32 line;

	w->cpu = bpf_get_smp_processor_id();
	w->entry = NULL;
	if (w->cpu >= history_cpus)
		return;
	w->head = bpf_map_lookup_elem(&history, &w->cpu);
	if (!w->head)
		return;
	w->position = w->head->position;
	line = tlob_history_line_of(history_cpus, history_capacity, w->cpu, w->position);
	w->entry = bpf_map_lookup_elem(&history, &line);
	if (w->entry)
		tlob_history_begin(w->entry);
}

static __always_inline void history_describe(struct tlob_history_entry *e, struct task_struct *task)
{
	const __u64 *comm = (const __u64 *)task->comm;

	e->tgid = task->tgid;
	e->priority = (__s16)task->prio;
	((__u64 *)e->comm)[0] = comm[0];
	((__u64 *)e->comm)[1] = comm[1];
	e->cgroup = kernel_cgroup(task);
}

static __always_inline void history_switch(__u64 *ctx, struct task_struct *prev,
					   struct task_struct *next, __u64 now)
{
	struct tlob_writing w;
	struct tlob_history_entry *e;
	__u8 flags = 0;

	history_begin(&w);
	e = w.entry;
	if (!e)
		return;
	e->time_ns = now;
	e->prev_tid = prev->pid;
	e->tid = next->pid;
	e->cpu = w.cpu;
	e->kind = TLOB_HISTORY_SWITCH;
	history_describe(e, next);
	if (next->flags & PF_KTHREAD)
		flags |= TLOB_HISTORY_KTHREAD;
	if (kernel_still_runnable(ctx, prev)) {
		e->prev_state = TLOB_HISTORY_RUNNABLE;
		if (kernel_throttled(prev))
			flags |= TLOB_HISTORY_THROTTLED;
	} else {
		e->prev_state = (__u16)kernel_left_for(ctx, prev);
		e->syscall = (__u16)kernel_syscall(prev);
		if (BPF_CORE_READ_BITFIELD(prev, in_iowait))
			flags |= TLOB_HISTORY_IOWAIT;
	}
	e->flags = flags;
	tlob_history_commit(w.head, e, w.position);
}

/* The waker is whoever had this CPU: the switch before tells its name. */
static __always_inline void history_wake(struct task_struct *task, __u8 kind)
{
	struct task_struct *waker = bpf_get_current_task_btf();
	struct tlob_writing w;
	struct tlob_history_entry *e;
	int interrupt;

	if (task == waker)
		return;
	history_begin(&w);
	e = w.entry;
	if (!e)
		return;
	e->time_ns = bpf_ktime_get_ns();
	e->prev_tid = waker->pid;
	e->tid = task->pid;
	e->cpu = w.cpu;
	e->kind = kind;
	interrupt = kernel_in_interrupt(waker, (__u64 *)e->comm);
	e->flags = interrupt ? TLOB_HISTORY_INTERRUPT : 0;
	if (interrupt == INTERRUPT_SOFT) {
		e->flags |= TLOB_HISTORY_SOFT;
		e->syscall = (__u16)kernel_syscall(waker);
	}
	tlob_history_commit(w.head, e, w.position);
}

/* Not sched_wakeup: that may happen in an interrupt of the CPU on which the woken thread will run. */
SEC("tp_btf/sched_waking")
int history_waking(__u64 *ctx)
{
	history_wake((struct task_struct *)ctx[0], TLOB_HISTORY_WAKE);
	return 0;
}

SEC("tp_btf/sched_wakeup_new")
int history_wakeup_new(__u64 *ctx)
{
	history_wake((struct task_struct *)ctx[0], TLOB_HISTORY_NEW);
	return 0;
}

/* Arguments: the thread, the CPU whose queue it goes to. */
SEC("tp_btf/sched_migrate_task")
int history_migrate(__u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];
	struct tlob_writing w;
	struct tlob_history_entry *e;

	history_begin(&w);
	e = w.entry;
	if (!e)
		return 0;
	e->time_ns = bpf_ktime_get_ns();
	e->prev_tid = 0;
	e->tid = task->pid;
	e->cpu = w.cpu;
	e->kind = TLOB_HISTORY_MIGRATE;
	e->flags = 0;
	e->other_cpu = (__u16)ctx[1];
	tlob_history_commit(w.head, e, w.position);
	return 0;
}

#endif
