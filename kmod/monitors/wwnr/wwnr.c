// SPDX-License-Identifier: GPL-2.0-only
/*
 * Wake-up while not running, model/wwnr.dot: an automaton for each task of the system. The model does not hold on a real
 * system, so this monitor is for seeing how violations are reported. Tasks are first seen when switched out;
 * their objects come from a pool, as nothing can be allocated there.
 */
#include <linux/llist.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <trace/events/sched.h>

#include <compat/compat.h>
#include <rv/automaton.h>

#include "wwnr.h"
#include "wwnr_model.h"

#define CREATE_TRACE_POINTS
#include "wwnr_trace.h"

struct wwnr_task {
	struct rvc_object object; /* key: the task */
	struct rvc_automaton automaton;
	struct rcu_head rcu;
	struct llist_node free;
};

static unsigned int wwnr_tasks = 8192;
module_param(wwnr_tasks, uint, 0444);
MODULE_PARM_DESC(wwnr_tasks, "Tasks that the monitor wwnr can follow at once (8192)");

static struct rvc_store tasks;
static struct wwnr_task *pool;
static LLIST_HEAD(free_list);
static DEFINE_RAW_SPINLOCK(free_lock); /* taking from the list: one at a time */
static struct rvc_reaction reaction; /* for all tasks: it names the task but keeps none */

static struct wwnr_task *pool_take(void)
{
	struct llist_node *node;
	unsigned long flags;

	raw_spin_lock_irqsave(&free_lock, flags);
	node = llist_del_first(&free_list);
	raw_spin_unlock_irqrestore(&free_lock, flags);
	return node ? llist_entry(node, struct wwnr_task, free) : NULL;
}

static void pool_give(struct rcu_head *rcu)
{
	struct wwnr_task *t = container_of(rcu, struct wwnr_task, rcu);

	llist_add(&t->free, &free_list);
}

static struct wwnr_task *task_find(const struct task_struct *p)
{
	struct rvc_object *object = rvc_store_find(&tasks, p);

	return object ? container_of(object, struct wwnr_task, object) : NULL;
}

static void task_first_seen(const struct task_struct *p)
{
	struct wwnr_task *t = pool_take();

	if (!t)
		return;
	t->object.key = p;
	t->automaton.state = WWNR_MODEL_STATE_NOT_RUNNING;
	if (rvc_store_insert(&tasks, &t->object))
		pool_give(&t->rcu);
}

/* Under RCU. */
static void task_step(const struct task_struct *p, struct wwnr_task *t, u32 event)
{
	u32 state = t->automaton.state;
	u32 next = rvc_automaton_step(&t->automaton, event, wwnr_model_next);

	if (next != RVC_INVALID) {
		trace_event_wwnr(p->pid, state, event, next, wwnr_model_final(next));
		return;
	}
	trace_error_wwnr(p->pid, state, event);
	rvc_react(&wwnr_monitor, &reaction, "%s[%d]: event %s not expected in the state %s",
		  p->comm, p->pid, wwnr_model_event_name(event), wwnr_model_state_name(state));
}

static void on_switch(void *data, bool preempt, struct task_struct *prev, struct task_struct *next,
		      unsigned int prev_state)
{
	struct wwnr_task *t;

	if (!rvc_monitoring_on())
		return;
	rcu_read_lock();
	t = task_find(prev);
	if (t)
		task_step(prev, t, WWNR_MODEL_EVENT_SWITCH_OUT);
	else
		task_first_seen(prev);
	t = task_find(next);
	if (t)
		task_step(next, t, WWNR_MODEL_EVENT_SWITCH_IN);
	rcu_read_unlock();
}

static void on_wakeup(void *data, struct task_struct *p)
{
	struct wwnr_task *t;

	rcu_read_lock();
	t = task_find(p);
	if (t && rvc_monitoring_on())
		task_step(p, t, WWNR_MODEL_EVENT_WAKEUP);
	rcu_read_unlock();
}

/* The last switch of a task comes after its exit, and makes it an object again: when its struct is freed. */
static void on_free(void *data, struct task_struct *p)
{
	struct wwnr_task *t;

	rcu_read_lock();
	t = task_find(p);
	if (t && rvc_store_remove(&tasks, &t->object))
		call_rcu(&t->rcu, pool_give);
	rcu_read_unlock();
}

static struct rvc_hook hooks[] = {
	{"sched_switch", on_switch},
	{"sched_wakeup", on_wakeup},
	{"sched_process_free", on_free},
};

static void __maybe_unused check_types(void)
{
	check_trace_callback_type_sched_switch(on_switch);
	check_trace_callback_type_sched_wakeup(on_wakeup);
	check_trace_callback_type_sched_process_free(on_free);
}

static void remove_one(struct rvc_object *object, void *arg)
{
	rvc_store_remove(&tasks, object);
}

static void wwnr_disable(void)
{
	rvc_hooks_detach(hooks, ARRAY_SIZE(hooks));
	rvc_reaction_sync(&reaction);
	rvc_store_for_each(&tasks, remove_one, NULL);
	rcu_barrier(); /* objects on their way back */
	init_llist_head(&free_list);
	kvfree(pool);
	rvc_store_deinit(&tasks);
}

static int wwnr_enable(void)
{
	unsigned int i;
	int ret;

	if (wwnr_tasks == 0 || wwnr_tasks > 1u << 22)
		return -EINVAL;
	ret = rvc_store_init(&tasks, wwnr_tasks);
	if (ret)
		return ret;
	pool = kvcalloc(wwnr_tasks, sizeof(*pool), GFP_KERNEL);
	if (!pool) {
		rvc_store_deinit(&tasks);
		return -ENOMEM;
	}
	for (i = 0; i < wwnr_tasks; i++)
		llist_add(&pool[i].free, &free_list);
	rvc_reaction_init(&reaction, NULL);
	ret = rvc_hooks_attach(hooks, ARRAY_SIZE(hooks));
	if (ret)
		wwnr_disable();
	return ret;
}

struct rvc_monitor wwnr_monitor = {
	.name = "wwnr",
	.desc = "wakeup while not running per-task testing model.",
	.enable = wwnr_enable,
	.disable = wwnr_disable,
};
