/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A window has expired, and its thread was not on the CPU that noticed it. The agent is told right away, and asks at once:
 * look() takes the stack of a thread that has no CPU; look_here() is run on the CPU of one that has.
 */
#ifndef TLOB_BPF_LOOK_H
#define TLOB_BPF_LOOK_H

#include <linux/errno.h>

#include "probe.h"

/* Its clock, if @thread is still in @window of @client. */
static __always_inline struct tlob_clock *clock_in(struct tlob_thread *thread, __u32 client,
						   __u64 window)
{
	struct tlob_slot *slot = client ? thread_slot(thread) : probe_slot(thread);

	return slot && has_expired(slot, window) ? &slot->clock : NULL;
}

/* It has been captured: nobody else need do it. */
static __always_inline void drop_wanted(struct tlob_thread *thread, __u32 client)
{
	__u32 entry = thread->probe;
	struct tlob_bpf_owner *owner =
		client ? owner_of(thread->arena, thread->slot) :
			 owner_of(probe_arena_of(entry), entry % TLOB_ARENA_SLOTS);
	__u64 window;

	if (owner)
		take_wanted(owner, &window);
}

/* Arguments: thread, client, window. */
SEC("raw_tp")
int look_here(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 client = (__u32)ctx->args[1];
	__u64 window = ctx->args[2];
	struct tlob_thread *thread;

	if (task->pid != (int)ctx->args[0])
		return ESRCH;
	thread = bpf_task_storage_get(&threads, task, NULL, 0);
	if (!thread || !clock_in(thread, client, window))
		return ENOENT;
	drop_wanted(thread, client);
	return capture_here(client, window, bpf_ktime_get_ns()) ? 0 : EBUSY;
}

/* Page by page what capture_stack() does at once. */
static __always_inline void copy_stack_of(struct tlob_capture *c, struct task_struct *task)
{
	__u64 sp = stack_pointer(c), start = chunk_of(sp - TLOB_CAPTURE_BELOW);
	__u32 bytes = 0;

	if (bpf_copy_from_user_task(c->stack, sizeof(__u64), (void *)start, task, 0))
		start = chunk_of(sp);
	for (int i = 0; i < TLOB_CAPTURE_CHUNKS; i++) {
		if (bpf_copy_from_user_task(c->stack + bytes, TLOB_CAPTURE_CHUNK,
					    (void *)(start + bytes), task, 0))
			break;
		bytes += TLOB_CAPTURE_CHUNK;
	}
	c->stack_start = start;
	c->stack_bytes = bytes;
}

static __always_inline int look_at(struct task_struct *task, struct tlob_clock *clock,
				   struct tlob_bpf_look *look)
{
	__u32 switches = tlob_load(&clock->switches), index;
	struct tlob_capture *c;
	int r = 0;

	if (tlob_load(&clock->state) == TLOB_RUNNING) {
		look->cpu = tlob_load(&clock->cpu);
		return EAGAIN;
	}
	c = capture_begin(&index);
	if (!c)
		return EBUSY;
	c->kind = TLOB_CAPTURE_EXPIRY;
	c->time_ns = look->now_ns;
	c->ns = 0;
	c->client = look->client;
	c->window = look->window;
	capture_task(c, task);
	copy_stack_of(c, task);
	/* it got a CPU meanwhile: what was copied is of different moments */
	if (tlob_load(&clock->state) == TLOB_RUNNING || tlob_load(&clock->switches) != switches) {
		c->kind = 0;
		r = EAGAIN;
		look->cpu = tlob_load(&clock->cpu);
	}
	capture_unlock(c);
	return r;
}

SEC("syscall")
int look(struct tlob_bpf_look *look)
{
	struct task_struct *task;
	struct tlob_thread *thread;
	struct tlob_clock *clock = NULL;
	int r = ENOENT;

	if (!kernel_task_from_pid)
		return EOPNOTSUPP;
	task = bpf_task_from_pid((int)look->tid);
	if (!task)
		return ESRCH;
	thread = bpf_task_storage_get(&threads, task, NULL, 0);
	if (thread)
		clock = clock_in(thread, look->client, look->window);
	if (clock)
		r = look_at(task, clock, look);
	if (clock && !r)
		drop_wanted(thread, look->client);
	bpf_task_release(task);
	return r;
}

#endif
