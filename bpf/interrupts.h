/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How much of each CPU interrupts take: for each source a sum, which goes into the switch history when the CPU changes
 * hands, each millisecond, and when a record goes to the agent. Only what is taken from threads of programs: the idle
 * thread and those of the kernel have no windows. So what ksoftirqd does is its own running time, as for the scheduler.
 *
 * Soft ones are counted with interrupts on; sums are told with them off, in the middle of a soft one what it took so far.
 */
#ifndef TLOB_BPF_INTERRUPTS_H
#define TLOB_BPF_INTERRUPTS_H

#include "history.h"

#include <interrupt_sums.h>

#define SOFT_SOURCES 10
#define LINE_SOURCES 16 /* lines that share one of these take turns */
#define SOURCES (TLOB_INTERRUPT_LINE + LINE_SOURCES)
#define TELL_NS 1000000ULL
#define TOLD_MAX_NS 0xffffffffULL

const volatile bool interrupts_on;

struct tlob_interrupt_source {
	__u64 ns, told_ns;
	__u64 name[TLOB_COMM_BYTES / 8];
	__u32 number;
};

struct tlob_interrupts {
	__u64 since_ns; /* before that all has been told */
	struct tlob_interrupt_sums sums;
	__u64 ns, told_ns;
	struct tlob_interrupt_source sources[SOURCES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tlob_interrupts);
} interrupts SEC(".maps");

static __always_inline struct tlob_interrupts *interrupts_here(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&interrupts, &zero);
}

static __always_inline void tell_source(struct tlob_interrupts *in,
					struct tlob_interrupt_source *source, __u32 tid, __u64 now)
{
	__u64 ns = source->ns - source->told_ns;
	struct tlob_writing w;
	struct tlob_history_entry *e;

	source->told_ns = source->ns;
	history_begin(&w);
	e = w.entry;
	if (!e)
		return;
	e->time_ns = now;
	e->source = source->number;
	e->tid = tid;
	e->interrupt_ns = (__u32)(ns < TOLD_MAX_NS ? ns : TOLD_MAX_NS);
	e->cpu = w.cpu;
	e->kind = TLOB_HISTORY_INTERRUPTS;
	e->flags = 0;
	((__u64 *)e->comm)[0] = source->name[0];
	((__u64 *)e->comm)[1] = source->name[1];
	e->since_ns = in->since_ns;
	tlob_history_commit(w.head, e, w.position);
}

static __noinline void tell_interrupts(struct tlob_interrupts *in, __u32 tid, __u64 now)
{
	if (in->ns != in->told_ns)
		for (__u32 i = 0; i < SOURCES; i++)
			if (in->sources[i].ns != in->sources[i].told_ns)
				tell_source(in, &in->sources[i], tid, now);
	in->told_ns = in->ns;
	in->since_ns = now;
}

/* @prev is about to leave this CPU. Where soft interrupts can be preempted, they are threads' own work. */
static __always_inline void interrupts_switch(struct task_struct *prev, __u64 now)
{
	struct tlob_interrupts *in = interrupts_here();

	if (!in)
		return;
	tlob_interrupt_soft_clear(&in->sums);
	tell_interrupts(in, prev->pid, now);
}

static __always_inline bool is_counted(struct task_struct *task)
{
	return !(task->flags & PF_KTHREAD);
}

static __always_inline void add(struct tlob_interrupts *in, struct tlob_interrupt_source *source,
				__u64 ns)
{
	source->ns += ns;
	in->ns += ns;
}

static __always_inline void add_soft(struct tlob_interrupts *in, __u32 number, __u64 ns)
{
	in->sources[number].number = number;
	add(in, &in->sources[number], ns);
}

/* ---- hard ones */

static __always_inline void begin_hard(void)
{
	struct tlob_interrupts *in = interrupts_here();

	if (in)
		tlob_interrupt_hard_begin(&in->sums, bpf_ktime_get_ns());
}

static __always_inline void name_line(struct tlob_interrupts *in,
				      struct tlob_interrupt_source *source, __u32 number,
				      struct irqaction *action, __u32 tid, __u64 now)
{
	if (source->number == number)
		return;
	if (source->ns != source->told_ns)
		tell_source(in, source, tid, now);
	source->number = number;
	source->name[0] = source->name[1] = 0;
	if (action)
		bpf_probe_read_kernel_str(source->name, sizeof(source->name), action->name);
}

/* The agent is woken by an interrupt that a program asked for: what it is about to look at is to be complete. */
static __always_inline void tell_in_time(struct tlob_interrupts *in, __u32 number, __u32 tid,
					 __u64 now)
{
	__u64 ns = 0;
	__u32 soft;

	if (number != TLOB_INTERRUPT_WORK && now - in->since_ns < TELL_NS)
		return;
	soft = tlob_interrupt_soft_cut(&in->sums, now, &ns);
	if (soft < SOFT_SOURCES)
		add_soft(in, soft, ns);
	tell_interrupts(in, tid, now);
}

/* @action: of a device's line; NULL for x86's own. */
static __always_inline void end_hard(__u32 number, struct irqaction *action)
{
	__u32 i = action ? TLOB_INTERRUPT_LINE + (number - TLOB_INTERRUPT_LINE) % LINE_SOURCES :
			   number;
	struct task_struct *current = bpf_get_current_task_btf();
	struct tlob_interrupts *in = interrupts_here();
	__u64 now = bpf_ktime_get_ns(), ns;

	if (!in || i >= SOURCES)
		return;
	ns = tlob_interrupt_hard_end(&in->sums, now);
	if (!ns || !is_counted(current))
		return;
	name_line(in, &in->sources[i], number, action, current->pid, now);
	add(in, &in->sources[i], ns);
	tell_in_time(in, number, current->pid, now);
}

SEC("tp_btf/irq_handler_entry")
int count_line_entry(__u64 *ctx)
{
	(void)ctx;
	begin_hard();
	return 0;
}

/* Arguments: the line, what handles it. */
SEC("tp_btf/irq_handler_exit")
int count_line_exit(__u64 *ctx)
{
	end_hard(TLOB_INTERRUPT_LINE + (__u32)ctx[0], (struct irqaction *)ctx[1]);
	return 0;
}

/* What x86 does not treat as a line. Other architectures do. */
#define COUNT_VECTOR(name, number) \
	SEC("tp_btf/" #name "_entry") \
	int count_##name##_entry(__u64 *ctx) \
	{ \
		(void)ctx; \
		begin_hard(); \
		return 0; \
	} \
	SEC("tp_btf/" #name "_exit") \
	int count_##name##_exit(__u64 *ctx) \
	{ \
		(void)ctx; \
		end_hard(number, NULL); \
		return 0; \
	}

COUNT_VECTOR(local_timer, TLOB_INTERRUPT_LOCAL_TIMER)
COUNT_VECTOR(reschedule, TLOB_INTERRUPT_RESCHEDULE)
COUNT_VECTOR(call_function, TLOB_INTERRUPT_CALL)
COUNT_VECTOR(call_function_single, TLOB_INTERRUPT_CALL_SINGLE)
COUNT_VECTOR(irq_work, TLOB_INTERRUPT_WORK)

/* ---- soft ones */

/* Argument of both: which. */
SEC("tp_btf/softirq_entry")
int count_softirq_entry(__u64 *ctx)
{
	struct tlob_interrupts *in = interrupts_here();

	if (!in)
		return 0;
	tlob_interrupt_soft_prepare(&in->sums, (__u32)ctx[0]);
	tlob_interrupt_soft_begin(&in->sums, bpf_ktime_get_ns());
	return 0;
}

SEC("tp_btf/softirq_exit")
int count_softirq_exit(__u64 *ctx)
{
	struct tlob_interrupts *in = interrupts_here();
	__u32 number = (__u32)ctx[0];
	__u64 ns;

	if (!in || number >= SOFT_SOURCES)
		return 0;
	ns = tlob_interrupt_soft_end(&in->sums, bpf_ktime_get_ns());
	if (ns && is_counted(bpf_get_current_task_btf()))
		add_soft(in, number, ns);
	tlob_interrupt_soft_clear(&in->sums);
	return 0;
}

#endif
