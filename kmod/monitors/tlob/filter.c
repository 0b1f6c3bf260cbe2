// SPDX-License-Identifier: GPL-2.0-only
/*
 * See filter.h. Descendants of a process are known by a bitmap of process numbers, set when a marked process forks and cleared
 * when one ends: the fork's tracepoint must not allocate.
 */
#include <linux/bitmap.h>
#include <linux/cgroup.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/rculist.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/threads.h>
#include <linux/vmalloc.h>
#include <trace/events/sched.h>

#include <compat/compat.h>
#include <rv/rv.h>

#include "filter.h"

struct tlob_filter {
	struct list_head list; /* of those that follow; read under RCU */
	struct pid *process; /* with a reference; NULL: any */
	unsigned long *
		followed; /* instead: bit n, process n of the initial namespace; NULL: not followed */
	u64 cgroup; /* 0: any */
};

static DEFINE_MUTEX(following_mutex); /* the list, and the hooks */
static LIST_HEAD(following);

/* ---- descendants ---- */

static void on_fork(void *data, struct task_struct *parent, struct task_struct *child)
{
	struct tlob_filter *filter;

	if (!thread_group_leader(child))
		return;
	rcu_read_lock();
	list_for_each_entry_rcu(filter, &following,
				list) if (test_bit(parent->tgid, filter->followed))
		set_bit(child->tgid, filter->followed);
	rcu_read_unlock();
}

static void on_exit(void *data, struct task_struct *p COMPAT_EXIT_GROUP_DEAD)
{
	struct tlob_filter *filter;

	if (atomic_read(&p->signal->live) != 0)
		return;
	rcu_read_lock();
	list_for_each_entry_rcu(filter, &following, list) clear_bit(p->tgid, filter->followed);
	rcu_read_unlock();
}

/* As long as somebody is followed. */
static struct rvc_hook hooks[] = {
	{"sched_process_fork", on_fork},
	{"sched_process_exit", on_exit},
};

static void __maybe_unused check_types(void)
{
	check_trace_callback_type_sched_process_fork(on_fork);
	check_trace_callback_type_sched_process_exit(on_exit);
}

static int follow(struct tlob_filter *filter)
{
	int ret = 0;

	filter->followed = vzalloc(BITS_TO_LONGS(PID_MAX_LIMIT) * sizeof(long));
	if (!filter->followed)
		return -ENOMEM;
	set_bit(pid_nr(filter->process), filter->followed);
	mutex_lock(&following_mutex);
	if (list_empty(&following))
		ret = rvc_hooks_attach(hooks, ARRAY_SIZE(hooks));
	if (ret == 0)
		list_add_rcu(&filter->list, &following);
	mutex_unlock(&following_mutex);
	return ret;
}

static void unfollow(struct tlob_filter *filter)
{
	mutex_lock(&following_mutex);
	if (!list_empty(&filter->list)) {
		list_del_rcu(&filter->list);
		if (list_empty(&following))
			rvc_hooks_detach(hooks, ARRAY_SIZE(hooks));
		synchronize_rcu();
	}
	mutex_unlock(&following_mutex);
	vfree(filter->followed);
}

/* ---- all ---- */

struct tlob_filter *tlob_filter_new(const struct tlob_filter_args *args)
{
	struct tlob_filter *filter;
	int ret = 0;

	if (args->flags & ~TLOB_FILTER_CHILDREN || args->pid < 0 || (args->flags && !args->pid))
		return ERR_PTR(-EINVAL);
	if (!args->pid && !args->cgroup)
		return NULL;
	filter = kzalloc(sizeof(*filter), GFP_KERNEL_ACCOUNT);
	if (!filter)
		return ERR_PTR(-ENOMEM);
	INIT_LIST_HEAD(&filter->list);
	filter->cgroup = args->cgroup;
	if (args->pid) {
		filter->process = find_get_pid(args->pid);
		if (!filter->process)
			ret = -ESRCH;
	}
	if (ret == 0 && args->flags & TLOB_FILTER_CHILDREN)
		ret = follow(filter);
	if (ret == 0)
		return filter;
	tlob_filter_free(filter);
	return ERR_PTR(ret);
}

void tlob_filter_free(struct tlob_filter *filter)
{
	if (!filter)
		return;
	unfollow(filter);
	put_pid(filter->process);
	kfree(filter);
}

static bool in_cgroup(u64 id)
{
	struct cgroup *group;
	bool found = false;

	rcu_read_lock();
	for (group = task_dfl_cgroup(current); group && !found; group = cgroup_parent(group))
		found = cgroup_id(group) == id;
	rcu_read_unlock();
	return found;
}

bool tlob_filter_passes(const struct tlob_filter *filter)
{
	if (!filter)
		return true;
	if (filter->followed ? !test_bit(current->tgid, filter->followed) :
			       filter->process && task_tgid(current) != filter->process)
		return false;
	return !filter->cgroup || in_cgroup(filter->cgroup);
}
