// SPDX-License-Identifier: GPL-2.0-or-later
/* See timerlat_why.h. A cycle is looked at as a window of its thread: from the time that was set to its code going on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../why/kallsyms.h"
#include "session.h"
#include "timerlat_why.h"

#define NAME_BYTES 128

struct timerlat_why {
	struct tlobctl *ctl; /* NULL: no history */
	struct why_kallsyms *symbols;
	struct tlob_record record;
	const struct tlobctl_why *answer;
	uint32_t interrupted;
	uint64_t interrupted_ns; /* when */
	struct tlobctl_frame frames[TIMERLAT_FRAMES];
	char names[TIMERLAT_FRAMES][NAME_BYTES];
	size_t nframes;
	bool asked;
	bool in_user;
};

void timerlat_why_open(struct tlobctl_timerlat *t)
{
	const struct tlobctl_timerlat_opts *o = &t->opts;
	struct tlobctl_opts opts = {.size = sizeof(opts),
				    .engine = TLOBCTL_ENGINE_BPF,
				    .why = TLOBCTL_WHY_CULPRIT,
				    .history_bytes = o->history_bytes,
				    .history_ns = o->history_ns};
	struct tlobctl_why_stat stat;

	if (o->why == TLOBCTL_WHY_NONE || !(o->stop_irq_ns || o->stop_total_ns))
		return;
	t->why = calloc(1, sizeof(*t->why));
	if (!t->why)
		return;
	if (tlobctl_open(&opts, &t->why->ctl) < 0) {
		timerlat_note(t, "Nothing will be said of causes: %s.", tlobctl_error());
		return;
	}
	tlobctl_why_stats(t->why->ctl, &stat);
	if (!stat.history_bytes)
		timerlat_note(
			t,
			"Nothing will be said of causes: the history of context switches cannot be kept here; try "
			"a smaller --history.");
}

void timerlat_why_close(struct tlobctl_timerlat *t)
{
	if (!t->why)
		return;
	tlobctl_close(t->why->ctl);
	why_kallsyms_free(t->why->symbols);
	free(t->why);
	t->why = NULL;
}

/* ---- who */

static void make_record(struct timerlat_why *w, const struct timerlat_lane *lane,
			const struct tlobctl_timerlat_hit *hit)
{
	const struct timerlat_marks *m = &lane->t->hit;
	const uint64_t *ns = hit->parts_ns;

	w->record = (struct tlob_record){.type = TLOB_REC_CLOSE,
					 .tgid = (uint32_t)getpid(),
					 .tid = lane->tid,
					 .cpu = lane->cpu,
					 .state = TLOB_RUNNING,
					 .time_ns = m->user_ns,
					 .start_ns = m->deadline_ns,
					 .budget_ns = hit->limit_ns,
					 .elapsed_ns = ns[TLOBCTL_TIMERLAT_TOTAL]};
	if (hit->split) {
		w->record.sleeping_ns = ns[TLOBCTL_TIMERLAT_IRQ];
		w->record.waiting_ns = ns[TLOBCTL_TIMERLAT_THREAD];
		w->record.running_ns = ns[TLOBCTL_TIMERLAT_USER_RET];
	} else {
		w->record.sleeping_ns = w->record.elapsed_ns;
	}
	snprintf(w->record.comm, sizeof(w->record.comm), "timerlat/%u", lane->cpu);
}

/* The switch that gave @cpu to whoever had it at @time_ns; NULL: before the history begins. */
static const struct tlob_history_entry *occupant(const struct why_stream *stream, uint32_t cpu,
						 uint64_t time_ns)
{
	const struct tlob_history_entry *latest = NULL;

	for (size_t i = 0; i < stream->count && stream->entries[i].time_ns <= time_ns; i++)
		if (stream->entries[i].kind == TLOB_HISTORY_SWITCH && stream->entries[i].cpu == cpu)
			latest = &stream->entries[i];
	return latest;
}

/* Index in the answer's table of who had the CPU when the interrupt came. */
static uint32_t find_interrupted(struct timerlat_why *w, const struct timerlat_lane *lane)
{
	struct tlobctl_why_state *state = &w->ctl->why;
	const struct tlob_history_entry *e = occupant(&state->stream, lane->cpu, w->interrupted_ns);
	size_t n = state->answer.why.nwho;
	uint32_t who;

	if (!e)
		return TLOBCTL_NOBODY;
	who = why_who(&state->answer, &n, e->tid, e);
	state->answer.why.nwho = n;
	tlobctl_why_names(w->ctl, &state->answer);
	return who;
}

static void ask_history(struct timerlat_why *w, const struct timerlat_lane *lane)
{
	w->interrupted = TLOBCTL_NOBODY;
	if (!w->ctl)
		return;
	w->answer = tlobctl_why_of(w->ctl, &w->record);
	if (w->answer)
		w->interrupted = find_interrupted(w, lane);
}

/* ---- where */

/* Where the processor's own way into an interrupt ends, and what was interrupted begins. */
static bool is_entry(const char *name)
{
	static const char *const entries[] = {"asm_sysvec_apic_timer_interrupt", "el1h_64_irq",
					      "el0t_64_irq", "el0t_32_irq"};

	for (size_t i = 0; i < sizeof(entries) / sizeof(*entries); i++)
		if (!strcmp(name, entries[i]))
			return true;
	return false;
}

static void ask_stack(struct timerlat_why *w, struct tlobctl_timerlat *t,
		      const struct timerlat_lane *lane)
{
	uint64_t addresses[TIMERLAT_FRAMES];
	size_t n = 0, first = 0;
	const char *name, *module;

	w->interrupted_ns = t->hit.split ? t->hit.irq_ns : t->hit.deadline_ns;
	if (t->backend->stack)
		n = t->backend->stack(lane, &w->interrupted_ns, addresses);
	if (!n || (!w->symbols && why_kallsyms_new("/proc/kallsyms", &w->symbols)))
		return;
	for (size_t i = 0; i < n; i++) {
		uint64_t start = why_kallsyms_start(w->symbols);

		/* a return address: what counts is the call before it */
		if (!why_kallsyms_find(w->symbols, addresses[i] - 1, &name, &module))
			name = module = "";
		snprintf(w->names[i], NAME_BYTES, "%s%s%s%s", name, *module ? " [" : "", module,
			 *module ? "]" : "");
		w->frames[i] = (struct tlobctl_frame){.function = w->names[i],
						      .object = "[kernel]",
						      .build_id = "",
						      .offset = addresses[i] - start,
						      .file = "",
						      .kernel = true};
		if (is_entry(name))
			first = i + 1;
	}
	w->nframes = n - first;
	w->in_user = first == n;
	memmove(w->frames, w->frames + first, w->nframes * sizeof(*w->frames));
}

void timerlat_why_ask(struct tlobctl_timerlat *t, const struct timerlat_lane *lane,
		      struct tlobctl_timerlat_hit *out)
{
	struct timerlat_why *w = t->why;

	if (!w)
		return;
	if (!w->asked) {
		w->asked = true;
		make_record(w, lane, out);
		ask_stack(w, t, lane);
		ask_history(w, lane);
	}
	out->record = &w->record;
	out->why = w->answer;
	out->interrupted = w->interrupted;
	out->in_user = w->in_user;
	out->stack.frames = w->frames;
	out->stack.nframes = w->nframes;
}
