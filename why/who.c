// SPDX-License-Identifier: GPL-2.0-or-later
/* See who.h. */
#include "who.h"

#include <stdio.h>
#include <string.h>

#include "syscall.h"

/* A number may have belonged to two threads, one after the other. */
static bool is_same(const struct tlobctl_who *who, uint32_t tid, const struct tlob_history_entry *e)
{
	return who->tid == tid && (!e || !who->tgid || who->tgid == e->tgid);
}

/* What later entries say counts: a thread gets its name, or a new one, after it was started. */
static void describe(struct tlobctl_who *who, const struct tlob_history_entry *e)
{
	who->tgid = e->tgid;
	memcpy(who->comm, e->comm, sizeof(who->comm));
	who->comm[sizeof(who->comm) - 1] = '\0';
	who->kernel = e->flags & TLOB_HISTORY_KTHREAD;
	who->priority = e->priority;
	who->cgroup_id = e->cgroup;
}

uint32_t why_who(struct why_answer *answer, size_t *n, uint32_t tid,
		 const struct tlob_history_entry *e)
{
	struct tlobctl_who *all = answer->who;
	uint32_t i = 0;

	while (i < *n && !is_same(&all[i], tid, e))
		i++;
	if (i == WHY_MAX_WHO)
		return WHY_MAX_WHO - 1;
	if (i == *n) {
		all[i] = (struct tlobctl_who){.tid = tid, .cgroup = ""};
		(*n)++;
		if (i == WHY_MAX_WHO - 1) {
			all[i].tid = 0;
			strcpy(all[i].comm, "(others)");
			return i;
		}
	}
	if (e)
		describe(&all[i], e);
	return i;
}

/* Those the kernel has no thread for go by a name. */
static const char *interrupt_name(const struct tlob_history_entry *e, char *buf)
{
	static const char *const names[] = {
		"hi",
		"timer",
		"net_tx",
		"net_rx",
		"block",
		"irq_poll",
		"tasklet",
		"sched",
		"hrtimer",
		"rcu",
		[TLOB_INTERRUPT_LOCAL_TIMER] = "local_timer",
		[TLOB_INTERRUPT_RESCHEDULE] = "reschedule",
		[TLOB_INTERRUPT_CALL] = "call_function",
		[TLOB_INTERRUPT_CALL_SINGLE] = "call_function",
		[TLOB_INTERRUPT_WORK] = "irq_work",
	};

	if (e->source < sizeof(names) / sizeof(*names))
		return names[e->source];
	memcpy(buf, e->comm, TLOB_COMM_BYTES);
	buf[TLOB_COMM_BYTES - 1] = '\0';
	if (!*buf)
		snprintf(buf, TLOB_COMM_BYTES, "irq %u", e->source - TLOB_INTERRUPT_LINE);
	return buf;
}

uint32_t why_who_interrupted(struct why_answer *answer, size_t *n,
			     const struct tlob_history_entry *e)
{
	struct tlobctl_who *all = answer->who;
	char buf[TLOB_COMM_BYTES];
	const char *name = interrupt_name(e, buf);
	uint32_t i = 0;

	while (i < *n && (all[i].tid || strcmp(all[i].comm, name)))
		i++;
	if (i == WHY_MAX_WHO)
		return WHY_MAX_WHO - 1;
	if (i < *n)
		return i;
	(*n)++;
	all[i] = (struct tlobctl_who){.kernel = true, .priority = 120, .cgroup = ""};
	snprintf(all[i].comm, sizeof(all[i].comm), "%s", i < WHY_MAX_WHO - 1 ? name : "(others)");
	return i;
}

uint32_t why_who_woke(struct why_answer *answer, size_t *n, const struct why_stream *stream,
		      const struct tlob_history_entry *wake)
{
	return why_who(answer, n, wake->prev_tid,
		       why_naming(stream, wake->prev_tid, wake->time_ns));
}

/* What a thread sends to another on the same machine arrives in a soft interrupt, before its call has returned. */
static bool is_sent(const struct tlob_history_entry *wake)
{
	return wake->flags & TLOB_HISTORY_SOFT && why_syscall_sends(wake->syscall);
}

bool why_by_interrupt(const struct tlob_history_entry *wake)
{
	return !wake->prev_tid || (wake->flags & TLOB_HISTORY_INTERRUPT && !is_sent(wake));
}
