/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why a window was late, for each record, as long as that costs little: when overruns come faster than they can be looked
 * into within a twentieth of a CPU, the rest is only counted.
 */
#ifndef TLOBCTL_WHY_H
#define TLOBCTL_WHY_H

#include <tlob/ctl.h>

#include "../why/culprit.h"
#include "../why/who.h"
#include "program.h"

#define TLOBCTL_CGROUP_CACHE 32
#define TLOBCTL_CGROUP_BYTES 128

struct tlobctl_why_names {
	struct {
		uint64_t id;
		char path[TLOBCTL_CGROUP_BYTES];
	} cgroups[TLOBCTL_CGROUP_CACHE];
	size_t next_cgroup;
	char processes[WHY_MAX_WHO][TLOBCTL_PROGRAM_BYTES]; /* of the current answer */
};

struct tlobctl_why_state {
	struct why_history history; /* the engine's; no lines: none */
	char missing[512]; /* why there is none, though it was asked for; "" */
	struct why_stream stream;
	struct why_answer answer;
	struct tlobctl_why_names names;
	struct tlobctl_why_stat stat;
	uint64_t begun_cpu_ns; /* of this process */
	uint64_t second_ns, spent_ns; /* since when, and how much CPU time in it */
	unsigned int done; /* in that second */
	/* the last answer: */
	struct tlobctl_late *late; /* its stacks */
	bool unnamed; /* names are missing that will be known later */
};

/* The session is open: from now on its CPU time counts. */
void tlobctl_why_init(struct tlobctl *ctl);
/* What this process has spent since @cpu_ns, of its own clock, is no part of what measuring costs. */
void tlobctl_why_discount(struct tlobctl *ctl, uint64_t cpu_ns);
void tlobctl_why_deinit(struct tlobctl *ctl);
/*
 * What there is to say about @record; NULL: nothing. Valid until the next call. What is not needed any more after a closing
 * record is forgotten then, unless names are missing.
 */
const struct tlobctl_why *tlobctl_why_of(struct tlobctl *ctl, const struct tlob_record *record);
/* Fills in names that the history does not have. */
void tlobctl_why_names(struct tlobctl *ctl, struct why_answer *answer);

#endif
