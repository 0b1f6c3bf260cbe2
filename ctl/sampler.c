// SPDX-License-Identifier: GPL-2.0-or-later
/* See sampler.h. */
#include "sampler.h"

#include <errno.h>
#include <stdlib.h>

#include "error.h"
#include "ledger.h"
#include "now.h"
#include "objects.h"
#include "sampler_goods.h"
#include "session.h"

#define SETTLE_NS 100000000ULL
#define SPEND_NS (TLOBCTL_NS_PER_S / 5) /* CPU time for names in each second */

/* ---- samples on their way */

static uint32_t take(struct tlobctl_sampler *s)
{
	size_t room = s->taken_room ? s->taken_room * 2 : 256;
	struct tlobctl_taken *taken;
	uint32_t number;

	if (!s->taken_free) {
		taken = reallocarray(s->taken, room, sizeof(*taken));
		if (!taken)
			return UINT32_MAX;
		for (size_t i = s->taken_room; i < room; i++)
			taken[i].next = i + 1 < room ? (uint32_t)i + 2 : 0;
		s->taken_free = (uint32_t)s->taken_room + 1;
		s->taken = taken;
		s->taken_room = room;
	}
	number = s->taken_free - 1;
	s->taken_free = s->taken[number].next;
	return number;
}

static void give_back(struct tlobctl_sampler *s, uint32_t number)
{
	s->taken[number].next = s->taken_free;
	s->taken_free = number + 1;
}

static void fill_in(struct tlobctl *ctl, struct tlobctl_taken *t,
		    const struct tlob_bpf_sample *sample)
{
	t->tid = sample->tid;
	t->tgid = sample->tgid;
	t->nwindows = 0;
	for (size_t i = 0; i < sample->nwindows && i < TLOB_MAX_DEPTH; i++) {
		const struct tlob_bpf_sampled *w = &sample->windows[i];
		uint32_t owner = tlobctl_goods_owner(ctl, w, sample->tgid, sample->comm);

		if (owner == TLOBCTL_NOBODYS)
			continue;
		t->windows[t->nwindows++] = (struct why_sampled_window){
			.window = w->window,
			.start_ns = w->start_ns,
			.deadline_ns = w->deadline_ns,
			.client = w->client,
			.region = w->region,
			.owner = owner,
		};
	}
}

void tlobctl_sampler_push(struct tlobctl *ctl, const struct tlob_bpf_sample *sample, size_t bytes)
{
	const size_t head = offsetof(struct tlob_bpf_sample, chain);
	struct tlobctl_sampler *s = ctl->sampler;
	struct why_raw raw = {.kind = WHY_RAW_SAMPLE};
	uint32_t number;

	if (bytes < head ||
	    (bytes - head) / sizeof(uint64_t) < (size_t)sample->nkernel + sample->nuser)
		return;
	number = take(s);
	if (number == UINT32_MAX) {
		s->stat.crowded++;
		return;
	}
	fill_in(ctl, &s->taken[number], sample);
	if (!s->taken[number].nwindows) {
		give_back(s, number);
		return;
	}
	tlobctl_objects_know(ctl, sample->tgid);
	raw.time_ns = sample->time_ns;
	raw.cpu = sample->cpu;
	raw.tid = sample->tid;
	raw.tgid = sample->tgid;
	raw.sample.token = number;
	raw.sample.chain = (const uint64_t *)sample->chain;
	raw.sample.nkernel = sample->nkernel;
	raw.sample.nuser = sample->nuser;
	raw.sample.copy = sample->regs;
	if (sample->stack_bytes <= sizeof(sample->stack))
		raw.sample.copy_bytes =
			(uint32_t)(offsetof(struct tlob_bpf_sample, stack) -
				   offsetof(struct tlob_bpf_sample, regs) + sample->stack_bytes);
	raw.sample.cut = sample->nkernel == TLOB_BPF_SAMPLE_KERNEL ||
			 sample->nuser == TLOB_BPF_SAMPLE_USER;
	if (why_sync_push(tlobctl_objects_sync(ctl), &raw))
		give_back(s, number);
}

/* ---- what the stream makes of them */

static void arrived(struct tlobctl_sampler *s, uint32_t number, uint64_t time_ns, uint32_t trace)
{
	const struct tlobctl_taken *t = &s->taken[number];
	const struct why_sampled_hit hit = {
		.tid = t->tid, .tgid = t->tgid, .time_ns = time_ns, .trace = trace};

	s->stat.taken++;
	why_sampled_add(&s->sampled, &hit, t->windows, t->nwindows);
	give_back(s, number);
}

static void take_event(const struct why_event *e, void *arg)
{
	struct tlobctl *ctl = arg;
	struct tlobctl_sampler *s = ctl->sampler;
	uint32_t trace;

	if (e->kind == WHY_TRACE_BEGIN) {
		s->coming = (uint32_t)e->token;
		s->coming_ns = e->time_ns;
	} else if (e->kind == WHY_TRACE_LOST) {
		arrived(s, (uint32_t)e->token, e->time_ns, UINT32_MAX);
	} else if (e->kind == WHY_THREAD_EXIT && !ctl->programs.foreign) {
		/* there, perf events have other numbers than records */
		why_sampled_exit(&s->sampled, e->context.tid, e->time_ns);
	}
	if (why_traces_take(&s->traces, e, &trace))
		arrived(s, s->coming, s->coming_ns, trace);
}

static void read_samples(struct tlobctl *ctl)
{
	struct tlobctl_sampler *s = ctl->sampler;
	uint64_t now = tlobctl_now_ns();

	if (now - s->settled_ns >= SETTLE_NS) {
		s->settled_ns = now;
		tlobctl_goods_settle(ctl, why_sync_release_horizon(tlobctl_objects_sync(ctl)));
	}
	s->read(ctl);
}

/* ---- windows that are late */

void tlobctl_sampler_late(struct tlobctl *ctl, const struct tlob_record *record)
{
	const struct why_sampled_window w = {.window = record->window,
					     .start_ns = record->start_ns,
					     .deadline_ns = record->start_ns + record->budget_ns,
					     .client = record->client,
					     .region = record->region};

	if (ctl->sampler)
		why_sampled_late(&ctl->sampler->sampled, record->tid, record->tgid, &w,
				 record->type == TLOB_REC_CLOSE ? record->time_ns : 0);
}

static void count_one(uint32_t trace, void *arg)
{
	tlobctl_counts_add(arg, trace);
}

static bool may_spend(struct tlobctl_sampler *s)
{
	uint64_t now = tlobctl_now_ns();

	if (now - s->second_ns >= TLOBCTL_NS_PER_S) {
		s->second_ns = now;
		s->spent_ns = 0;
	}
	return s->spent_ns < SPEND_NS;
}

uint64_t tlobctl_sampler_of(struct tlobctl *ctl, const struct tlob_record *record)
{
	struct tlobctl_sampler *s = ctl->sampler;
	uint64_t n = 0;

	if (!s)
		return 0;
	s->counts.count = 0;
	if (record->type != TLOB_REC_CLOSE)
		return 0;
	tlobctl_objects_settle(ctl, record->time_ns);
	why_sampled_each(&s->sampled, record->tid, record->start_ns, record->time_ns, count_one,
			 &s->counts);
	for (size_t i = 0; i < s->counts.count; i++)
		n += s->counts.list[i].count;
	s->stat.late += n;
	return n;
}

void tlobctl_sampler_want(struct tlobctl *ctl, uint32_t tgid, const struct tlobctl_counts *counts)
{
	uint64_t since = tlobctl_cpu_ns();

	if (!ctl->sampler || !counts->count || !may_spend(ctl->sampler))
		return;
	tlobctl_samples_want(ctl, tgid, counts);
	ctl->sampler->spent_ns += tlobctl_cpu_ns() - since;
}

void tlobctl_sampler_name(struct tlobctl *ctl, const struct tlobctl_counts *counts,
			  struct tlobctl_why *why)
{
	struct tlobctl_sampler *s = ctl->sampler;
	uint64_t since = tlobctl_cpu_ns();

	why->samples = s ? s->samples : NULL;
	why->nsamples = 0;
	if (!s || !counts->count || !may_spend(s))
		return;
	why->nsamples = tlobctl_samples_name(ctl, counts);
	s->spent_ns += tlobctl_cpu_ns() - since;
}

void tlobctl_sampler_drain(struct tlobctl *ctl)
{
	if (ctl->sampler)
		tlobctl_objects_settle(ctl, tlobctl_now_ns() - 1);
}

/* ---- opening, closing, counting */

int tlobctl_sampler_open(struct tlobctl *ctl, const char *clock, void (*read)(struct tlobctl *ctl),
			 uint64_t (*dropped)(const struct tlobctl *ctl))
{
	struct tlobctl_sampler *s = calloc(1, sizeof(*s));

	if (s)
		s->samples = calloc(TLOBCTL_MAX_STACKS, sizeof(*s->samples));
	if (!s || !s->samples) {
		free(s);
		return tlobctl_fail(-ENOMEM, "out of memory for CPU samples");
	}
	s->read = read;
	s->dropped = dropped;
	s->stat.clock = clock;
	s->stat.hz = ctl->opts.sample_hz;
	s->period_ns = 1000000000ULL / s->stat.hz;
	ctl->sampler = s;
	tlobctl_objects_feed(ctl, read_samples, take_event);
	tlobctl_objects_sync(ctl)->callers = tlobctl_sampler_callers;
	tlobctl_objects_sync(ctl)->callers_arg = ctl;
	return 0;
}

void tlobctl_sampler_close(struct tlobctl *ctl)
{
	struct tlobctl_sampler *s = ctl->sampler;

	if (!s)
		return;
	tlobctl_objects_feed(ctl, NULL, NULL);
	tlobctl_goods_deinit(s);
	why_traces_deinit(&s->traces);
	why_sampled_deinit(&s->sampled);
	free(s->taken);
	free(s->counts.list);
	free(s->samples);
	free(s->frames);
	free(s);
	ctl->sampler = NULL;
}

void tlobctl_sample_stats(const struct tlobctl *ctl, struct tlobctl_sample_stat *out)
{
	const struct tlobctl_sampler *s = ctl->sampler;
	const struct why_losses *lost;

	*out = (struct tlobctl_sample_stat){.note = ""};
	if (!s)
		return;
	lost = &tlobctl_objects_sync((struct tlobctl *)ctl)->losses;
	*out = s->stat;
	out->good_share = ctl->opts.good_share == TLOBCTL_GOOD_NONE ? 0 : ctl->opts.good_share;
	out->note = tlobctl_objects_note(ctl);
	out->no_mapping = lost->no_mapping;
	out->no_process = lost->no_space;
	out->no_backtrace = lost->backtraces;
	out->cut = lost->cut;
	out->full = lost->buffer + s->dropped(ctl);
	out->crowded += s->sampled.crowded + s->traces.refused;
}
