/* SPDX-License-Identifier: GPL-2.0-only */
/* The agent's own calls. */
#ifndef TLOB_BPF_AGENT_H
#define TLOB_BPF_AGENT_H

#include <linux/errno.h>

#include "probe.h"
#include "shared_kick.h"

#define CLOCK_MONOTONIC 1

/* What timers can do here. Leaves the timer set for the year 2262. */
static __always_inline long timer_probe(struct tlob_alarm *alarm)
{
	const __u64 far = 1ULL << 62;
	long err;

	timer_flags = TIMER_ABSOLUTE | TIMER_PINNED;
	err = bpf_timer_start(&alarm->timer, far, timer_flags);
	if (!err)
		return 0;
	timer_flags = TIMER_ABSOLUTE;
	err = bpf_timer_start(&alarm->timer, far, timer_flags);
	if (!err)
		return 0;
	timer_flags = 0;
	return bpf_timer_start(&alarm->timer, far, 0);
}

static __always_inline long open_alarm(struct tlob_alarm *alarm)
{
	long err;

	if (!kernel_timers)
		return 0;
	err = bpf_timer_init(&alarm->timer, &alarms, CLOCK_MONOTONIC);
	if (err && err != -EBUSY) /* busy: it is there from an earlier use of the arena */
		return err;
	bpf_timer_set_callback(&alarm->timer, timer_fired);
	return timer_flags ? 0 : timer_probe(alarm);
}

static __always_inline int open_arena(struct tlob_bpf_agent *call, struct tlob_keeper *keeper,
				      struct tlob_alarm *alarm)
{
	struct tlob_arena_head *head = head_of(call->arena);
	long err;

	if (!head)
		return ENOENT;
	err = open_alarm(alarm);
	if (err)
		return (int)-err;
	head->magic = TLOB_ABI_MAGIC;
	head->version = TLOB_ABI_VERSION;
	tlob_store(&head->closed, 0);
	tlob_store(&head->next_wake_ns, TLOB_NEVER);
	keeper->client = call->client;
	keeper->tgid = 0;
	keeper->transit = call->transit;
	keeper->shared = 0;
	tlob_store(&keeper->cookie, call->cookie);
	return 0;
}

static __always_inline int close_arena(struct tlob_bpf_agent *call, struct tlob_keeper *keeper,
				       struct tlob_alarm *alarm)
{
	tlob_store(&keeper->cookie, 0);
	if (call->arena < TLOB_BPF_ARENAS)
		tlob_add(&arena_generation[call->arena], 1);
	if (keeper->shared)
		purge_shared();
	if (kernel_timers)
		bpf_timer_cancel(&alarm->timer);
	return 0;
}

static __always_inline int remember_agent(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct upid number = {};
	__u32 level;

	if (!kernel_foreign)
		return 0;
	level = BPF_CORE_READ(task, thread_pid, level);
	if (!kernel_number(task, level, &number))
		return ESRCH;
	agent_level = level;
	agent_namespace = (__u64)number.ns;
	return 0;
}

SEC("syscall")
int agent(struct tlob_bpf_agent *call)
{
	struct tlob_keeper *keeper = keeper_of(call->arena);
	struct tlob_alarm *alarm = alarm_of(call->arena);

	if (!keeper || !alarm)
		return EINVAL;
	switch (call->op) {
	case TLOB_BPF_HERE:
		return remember_agent();
	case TLOB_BPF_OPEN:
		return open_arena(call, keeper, alarm);
	case TLOB_BPF_CLOSE:
		return close_arena(call, keeper, alarm);
	case TLOB_BPF_SERVE:
		serve_wanted();
		return 0;
	case TLOB_BPF_EXPECT:
		remember_due(call->arena, call->deadline_ns);
		return 0;
	case TLOB_BPF_WAKE:
		call->deadline_ns = serve(call->arena);
		return 0;
	}
	return EINVAL;
}

#endif
