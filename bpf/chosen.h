/* SPDX-License-Identifier: GPL-2.0-only */
/* Whom probes look at: everybody, a process and perhaps its children, or a control group. */
#ifndef TLOB_BPF_CHOSEN_H
#define TLOB_BPF_CHOSEN_H

#include "kernel.h"

const volatile bool filter_process; /* only tasks whose process carries a mark in @chosen */
const volatile bool filter_cgroup; /* only tasks below the cgroup in @cgroups */

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u32);
} chosen SEC(".maps");

/* By process: when the leader that carried a mark was started; it has exited. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} left_marks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} cgroups SEC(".maps");

static __always_inline bool is_chosen(struct task_struct *task)
{
	if (filter_cgroup && bpf_current_task_under_cgroup(&cgroups, 0) != 1)
		return false;
	if (filter_process && !bpf_task_storage_get(&chosen, task->group_leader, NULL, 0))
		return false;
	return true;
}

/*
 * The mark is on the leader's task. When another thread calls exec, that leader goes and the caller takes its place and
 * its age: by then the leader has come through here.
 */
static __always_inline void keep_mark(struct task_struct *task)
{
	__u32 tgid = task->tgid;
	__u64 age = task->start_time;

	if (filter_process && task->pid == task->tgid &&
	    bpf_task_storage_get(&chosen, task, NULL, 0))
		bpf_map_update_elem(&left_marks, &tgid, &age, BPF_ANY);
}

/* True: @task has it now. */
static __always_inline bool inherit_mark(struct task_struct *task, __u32 former_pid)
{
	__u32 tgid = task->tgid;
	__u64 *age;

	if (!filter_process || former_pid == tgid)
		return false;
	age = bpf_map_lookup_elem(&left_marks, &tgid);
	return age && *age == task->start_time &&
	       bpf_task_storage_get(&chosen, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
}

/* Only loaded when children are wanted too. Arguments: parent, child. */
SEC("tp_btf/sched_process_fork")
int sched_process_fork(__u64 *ctx)
{
	struct task_struct *parent = (struct task_struct *)ctx[0];
	struct task_struct *child = (struct task_struct *)ctx[1];

	if (!bpf_task_storage_get(&chosen, parent->group_leader, NULL, 0))
		return 0;
	bpf_task_storage_get(&chosen, child, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	return 0;
}

#endif
