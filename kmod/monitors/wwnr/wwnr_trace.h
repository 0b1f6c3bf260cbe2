/* SPDX-License-Identifier: GPL-2.0-only */
/* Tracepoints of the monitor wwnr. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM rv_wwnr

#if !defined(MONITORS_WWNR_WWNR_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define MONITORS_WWNR_WWNR_TRACE_H

#include <linux/tracepoint.h>

#define wwnr_show_state(state) __print_symbolic(state, {0, "not_running"}, {1, "running"})
#define wwnr_show_event(event) \
	__print_symbolic(event, {0, "wakeup"}, {1, "switch_in"}, {2, "switch_out"})

/* clang-format off */
TRACE_EVENT(event_wwnr,
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
	TP_printk("%d: %s x %s -> %s%s", __entry->id, wwnr_show_state(__entry->state),
		  wwnr_show_event(__entry->event), wwnr_show_state(__entry->next),
		  __entry->final_state ? " (final)" : "")
);

TRACE_EVENT(error_wwnr,
	TP_PROTO(pid_t id, u32 state, u32 event),
	TP_ARGS(id, state, event),
	TP_STRUCT__entry(
		__field(pid_t, id)
		__field(u32, state)
		__field(u32, event)
	),
	TP_fast_assign(
		__entry->id = id;
		__entry->state = state;
		__entry->event = event;
	),
	TP_printk("%d: event %s not expected in the state %s", __entry->id, wwnr_show_event(__entry->event),
		  wwnr_show_state(__entry->state))
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH monitors/wwnr
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE wwnr_trace
#include <trace/define_trace.h>
