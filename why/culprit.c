// SPDX-License-Identifier: GPL-2.0-or-later
/* See culprit.h. Segments first, from the timeline; then what they add up to; then the chains of the longest sleeps. */
#include "culprit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "syscall.h"
#include "who.h"

#define CHAINS 3 /* culprits that get one */
#define CHAIN_MIN_SHARE 20 /* of the window: a twentieth */
#define INTERRUPTS_MIN_SHARE 20 /* of the window: below that they are not to blame */

struct build {
	const struct why_stream *stream;
	struct why_answer *answer;
	size_t nsegments, nculprits;
	const struct why_window *window;
	struct tlobctl_why *why;
	int err;
};

void why_answer_deinit(struct why_answer *a)
{
	free(a->who);
	free(a->segments);
	free(a->culprits);
	free(a->links);
	free(a->processes);
	free(a->cgroups);
	*a = (struct why_answer){0};
}

static void *grow(struct build *b, void *array, size_t *room, size_t need, size_t size)
{
	size_t bigger = need < 64 ? 64 : need * 2;
	void *grown;

	if (need <= *room)
		return array;
	grown = reallocarray(array, bigger, size);
	if (!grown) {
		b->err = -ENOMEM;
		return NULL;
	}
	*room = bigger;
	return grown;
}

/* ---- segments */

static void say_waiting(struct build *b, const struct why_stretch *s, struct tlobctl_segment *seg)
{
	if (s->out && !s->wake && s->out->flags & TLOB_HISTORY_THROTTLED) {
		seg->cause = TLOBCTL_CAUSE_THROTTLED;
	} else if (!s->occupied) {
		seg->cause = TLOBCTL_CAUSE_UNKNOWN;
	} else if (!s->occupant) {
		seg->cause = TLOBCTL_CAUSE_IDLE;
	} else {
		seg->cause = TLOBCTL_CAUSE_BEHIND;
		seg->who = why_who(b->answer, &b->why->nwho, s->occupant, s->occupant_entry);
	}
}

static bool was_stopped(const struct tlob_history_entry *out)
{
	return out && out->prev_state & (TLOB_HISTORY_STOPPED | TLOB_HISTORY_TRACED);
}

static void say_sleeping(struct build *b, const struct why_stretch *s, struct tlobctl_segment *seg)
{
	if (s->out) {
		seg->syscall = why_syscall_name(s->out->syscall);
		seg->disk = s->out->flags & TLOB_HISTORY_IOWAIT;
	}
	seg->cause = TLOBCTL_CAUSE_ASLEEP;
	if (s->wake && why_by_interrupt(s->wake)) {
		seg->cause = TLOBCTL_CAUSE_INTERRUPT;
	} else if (s->wake) {
		seg->cause = TLOBCTL_CAUSE_WOKEN;
		seg->who = why_who_woke(b->answer, &b->why->nwho, b->stream, s->wake);
	}
	if (was_stopped(s->out))
		seg->cause = TLOBCTL_CAUSE_STOPPED;
}

/* From wake-up to CPU, however many segments that is. */
static void count_wakeup(struct build *b, const struct why_stretch *s)
{
	uint64_t since;

	if (s->state != TLOB_WAITING || !s->wake)
		return;
	since = s->wake->time_ns > b->window->start_ns ? s->wake->time_ns : b->window->start_ns;
	b->why->wakeups += s->first;
	if (s->end_ns - since > b->why->wakeup_max_ns)
		b->why->wakeup_max_ns = s->end_ns - since;
}

static bool same_segment(const struct tlobctl_segment *a, const struct tlobctl_segment *b)
{
	return a->cause == b->cause && a->cpu == b->cpu && a->who == b->who && a->disk == b->disk &&
	       a->syscall == b->syscall && a->end_ns == b->start_ns &&
	       a->cause != TLOBCTL_CAUSE_RUNNING;
}

static void add_segment(const struct why_stretch *s, void *arg)
{
	struct build *b = arg;
	struct tlobctl_segment seg = {.start_ns = s->start_ns,
				      .end_ns = s->end_ns,
				      .cpu = s->cpu,
				      .who = TLOBCTL_NOBODY,
				      .syscall = ""};
	struct tlobctl_segment *all;

	if (s->state == TLOB_RUNNING)
		seg.cause = TLOBCTL_CAUSE_RUNNING;
	else if (s->state == TLOB_WAITING)
		say_waiting(b, s, &seg);
	else if (s->state == TLOB_SLEEPING)
		say_sleeping(b, s, &seg);
	else
		b->why->unknown_ns += s->end_ns - s->start_ns;
	count_wakeup(b, s);
	b->why->migrations += s->moved;
	if (b->nsegments && same_segment(&b->answer->segments[b->nsegments - 1], &seg)) {
		b->answer->segments[b->nsegments - 1].end_ns = seg.end_ns;
		return;
	}
	all = grow(b, b->answer->segments, &b->answer->segments_room, b->nsegments + 1,
		   sizeof(*all));
	if (!all)
		return;
	b->answer->segments = all;
	all[b->nsegments++] = seg;
}

/* ---- culprits */

static bool same_cause(const struct tlobctl_culprit *c, const struct tlobctl_segment *s)
{
	return c->cause == s->cause && c->who == s->who && c->disk == s->disk &&
	       c->syscall == s->syscall;
}

static void add_to_culprits(struct build *b, const struct tlobctl_segment *s)
{
	struct tlobctl_culprit *all = b->answer->culprits, *c = NULL;
	uint64_t ns = s->end_ns - s->start_ns;

	for (size_t i = 0; i < b->nculprits && !c; i++)
		if (same_cause(&all[i], s))
			c = &all[i];
	if (!c) {
		all = grow(b, all, &b->answer->culprits_room, b->nculprits + 1, sizeof(*all));
		if (!all)
			return;
		b->answer->culprits = all;
		c = &all[b->nculprits++];
		*c = (struct tlobctl_culprit){
			.cause = s->cause, .who = s->who, .disk = s->disk, .syscall = s->syscall};
	}
	c->ns += ns;
	c->times++;
	if (ns > c->longest_ns)
		c->longest_ns = ns;
}

/* What of @e lies in the window: all of it, or as much as of its time. */
static uint64_t interrupts_within(const struct tlob_history_entry *e, const struct why_window *w)
{
	uint64_t from = e->since_ns > w->start_ns ? e->since_ns : w->start_ns;
	uint64_t to = e->time_ns < w->end_ns ? e->time_ns : w->end_ns;

	if (e->since_ns >= w->start_ns && e->time_ns <= w->end_ns)
		return e->interrupt_ns;
	if (from >= to)
		return 0;
	return (uint64_t)((double)e->interrupt_ns * (double)(to - from) /
			  (double)(e->time_ns - e->since_ns));
}

static struct tlobctl_culprit *find_running(const struct build *b)
{
	for (size_t i = 0; i < b->nculprits; i++)
		if (b->answer->culprits[i].cause == TLOBCTL_CAUSE_RUNNING)
			return &b->answer->culprits[i];
	return NULL;
}

/* What interrupts took has been counted as the thread's running so far. */
static void take_from_running(struct build *b, const struct tlob_history_entry *e)
{
	struct tlobctl_culprit *running = find_running(b);
	uint64_t ns = interrupts_within(e, b->window);
	struct tlobctl_segment piece = {.cause = TLOBCTL_CAUSE_INTERRUPTED, .syscall = ""};

	if (!running || !ns || !running->ns)
		return;
	piece.end_ns = ns < running->ns ? ns : running->ns;
	running->ns -= piece.end_ns;
	if (running->longest_ns > running->ns)
		running->longest_ns = running->ns;
	piece.who = why_who_interrupted(b->answer, &b->why->nwho, e);
	add_to_culprits(b, &piece);
}

static void add_interrupts(struct build *b)
{
	const struct why_stream *s = b->stream;

	for (size_t i = 0; i < s->count; i++)
		if (s->entries[i].kind == TLOB_HISTORY_INTERRUPTS &&
		    s->entries[i].tid == b->window->tid)
			take_from_running(b, &s->entries[i]);
}

static int by_ns(const void *a, const void *b)
{
	const struct tlobctl_culprit *x = a, *y = b;

	return x->ns < y->ns ? 1 : x->ns > y->ns ? -1 : 0;
}

static const struct tlobctl_segment *longest(const struct build *b, const struct tlobctl_culprit *c)
{
	for (size_t i = 0; i < b->nsegments; i++) {
		const struct tlobctl_segment *s = &b->answer->segments[i];

		if (same_cause(c, s) && s->end_ns - s->start_ns == c->longest_ns)
			return s;
	}
	return NULL;
}

static int add_chains(struct build *b)
{
	struct why_answer *a = b->answer;
	uint64_t least = (b->window->end_ns - b->window->start_ns) / CHAIN_MIN_SHARE;
	size_t used = 0;

	if (!a->links)
		a->links = calloc(CHAINS * WHY_CHAIN_DEPTH, sizeof(*a->links));
	if (!a->links)
		return -ENOMEM;
	for (size_t i = 0; i < b->nculprits && used < CHAINS; i++) {
		struct tlobctl_culprit *c = &a->culprits[i];
		const struct tlobctl_segment *s;
		struct why_chain chain = {.stream = b->stream,
					  .answer = a,
					  .nwho = &b->why->nwho,
					  .victim = b->window->tid,
					  .links = a->links + used * WHY_CHAIN_DEPTH};

		if (c->cause != TLOBCTL_CAUSE_WOKEN || c->longest_ns < least)
			continue;
		s = longest(b, c);
		if (!s)
			continue;
		used++;
		why_chain(&chain, a->who[c->who].tid, s->start_ns, s->end_ns);
		c->links = chain.links;
		c->nlinks = chain.nlinks;
	}
	return 0;
}

static bool same_blame(const struct why_answer *a, const struct tlobctl_culprit *x,
		       const struct tlobctl_culprit *y)
{
	if (x->cause != y->cause || (x->who == TLOBCTL_NOBODY) != (y->who == TLOBCTL_NOBODY))
		return false;
	if (x->cause == TLOBCTL_CAUSE_INTERRUPTED)
		return true;
	return x->who == y->who || !strcmp(a->who[x->who].comm, a->who[y->who].comm);
}

static uint64_t sum_of(const struct build *b, enum tlobctl_cause cause)
{
	uint64_t ns = 0;

	for (size_t i = 0; i < b->nculprits; i++)
		if (b->answer->culprits[i].cause == cause)
			ns += b->answer->culprits[i].ns;
	return ns;
}

/* There are always some interrupts. Few of them are part of the running. */
static bool may_be_blamed(const struct build *b, const struct tlobctl_culprit *c)
{
	uint64_t interrupts = sum_of(b, TLOBCTL_CAUSE_INTERRUPTED);
	bool few = interrupts < (b->window->end_ns - b->window->start_ns) / INTERRUPTS_MIN_SHARE;

	if (c->cause == TLOBCTL_CAUSE_INTERRUPTED)
		return !few;
	return c->cause != TLOBCTL_CAUSE_RUNNING ||
	       c->ns + (few ? interrupts : 0) >= b->window->budget_ns;
}

/*
 * Threads of one name count as one: a pool of workers is to blame as a whole. So are interrupts, the largest of them
 * being named.
 */
static size_t find_blame(const struct build *b)
{
	const struct tlobctl_culprit *all = b->answer->culprits;
	uint64_t most = 0;
	size_t blame = 0;

	for (size_t i = 0; i < b->nculprits; i++) {
		uint64_t ns = 0;

		if (!may_be_blamed(b, &all[i]))
			continue;
		for (size_t k = i; k < b->nculprits; k++)
			if (same_blame(b->answer, &all[i], &all[k]))
				ns += all[k].ns;
		if (ns <= most)
			continue;
		most = ns;
		blame = i;
	}
	return blame;
}

/* ---- shares of processes and control groups */

static void add_share(struct tlobctl_share *all, size_t *n, uint64_t id, uint64_t ns)
{
	size_t i = 0;

	while (i < *n && all[i].id != id)
		i++;
	if (i == *n)
		all[(*n)++] = (struct tlobctl_share){.id = id, .name = ""};
	all[i].ns += ns;
}

static int share_by_ns(const void *a, const void *b)
{
	const struct tlobctl_share *x = a, *y = b;

	return x->ns < y->ns ? 1 : x->ns > y->ns ? -1 : 0;
}

static int add_shares(struct build *b)
{
	struct why_answer *a = b->answer;
	struct tlobctl_why *why = b->why;

	if (!a->processes)
		a->processes = calloc(WHY_MAX_WHO, sizeof(*a->processes));
	if (!a->cgroups)
		a->cgroups = calloc(WHY_MAX_WHO, sizeof(*a->cgroups));
	if (!a->processes || !a->cgroups)
		return -ENOMEM;
	for (size_t i = 0; i < b->nculprits; i++) {
		const struct tlobctl_culprit *c = &a->culprits[i];

		if (c->cause != TLOBCTL_CAUSE_BEHIND)
			continue;
		if (a->who[c->who].tgid)
			add_share(a->processes, &why->nprocesses, a->who[c->who].tgid, c->ns);
		if (a->who[c->who].cgroup_id)
			add_share(a->cgroups, &why->ncgroups, a->who[c->who].cgroup_id, c->ns);
	}
	qsort(a->processes, why->nprocesses, sizeof(*a->processes), share_by_ns);
	qsort(a->cgroups, why->ncgroups, sizeof(*a->cgroups), share_by_ns);
	return 0;
}

static int init(struct build *b)
{
	struct why_answer *a = b->answer;

	if (!a->who)
		a->who = calloc(WHY_MAX_WHO, sizeof(*a->who));
	if (!a->who)
		return -ENOMEM;
	*b->why = (struct tlobctl_why){.complete = b->stream->covers_ns <= b->window->start_ns};
	return 0;
}

int why_culprits(const struct why_stream *stream, const struct why_window *window,
		 struct why_answer *a)
{
	struct build b = {.stream = stream, .answer = a, .window = window, .why = &a->why};
	int r = init(&b);

	if (r)
		return r;
	why_timeline(stream, window, add_segment, &b);
	for (size_t i = 0; i < b.nsegments; i++)
		add_to_culprits(&b, &a->segments[i]);
	add_interrupts(&b);
	if (b.err)
		return b.err;
	if (b.nculprits)
		qsort(a->culprits, b.nculprits, sizeof(*a->culprits), by_ns);
	r = add_chains(&b);
	if (!r)
		r = add_shares(&b);
	a->why.who = a->who;
	a->why.segments = a->segments;
	a->why.nsegments = b.nsegments;
	a->why.culprits = a->culprits;
	a->why.nculprits = b.nculprits;
	a->why.blame = find_blame(&b);
	a->why.processes = a->processes;
	a->why.cgroups = a->cgroups;
	return r;
}
