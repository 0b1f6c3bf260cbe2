// SPDX-License-Identifier: GPL-2.0-only
/*
 * Timer latency, kernel side: when the timer of a measuring thread interrupts, and when the thread gets the CPU.
 *
 * A timer is told by what it does: it is the thread's if it wakes the thread. So no kernel function or structure of
 * timers is looked at. All programs run with interrupts off on the CPU they write about.
 */
#include "kernel.h"
#include "timerlat.h"

const volatile __u32 timerlat_stacks; /* enum tlob_timerlat_stacks */
const volatile __u64 timerlat_limit_ns;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* CPUs; set by the loader */
	__type(key, __u32);
	__type(value, struct tlob_timerlat_slot);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* set by the loader */
	__type(key, __u32); /* tid */
	__type(value, __u32); /* CPU */
} measuring SEC(".maps");

/* What this CPU is at. */
struct interrupt {
	__u64 begun_ns; /* its last timer interrupt */
	__u64 read_ns; /* when that looked at the clock to find out which timers are due; 0: no timer's function is running */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct interrupt);
} interrupts SEC(".maps");

static __always_inline struct interrupt *this_interrupt(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&interrupts, &zero);
}

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

/* x86: before anything else is done in the interrupt. */
SEC("tp_btf/local_timer_entry")
int timerlat_interrupt(void *ctx)
{
	struct interrupt *i = this_interrupt();

	(void)ctx;
	if (i)
		i->begun_ns = bpf_ktime_get_ns();
	return 0;
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

/* Any timer, the tick above all, while that thread waits: what is it that has the CPU? */
static __always_inline void look_meanwhile(void *ctx, __u64 now)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct tlob_timerlat_slot *slot;

	if (timerlat_stacks != TLOB_TIMERLAT_STACKS_LATE)
		return;
	slot = bpf_map_lookup_elem(&slots, &cpu);
	if (slot && slot->wake_ns && !slot->cpu_ns && !slot->stack_bytes && slot->wake_ns < now)
		keep_stack(ctx, slot, now);
}

/* Arguments: the timer, and the time that was read. The latter is CLOCK_MONOTONIC for the timers looked at here. */
SEC("tp_btf/hrtimer_expire_entry")
int timerlat_expire(__u64 *ctx)
{
	struct interrupt *i = this_interrupt();
	__u64 read = 0;

	if (!i)
		return 0;
	bpf_probe_read_kernel(&read, sizeof(read), (void *)ctx[1]);
	i->read_ns = read;
	look_meanwhile(ctx, read);
	return 0;
}

SEC("tp_btf/hrtimer_expire_exit")
int timerlat_expired(void *ctx)
{
	struct interrupt *i = this_interrupt();

	(void)ctx;
	if (i)
		i->read_ns = 0;
	return 0;
}

#define ENTRY_NS \
	50000 /* at most that from the entry of the interrupt to its look at the clock, else they are of two */

SEC("tp_btf/sched_waking")
int timerlat_waking(__u64 *ctx)
{
	struct interrupt *i = this_interrupt();
	struct tlob_timerlat_slot *slot;
	__u32 tid, *cpu;

	if (!i || !i->read_ns)
		return 0;
	tid = ((struct task_struct *)ctx[0])->pid;
	cpu = bpf_map_lookup_elem(&measuring, &tid);
	if (!cpu)
		return 0;
	slot = bpf_map_lookup_elem(&slots, cpu);
	if (!slot)
		return 0;
	slot->irq_ns = i->begun_ns <= i->read_ns && i->read_ns - i->begun_ns < ENTRY_NS ?
			       i->begun_ns :
			       i->read_ns;
	slot->cpu_ns = 0;
	slot->stack_bytes = 0;
	slot->wake_ns = bpf_ktime_get_ns();
	if (timerlat_stacks != TLOB_TIMERLAT_STACKS_NONE)
		keep_stack(ctx, slot, slot->wake_ns);
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
