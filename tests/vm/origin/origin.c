// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A base for tests/vm/bench_origin.h: what the series that tlob descends from does at a context switch, with nothing around it. A hash of
 * 64 buckets and at most 64 tasks, looked up for both tasks of each switch; times in us under the task's own lock. With
 * global=1 the table's one lock is held for that, too; the series takes that one only where a window begins or ends.
 *
 * Left out: the automaton's step and its RV core. So it costs less than the series did.
 */
#include <linux/hash.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/rculist.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/tracepoint.h>
#include <trace/events/sched.h>

#define BITS 6
#define MOST 64

struct entry {
	struct hlist_node node;
	struct task_struct *task;
	raw_spinlock_t lock; /* what follows */
	u64 on_cpu_us;
	u64 off_cpu_us;
	ktime_t last;
	u32 switches;
};

static bool global;
module_param(global, bool, 0444);

static struct hlist_head table[1 << BITS];
static DEFINE_RAW_SPINLOCK(table_lock);
static unsigned int count;
static struct tracepoint *switch_tp;

static struct entry *find(struct task_struct *task)
{
	struct entry *e;

	hlist_for_each_entry_rcu(e, &table[hash_ptr(task, BITS)], node,
				 true) if (e->task == task) return e;
	return NULL;
}

static void account(struct task_struct *task, bool out)
{
	struct entry *e = find(task);
	unsigned long flags;
	ktime_t now;

	if (!e)
		return;
	raw_spin_lock_irqsave(&e->lock, flags);
	now = ktime_get();
	*(out ? &e->on_cpu_us : &e->off_cpu_us) += ktime_to_us(ktime_sub(now, e->last));
	e->last = now;
	e->switches += out;
	raw_spin_unlock_irqrestore(&e->lock, flags);
}

static void on_switch(void *data, bool preempt, struct task_struct *prev, struct task_struct *next,
		      unsigned int prev_state)
{
	unsigned long flags = 0;

	rcu_read_lock();
	if (global)
		raw_spin_lock_irqsave(&table_lock, flags);
	account(prev, true);
	account(next, false);
	if (global)
		raw_spin_unlock_irqrestore(&table_lock, flags);
	rcu_read_unlock();
}

/* ---- add: whoever writes to it is monitored from then on ---- */

static int add(const char *text, const struct kernel_param *param)
{
	struct entry *e = kzalloc(sizeof(*e), GFP_KERNEL);
	unsigned long flags;
	int ret = 0;

	if (!e)
		return -ENOMEM;
	e->task = get_task_struct(current);
	e->last = ktime_get();
	raw_spin_lock_init(&e->lock);
	raw_spin_lock_irqsave(&table_lock, flags);
	if (count == MOST || find(current)) {
		ret = count == MOST ? -ENOSPC : -EEXIST;
	} else {
		hlist_add_head_rcu(&e->node, &table[hash_ptr(current, BITS)]);
		count++;
	}
	raw_spin_unlock_irqrestore(&table_lock, flags);
	if (ret) {
		put_task_struct(e->task);
		kfree(e);
	}
	return ret;
}

static int get_count(char *text, const struct kernel_param *param)
{
	return sysfs_emit(text, "%u\n", count);
}

static const struct kernel_param_ops add_ops = {.set = add, .get = get_count};
module_param_cb(add, &add_ops, NULL, 0600);

/* ---- the module ---- */

static void match(struct tracepoint *tp, void *priv)
{
	if (strcmp(tp->name, "sched_switch") == 0)
		switch_tp = tp;
}

static int __init origin_init(void)
{
	check_trace_callback_type_sched_switch(on_switch);
	for_each_kernel_tracepoint(match, NULL);
	return switch_tp ? tracepoint_probe_register(switch_tp, on_switch, NULL) : -ENOENT;
}

static void __exit origin_exit(void)
{
	struct hlist_node *next;
	struct entry *e;
	unsigned int i;

	tracepoint_probe_unregister(switch_tp, on_switch, NULL);
	tracepoint_synchronize_unregister();
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		hlist_for_each_entry_safe(e, next, &table[i], node)
		{
			put_task_struct(e->task);
			kfree(e);
		}
	}
}

module_init(origin_init);
module_exit(origin_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("what tlob's figures are compared with");
