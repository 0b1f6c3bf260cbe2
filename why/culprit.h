/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a part of the switch history to what a window's time went into, and who took it. Pure: no kernel, no clock. */
#ifndef TLOB_WHY_CULPRIT_H
#define TLOB_WHY_CULPRIT_H

#include <tlob/ctl.h>

#include "timeline.h"

/* The answer, and the memory it stands in, which is used again for the next one. */
struct why_answer {
	struct tlobctl_why why; /* points into the arrays below */
	struct tlobctl_who *who;
	struct tlobctl_segment *segments;
	struct tlobctl_culprit *culprits;
	struct tlobctl_link *links;
	struct tlobctl_share *processes, *cgroups;
	size_t who_room, segments_room, culprits_room;
};

/*
 * Takes @window apart. Names of processes and control groups, and of threads that the history does not name, are
 * left empty. Returns 0 or -ENOMEM.
 */
int why_culprits(const struct why_stream *stream, const struct why_window *window,
		 struct why_answer *answer);
void why_answer_deinit(struct why_answer *answer);

#endif
