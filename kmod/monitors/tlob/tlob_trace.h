/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints of the monitor, group rv_tlob (the group rv is the kernel's own). At most one of each per overrun; event_tlob: each
 * step of a monitored task's automaton.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM rv_tlob

#if !defined(MONITORS_TLOB_TLOB_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define MONITORS_TLOB_TLOB_TRACE_H

#include <linux/sched.h>
#include <linux/tracepoint.h>

#define tlob_show_state(state) \
	__print_symbolic(state, {0, "running"}, {1, "waiting"}, {2, "sleeping"}, {0xff, "invalid"})
#define tlob_show_event(event) \
	__print_symbolic(event, {0, "start"}, {1, "stop"}, {2, "preempt"}, {3, "sleep"}, \
			 {4, "wakeup"}, {5, "switch_in"})

/* clang-format off */
TRACE_EVENT(event_tlob,
	TP_PROTO(pid_t id, u32 state, u32 event, u32 next, bool final_state),
	TP_ARGS(id, state, event, next, final_state),
	TP_STRUCT__entry(
		__field(pid_t, id)
		__field(u32, state)
		__field(u32, event)
		__field(u32, next)
		__field(bool, final_state)
	),
	TP_fast_assign(
		__entry->id = id;
		__entry->state = state;
		__entry->event = event;
		__entry->next = next;
		__entry->final_state = final_state;
	),
	TP_printk("%d: %s x %s -> %s%s", __entry->id, tlob_show_state(__entry->state),
		  tlob_show_event(__entry->event), tlob_show_state(__entry->next),
		  __entry->final_state ? " (final)" : "")
);

TRACE_EVENT(error_env_tlob,
	TP_PROTO(pid_t id, u32 state, u64 elapsed_ns),
	TP_ARGS(id, state, elapsed_ns),
	TP_STRUCT__entry(
		__field(pid_t, id)
		__field(u32, state)
		__field(u64, elapsed_ns)
	),
	TP_fast_assign(
		__entry->id = id;
		__entry->state = state;
		__entry->elapsed_ns = elapsed_ns;
	),
	TP_printk("%d: event budget_exceeded not expected in the state %s with env clk_elapsed=%llu",
		  __entry->id, tlob_show_state(__entry->state), __entry->elapsed_ns)
);

TRACE_EVENT(detail_env_tlob,
	TP_PROTO(pid_t pid, const struct tlob_record *record),
	TP_ARGS(pid, record),
	TP_STRUCT__entry(
		__field(pid_t, pid)
		__field(u64, threshold_ns)
		__field(u64, running_ns)
		__field(u64, waiting_ns)
		__field(u64, sleeping_ns)
	),
	TP_fast_assign(
		__entry->pid = pid;
		__entry->threshold_ns = record->budget_ns;
		__entry->running_ns = record->running_ns;
		__entry->waiting_ns = record->waiting_ns;
		__entry->sleeping_ns = record->sleeping_ns;
	),
	TP_printk("pid=%d threshold_ns=%llu running_ns=%llu waiting_ns=%llu sleeping_ns=%llu", __entry->pid,
		  __entry->threshold_ns, __entry->running_ns, __entry->waiting_ns, __entry->sleeping_ns)
);

TRACE_EVENT(tlob_budget_exceeded,
	TP_PROTO(pid_t pid, const struct tlob_record *record),
	TP_ARGS(pid, record),
	TP_STRUCT__entry(
		__array(char, comm, TASK_COMM_LEN)
		__field(pid_t, pid)
		__field(u64, threshold_ns)
		__field(u64, running_ns)
		__field(u64, waiting_ns)
		__field(u64, sleeping_ns)
		__field(u32, switches)
		__field(u32, state)
		__field(u64, tag)
	),
	TP_fast_assign(
		memcpy(__entry->comm, record->comm, TASK_COMM_LEN);
		__entry->pid = pid;
		__entry->threshold_ns = record->budget_ns;
		__entry->running_ns = record->running_ns;
		__entry->waiting_ns = record->waiting_ns;
		__entry->sleeping_ns = record->sleeping_ns;
		__entry->switches = record->switches;
		__entry->state = record->state;
		__entry->tag = record->tag;
	),
	TP_printk("%s[%d]: budget exceeded threshold=%llu running=%llu waiting=%llu sleeping=%llu switches=%u state=%s tag=0x%016llx",
		  __entry->comm, __entry->pid, __entry->threshold_ns, __entry->running_ns,
		  __entry->waiting_ns, __entry->sleeping_ns, __entry->switches,
		  tlob_show_state(__entry->state), __entry->tag)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH monitors/tlob
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE tlob_trace
#include <trace/define_trace.h>
