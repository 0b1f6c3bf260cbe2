// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who holds the file of which CPU, and how that ends: by closing, by exit, by disabling, by the CPU going offline, by migration.
 *
 * The two mutexes: attaching the probe takes the lock of CPU hotplug, which is held when holders_mutex is taken for a CPU that goes.
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include <rv/rv.h>

#include "timerlat.h"

static DEFINE_MUTEX(enable_mutex); /* enabling and disabling as a whole */
static DEFINE_MUTEX(holders_mutex); /* enabled, and the pointers below */
static DEFINE_PER_CPU(struct timerlat_holder __rcu *, holders);
static bool enabled;
static enum cpuhp_state hotplug_state;

/* True for the one that ends it. */
static bool end(struct timerlat_holder *h, int why)
{
	return cmpxchg(&h->end, 0, why) == 0;
}

static void moved(struct timerlat_holder *h)
{
	/* off a CPU that goes offline everybody is moved */
	if (!cpu_active(h->cpu))
		end(h, -ENODEV);
	else if (end(h, -EINVAL))
		timerlat_stop_migrated(h);
}

int timerlat_holder_check(struct timerlat_holder *h)
{
	if (current != h->task)
		return -EPERM;
	if (READ_ONCE(h->end) == 0 && raw_smp_processor_id() != h->cpu)
		moved(h);
	return READ_ONCE(h->end);
}

/* Nothing can be done with the file any more, so another may open it. */
static bool holds(const struct timerlat_holder *h)
{
	return READ_ONCE(h->end) == 0 && !(READ_ONCE(h->task->flags) & PF_EXITING);
}

static struct timerlat_holder *holder_of(unsigned int cpu)
{
	return rcu_dereference_protected(per_cpu(holders, cpu), lockdep_is_held(&holders_mutex));
}

static bool is_pinned_to(unsigned int cpu)
{
	return current->nr_cpus_allowed == 1 && raw_smp_processor_id() == cpu;
}

static int holder_publish(struct timerlat_holder *h)
{
	struct timerlat_holder *other = holder_of(h->cpu);

	if (!enabled)
		return -EINVAL;
	if (other && holds(other))
		return -EBUSY;
	if (!is_pinned_to(h->cpu))
		return -EPERM;
	rcu_assign_pointer(per_cpu(holders, h->cpu), h);
	smp_mb(); /* from here on migration sees it; what was before is seen here */
	return is_pinned_to(h->cpu) && READ_ONCE(h->end) == 0 ? 0 : -EPERM;
}

struct timerlat_holder *timerlat_holder_new(unsigned int cpu)
{
	struct timerlat_holder *h = kzalloc(sizeof(*h), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!h)
		return ERR_PTR(-ENOMEM);
	h->task = get_task_struct(current);
	h->cpu = cpu;
	timerlat_cycle_init(h);
	mutex_lock(&holders_mutex);
	ret = holder_publish(h);
	mutex_unlock(&holders_mutex);
	if (ret == 0)
		return h;
	timerlat_holder_free(h);
	return ERR_PTR(ret);
}

void timerlat_holder_free(struct timerlat_holder *h)
{
	mutex_lock(&holders_mutex);
	if (holder_of(h->cpu) == h)
		RCU_INIT_POINTER(per_cpu(holders, h->cpu), NULL);
	mutex_unlock(&holders_mutex);
	end(h, -EBADF); /* migration may still look at it, and take another task for its own */
	hrtimer_cancel(&h->timer);
	put_task_struct(h->task);
	kfree_rcu(h, rcu);
}

/* ---- migration ---- */

/* A holder can only leave its own CPU: one look. */
static void probe_migrate(void *data, struct task_struct *p, int dest)
{
	struct timerlat_holder *h;
	unsigned int cpu = task_cpu(p);

	if (dest == cpu)
		return;
	rcu_read_lock();
	h = rcu_dereference(per_cpu(holders, cpu));
	if (h && h->task == p)
		moved(h);
	rcu_read_unlock();
}

static struct rvc_hook hooks[] = {
	{.name = "sched_migrate_task", .probe = probe_migrate},
};

/* ---- enabling ---- */

bool timerlat_is_enabled(void)
{
	return READ_ONCE(enabled);
}

static void kill_holder(struct timerlat_holder *h)
{
	bool held = holds(h);

	end(h, -EINVAL);
	hrtimer_cancel(&h->timer);
	if (held)
		send_sig(SIGKILL, h->task, 1);
}

static void disable(void)
{
	struct timerlat_holder *h;
	unsigned int cpu;

	mutex_lock(&holders_mutex);
	WRITE_ONCE(enabled, false);
	for_each_possible_cpu(cpu)
	{
		h = holder_of(cpu);
		if (h)
			kill_holder(h);
		RCU_INIT_POINTER(per_cpu(holders, cpu), NULL);
	}
	mutex_unlock(&holders_mutex);
	rvc_hooks_detach(hooks, ARRAY_SIZE(hooks));
}

static int enable(void)
{
	int ret = rvc_hooks_attach(hooks, ARRAY_SIZE(hooks));

	if (ret)
		return ret;
	timerlat_stop_clear();
	timerlat_set_max_ns(0);
	mutex_lock(&holders_mutex);
	WRITE_ONCE(enabled, true);
	mutex_unlock(&holders_mutex);
	return 0;
}

int timerlat_set_enabled(bool on)
{
	int ret = 0;

	mutex_lock(&enable_mutex);
	if (on && !enabled)
		ret = enable();
	else if (!on && enabled)
		disable();
	mutex_unlock(&enable_mutex);
	return ret;
}

/* ---- hotplug ---- */

static int cpu_goes(unsigned int cpu)
{
	struct timerlat_holder *h;

	mutex_lock(&holders_mutex);
	h = holder_of(cpu);
	if (h) {
		end(h, -ENODEV);
		hrtimer_cancel(&h->timer);
		if (READ_ONCE(h->waiting))
			wake_up_process(h->task);
	}
	mutex_unlock(&holders_mutex);
	return 0;
}

int timerlat_holders_init(void)
{
	int ret = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "tlob/timerlat:online", NULL,
					    cpu_goes);

	if (ret < 0)
		return ret;
	hotplug_state = ret;
	return 0;
}

void timerlat_holders_deinit(void)
{
	timerlat_set_enabled(false);
	cpuhp_remove_state_nocalls(hotplug_state);
}
