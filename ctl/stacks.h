/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where threads were when their windows became late, and where they slept for long in them: takes what the engine has
 * captured, unwinds it while the process is still there, and keeps it until the window ends.
 */
#ifndef TLOBCTL_STACKS_H
#define TLOBCTL_STACKS_H

#include <tlob/ctl.h>

#include "../why/code.h"
#include "capture.h"

#define TLOBCTL_TRACE_KERNEL TLOB_CAPTURE_KERNEL
#define TLOBCTL_TRACE_USER 128
#define TLOBCTL_TRACES 8 /* of one window: its expiry, and the longest sleeps */
#define TLOBCTL_LATE_WINDOWS 64 /* open at once */
#define TLOBCTL_SNAPSHOT_FRAMES 512 /* of one stack, inlined ones included */

struct tlobctl_point {
	const struct why_object *object;
	uint64_t offset;
	bool call;
};

struct tlobctl_trace {
	bool asleep, cut;
	uint64_t time_ns, ns;
	size_t count, kernel; /* of points: all; the first ones, in the kernel */
	struct tlob_capture *again; /* it ended where code is not known yet; NULL: it did not */
	struct tlobctl_point points[TLOBCTL_TRACE_KERNEL + TLOBCTL_TRACE_USER];
};

/* A window that was late. */
struct tlobctl_late {
	uint32_t client, tid; /* tid 0: unused */
	uint64_t window;
	uint64_t used;
	size_t count;
	struct tlobctl_trace *traces[TLOBCTL_TRACES]; /* in order of time */
};

struct tlobctl_stacks {
	const struct tlob_capture
		*captures; /* the engine's, TLOB_CAPTURES of them; NULL: it has none */
	size_t bytes;
	struct why_codes codes;
	struct tlobctl_late late[TLOBCTL_LATE_WINDOWS];
	uint64_t clock;
	struct tlob_capture copy; /* of one of the captures */
	/* the current answer: */
	struct tlobctl_snapshot snapshots[TLOBCTL_TRACES];
	struct tlobctl_frame *frames; /* TLOBCTL_SNAPSHOT_FRAMES for each */
};

/* Once the engine is there. 0 or a negative errno with tlobctl_error() set. */
int tlobctl_stacks_init(struct tlobctl *ctl);
void tlobctl_stacks_deinit(struct tlobctl *ctl);
/* A window has just expired: see to it that there is a capture. Before anything that takes time. */
void tlobctl_stacks_look(struct tlobctl *ctl, const struct tlob_record *record);
/*
 * What there is of the window of @record, in stacks.late until it is forgotten; NULL: no stacks in this session, or of this
 * window.
 */
struct tlobctl_late *tlobctl_stacks_of(struct tlobctl *ctl, const struct tlob_record *record);
void tlobctl_late_forget(struct tlobctl_late *late);
/* The names that it takes, see names.h; and with what is known of them, the snapshots, valid until the next call. NULL is fine. */
void tlobctl_stacks_want(struct tlobctl *ctl, uint32_t tgid, struct tlobctl_late *late);
void tlobctl_stacks_name(struct tlobctl *ctl, const struct tlobctl_late *late,
			 struct tlobctl_why *why);

#endif
