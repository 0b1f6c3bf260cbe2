/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPU samples in the agent: from the engine's ring through the common stream (objects.h) to the windows they fell into. Those of late
 * windows go with the closing record, those of some good windows into a profile of their region, all others are thrown away.
 */
#ifndef TLOBCTL_SAMPLER_H
#define TLOBCTL_SAMPLER_H

#include <tlob/ctl.h>

#include "../bpf/shared.h"
#include "../why/sampled.h"
#include "../why/traces.h"
#include "program.h"
#include "region.h"

#define TLOBCTL_SAMPLE_HZ \
	999 /* not in step with anything that happens every so many milliseconds */
#define TLOBCTL_SAMPLE_HZ_MIN 10
#define TLOBCTL_SAMPLE_HZ_MAX 20000
#define TLOBCTL_GOOD_SHARE 10
#define TLOBCTL_MAX_STACKS 128 /* handed out of one window or profile: the most frequent ones */

struct tlobctl_count {
	uint32_t trace;
	uint64_t count;
};

struct tlobctl_counts {
	struct tlobctl_count *list;
	size_t count, room;
};

/* Good windows of one region in one program. */
struct tlobctl_good {
	char region[TLOBCTL_REGION_BYTES];
	char program[TLOBCTL_PROGRAM_BYTES];
	uint64_t windows, sampled;
	struct tlobctl_counts counts; /* in order of their traces */
};

#define TLOBCTL_OWNER_CACHE 64 /* power of two */

/* Which of these a window belongs to. */
struct tlobctl_owner {
	uint32_t client, region, tgid;
	uint32_t good; /* index + 1; 0: empty */
};

/* A sample on its way through the stream. */
struct tlobctl_taken {
	uint32_t next; /* while it is free: index + 1 */
	uint32_t tid, tgid;
	uint32_t nwindows;
	struct why_sampled_window windows[TLOB_MAX_DEPTH];
};

struct tlobctl_sampler {
	struct why_traces traces;
	struct why_sampled sampled;
	struct tlobctl_sample_stat stat;
	void (*read)(struct tlobctl *ctl);
	uint64_t (*dropped)(const struct tlobctl *ctl); /* in the engine's ring */
	uint64_t period_ns;
	uint64_t settled_ns;
	uint64_t unwinding_second_ns,
		unwinding_ns; /* since when, and how much CPU time for callers in it */
	uint64_t second_ns, spent_ns; /* since when, and how much CPU time for names in it */
	struct tlobctl_taken *taken;
	size_t taken_room;
	uint32_t taken_free; /* index + 1; 0: none */
	uint32_t coming; /* whose places come next */
	uint64_t coming_ns;
	struct tlobctl_good *goods;
	size_t ngoods, goods_room;
	struct tlobctl_good *filling;
	struct tlobctl_owner owners[TLOBCTL_OWNER_CACHE];
	/* of what was handed out last */
	struct tlobctl_counts counts;
	struct tlobctl_samples *samples;
	struct tlobctl_frame *frames;
	size_t frames_room;
};

/*
 * From now on samples are taken by @clock, at the rate of the session's options. @read hands what is in the ring to tlobctl_sampler_push(). 0 or a negative errno
 * with tlobctl_error() set. Needs objects.
 */
int tlobctl_sampler_open(struct tlobctl *ctl, const char *clock, void (*read)(struct tlobctl *ctl),
			 uint64_t (*dropped)(const struct tlobctl *ctl));
void tlobctl_sampler_close(struct tlobctl *ctl);
void tlobctl_sampler_push(struct tlobctl *ctl, const struct tlob_bpf_sample *sample, size_t bytes);

/* The sync's own question, see why_callers_fn. */
size_t tlobctl_sampler_callers(const struct why_raw *raw, const struct why_space *space,
			       uint64_t *chain, size_t room, bool *cut, void *arg);

/* All of these do nothing where there are no samples. */

/* @record has been read: its window is late. Before it is handed out. */
void tlobctl_sampler_late(struct tlobctl *ctl, const struct tlob_record *record);
/* Those of the window that @record, a closing one, is about, into sampler->counts. Returns how many. */
uint64_t tlobctl_sampler_of(struct tlobctl *ctl, const struct tlob_record *record);
/*
 * The stacks of @counts that are to be handed out: the names they take, see names.h, and with what is known of them into @why,
 * valid until the next call. To look up many takes time, which has a limit: past it, stacks are left out.
 */
void tlobctl_sampler_want(struct tlobctl *ctl, uint32_t tgid, const struct tlobctl_counts *counts);
void tlobctl_sampler_name(struct tlobctl *ctl, const struct tlobctl_counts *counts,
			  struct tlobctl_why *why);
/* A program goes: what it has in the ring still has a name now. */
void tlobctl_sampler_drain(struct tlobctl *ctl);

#endif
