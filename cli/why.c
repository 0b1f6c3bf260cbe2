// SPDX-License-Identifier: GPL-2.0-or-later
/* See why.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "live.h"
#include "shorten.h"
#include "text.h"
#include "why.h"
#include "words.h"

#define MARGIN 14 /* below the region */
#define BAR_MAX 72
#define NAMES 3 /* who is named of those it waited behind */
#define SLEEPS 3
#define SMALL 20 /* less than a twentieth of the window is not worth a line */
#define WAKING_NS 1000000ULL /* an idle CPU that takes longer than that is held back */

#define NAME_BYTES 80
#define REALTIME 100

static const char *ms(char *buf, uint64_t ns)
{
	tlob_duration_print(buf, TLOB_DURATION_BYTES, ns);
	return buf;
}

/* "hog[1234]" */
static const char *name(char *buf, const struct tlobctl_why *why, uint32_t who)
{
	const struct tlobctl_who *w;
	char comm[NAME_BYTES - 16];

	if (who >= why->nwho)
		return "?";
	w = &why->who[who];
	cli_printable(comm, sizeof(comm), w->comm[0] ? w->comm : "?", 0);
	if (w->tid)
		snprintf(buf, NAME_BYTES, "%s[%u]", comm, w->tid);
	else
		snprintf(buf, NAME_BYTES, "%s", comm);
	return buf;
}

static const char *comm_of(char *buf, const struct tlobctl_why *why, uint32_t who)
{
	if (who >= why->nwho || !why->who[who].comm[0])
		return "?";
	return cli_printable(buf, NAME_BYTES, why->who[who].comm, 0);
}

const char *cli_why_word(enum tlobctl_cause cause)
{
	static const char *const words[] = {[TLOBCTL_CAUSE_UNKNOWN] = "unknown",
					    [TLOBCTL_CAUSE_RUNNING] = "running",
					    [TLOBCTL_CAUSE_BEHIND] = "behind",
					    [TLOBCTL_CAUSE_THROTTLED] = "throttled",
					    [TLOBCTL_CAUSE_IDLE] = "idle",
					    [TLOBCTL_CAUSE_WOKEN] = "woken",
					    [TLOBCTL_CAUSE_INTERRUPT] = "interrupt",
					    [TLOBCTL_CAUSE_STOPPED] = "stopped",
					    [TLOBCTL_CAUSE_ASLEEP] = "asleep",
					    [TLOBCTL_CAUSE_INTERRUPTED] = "interrupted"};

	return words[cause];
}

/* Sleeps that are meant to end by the clock need no explanation. */
static const char *until_interrupt(const struct tlobctl_culprit *c)
{
	if (c->disk)
		return " until the disk was done";
	return strstr(c->syscall, "nanosleep") ? "" : " until an interrupt";
}

/* All that is left is what the clocks say. */
static const char *beyond_history(const struct tlob_record *r)
{
	static const char *const words[] = {[TLOB_RUNNING] = "running",
					    [TLOB_WAITING] = "waiting for a CPU",
					    [TLOB_SLEEPING] = "sleeping"};

	return words[cli_dominant(r)];
}

/* The function of the program that a stack is in, or the kernel's if there is no other; NULL: no name. */
static const char *function_of(const struct tlobctl_stack *stack)
{
	const char *kernel = NULL;

	for (size_t i = 0; i < stack->nframes; i++) {
		const struct tlobctl_frame *f = &stack->frames[i];

		if (!f->kernel)
			return *f->function ? f->function : NULL;
		if (!kernel && *f->function)
			kernel = f->function;
	}
	return kernel;
}

/* Where most samples were taken. */
static const char *sampled_function(const struct tlobctl_why *why)
{
	const char *top = NULL;
	uint64_t most = 0;

	for (size_t i = 0; i < why->nsamples; i++) {
		const char *function = function_of(&why->samples[i].stack);
		uint64_t count = 0;

		if (!function)
			continue;
		for (size_t k = i; k < why->nsamples; k++) {
			const char *other = function_of(&why->samples[k].stack);

			if (other && !strcmp(other, function))
				count += why->samples[k].count;
		}
		if (count > most) {
			most = count;
			top = function;
		}
	}
	return top;
}

/* In which function it ran: by samples, else by where it was when the budget expired. NULL: not known. */
static const char *running_function(const struct tlobctl_why *why)
{
	const char *function = sampled_function(why);

	for (size_t i = 0; i < why->nsnapshots && !function; i++)
		if (!why->snapshots[i].asleep)
			function = function_of(&why->snapshots[i].stack);
	return function;
}

static void say_running(char *buf, size_t size, const struct tlobctl_why *why)
{
	const char *function = running_function(why);
	char shown[CLI_WHY_CAUSE_BYTES - 16];

	if (function)
		snprintf(buf, size, "running in %s",
			 cli_shorten(shown, sizeof(shown), function, 60));
	else
		snprintf(buf, size, "running");
}

char *cli_why_cause(char *buf, size_t size, const struct tlobctl_event *e)
{
	const struct tlobctl_why *why = e->why;
	const struct tlobctl_culprit *c = &why->culprits[why->blame];
	char comm[NAME_BYTES];
	const char *who = comm_of(comm, why, c->who), *in = c->syscall[0] ? " in " : "";

	switch (c->cause) {
	case TLOBCTL_CAUSE_RUNNING:
		say_running(buf, size, why);
		break;
	case TLOBCTL_CAUSE_BEHIND:
		snprintf(buf, size, "waiting behind %s", who);
		break;
	case TLOBCTL_CAUSE_THROTTLED:
		snprintf(buf, size, "throttled by the CPU quota of its control group");
		break;
	case TLOBCTL_CAUSE_IDLE:
		snprintf(buf, size, "waiting for a CPU that was idle");
		break;
	case TLOBCTL_CAUSE_WOKEN:
		snprintf(buf, size, "sleeping%s%s until %s woke it", in, c->syscall, who);
		break;
	case TLOBCTL_CAUSE_INTERRUPT:
		snprintf(buf, size, "sleeping%s%s%s", in, c->syscall, until_interrupt(c));
		break;
	case TLOBCTL_CAUSE_STOPPED:
		snprintf(buf, size, "stopped by a signal");
		break;
	case TLOBCTL_CAUSE_ASLEEP:
		snprintf(buf, size, "sleeping%s%s", in, c->syscall);
		break;
	case TLOBCTL_CAUSE_INTERRUPTED:
		snprintf(buf, size, "interrupted (%s)", who);
		break;
	default:
		snprintf(buf, size, "%s, before the history begins", beyond_history(e->record));
	}
	return buf;
}

/* ---- the bar */

enum {
	RUN,
	WAIT,
	SLEEP,
	DARK,
	KINDS
};

static int kind_of(enum tlobctl_cause cause)
{
	switch (cause) {
	case TLOBCTL_CAUSE_RUNNING:
	case TLOBCTL_CAUSE_INTERRUPTED:
		return RUN;
	case TLOBCTL_CAUSE_BEHIND:
	case TLOBCTL_CAUSE_THROTTLED:
	case TLOBCTL_CAUSE_IDLE:
		return WAIT;
	case TLOBCTL_CAUSE_UNKNOWN:
		return DARK;
	default:
		return SLEEP;
	}
}

/* What most of [@from, @to] went into; @i: the segment to begin with, which is moved on. */
static int most(const struct tlobctl_why *why, uint64_t from, uint64_t to, size_t *i)
{
	uint64_t ns[KINDS] = {0};
	int top = RUN;

	while (*i < why->nsegments && why->segments[*i].end_ns <= from)
		(*i)++;
	for (size_t k = *i; k < why->nsegments && why->segments[k].start_ns < to; k++) {
		const struct tlobctl_segment *s = &why->segments[k];
		uint64_t start = s->start_ns > from ? s->start_ns : from;

		ns[kind_of(s->cause)] += (s->end_ns < to ? s->end_ns : to) - start;
	}
	for (int k = 0; k < KINDS; k++)
		top = ns[k] > ns[top] ? k : top;
	return top;
}

static void print_bar(const struct tlobctl_event *e, const struct cli_terminal *term)
{
	static const char glyph[KINDS] = {'#', '-', '_', '?'};
	const struct tlob_record *r = e->record;
	size_t width = cli_terminal_width(term), columns, segment = 0;
	char bar[BAR_MAX + 1], total[TLOB_DURATION_BYTES];

	columns = width > MARGIN + 52 ? width - MARGIN - 42 : 10;
	columns = columns < BAR_MAX ? columns : BAR_MAX;
	for (size_t i = 0; i < columns; i++)
		bar[i] = glyph[most(e->why, r->start_ns + r->elapsed_ns * i / columns,
				    r->start_ns + r->elapsed_ns * (i + 1) / columns, &segment)];
	bar[columns] = '\0';
	fprintf(term->out, "%*s[%s] %s: # ran, - waited, _ slept\n", MARGIN, "", bar,
		ms(total, r->elapsed_ns));
}

/* ---- the lines below */

static void print_words(const struct cli_terminal *term, const struct cli_words *w)
{
	if (!w->used)
		return;
	fprintf(term->out, "%*s", MARGIN, "");
	cli_wrap(term, w->text, MARGIN);
}

static uint64_t sum(const struct tlobctl_why *why, enum tlobctl_cause cause)
{
	uint64_t ns = 0;

	for (size_t i = 0; i < why->nculprits; i++)
		if (why->culprits[i].cause == cause)
			ns += why->culprits[i].ns;
	return ns;
}

/* Those of one name that it waited behind. */
struct rivals {
	uint32_t who; /* the one of them that took most */
	unsigned int threads;
	uint64_t ns;
};

#define MAX_RIVALS 64 /* names; what is beyond counts as one */

static int by_ns(const void *a, const void *b)
{
	const struct rivals *x = a, *y = b;

	return x->ns < y->ns ? 1 : x->ns > y->ns ? -1 : 0;
}

static size_t collect_rivals(const struct tlobctl_why *why, struct rivals *all)
{
	size_t n = 0;

	for (size_t i = 0; i < why->nculprits; i++) {
		const struct tlobctl_culprit *c = &why->culprits[i];
		size_t k = 0;

		if (c->cause != TLOBCTL_CAUSE_BEHIND)
			continue;
		while (k < n && strcmp(why->who[all[k].who].comm, why->who[c->who].comm))
			k++;
		if (k == MAX_RIVALS)
			k--;
		else if (k == n)
			all[n++] = (struct rivals){.who = c->who};
		all[k].threads++;
		all[k].ns += c->ns;
	}
	qsort(all, n, sizeof(*all), by_ns);
	return n;
}

static void say_rivals(struct cli_words *w, const struct tlobctl_why *why, const struct rivals *r)
{
	const struct tlobctl_who *x = &why->who[r->who];
	char t[TLOB_DURATION_BYTES], who[NAME_BYTES];

	if (r->threads > 1)
		cli_say(w, " %s (%u threads)", comm_of(who, why, r->who), r->threads);
	else
		cli_say(w, " %s", name(who, why, r->who));
	cli_say(w, "%s %s",
		x->kernel	       ? " (kernel)" :
		x->priority < 0	       ? " (deadline)" :
		x->priority < REALTIME ? " (real-time)" :
					 "",
		ms(t, r->ns));
}

static void say_behind(struct cli_words *w, const struct tlobctl_why *why)
{
	struct rivals all[MAX_RIVALS];
	uint64_t total = sum(why, TLOBCTL_CAUSE_BEHIND), rest = 0;
	size_t n = collect_rivals(why, all), named = 0;
	char t[TLOB_DURATION_BYTES];

	cli_say(w, "waited %s behind", ms(t, total));
	for (; named < n && named < NAMES && (!named || all[named].ns >= total / 100); named++) {
		cli_say(w, "%s", named ? "," : "");
		say_rivals(w, why, &all[named]);
	}
	for (size_t i = named; i < n; i++)
		rest += all[i].ns;
	if (n > named)
		cli_say(w, ", %zu other%s %s", n - named, n - named > 1 ? "s" : "", ms(t, rest));
}

static void print_waiting(const struct tlobctl_why *why, uint64_t least,
			  const struct cli_terminal *term)
{
	struct cli_words w = {.used = 0};
	uint64_t throttled = sum(why, TLOBCTL_CAUSE_THROTTLED), idle = sum(why, TLOBCTL_CAUSE_IDLE);
	char t[TLOB_DURATION_BYTES];

	if (sum(why, TLOBCTL_CAUSE_BEHIND) >= least)
		say_behind(&w, why);
	if (throttled >= least)
		cli_say(&w, "%sheld back %s: the CPU quota of its control group was used up",
			w.used ? "; " : "", ms(t, throttled));
	if (idle >= least)
		cli_say(&w, "%swaited %s although the CPU was idle: %s", w.used ? "; " : "",
			ms(t, idle),
			idle < WAKING_NS * (why->wakeups ? why->wakeups : 1) ?
				"it had to wake up" :
				"throttled or held back");
	print_words(term, &w);
}

/* Culprits are in order of their time. */
static void print_interrupts(const struct tlobctl_why *why, uint64_t least,
			     const struct cli_terminal *term)
{
	struct cli_words w = {.used = 0};
	uint64_t total = sum(why, TLOBCTL_CAUSE_INTERRUPTED);
	char t[TLOB_DURATION_BYTES], who[NAME_BYTES];
	size_t named = 0;

	if (!total || total < least)
		return;
	cli_say(&w, "interrupts took %s of its running time:", ms(t, total));
	for (size_t i = 0; i < why->nculprits && named < NAMES; i++) {
		const struct tlobctl_culprit *c = &why->culprits[i];

		if (c->cause != TLOBCTL_CAUSE_INTERRUPTED || (named && c->ns < total / 100))
			continue;
		cli_say(&w, "%s %s %s", named++ ? "," : "", comm_of(who, why, c->who),
			ms(t, c->ns));
	}
	print_words(term, &w);
}

static void say_link(struct cli_words *w, const struct tlobctl_why *why,
		     const struct tlobctl_link *l)
{
	char t[TLOB_DURATION_BYTES], who[NAME_BYTES], other[NAME_BYTES];
	const char *in = l->syscall[0] ? " in " : "";

	cli_say(w, "; %s ", comm_of(who, why, l->who));
	switch (l->cause) {
	case TLOBCTL_CAUSE_RUNNING:
		cli_say(w, "was running %s of that", ms(t, l->running_ns));
		break;
	case TLOBCTL_CAUSE_BEHIND:
		cli_say(w, "was waiting %s behind %s", ms(t, l->other_ns),
			name(other, why, l->other));
		break;
	case TLOBCTL_CAUSE_THROTTLED:
		cli_say(w, "was held back %s by the CPU quota of its control group",
			ms(t, l->other_ns));
		break;
	case TLOBCTL_CAUSE_IDLE:
		cli_say(w, "was held back %s on an idle CPU", ms(t, l->other_ns));
		break;
	case TLOBCTL_CAUSE_WOKEN:
		cli_say(w, "slept %s%s%s until %s woke it", ms(t, l->other_ns), in, l->syscall,
			name(other, why, l->other));
		break;
	case TLOBCTL_CAUSE_INTERRUPT:
		cli_say(w, "slept %s%s%s until %s", ms(t, l->other_ns), in, l->syscall,
			l->disk ? "the disk was done" : "an interrupt woke it");
		break;
	case TLOBCTL_CAUSE_STOPPED:
		cli_say(w, "was stopped by a signal %s", ms(t, l->other_ns));
		break;
	default:
		cli_say(w, "did what the history does not tell");
	}
}

static void print_sleep(const struct tlobctl_why *why, const struct tlobctl_culprit *c,
			const struct cli_terminal *term)
{
	struct cli_words w = {.used = 0};
	char t[TLOB_DURATION_BYTES], who[NAME_BYTES];
	bool stopped = c->cause == TLOBCTL_CAUSE_STOPPED;

	cli_say(&w, "%s %s", stopped ? "was stopped" : "slept", ms(t, c->ns));
	if (!stopped && c->syscall[0])
		cli_say(&w, " in %s", c->syscall);
	if (c->disk)
		cli_say(&w, " for a disk");
	if (c->times > 1)
		cli_say(&w, " (%u times)", c->times);
	if (c->cause == TLOBCTL_CAUSE_WOKEN)
		cli_say(&w, " until %s woke it", name(who, why, c->who));
	else if (c->cause == TLOBCTL_CAUSE_INTERRUPT)
		cli_say(&w, " until an interrupt (timer or device) woke it");
	else if (stopped && c->who != TLOBCTL_NOBODY)
		cli_say(&w, " by a signal until %s let it go on", name(who, why, c->who));
	for (size_t i = 0; i < c->nlinks; i++)
		say_link(&w, why, &c->links[i]);
	print_words(term, &w);
}

static void print_rest(const struct tlobctl_why *why, uint64_t least,
		       const struct cli_terminal *term)
{
	struct cli_words w = {.used = 0};
	char t[TLOB_DURATION_BYTES];

	if (why->migrations)
		cli_say(&w, "moved to another CPU %u time%s", why->migrations,
			why->migrations > 1 ? "s" : "");
	if (why->wakeup_max_ns >= least)
		cli_say(&w, "%s%s from wake-up to CPU", w.used ? "; " : "",
			ms(t, why->wakeup_max_ns));
	if (!why->complete)
		cli_say(&w, "%sthe history does not reach back to the start: %s are missing",
			w.used ? "; " : "", ms(t, why->unknown_ns));
	print_words(term, &w);
}

void cli_why_print_open(const struct tlobctl_event *e, const struct cli_terminal *term)
{
	const struct tlobctl_culprit *c = &e->why->culprits[e->why->blame];
	struct cli_words w = {.used = 0};
	char cause[CLI_WHY_CAUSE_BYTES], t[TLOB_DURATION_BYTES];

	if (c->cause == TLOBCTL_CAUSE_RUNNING || c->cause == TLOBCTL_CAUSE_UNKNOWN)
		return;
	cli_say(&w, "%sso far: %s %s%s", cli_style(term, CLI_DIM), ms(t, c->ns),
		cli_why_cause(cause, sizeof(cause), e), cli_style(term, CLI_PLAIN));
	print_words(term, &w);
}

void cli_why_print(const struct tlobctl_event *e, const struct cli_terminal *term)
{
	const struct tlobctl_why *why = e->why;
	uint64_t least = e->record->elapsed_ns / SMALL;
	size_t sleeps = 0;

	fputs(cli_style(term, CLI_DIM), term->out);
	print_bar(e, term);
	print_interrupts(why, least, term);
	print_waiting(why, least, term);
	for (size_t i = 0; i < why->nculprits && sleeps < SLEEPS; i++) {
		const struct tlobctl_culprit *c = &why->culprits[i];

		if (kind_of(c->cause) != SLEEP || c->ns < least)
			continue;
		print_sleep(why, c, term);
		sleeps++;
	}
	print_rest(why, least, term);
	fputs(cli_style(term, CLI_PLAIN), term->out);
}
