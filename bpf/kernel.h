/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs know of the kernel, and the only place where its versions matter. The structs hold the
 * members that are read and nothing else; libbpf moves each access to where the running kernel keeps it.
 */
#ifndef TLOB_BPF_KERNEL_H
#define TLOB_BPF_KERNEL_H

#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <stdbool.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

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
	int throttle_count; /* with CONFIG_CFS_BANDWIDTH */
};

struct sched_entity {
	struct cfs_rq *
		cfs_rq; /* with CONFIG_FAIR_GROUP_SCHED; follows the task of any class from CPU to CPU */
};

/* With CONFIG_SCHED_INFO. Times of the run queue's clock. */
struct sched_info {
	unsigned long long run_delay; /* all waiting up to the last time it was taken off a queue */
	unsigned long long last_arrival; /* when it got the CPU */
	unsigned long long last_queued; /* since when it waits; 0 while it runs or sleeps */
};

struct kernfs_node {
	__u64 id;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup *dfl_cgrp; /* in the hierarchy of version 2 */
};

struct atomic_counter {
	int counter;
};

struct signal_struct {
	struct atomic_counter live; /* threads that have not begun to exit */
};

struct thread_info {
	unsigned int preempt_count; /* not on x86; the lower half on arm64 */
};

struct upid {
	int nr;
	void *ns;
};

struct pid {
	unsigned int level; /* of the namespace it was made in: 0 is the initial one */
	struct upid numbers[1]; /* one for each level */
};

/* Of a function that is to return into a probe. */
struct return_instance {
	unsigned long stack;
	unsigned long orig_ret_vaddr;
	struct return_instance *next;
};

struct uprobe_task {
	struct return_instance *return_instances;
};

struct task_struct {
	struct thread_info thread_info;
	struct uprobe_task *utask; /* with CONFIG_UPROBES */
	void *stack;
	unsigned int __state; /* Linux 5.14 */
	unsigned int flags;
	int prio;
	__u64 self_exec_id; /* one more with each exec; 64 bits since Linux 5.7 */
	struct signal_struct *signal;
	unsigned int in_iowait : 1;
	bool throttled; /* Linux 6.18, with CONFIG_CFS_BANDWIDTH */
	struct css_set *cgroups; /* with CONFIG_CGROUPS */
	int pid;
	int tgid;
	__u64 start_time;
	char comm[TASK_COMM_LEN];
	struct pid *thread_pid;
	struct task_struct *group_leader;
	struct sched_entity se;
	struct sched_info sched_info;
};

struct irqaction {
	const char *name;
};

struct pcpu_hot {
	int preempt_count; /* x86 from Linux 6.2 to 6.14 */
};

struct pt_regs___syscall {
	unsigned long orig_ax; /* x86 */
	unsigned short cs; /* x86 */
	int syscallno; /* arm64 */
	unsigned long pstate; /* arm64 */
};

#pragma clang attribute pop

/* What updates of maps return. Before Linux 6.4 the upper half of it is anything, for kinds of maps that are called directly. */
#define MAP_ERROR(update) ((int)(update))

/* Linux 6.2. Without it a wake-up program keeps the books that are otherwise looked up. */
extern struct task_struct *bpf_task_from_pid(__s32 pid) __ksym __weak;
extern void bpf_task_release(struct task_struct *task) __ksym __weak;

/* What the loader found out about this kernel. */
const volatile bool kernel_switch_state; /* sched_switch passes the state of @prev: Linux 5.18 */
const volatile bool kernel_task_from_pid;
/* x86: from a CPU's run queue to the variable with its preemption count, both being per CPU. 0: unknown. */
const volatile __s32 kernel_count_distance;

/* The agent is in a pid namespace of its own, where processes have other numbers. */
const volatile bool kernel_foreign;
__u32 agent_level;
__u64 agent_namespace; /* an address, to be compared */

/* What @task, a process's leader, is called in the namespace at @level. False: it is not there. */
static __always_inline bool kernel_number(struct task_struct *task, __u32 level, struct upid *out)
{
	__u64 pid = (__u64)BPF_CORE_READ(task, thread_pid);

	if (level > BPF_CORE_READ(task, thread_pid, level))
		return false;
	pid += bpf_core_field_offset(struct pid, numbers) + level * sizeof(struct upid);
	return !bpf_probe_read_kernel(out, sizeof(*out), (void *)pid);
}

/* The number by which the agent knows the process of @task; 0: it does not. */
static __always_inline __u32 kernel_tgid(struct task_struct *task)
{
	struct upid number = {};

	if (!kernel_foreign)
		return task->tgid;
	if (!kernel_number(task->group_leader, agent_level, &number) ||
	    (__u64)number.ns != agent_namespace)
		return 0;
	return number.nr;
}

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

/* Another after each exec. */
static __always_inline __u64 kernel_exec_of(struct task_struct *task)
{
	return bpf_core_field_exists(task->self_exec_id) ? task->self_exec_id : 0;
}

/* All its threads are on their way out. */
static __always_inline bool kernel_is_leaving(struct task_struct *task)
{
	return bpf_core_field_exists(struct signal_struct, live) && task->signal->live.counter <= 0;
}

#if defined(__TARGET_ARCH_arm64)
typedef struct user_pt_regs kernel_regs;
#else
typedef struct pt_regs kernel_regs;
#endif

/* What the program's registers were when it entered the kernel. */
static __always_inline void kernel_user_regs(struct task_struct *task, __u64 *regs)
{
	bpf_probe_read_kernel(regs, sizeof(kernel_regs), (void *)bpf_task_pt_regs(task));
}

#define PF_KTHREAD 0x00200000
#define SOFTIRQ_SERVED 0x00000100 /* of the preemption count */
#define HARDIRQ_SERVED 0x000f0000
#define COUNT_MASK 0x7fffffff /* x86 keeps another flag above */

/* -1 if it cannot be had. Without kallsyms for variables, x86 leaves only the way from one variable to another. */
static __always_inline int kernel_preempt_count(struct task_struct *current)
{
	__u64 at;
	__u32 count;

	if (bpf_core_field_exists(struct thread_info, preempt_count))
		return current->thread_info.preempt_count & COUNT_MASK;
	if (!kernel_count_distance || !bpf_core_field_exists(current->se.cfs_rq))
		return -1;
	at = (__u64)current->se.cfs_rq->rq + (__s64)kernel_count_distance;
	if (bpf_core_field_exists(struct pcpu_hot, preempt_count))
		at += bpf_core_field_offset(struct pcpu_hot, preempt_count);
	if (bpf_probe_read_kernel(&count, sizeof(count), (void *)at))
		return -1;
	return count & COUNT_MASK;
}

#define INTERRUPT_NONE 0
#define INTERRUPT 1
#define INTERRUPT_SOFT 2 /* surely */

/*
 * Is this an interrupt, and not @current's own doing? Where the preemption count does not tell: interrupts of the
 * kernel have a stack of their own, and those of user code find no system call under way (nor do exceptions, which
 * are then taken for interrupts). @scratch, two words of a map, is where addresses become numbers.
 */
static __always_inline int kernel_in_interrupt(struct task_struct *current, volatile __u64 *scratch)
{
	struct pt_regs___syscall *regs;
	__u64 here = 0;
	int count;

	if (!current->pid)
		return INTERRUPT;
	count = kernel_preempt_count(current);
	if (count >= 0)
		return count & HARDIRQ_SERVED ? INTERRUPT :
		       count & SOFTIRQ_SERVED ? INTERRUPT_SOFT :
						INTERRUPT_NONE;
	regs = (struct pt_regs___syscall *)bpf_task_pt_regs(current);
	scratch[0] = (__u64)&here;
	scratch[1] = (__u64)regs;
	if (scratch[0] < (__u64)current->stack || scratch[0] >= scratch[1])
		return INTERRUPT;
	if (current->flags & PF_KTHREAD || !bpf_core_field_exists(regs->orig_ax))
		return INTERRUPT_NONE;
	return (int)regs->orig_ax == -1 ? INTERRUPT : INTERRUPT_NONE;
}

/* Runnable, but its control group's quota is used up. */
static __always_inline bool kernel_throttled(struct task_struct *task)
{
	if (bpf_core_field_exists(task->throttled))
		return task->throttled;
	if (bpf_core_field_exists(task->se.cfs_rq) &&
	    bpf_core_field_exists(struct cfs_rq, throttle_count))
		return task->se.cfs_rq->throttle_count > 0;
	return false;
}

static __always_inline __u64 kernel_cgroup(struct task_struct *task)
{
	if (!bpf_core_field_exists(task->cgroups))
		return 0;
	return task->cgroups->dfl_cgrp->kn->id;
}

#define X86_USER32_CS 0x23
#define ARM64_MODE32 0x10

/*
 * The system call that @task, which is in the kernel, is in. -1: none, a thread of the kernel, or a 32-bit program, whose
 * numbers are others.
 */
static __always_inline int kernel_syscall(struct task_struct *task)
{
	struct pt_regs___syscall *regs;

	if (task->flags & PF_KTHREAD)
		return -1;
	regs = (struct pt_regs___syscall *)bpf_task_pt_regs(task);
	if (bpf_core_field_exists(regs->orig_ax))
		return regs->cs == X86_USER32_CS ? -1 : (int)regs->orig_ax;
	if (bpf_core_field_exists(regs->syscallno))
		return regs->pstate & ARM64_MODE32 ? -1 : regs->syscallno;
	return -1;
}

#if defined(__TARGET_ARCH_x86)
#define ARGUMENT6(regs) (__PT_REGS_CAST(regs)->r9)
#elif defined(__TARGET_ARCH_arm64)
#define ARGUMENT6(regs) (__PT_REGS_CAST(regs)->regs[5])
#else
#define ARGUMENT6(regs) 0
#endif

/* The verifier wants each register read where it is, not from an address that was chosen. */
#define ARGUMENT(n, value) \
	if (number == (n)) { \
		argument = (value); \
		barrier_var(argument); \
		return argument; \
	}

/* The @number-th argument, from 1, of the function that is entered with @regs; of integers and pointers. */
static __always_inline __u64 kernel_argument(struct pt_regs *regs, __u32 number)
{
	__u64 argument = 0;

	ARGUMENT(1, PT_REGS_PARM1(regs));
	ARGUMENT(2, PT_REGS_PARM2(regs));
	ARGUMENT(3, PT_REGS_PARM3(regs));
	ARGUMENT(4, PT_REGS_PARM4(regs));
	ARGUMENT(5, PT_REGS_PARM5(regs));
	ARGUMENT(6, ARGUMENT6(regs));
	return 0;
}

/* What it leaves the CPU for; only if it is not still runnable. */
static __always_inline __u32 kernel_left_for(__u64 *ctx, struct task_struct *prev)
{
	return kernel_switch_state ? (__u32)ctx[3] : prev->__state;
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
