// SPDX-License-Identifier: GPL-2.0-only
/*
 * Timer latency, kernel side: when the timer of a measuring thread interrupts, and when the thread gets the CPU.
 *
 * A timer is told by what it does: nothing but its timer wakes a thread that measures. So no kernel function or structure
 * of timers is looked at. All programs run with interrupts off on the CPU they write about. There are as few as
 * possible, for what they take is part of what is measured.
 */
#include "kernel.h"
#include "timerlat.h"

const volatile __u32 timerlat_stacks; /* enum tlob_timerlat_stacks */
const volatile __u64 timerlat_limit_ns;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* CPUs of the machine; set by the loader */
	__type(key, __u32);
	__type(value, struct tlob_timerlat_slot);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* set by the loader */
	__type(key, __u32); /* tid */
	__type(value, __u32); /* CPU */
} measuring SEC(".maps");

struct join {
	__u32 cpu;
};

/* Called by the thread that is about to measure @ctx->cpu. */
SEC("syscall")
int timerlat_join(struct join *ctx)
{
	__u32 cpu = ctx->cpu, tid = bpf_get_current_task_btf()->pid;
	struct tlob_timerlat_slot *slot = bpf_map_lookup_elem(&slots, &cpu);

	if (!slot)
		return -22; /* EINVAL */
	slot->tid = tid;
	return bpf_map_update_elem(&measuring, &tid, &cpu, BPF_ANY);
}

/* Of the current thread, at @now, while the slot's thread wants its CPU. */
static __always_inline void keep_stack(void *ctx, struct tlob_timerlat_slot *slot, __u64 now)
{
	if (timerlat_stacks == TLOB_TIMERLAT_STACKS_LATE &&
	    now - slot->deadline_ns <= timerlat_limit_ns)
		return;
	if (!bpf_get_current_task_btf()->pid)
		return;
	slot->stack_ns = now;
	slot->stack_bytes = (__s32)bpf_get_stack(ctx, slot->stack, sizeof(slot->stack), 0);
}

static __always_inline int begin_interrupt(void *ctx)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct tlob_timerlat_slot *slot = bpf_map_lookup_elem(&slots, &cpu);

	if (!slot)
		return 0;
	slot->begun_ns = bpf_ktime_get_ns();
	/* any timer, the tick above all, while that thread waits: what is it that has the CPU? */
	if (timerlat_stacks == TLOB_TIMERLAT_STACKS_LATE && slot->wake_ns && !slot->cpu_ns &&
	    !slot->stack_bytes)
		keep_stack(ctx, slot, slot->begun_ns);
	return 0;
}

/* x86: before anything else is done in the interrupt. */
SEC("tp_btf/local_timer_entry")
int timerlat_interrupt(void *ctx)
{
	return begin_interrupt(ctx);
}

/* Elsewhere: before the first timer that is due, or the next. */
SEC("tp_btf/hrtimer_expire_entry")
int timerlat_expire(void *ctx)
{
	return begin_interrupt(ctx);
}

#define INTERRUPT_NS \
	100000 /* at most that from the interrupt to the wake-up, else it was not that interrupt */

/* What woke the thread is its timer, though maybe on another CPU, where the kernel may keep timers of isolated ones. */
static __always_inline struct tlob_timerlat_slot *woken(struct tlob_timerlat_slot *here, __u32 tid)
{
	__u32 *cpu;

	if (here->tid == tid)
		return here;
	cpu = bpf_map_lookup_elem(&measuring, &tid);
	return cpu ? bpf_map_lookup_elem(&slots, cpu) : NULL;
}

SEC("tp_btf/sched_waking")
int timerlat_waking(__u64 *ctx)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct tlob_timerlat_slot *here = bpf_map_lookup_elem(&slots, &cpu), *slot;
	__u64 now, begun;

	if (!here)
		return 0;
	now = bpf_ktime_get_ns();
	begun = here->begun_ns;
	if (now - begun > INTERRUPT_NS)
		return 0;
	slot = woken(here, ((struct task_struct *)ctx[0])->pid);
	if (!slot)
		return 0;
	slot->irq_ns = begun;
	slot->cpu_ns = 0;
	slot->stack_bytes = 0;
	slot->wake_ns = now;
	if (timerlat_stacks != TLOB_TIMERLAT_STACKS_NONE)
		keep_stack(ctx, slot, now);
	return 0;
}

/* Arguments: bool preempt, prev, next. */
SEC("tp_btf/sched_switch")
int timerlat_switch(__u64 *ctx)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct tlob_timerlat_slot *slot = bpf_map_lookup_elem(&slots, &cpu);

	if (slot && slot->tid == (__u32)((struct task_struct *)ctx[2])->pid && slot->wake_ns &&
	    !slot->cpu_ns)
		slot->cpu_ns = bpf_ktime_get_ns();
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
