/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CPU samples of threads that are inside of a window. A perf event of each CPU interrupts whatever runs there; outside of
 * windows that is all that happens. Nobody is woken for a sample: the agent comes by, and is called when half of the
 * ring is full.
 */
#ifndef TLOB_BPF_SAMPLES_H
#define TLOB_BPF_SAMPLES_H

#include <linux/bpf_perf_event.h>

#include "maps.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096); /* set by the loader */
} samples SEC(".maps");

/* Where one is put together: the stack is too small. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tlob_bpf_sample);
} sampling SEC(".maps");

const volatile __u64 samples_call_bytes; /* of data in the ring: call the agent */
__u32 samples_called; /* it has been, and has not come by yet */
__u64 samples_dropped;

static __always_inline void sample_window(struct tlob_bpf_sample *s, struct tlob_window *w,
					  __u32 client, __u32 index)
{
	__u64 state = tlob_load(&w->state);
	__u32 n = s->nwindows;
	struct tlob_bpf_sampled *to;

	if (TLOB_WINDOW_STATE(state) != TLOB_ARMED && TLOB_WINDOW_STATE(state) != TLOB_EXPIRED)
		return;
	if (n >= TLOB_MAX_DEPTH)
		return;
	to = &s->windows[n];
	to->window = TLOB_WINDOW_GEN(state) * TLOB_MAX_DEPTH + index;
	to->start_ns = tlob_load(&w->start_ns);
	to->deadline_ns = tlob_load(&w->deadline_ns);
	to->region = tlob_load(&w->region);
	to->client = client;
	s->nwindows = n + 1;
}

static __noinline int sample_windows(struct tlob_bpf_sample *s, struct tlob_slot *slot, __u32 arena)
{
	struct tlob_keeper *keeper = keeper_of(arena);
	__u32 used;

	if (!s || !slot || !keeper)
		return 0;
	used = tlob_load(&slot->used);
	for (__u32 index = 0; index < TLOB_MAX_DEPTH; index++)
		if (used >> index & 1)
			sample_window(s, &slot->windows[index], keeper->client, index);
	return 0;
}

/* Stacks of the interrupted thread, one after the other. Returns the bytes of both. */
static __always_inline __u32 sample_chain(struct bpf_perf_event_data *ctx,
					  struct tlob_bpf_sample *s)
{
	long kernel = bpf_get_stack(ctx, s->chain, TLOB_BPF_SAMPLE_KERNEL * sizeof(__u64), 0);
	long user;

	if (kernel < 0 || kernel > (long)(TLOB_BPF_SAMPLE_KERNEL * sizeof(__u64)))
		kernel = 0;
	user = bpf_get_stack(ctx, (char *)s->chain + kernel, TLOB_BPF_SAMPLE_USER * sizeof(__u64),
			     BPF_F_USER_STACK);
	if (user < 0 || user > (long)(TLOB_BPF_SAMPLE_USER * sizeof(__u64)))
		user = 0;
	s->nkernel = (__u16)((__u32)kernel / sizeof(__u64));
	s->nuser = (__u16)((__u32)user / sizeof(__u64));
	return (__u32)kernel + (__u32)user;
}

/* Its upper part, as far as it is in memory. */
static __always_inline void sample_stack(struct tlob_bpf_sample *s)
{
	const __u64 chunk = ~(__u64)(TLOB_CAPTURE_CHUNK - 1);
	__u64 sp = PT_REGS_SP((struct pt_regs *)s->regs);
	__u32 bytes = 0;

	s->stack_start = (sp - TLOB_CAPTURE_BELOW) & chunk;
	if (bpf_probe_read_user(s->stack, sizeof(__u64), (void *)s->stack_start))
		s->stack_start = sp & chunk;
	for (int i = 0; i < TLOB_BPF_SAMPLE_STACK / TLOB_CAPTURE_CHUNK; i++) {
		if (bpf_probe_read_user(s->stack + bytes, TLOB_CAPTURE_CHUNK,
					(void *)(s->stack_start + bytes)))
			break;
		bytes += TLOB_CAPTURE_CHUNK;
	}
	s->stack_bytes = bytes;
}

static __always_inline __u64 sample_flags(void)
{
	if (bpf_ringbuf_query(&samples, BPF_RB_AVAIL_DATA) < samples_call_bytes ||
	    tlob_load(&samples_called) || tlob_xchg(&samples_called, 1))
		return BPF_RB_NO_WAKEUP;
	return BPF_RB_FORCE_WAKEUP;
}

SEC("perf_event")
int sample(struct bpf_perf_event_data *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct tlob_thread *thread = bpf_task_storage_get(&threads, task, NULL, 0);
	struct tlob_bpf_sample *s;
	struct tlob_slot *slot;
	__u32 zero = 0, bytes;

	if (!thread)
		return 0;
	s = bpf_map_lookup_elem(&sampling, &zero);
	if (!s)
		return 0;
	s->nwindows = 0;
	slot = thread_slot(thread);
	if (slot)
		sample_windows(s, slot, thread->arena);
	slot = probe_slot(thread);
	if (slot)
		sample_windows(s, slot, probe_arena_of(thread->probe));
	if (!s->nwindows)
		return 0;
	s->time_ns = bpf_ktime_get_ns();
	s->tid = task->pid;
	s->tgid = kernel_tgid(task);
	s->cpu = bpf_get_smp_processor_id();
	bpf_get_current_comm(s->comm, sizeof(s->comm));
	kernel_user_regs(task, s->regs);
	sample_stack(s);
	bytes = __builtin_offsetof(struct tlob_bpf_sample, chain) + sample_chain(ctx, s);
	if (bytes <= sizeof(*s) && bpf_ringbuf_output(&samples, s, bytes, sample_flags()))
		tlob_add(&samples_dropped, 1);
	return 0;
}

#endif
