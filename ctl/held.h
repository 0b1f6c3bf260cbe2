/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ends of windows that have to wait for names. Overruns do not wait: they say what is known, so that the end is the last
 * that is told of a window, in any case.
 */
#ifndef TLOBCTL_HELD_H
#define TLOBCTL_HELD_H

#include <tlob/ctl.h>

#include "../why/culprit.h"
#include "sampler.h"
#include "stacks.h"

#define TLOBCTL_HELD 64 /* the oldest must go as it is when there are more */

/* What names are wanted for: moved from where it was looked into. */
struct tlobctl_unnamed {
	struct tlobctl_late late;
	struct tlobctl_counts counts; /* of samples */
};

struct tlobctl_held {
	struct tlob_record record;
	uint64_t since_ns, answers;
	char *region, *program, *file;
	uint32_t line;
	struct why_answer answer;
	struct tlobctl_unnamed unnamed;
	struct tlobctl_held *next;
};

struct tlobctl_holding {
	struct tlobctl_held *first, *last;
	size_t count;
};

/* @event, whose answer is the last one, waits from now on. False: there is no memory, so it must go as it is. */
bool tlobctl_held_add(struct tlobctl *ctl, const struct tlobctl_event *event);
/* Hands out those that have their names by now, or have waited for long enough; or all. During tlobctl_poll(). */
void tlobctl_held_try(struct tlobctl *ctl, bool all);
void tlobctl_held_deinit(struct tlobctl *ctl);

#endif
