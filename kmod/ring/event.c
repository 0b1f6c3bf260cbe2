// SPDX-License-Identifier: GPL-2.0-only
/* What is written to the page ring of the CPU it happens on, while somebody has that open. */
#include <linux/cgroup.h>
#include <linux/kernfs.h>
#include <linux/mm_types.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/sched/task_stack.h>
#include <linux/string.h>
#include <linux/version.h>
#include <asm/syscall.h>
#include <trace/events/sched.h>

#include <rv/rv.h>

#include "ring.h"

const char *const pring_type_names[TLOB_PAGE_TYPES] = {
	[TLOB_PAGE_SWITCH] = "switch",	 [TLOB_PAGE_WAKE] = "wake",
	[TLOB_PAGE_RECORD] = "record",	 [TLOB_PAGE_MARK] = "mark",
	[TLOB_PAGE_MIGRATE] = "migrate",
};

#define ALL_TYPES (((1u << TLOB_PAGE_TYPES) - 1) & ~(1u << TLOB_PAGE_PADDING))
#define SCHED_TYPES (1u << TLOB_PAGE_SWITCH | 1u << TLOB_PAGE_WAKE | 1u << TLOB_PAGE_MIGRATE)

static DEFINE_MUTEX(record_mutex); /* the two below, and the hooks */
static unsigned int recorders;
static bool hooked;
static u32 types = ALL_TYPES;

/* ---- one event ---- */

struct writing {
	struct tlob_page_reserved reserved;
	struct pring_buffer *buffer; /* NULL: nobody has it open */
	struct pring_cpu *cpu;
	bool ok;
};

/* Stays on this CPU until end(), which follows in any case. */
static void *begin(struct writing *w, u16 type, u32 bytes) __acquires(RCU)
{
	preempt_disable_notrace();
	rcu_read_lock();
	w->cpu = pring_cpu_of(raw_smp_processor_id());
	w->buffer = rcu_dereference(w->cpu->target);
	w->ok = w->buffer && tlob_page_reserve(&w->buffer->ring, type, bytes, &w->reserved);
	return w->ok ? w->reserved.payload : NULL;
}

/* Whoever waits is told of what is urgent, and of each page that is full; of the rest the tick tells. */
static void end(struct writing *w, bool urgent) __releases(RCU)
{
	struct pring_view *view = &w->cpu->live;

	if (w->ok) {
		tlob_page_commit(&w->buffer->ring, &w->reserved);
		if (urgent || READ_ONCE(view->last_page) != w->reserved.number) {
			WRITE_ONCE(view->last_page, w->reserved.number);
			pring_view_wake(view);
		}
	}
	rcu_read_unlock();
	preempt_enable_notrace();
}

static bool wanted(u16 type)
{
	return READ_ONCE(types) & 1u << type;
}

/* ---- what is known of a thread ---- */

/* What it left the CPU for. The high bits say how it may be woken, but for sleeps that have nothing else. */
static u16 left_for(bool preempt, unsigned int state)
{
	if (preempt || !state) /* preempted on its way to sleep it is still runnable */
		return 0;
	return state & 0xff ? state & 0xff : TASK_UNINTERRUPTIBLE;
}

static u16 syscall_of(struct task_struct *task)
{
	int number;

	if (task->flags & PF_KTHREAD || syscall_get_arch(task) != syscall_get_arch(&init_task))
		return TLOB_PAGE_NO_SYSCALL;
	number = syscall_get_nr(task, task_pt_regs(task));
	return number >= 0 && number < TLOB_PAGE_NO_SYSCALL ? number : TLOB_PAGE_NO_SYSCALL;
}

/* Its own kernel takes care that it stays: it is about to run. */
static u64 cgroup_of(struct task_struct *task)
{
#ifdef CONFIG_CGROUPS
	return rcu_dereference_raw(task->cgroups)->dfl_cgrp->kn->id;
#else
	return 0;
#endif
}

/* Before, only the scheduler itself can tell. */
static bool throttled(const struct task_struct *task)
{
#if defined(CONFIG_CFS_BANDWIDTH) && LINUX_VERSION_CODE >= KERNEL_VERSION(6, 18, 0)
	return task->throttled;
#else
	return false;
#endif
}

/* ---- the scheduler's ---- */

static void on_switch(void *data, bool preempt, struct task_struct *prev, struct task_struct *next,
		      unsigned int prev_state)
{
	struct tlob_page_switch *e;
	struct writing w;

	if (!wanted(TLOB_PAGE_SWITCH))
		return;
	e = begin(&w, TLOB_PAGE_SWITCH, sizeof(*e));
	if (e) {
		e->prev_tid = prev->pid;
		e->tid = next->pid;
		e->tgid = next->tgid;
		e->prev_state = left_for(preempt, prev_state);
		e->priority = next->prio;
		memcpy(e->comm, next->comm, sizeof(e->comm));
		e->cgroup = cgroup_of(next);
		e->syscall = e->prev_state ? syscall_of(prev) : TLOB_PAGE_NO_SYSCALL;
		e->flags = next->flags & PF_KTHREAD ? TLOB_PAGE_SWITCH_KTHREAD : 0;
		if (e->prev_state && prev->in_iowait)
			e->flags |= TLOB_PAGE_SWITCH_IOWAIT;
		if (!e->prev_state && throttled(prev))
			e->flags |= TLOB_PAGE_SWITCH_THROTTLED;
		e->reserved = 0;
	}
	end(&w, false);
}

static void write_wake(struct task_struct *p, u32 flags)
{
	struct tlob_page_wake *e;
	struct writing w;

	if (!wanted(TLOB_PAGE_WAKE) || p == current) /* who wakes itself was not asleep */
		return;
	e = begin(&w, TLOB_PAGE_WAKE, sizeof(*e));
	if (e) {
		e->waker_tid = current->pid;
		e->tid = p->pid;
		e->flags = flags | (in_task() ? 0 : TLOB_PAGE_WAKE_INTERRUPT);
		e->syscall = TLOB_PAGE_NO_SYSCALL;
		if (in_serving_softirq() && !in_hardirq() && !in_nmi()) {
			e->flags |= TLOB_PAGE_WAKE_SOFT;
			e->syscall = syscall_of(current);
		}
		e->reserved = 0;
	}
	end(&w, false);
}

static void on_waking(void *data, struct task_struct *p)
{
	write_wake(p, 0);
}

static void on_wakeup_new(void *data, struct task_struct *p)
{
	write_wake(p, TLOB_PAGE_WAKE_NEW);
}

static void on_migrate(void *data, struct task_struct *p, int to)
{
	struct tlob_page_migrate *e;
	struct writing w;

	if (!wanted(TLOB_PAGE_MIGRATE))
		return;
	e = begin(&w, TLOB_PAGE_MIGRATE, sizeof(*e));
	if (e) {
		e->tid = p->pid;
		e->cpu = to;
		e->reserved = 0;
	}
	end(&w, false);
}

static struct rvc_hook hooks[] = {
	{"sched_switch", on_switch},
	{"sched_waking", on_waking},
	{"sched_wakeup_new", on_wakeup_new},
	{"sched_migrate_task", on_migrate},
};

static void __maybe_unused check_types(void)
{
	check_trace_callback_type_sched_switch(on_switch);
	check_trace_callback_type_sched_waking(on_waking);
	check_trace_callback_type_sched_wakeup_new(on_wakeup_new);
	check_trace_callback_type_sched_migrate_task(on_migrate);
}

/* ---- tlob's own ---- */

void pring_record(const struct tlob_record *record)
{
	struct tlob_record *e;
	struct writing w;

	if (!wanted(TLOB_PAGE_RECORD))
		return;
	e = begin(&w, TLOB_PAGE_RECORD, sizeof(*e));
	if (e)
		*e = *record;
	end(&w, true);
}

int pring_mark(const char *text, size_t bytes)
{
	struct writing w;
	char *e;
	int ret = 0;

	if (!wanted(TLOB_PAGE_MARK))
		return -ENODEV;
	e = begin(&w, TLOB_PAGE_MARK, bytes + 1);
	if (e) {
		memcpy(e, text, bytes);
		/* the head counts in eights: no byte is left as it was */
		memset(e + bytes, 0, round_up(bytes + 1, 8) - bytes);
	} else {
		ret = w.buffer ? -ENOSPC : -ENODEV;
	}
	end(&w, false);
	return ret;
}

/* ---- whether at all ---- */

/* Attached while somebody has a ring open and wants the scheduler's events. */
static int hook(void)
{
	bool want = recorders > 0 && types & SCHED_TYPES;
	int ret = 0;

	lockdep_assert_held(&record_mutex);
	if (want && !hooked)
		ret = rvc_hooks_attach(hooks, ARRAY_SIZE(hooks));
	else if (!want && hooked)
		rvc_hooks_detach(hooks, ARRAY_SIZE(hooks));
	if (ret == 0)
		hooked = want;
	return ret;
}

int pring_record_start(void)
{
	int ret;

	mutex_lock(&record_mutex);
	recorders++;
	ret = hook();
	if (ret)
		recorders--;
	mutex_unlock(&record_mutex);
	return ret;
}

void pring_record_stop(void)
{
	mutex_lock(&record_mutex);
	recorders--;
	hook();
	mutex_unlock(&record_mutex);
}

u32 pring_types(void)
{
	return READ_ONCE(types);
}

int pring_types_set(u32 set)
{
	u32 was;
	int ret;

	mutex_lock(&record_mutex);
	was = types;
	WRITE_ONCE(types, set & ALL_TYPES);
	ret = hook();
	if (ret)
		WRITE_ONCE(types, was);
	mutex_unlock(&record_mutex);
	return ret;
}
