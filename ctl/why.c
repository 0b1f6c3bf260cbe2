// SPDX-License-Identifier: GPL-2.0-or-later
/* See why.h. */
#include "why.h"

#include <errno.h>

#include "../why/symbolize.h"
#include "names.h"
#include "now.h"
#include "objects.h"
#include "sampler.h"
#include "session.h"

#define NS_PER_S 1000000000ULL
#define SPEND_NS (NS_PER_S / 20) /* CPU time for this in each second */
#define MAX_PER_SECOND 1000 /* what the caller does with an answer costs too */
#define OPEN_SHARE 2 /* windows still open only get half of both */
/* Looked at before a window, to find out what others were in when it began: as long as the window, within limits. */
#define BEFORE_MIN_NS 10000000ULL
#define BEFORE_MAX_NS 100000000ULL
#define INTERRUPTS_AFTER_NS \
	10000000ULL /* what interrupts took may be told as late as at the next tick: every 10 ms, or more often */
#define MAX_ENTRIES (1u << 18) /* looked at for one window: the latest */

void tlobctl_why_init(struct tlobctl *ctl)
{
	ctl->why.begun_cpu_ns = tlobctl_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

void tlobctl_why_discount(struct tlobctl *ctl, uint64_t cpu_ns)
{
	ctl->why.begun_cpu_ns += tlobctl_clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns;
}

void tlobctl_why_deinit(struct tlobctl *ctl)
{
	struct tlobctl_why_state *w = &ctl->why;

	why_history_unmap(&w->history);
	why_stream_deinit(&w->stream);
	why_answer_deinit(&w->answer);
}

static bool may_spend(struct tlobctl_why_state *w, const struct tlob_record *record)
{
	uint64_t share = record->type == TLOB_REC_CLOSE ? 1 : OPEN_SHARE;
	uint64_t now = tlobctl_now_ns();

	if (now - w->second_ns >= NS_PER_S) {
		w->second_ns = now;
		w->spent_ns = 0;
		w->done = 0;
	}
	return w->spent_ns < SPEND_NS / share && w->done < MAX_PER_SECOND / share;
}

static int look(struct tlobctl *ctl, const struct tlob_record *record)
{
	struct tlobctl_why_state *w = &ctl->why;
	struct why_window window = {.tid = record->tid,
				    .start_ns = record->start_ns,
				    .end_ns = record->time_ns,
				    .budget_ns = record->budget_ns,
				    .end_state = (int)record->state};
	uint64_t before = record->elapsed_ns < BEFORE_MIN_NS ? BEFORE_MIN_NS :
			  record->elapsed_ns > BEFORE_MAX_NS ? BEFORE_MAX_NS :
							       record->elapsed_ns;
	uint64_t from = window.start_ns > before ? window.start_ns - before : 0;
	uint64_t after = ctl->opts.interrupts ? INTERRUPTS_AFTER_NS : 0;
	int r = ctl->engine->refresh && !ctl->engine->refresh(ctl) ? -ENODATA : 0;

	if (!r)
		r = why_history_read(&w->history, from, window.end_ns + after, MAX_ENTRIES,
				     &w->stream);

	return r ? r : why_culprits(&w->stream, &window, &w->answer);
}

/* Returns the CPU time that it took: what is new takes long, the same again next to nothing, so that it has limits of its own. */
static uint64_t find_places(struct tlobctl *ctl, const struct tlob_record *record,
			    struct tlobctl_why *why)
{
	static const struct tlobctl_counts none;
	struct tlobctl_why_state *w = &ctl->why;
	const struct tlobctl_counts *counts = ctl->sampler ? &ctl->sampler->counts : &none;
	uint64_t since;

	tlobctl_names_begin(ctl);
	w->late = tlobctl_stacks_of(ctl, record);
	why->sampled = tlobctl_sampler_of(ctl, record);
	since = tlobctl_cpu_ns();
	tlobctl_stacks_want(ctl, record->tgid, w->late);
	tlobctl_sampler_want(ctl, record->tgid, counts);
	w->unnamed = !tlobctl_names_wait(ctl);
	tlobctl_stacks_name(ctl, w->late, why);
	tlobctl_sampler_name(ctl, counts, why);
	if (record->type == TLOB_REC_CLOSE && !w->unnamed && w->late)
		tlobctl_late_forget(w->late);
	return tlobctl_cpu_ns() - since;
}

const struct tlobctl_why *tlobctl_why_of(struct tlobctl *ctl, const struct tlob_record *record)
{
	struct tlobctl_why_state *w = &ctl->why;
	uint64_t since, spent, naming = 0;
	int r;

	w->unnamed = false;
	/* of no thread: there is nobody whose time could be looked into */
	if (record->flags & TLOB_F_TRANSIT)
		return NULL;
	if (!w->history.lines || !record->tid || record->start_ns >= record->time_ns)
		return NULL;
	if (!may_spend(w, record)) {
		w->stat.skipped++;
		return NULL;
	}
	since = tlobctl_cpu_ns();
	tlobctl_stacks_look(ctl, record);
	r = look(ctl, record);
	if (!r) {
		tlobctl_why_names(ctl, &w->answer);
		naming = find_places(ctl, record, &w->answer.why);
	}
	spent = tlobctl_cpu_ns() - since;
	w->spent_ns += spent - naming;
	w->stat.cpu_ns += spent;
	if (r) {
		w->stat.skipped++;
		return NULL;
	}
	w->stat.analyses++;
	w->done++;
	w->answer.why.cost_ns = spent;
	return &w->answer.why;
}

static enum tlobctl_why_mode mode_of(const struct tlobctl *ctl)
{
	if (!ctl->why.history.lines)
		return TLOBCTL_WHY_NONE;
	if (!ctl->stacks.frames)
		return TLOBCTL_WHY_CULPRIT;
	return ctl->sampler ? TLOBCTL_WHY_SAMPLES : TLOBCTL_WHY_STACKS;
}

void tlobctl_why_stats(const struct tlobctl *ctl, struct tlobctl_why_stat *out)
{
	const struct why_symbolizer *symbolizer = tlobctl_symbolizer((struct tlobctl *)ctl);

	*out = ctl->why.stat;
	out->mode = mode_of(ctl);
	out->note = symbolizer ? why_symbolizer_note(symbolizer) : ctl->why.missing;
	if (!*out->note)
		out->note = tlobctl_names_note(ctl);
	out->interrupts = ctl->opts.interrupts && ctl->why.history.lines &&
			  ctl->engine->kind == TLOB_ENGINE_BPF;
	out->history_bytes = ctl->why.history.bytes;
	out->cpu_ns += tlobctl_names_cpu_ns(ctl);
	out->agent_cpu_ns = tlobctl_clock_ns(CLOCK_PROCESS_CPUTIME_ID) - ctl->why.begun_cpu_ns +
			    tlobctl_names_cpu_ns(ctl);
}
