// SPDX-License-Identifier: GPL-2.0-or-later
/* See report_segment.h. */
#include <string.h>

#include "format.h"
#include "report_segment.h"

#define FRAMES 12 /* of a stack, in words */

uint64_t cli_report_end_ns(const struct tlob_record *r)
{
	uint64_t end_ns;

	return __builtin_add_overflow(r->start_ns, r->elapsed_ns, &end_ns) ? r->start_ns : end_ns;
}

/* In the words that a window which was nothing but this would be explained in. */
static void say_name(struct cli_report_segment *to, const struct tlobctl_segment *s)
{
	const struct cli_report_event *e = to->event;
	struct tlobctl_culprit c = {
		.cause = s->cause, .who = s->who, .syscall = s->syscall, .disk = s->disk};
	struct tlobctl_why why = {
		.who = e->why.who, .nwho = e->why.nwho, .culprits = &c, .nculprits = 1};
	struct tlobctl_event event = {.record = &e->record, .why = &why};

	if (s->cause == TLOBCTL_CAUSE_UNKNOWN)
		strcpy(to->name, "not known");
	else
		cli_why_cause(to->name, sizeof(to->name), &event);
}

bool cli_report_segment_next(struct cli_report_segment *to)
{
	const struct tlobctl_why *why = &to->event->why;
	uint64_t from = to->next ? to->end_ns : to->event->record.start_ns;
	uint64_t end = cli_report_end_ns(&to->event->record);

	to->end_ns = from;
	while (to->next < why->nsegments) {
		const struct tlobctl_segment *s = &why->segments[to->next++];

		to->start_ns = s->start_ns > from ? s->start_ns : from;
		to->end_ns = s->end_ns < end ? s->end_ns : end;
		if (to->end_ns > to->start_ns) {
			to->cause = s->cause;
			say_name(to, s);
			return true;
		}
		to->end_ns = from;
	}
	return false;
}

bool cli_report_stack(char *buf, size_t size, const struct tlobctl_snapshot *s)
{
	char took[TLOB_DURATION_BYTES];
	size_t n = 0, shown = 0;

	if (s->asleep) {
		tlob_duration_print(took, sizeof(took), s->ns);
		n = (size_t)snprintf(buf, size, "slept %s in ", took);
	} else {
		n = (size_t)snprintf(buf, size, "its budget expired in ");
	}
	for (size_t i = 0; i < s->stack.nframes && shown < FRAMES && n < size; i++) {
		const char *function = s->stack.frames[i].function;

		n += (size_t)snprintf(buf + n, size - n, "%s%s", shown++ ? " < " : "",
				      *function ? function : "?");
	}
	return shown;
}
