// SPDX-License-Identifier: GPL-2.0-only
/* Overruns on their way out: record, ring, tracepoints, reaction. */
#include <linux/string.h>

#include <ring/ring.h>

#define CREATE_TRACE_POINTS
#include "tlob.h"
#include "tlob_trace.h"

void tlob_record_fill(struct tlob_task *t, const struct tlob_window *w,
		      const struct tlob_grant *grant, u16 type, u16 flags, u64 now_ns,
		      struct tlob_record *record)
{
	struct tlob_split split;

	memset(record, 0, sizeof(*record));
	record->type = type;
	record->flags = flags | grant->flags;
	record->region = grant->region;
	record->tgid = grant->tgid;
	record->tid = grant->tid;
	record->cpu = t->clock.cpu;
	record->time_ns = now_ns;
	record->start_ns = w->start_ns;
	record->budget_ns = grant->budget_ns;
	record->elapsed_ns = now_ns - w->start_ns;
	record->tag = w->tag;
	record->window = grant->order;
	memcpy(record->comm, t->task->comm, sizeof(record->comm));
	record->comm[sizeof(record->comm) - 1] = '\0';
	tlob_clock_try_read(&t->clock, now_ns, &split); /* cannot fail under the lock */
	record->flags |= tlob_window_split(w, &split, record->elapsed_ns, record);
}

void tlob_report_overrun(struct tlob_task *t, const struct tlob_grant *grant,
			 const struct tlob_record *record)
{
	pid_t pid = t->task->pid;

	trace_error_env_tlob(pid, record->state, record->elapsed_ns);
	trace_detail_env_tlob(pid, record);
	trace_tlob_budget_exceeded(pid, record);
	if (grant->ring)
		rvc_ring_push(grant->ring, record);
	pring_record(record);
	rvc_react(&tlob_monitor, &t->reaction, "%s[%d] over its budget of %llu ns in state %s",
		  record->comm, pid, record->budget_ns, tlob_model_state_name(record->state));
}

void tlob_report_close(const struct tlob_grant *grant, const struct tlob_record *record)
{
	if (grant->ring && grant->close_record)
		rvc_ring_push(grant->ring, record);
	pring_record(record);
}
