// SPDX-License-Identifier: GPL-2.0-or-later
/* See held.h. */
#include "held.h"

#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "now.h"
#include "session.h"

#define HOLD_NS (30 * TLOBCTL_NS_PER_S)

/* ---- what is held */

/* Of the answer, who and the shares have texts of their own. */
static void free_texts(struct why_answer *a)
{
	for (size_t i = 0; i < a->why.nwho; i++)
		free((char *)a->who[i].cgroup);
	for (size_t i = 0; i < a->why.nprocesses; i++)
		free((char *)a->processes[i].name);
	for (size_t i = 0; i < a->why.ncgroups; i++)
		free((char *)a->cgroups[i].name);
}

static void held_free(struct tlobctl_held *h)
{
	if (!h)
		return;
	free_texts(&h->answer);
	why_answer_deinit(&h->answer);
	tlobctl_late_forget(&h->unnamed.late);
	free(h->unnamed.counts.list);
	free(h->region);
	free(h->program);
	free(h->file);
	free(h);
}

static bool own(const char **text)
{
	*text = strdup(*text);
	return *text;
}

/* Copies the texts that it points to, which are somebody else's. False: some are NULL now. */
static bool own_texts(struct why_answer *a)
{
	bool all = true;

	for (size_t i = 0; i < a->why.nwho; i++)
		all &= own(&a->who[i].cgroup);
	for (size_t i = 0; i < a->why.nprocesses; i++)
		all &= own(&a->processes[i].name);
	for (size_t i = 0; i < a->why.ncgroups; i++)
		all &= own(&a->cgroups[i].name);
	return all;
}

static struct tlobctl_held *held_new(const struct tlobctl_event *event)
{
	struct tlobctl_held *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->record = *event->record;
	h->since_ns = tlobctl_now_ns();
	h->region = strdup(event->region);
	h->program = strdup(event->program);
	h->file = strdup(event->file);
	h->line = event->line;
	if (h->region && h->program && h->file)
		return h;
	held_free(h);
	return NULL;
}

bool tlobctl_held_add(struct tlobctl *ctl, const struct tlobctl_event *event)
{
	struct tlobctl_holding *all = &ctl->held;
	struct tlobctl_held *h = held_new(event);

	if (!h)
		return false;
	h->answers = tlobctl_names_answers(ctl);
	h->answer = ctl->why.answer;
	ctl->why.answer = (struct why_answer){0};
	if (ctl->why.late) {
		h->unnamed.late = *ctl->why.late;
		*ctl->why.late = (struct tlobctl_late){0};
	}
	if (ctl->sampler) {
		h->unnamed.counts = ctl->sampler->counts;
		ctl->sampler->counts = (struct tlobctl_counts){0};
	}
	if (!own_texts(&h->answer)) { /* an end without its cause is better than none */
		free_texts(&h->answer);
		h->answer.why.nwho = h->answer.why.nsegments = h->answer.why.nculprits = 0;
		h->answer.why.nprocesses = h->answer.why.ncgroups = 0;
	}
	*(all->last ? &all->last->next : &all->first) = h;
	all->last = h;
	all->count++;
	return true;
}

/* ---- when it goes */

static void hand_out(struct tlobctl *ctl, struct tlobctl_held *h)
{
	struct tlobctl_event event = {.record = &h->record,
				      .region = h->region,
				      .program = h->program,
				      .file = h->file,
				      .line = h->line,
				      .why = &h->answer.why};

	tlobctl_stacks_name(ctl, &h->unnamed.late, &h->answer.why);
	tlobctl_sampler_name(ctl, &h->unnamed.counts, &h->answer.why);
	ctl->delivered++;
	if (ctl->fn)
		ctl->fn(&event, ctl->arg);
}

/* Has it got all names? Asks again for those that it has not. */
static bool has_names(struct tlobctl *ctl, struct tlobctl_held *h)
{
	uint64_t answers = tlobctl_names_answers(ctl);

	if (h->answers == answers)
		return false;
	h->answers = answers;
	tlobctl_names_begin(ctl);
	tlobctl_stacks_want(ctl, h->record.tgid, &h->unnamed.late);
	tlobctl_sampler_want(ctl, h->record.tgid, &h->unnamed.counts);
	return tlobctl_names_wait_until(ctl, 0);
}

void tlobctl_held_try(struct tlobctl *ctl, bool all)
{
	struct tlobctl_holding *held = &ctl->held;
	struct tlobctl_held **at = &held->first, *h, *last = NULL;
	uint64_t now = held->first ? tlobctl_now_ns() : 0;

	while ((h = *at)) {
		if (!all && held->count <= TLOBCTL_HELD && now - h->since_ns < HOLD_NS &&
		    !has_names(ctl, h)) {
			last = h;
			at = &h->next;
			continue;
		}
		*at = h->next;
		held->count--;
		hand_out(ctl, h);
		held_free(h);
	}
	held->last = last;
}

void tlobctl_held_deinit(struct tlobctl *ctl)
{
	while (ctl->held.first) {
		struct tlobctl_held *h = ctl->held.first;

		ctl->held.first = h->next;
		held_free(h);
	}
	ctl->held = (struct tlobctl_holding){0};
}
