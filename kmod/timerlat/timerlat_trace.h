/* SPDX-License-Identifier: GPL-2.0-only */
/* Samples, with the fields of the kernel's own osnoise:timerlat_sample, and why it stopped. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM rv_timerlat

#if !defined(TIMERLAT_TIMERLAT_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define TIMERLAT_TIMERLAT_TRACE_H

#include <linux/tracepoint.h>

#define timerlat_show_context(context) \
	__print_symbolic(context, {0, "irq"}, {1, "thread"}, {2, "user-ret"}, {3, "migrated"})

/* clang-format off */
TRACE_EVENT(tlob_timerlat_sample,
	TP_PROTO(u64 seqnum, u32 context, u64 timer_latency),
	TP_ARGS(seqnum, context, timer_latency),
	TP_STRUCT__entry(
		__field(u64, timer_latency)
		__field(u32, seqnum)
		__field(u32, context)
	),
	TP_fast_assign(
		__entry->timer_latency = timer_latency;
		__entry->seqnum = seqnum;
		__entry->context = context;
	),
	TP_printk("#%-5u context %8s timer_latency %9llu ns", __entry->seqnum,
		  timerlat_show_context(__entry->context), __entry->timer_latency)
);

TRACE_EVENT(tlob_timerlat_stop,
	TP_PROTO(const struct timerlat_stop *stop),
	TP_ARGS(stop),
	TP_STRUCT__entry(
		__field(u64, latency_ns)
		__field(u64, limit_ns)
		__field(u64, expected_ns)
		__field(u64, time_ns)
		__field(u32, cpu)
		__field(u32, context)
		__field(pid_t, pid)
		__array(char, comm, TASK_COMM_LEN)
	),
	TP_fast_assign(
		__entry->latency_ns = stop->latency_ns;
		__entry->limit_ns = stop->limit_ns;
		__entry->expected_ns = stop->expected_ns;
		__entry->time_ns = stop->time_ns;
		__entry->cpu = stop->cpu;
		__entry->context = stop->context;
		__entry->pid = stop->pid;
		memcpy(__entry->comm, stop->comm, TASK_COMM_LEN);
	),
	TP_printk("cpu=%u context=%s latency_ns=%llu limit_ns=%llu expected_ns=%llu time_ns=%llu pid=%d comm=%s",
		  __entry->cpu, timerlat_show_context(__entry->context), __entry->latency_ns, __entry->limit_ns,
		  __entry->expected_ns, __entry->time_ns, __entry->pid, __entry->comm)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH timerlat
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE timerlat_trace
#include <trace/define_trace.h>
