// SPDX-License-Identifier: GPL-2.0-only
/*
 * Monitored tasks: their clocks, moved by the scheduler's tracepoints along model/tlob.dot, and how they
 * come and go.
 */
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <trace/events/sched.h>

#include <compat/compat.h>

#include "arena.h"
#include "tlob.h"
#include "tlob_trace.h"

static unsigned int max_tasks = 65536;
module_param(max_tasks, uint, 0444);
MODULE_PARM_DESC(max_tasks, "Tasks monitored at once (65536)");

static struct rvc_store tasks;
static struct kmem_cache *task_cache;
static struct workqueue_struct *free_wq;
static bool enabled;
static u32 epoch; /* counts enablings */

bool tlob_is_enabled(void)
{
	return READ_ONCE(enabled) && rvc_monitoring_on();
}

unsigned int tlob_task_count(void)
{
	return atomic_read(&tasks.count);
}

static struct tlob_task *task_find(const struct task_struct *p)
{
	struct rvc_object *object = rvc_store_find(&tasks, p);

	return object ? container_of(object, struct tlob_task, object) : NULL;
}

struct tlob_task *tlob_task_current(void)
{
	return task_find(current);
}

/* ---- life ---- */

static void task_free(struct work_struct *work)
{
	struct tlob_task *t = container_of(to_rcu_work(work), struct tlob_task, free);

	/* the timer may have been set again by an expiry that ran while the task was being removed */
	hrtimer_cancel(&t->timer);
	rvc_reaction_sync(&t->reaction);
	rvc_user_uncharge(t->user, RVC_USER_TASKS, 1);
	rvc_user_put(t->user);
	put_task_struct(t->task);
	kmem_cache_free(task_cache, t);
}

int tlob_task_new(struct rvc_user *user)
{
	struct tlob_task *t;
	int ret = -ENOSPC;

	if (user && !rvc_user_charge(user, RVC_USER_TASKS, 1))
		return -ENOSPC;
	t = kmem_cache_zalloc(task_cache, GFP_KERNEL_ACCOUNT);
	if (!t) {
		ret = -ENOMEM;
		goto uncharge;
	}
	t->object.key = current;
	t->task = get_task_struct(current);
	raw_spin_lock_init(&t->lock);
	t->next_wake_ns = TLOB_NEVER;
	hrtimer_setup(&t->timer, tlob_window_expire, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_HARD);
	rvc_reaction_init(&t->reaction, t->task);
	INIT_RCU_WORK(&t->free, task_free);
	if (user)
		t->user = rvc_user_hold(user);
	ret = rvc_store_insert(&tasks, &t->object);
	if (ret == 0)
		return 0;
	rvc_user_put(t->user);
	put_task_struct(t->task);
	kmem_cache_free(task_cache, t);
uncharge:
	rvc_user_uncharge(user, RVC_USER_TASKS, 1);
	return ret;
}

bool tlob_task_remove(struct tlob_task *t)
{
	if (!rvc_store_remove(&tasks, &t->object))
		return false;
	queue_rcu_work(free_wq, &t->free);
	return true;
}

void tlob_task_refresh(struct tlob_task *t, u64 now_ns)
{
	if (t->epoch == READ_ONCE(epoch))
		return;
	t->epoch = READ_ONCE(epoch);
	memset(&t->clock, 0, sizeof(t->clock));
	t->clock.state = TLOB_RUNNING; /* it is the caller */
	t->clock.since_ns = now_ns;
}

void tlob_task_publish(struct tlob_task *t)
{
	struct tlob_clock *to = t->published;
	u32 seq = t->clock.seq;

	if (!to)
		return;
	/* the reader is the task itself, or the program's other threads */
	t->clock.seq = seq + 2;
	WRITE_ONCE(to->seq, seq + 1);
	smp_wmb();
	WRITE_ONCE(to->state, t->clock.state);
	WRITE_ONCE(to->since_ns, t->clock.since_ns);
	WRITE_ONCE(to->running_ns, t->clock.running_ns);
	WRITE_ONCE(to->waiting_ns, t->clock.waiting_ns);
	WRITE_ONCE(to->sleeping_ns, t->clock.sleeping_ns);
	WRITE_ONCE(to->switches, t->clock.switches);
	WRITE_ONCE(to->cpu, t->clock.cpu);
	smp_store_release(&to->seq, seq + 2);
}

void tlob_free_later(struct work_struct *work)
{
	queue_work(free_wq, work);
}

struct walk {
	void (*fn)(struct tlob_task *t, void *arg);
	void *arg;
};

static void walk_one(struct rvc_object *object, void *arg)
{
	struct walk *walk = arg;

	walk->fn(container_of(object, struct tlob_task, object), walk->arg);
}

void tlob_task_for_each(void (*fn)(struct tlob_task *t, void *arg), void *arg)
{
	struct walk walk = {fn, arg};

	rvc_store_for_each(&tasks, walk_one, &walk);
}

/* ---- the scheduler's events ---- */

/* Under RCU. The caller may hold a run queue's lock: nothing here may wake anything. */
static void task_step(struct task_struct *p, u32 event)
{
	struct tlob_task *t = task_find(p);
	unsigned long flags;
	u32 state;

	if (likely(!t))
		return;
	raw_spin_lock_irqsave(&t->lock, flags);
	state = t->clock.state;
	tlob_clock_step(&t->clock, event, ktime_get_ns());
	if (event == TLOB_MODEL_EVENT_PREEMPT || event == TLOB_MODEL_EVENT_SLEEP)
		t->clock.switches++;
	else if (event == TLOB_MODEL_EVENT_SWITCH_IN)
		t->clock.cpu = raw_smp_processor_id();
	tlob_task_publish(t);
	raw_spin_unlock_irqrestore(&t->lock, flags);
	if (trace_event_tlob_enabled())
		trace_event_tlob(p->pid, state, event, tlob_model_next(state, event), false);
}

static void on_switch(void *data, bool preempt, struct task_struct *prev, struct task_struct *next,
		      unsigned int prev_state)
{
	/* preempted on its way to sleep, it is still runnable */
	bool runnable = preempt || prev_state == TASK_RUNNING;

	rcu_read_lock();
	task_step(prev, runnable ? TLOB_MODEL_EVENT_PREEMPT : TLOB_MODEL_EVENT_SLEEP);
	task_step(next, TLOB_MODEL_EVENT_SWITCH_IN);
	rcu_read_unlock();
}

static void on_wakeup(void *data, struct task_struct *p)
{
	rcu_read_lock();
	task_step(p, TLOB_MODEL_EVENT_WAKEUP);
	rcu_read_unlock();
}

static void on_exit(void *data, struct task_struct *p COMPAT_EXIT_GROUP_DEAD)
{
	struct tlob_task *t;

	rcu_read_lock();
	t = task_find(p);
	if (t) {
		tlob_arena_leave(t);
		tlob_window_abandon(t);
		tlob_task_remove(t);
	}
	rcu_read_unlock();
}

static void on_exec(void *data, struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm)
{
	struct tlob_task *t;

	rcu_read_lock();
	t = task_find(p);
	if (t) {
		tlob_arena_leave(t);
		tlob_window_abandon(t);
	}
	rcu_read_unlock();
}

static struct rvc_hook clock_hooks[] = {
	{"sched_switch", on_switch},
	{"sched_wakeup", on_wakeup},
};

/* As long as the module is loaded: objects outlive the monitor's being enabled, until their windows are stopped. */
static struct rvc_hook life_hooks[] = {
	{"sched_process_exit", on_exit},
	{"sched_process_exec", on_exec},
};

/* Attaching by name takes any function; let the compiler compare the types. */
static void __maybe_unused check_types(void)
{
	check_trace_callback_type_sched_switch(on_switch);
	check_trace_callback_type_sched_wakeup(on_wakeup);
	check_trace_callback_type_sched_process_exit(on_exit);
	check_trace_callback_type_sched_process_exec(on_exec);
}

/* ---- enabling ---- */

int tlob_tasks_enable(void)
{
	int ret;

	WRITE_ONCE(epoch, epoch + 1);
	ret = rvc_hooks_attach(clock_hooks, ARRAY_SIZE(clock_hooks));
	if (ret)
		return ret;
	WRITE_ONCE(enabled, true);
	return 0;
}

static void cancel_one(struct tlob_task *t, void *arg)
{
	tlob_window_cancel(t);
}

void tlob_tasks_disable(void)
{
	WRITE_ONCE(enabled, false);
	/* starts in flight have seen it, or have opened their windows */
	synchronize_rcu();
	tlob_arenas_disable();
	tlob_task_for_each(cancel_one, NULL);
	rvc_hooks_detach(clock_hooks, ARRAY_SIZE(clock_hooks));
}

static void remove_one(struct tlob_task *t, void *arg)
{
	tlob_task_remove(t);
}

int tlob_tasks_init(void)
{
	int ret;

	if (max_tasks == 0 || max_tasks > 1u << 22)
		return -EINVAL;
	ret = rvc_store_init(&tasks, max_tasks);
	if (ret)
		return ret;
	ret = -ENOMEM;
	task_cache = KMEM_CACHE(tlob_task, SLAB_HWCACHE_ALIGN);
	if (!task_cache)
		goto store;
	free_wq = alloc_workqueue("tlob_free", WQ_UNBOUND, 0);
	if (!free_wq)
		goto cache;
	ret = rvc_hooks_attach(life_hooks, ARRAY_SIZE(life_hooks));
	if (ret == 0)
		return 0;
	destroy_workqueue(free_wq);
cache:
	kmem_cache_destroy(task_cache);
store:
	rvc_store_deinit(&tasks);
	return ret;
}

/* The monitor is disabled and no file is open: what is left has no windows. */
void tlob_tasks_exit(void)
{
	rvc_hooks_detach(life_hooks, ARRAY_SIZE(life_hooks));
	tlob_task_for_each(remove_one, NULL);
	rcu_barrier(); /* queue_rcu_work() has queued */
	destroy_workqueue(free_wq); /* and it has run */
	kmem_cache_destroy(task_cache);
	rvc_store_deinit(&tasks);
}
