// SPDX-License-Identifier: GPL-2.0-or-later
/* The cycle that passed a limit, and why, in words. */
#include <stdio.h>

#include "format.h"
#include "text.h"
#include "timerlat.h"
#include "why.h"
#include "words.h"

#define NAME_BYTES 80
#define SHOWN 12 /* frames */

static void event_of(const struct tlobctl_timerlat_hit *hit, struct tlobctl_event *e)
{
	*e = (struct tlobctl_event){.record = hit->record,
				    .why = hit->why,
				    .region = "timerlat",
				    .program = "tlob",
				    .file = ""};
}

static void say_parts(struct cli_words *w, const struct tlobctl_timerlat_hit *hit)
{
	char ns[TLOB_DURATION_BYTES];
	const char *before = ": ";

	for (int p = 0; p < TLOBCTL_TIMERLAT_TOTAL && hit->split; p++) {
		tlob_duration_print(ns, sizeof(ns), hit->parts_ns[p]);
		cli_say(w, "%s%s %s", before, timerlat_part_names[p], ns);
		before = ", ";
	}
}

/* What took most of the cycle, if it is known. */
static int longest_part(const struct tlobctl_timerlat_hit *hit)
{
	int longest = TLOBCTL_TIMERLAT_IRQ;

	for (int p = 0; p < TLOBCTL_TIMERLAT_TOTAL; p++)
		if (hit->parts_ns[p] > hit->parts_ns[longest])
			longest = p;
	return hit->split ? longest : TLOBCTL_TIMERLAT_TOTAL;
}

/* Who had the CPU when the timer interrupted: "hog[123]", "" nobody, NULL unknown. */
static const char *interrupted(char *buf, size_t size, const struct tlobctl_timerlat_hit *hit)
{
	const struct tlobctl_who *who = hit->found;
	char comm[TLOB_COMM_BYTES];

	if (hit->why && hit->interrupted < hit->why->nwho)
		who = &hit->why->who[hit->interrupted];
	if (!who)
		return NULL;
	if (!who->tid)
		return "";
	cli_printable(comm, sizeof(comm), who->comm[0] ? who->comm : "?", 0);
	snprintf(buf, size, "%s[%u]", comm, who->tid);
	return buf;
}

char *timerlat_reason(char *buf, size_t size, const struct tlobctl_timerlat_hit *hit)
{
	struct tlobctl_event e;
	char name[NAME_BYTES];
	const char *who = interrupted(name, sizeof(name), hit);
	enum tlobctl_cause cause = TLOBCTL_CAUSE_UNKNOWN;

	event_of(hit, &e);
	if (hit->why)
		cause = hit->why->culprits[hit->why->blame].cause;
	if (longest_part(hit) == TLOBCTL_TIMERLAT_IRQ && who)
		snprintf(buf, size, "the interrupt came late while %s%s",
			 *who ? who : "the CPU was idle", *who ? " had the CPU" : "");
	else if (cause == TLOBCTL_CAUSE_INTERRUPT || cause == TLOBCTL_CAUSE_ASLEEP)
		snprintf(buf, size, "its timer woke it late");
	else if (longest_part(hit) == TLOBCTL_TIMERLAT_USER_RET &&
		 (cause == TLOBCTL_CAUSE_UNKNOWN || cause == TLOBCTL_CAUSE_RUNNING))
		snprintf(buf, size, "the way back to its code took long");
	else if (hit->why)
		cli_why_cause(buf, size, &e);
	else
		return NULL;
	return buf;
}

/* Not if somebody else took the CPU after it: where it was then explains nothing. */
static bool is_suspect(const struct tlobctl_timerlat_hit *hit)
{
	return !hit->why || longest_part(hit) == TLOBCTL_TIMERLAT_IRQ ||
	       hit->why->culprits[hit->why->blame].who == hit->interrupted;
}

static void print_stack(const struct tlobctl_timerlat_hit *hit, const struct cli_terminal *term)
{
	char name[NAME_BYTES];
	const char *who = interrupted(name, sizeof(name), hit);

	if (!is_suspect(hit) || (who && !*who)) /* an idle CPU was not kept from anything */
		return;
	if (hit->in_user) {
		fprintf(term->out, "A timer interrupted %s in its own code.\n",
			who ? who : "a program");
		return;
	}
	if (!hit->stack.nframes) {
		if (hit->found && who) /* the module knows that much */
			fprintf(term->out, "A timer interrupted %s in the kernel.\n", who);
		return;
	}
	fprintf(term->out, "A timer interrupted %s in the kernel:\n", who ? who : "a thread");
	for (size_t i = 0; i < hit->stack.nframes && i < SHOWN; i++) {
		const struct tlobctl_frame *f = &hit->stack.frames[i];

		cli_printable(name, sizeof(name), *f->function ? f->function : "?", 0);
		fprintf(term->out, "    %s\n", name);
	}
	if (hit->stack.nframes > SHOWN)
		fprintf(term->out, "    and %zu more\n", hit->stack.nframes - SHOWN);
}

void timerlat_print_hit(const struct tlobctl_timerlat_hit *hit, const struct cli_terminal *term)
{
	char ns[TLOB_DURATION_BYTES], limit[TLOB_DURATION_BYTES], reason[2 * NAME_BYTES];
	struct cli_words w = {.used = 0};
	struct tlobctl_event e;

	tlob_duration_print(ns, sizeof(ns), hit->parts_ns[hit->part]);
	tlob_duration_print_exact(limit, sizeof(limit), hit->limit_ns);
	cli_say(&w, "%sCPU %u: %s %s, limit %s%s", cli_style(term, CLI_OVER), hit->cpu,
		timerlat_part_names[hit->part], ns, limit, cli_style(term, CLI_PLAIN));
	say_parts(&w, hit);
	if (timerlat_reason(reason, sizeof(reason), hit))
		cli_say(&w, ". Cause: %s", reason);
	cli_say(&w, ".");
	cli_wrap(term, w.text, 0);
	if (hit->why) {
		event_of(hit, &e);
		cli_why_print(&e, term);
	}
	print_stack(hit, term);
	fputc('\n', term->out);
	fflush(term->out);
}
