// SPDX-License-Identifier: GPL-2.0-or-later
/* See chain.h. Each link is the timeline of one waker over the sleep that it ended. */
#include "chain.h"

#include "syscall.h"
#include "who.h"

#define RIVALS 16

/* Time of one waker, and the parts of it that may be the reason for all. */
struct tally {
	struct why_chain *chain;
	struct tlobctl_link *link;
	struct {
		uint32_t who;
		uint64_t ns;
	} rivals[RIVALS]; /* behind whom it waited */
	size_t nrivals;
	uint64_t throttled_ns, idle_ns;
	struct why_stretch sleep; /* the longest */
};

static void add_rival(struct tally *t, const struct why_stretch *s)
{
	uint32_t who = why_who(t->chain->answer, t->chain->nwho, s->occupant, s->occupant_entry);
	size_t i = 0;

	while (i < t->nrivals && t->rivals[i].who != who)
		i++;
	if (i == RIVALS)
		return;
	if (i == t->nrivals)
		t->nrivals++;
	t->rivals[i].who = who;
	t->rivals[i].ns += s->end_ns - s->start_ns;
}

static void add(const struct why_stretch *s, void *arg)
{
	struct tally *t = arg;
	uint64_t ns = s->end_ns - s->start_ns;

	if (s->state == TLOB_RUNNING) {
		t->link->running_ns += ns;
	} else if (s->state == TLOB_WAITING) {
		t->link->waiting_ns += ns;
		if (s->out && !s->wake && s->out->flags & TLOB_HISTORY_THROTTLED)
			t->throttled_ns += ns;
		else if (s->occupied && s->occupant)
			add_rival(t, s);
		else if (s->occupied)
			t->idle_ns += ns;
	} else if (s->state == TLOB_SLEEPING) {
		t->link->sleeping_ns += ns;
		if (ns > t->sleep.end_ns - t->sleep.start_ns)
			t->sleep = *s;
	}
}

static void say_waiting(struct tally *t)
{
	struct tlobctl_link *l = t->link;

	l->cause = TLOBCTL_CAUSE_UNKNOWN;
	for (size_t i = 0; i < t->nrivals; i++)
		if (t->rivals[i].ns > l->other_ns) {
			l->cause = TLOBCTL_CAUSE_BEHIND;
			l->other = t->rivals[i].who;
			l->other_ns = t->rivals[i].ns;
		}
	if (t->idle_ns > l->other_ns) {
		l->cause = TLOBCTL_CAUSE_IDLE;
		l->other_ns = t->idle_ns;
	}
	if (t->throttled_ns > l->other_ns) {
		l->cause = TLOBCTL_CAUSE_THROTTLED;
		l->other_ns = t->throttled_ns;
	}
	if (l->cause != TLOBCTL_CAUSE_BEHIND)
		l->other = TLOBCTL_NOBODY;
}

static void say_sleeping(struct tally *t)
{
	const struct tlob_history_entry *out = t->sleep.out, *wake = t->sleep.wake;
	struct tlobctl_link *l = t->link;

	l->cause = TLOBCTL_CAUSE_ASLEEP;
	l->other_ns = t->sleep.end_ns - t->sleep.start_ns;
	if (out) {
		l->syscall = why_syscall_name(out->syscall);
		l->disk = out->flags & TLOB_HISTORY_IOWAIT;
	}
	if (wake && why_by_interrupt(wake)) {
		l->cause = TLOBCTL_CAUSE_INTERRUPT;
	} else if (wake) {
		l->cause = TLOBCTL_CAUSE_WOKEN;
		l->other = why_who_woke(t->chain->answer, t->chain->nwho, t->chain->stream, wake);
	}
	if (out && out->prev_state & (TLOB_HISTORY_STOPPED | TLOB_HISTORY_TRACED))
		l->cause = TLOBCTL_CAUSE_STOPPED;
}

static bool is_in(const struct why_chain *c, uint32_t tid)
{
	bool found = tid == c->victim;

	for (size_t i = 0; i < c->nlinks; i++)
		found |= c->answer->who[c->links[i].who].tid == tid;
	return found;
}

static void add_link(struct tally *t, uint32_t tid, uint64_t start_ns, uint64_t end_ns)
{
	struct why_chain *c = t->chain;
	/* it woke somebody at the end: it was running then */
	struct why_window window = {
		.tid = tid, .start_ns = start_ns, .end_ns = end_ns, .end_state = TLOB_RUNNING};

	*t->link = (struct tlobctl_link){.other = TLOBCTL_NOBODY, .syscall = ""};
	t->link->who = why_who(c->answer, c->nwho, tid, why_naming(c->stream, tid, end_ns));
	why_timeline(c->stream, &window, add, t);
	if (t->link->sleeping_ns > t->link->running_ns &&
	    t->link->sleeping_ns >= t->link->waiting_ns)
		say_sleeping(t);
	else if (t->link->waiting_ns > t->link->running_ns)
		say_waiting(t);
	else
		t->link->cause = t->link->running_ns ? TLOBCTL_CAUSE_RUNNING :
						       TLOBCTL_CAUSE_UNKNOWN;
	c->nlinks++;
}

void why_chain(struct why_chain *c, uint32_t tid, uint64_t start_ns, uint64_t end_ns)
{
	while (c->nlinks < WHY_CHAIN_DEPTH && !is_in(c, tid)) {
		struct tally t = {.chain = c, .link = &c->links[c->nlinks]};

		add_link(&t, tid, start_ns, end_ns);
		if (t.link->cause != TLOBCTL_CAUSE_WOKEN)
			break;
		tid = c->answer->who[t.link->other].tid;
		start_ns = t.sleep.start_ns;
		end_ns = t.sleep.end_ns;
	}
}
