/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which samples belong to which window, and what became of that window. Samples name the windows that were open; that one
 * was late is told by its record, or by a sample after its deadline; that one was in time by nothing at all: a later sample of its thread does not name it, or
 * its deadline has passed, and everything that could have told otherwise has been read.
 *
 * Pure: no kernel, no clock.
 */
#ifndef TLOB_WHY_SAMPLED_H
#define TLOB_WHY_SAMPLED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct why_sampled_window {
	uint64_t window; /* one of its thread's; with @client, no other has it */
	uint64_t start_ns, deadline_ns;
	uint32_t client, region;
	uint32_t owner; /* the caller's */
};

struct why_sampled_thread;

/* Processes share what there is room for: each has a part, found by its number; a few may have the same one. */
#define WHY_SAMPLED_PARTS 1024

struct why_sampled_part {
	size_t nsamples;
	uint32_t nthreads; /* in the table */
	uint32_t nsampled; /* of these with samples */
};

struct why_sampled {
	struct why_sampled_thread *threads; /* by number, open addressing */
	size_t nthreads, slots;
	size_t nsamples;
	struct why_sampled_part *parts; /* WHY_SAMPLED_PARTS */
	size_t nparts; /* with samples */
	uint64_t thinned_ns; /* when somebody has last been made to give up samples */
	uint64_t crowded; /* samples refused or given up: too many are waiting for the end of their window */
};

void why_sampled_deinit(struct why_sampled *s);

/* A thread that was sampled; of one thread in order of time. */
struct why_sampled_hit {
	uint32_t tid, tgid;
	uint64_t time_ns;
	uint32_t trace; /* UINT32_MAX: lost */
};

/*
 * @hit was in all of @windows. When there is no room, whoever has less than an equal share of it gets some of those who have more:
 * first of the process that has most, and of its threads those that have more than their share of that. They keep every
 * second sample.
 */
void why_sampled_add(struct why_sampled *s, const struct why_sampled_hit *hit,
		     const struct why_sampled_window *windows, size_t n);
/* @tid has exited. */
void why_sampled_exit(struct why_sampled *s, uint32_t tid, uint64_t time_ns);
/*
 * That window of @tid, of process @tgid, is late, as a record says; @end_ns: and was over then, 0: goes on. Samples may come
 * before or after this.
 */
void why_sampled_late(struct why_sampled *s, uint32_t tid, uint32_t tgid,
		      const struct why_sampled_window *window, uint64_t end_ns);

/* Calls @fn with the trace of each sample of @tid from @start_ns to @end_ns. */
typedef void why_sampled_fn(uint32_t trace, void *arg);
void why_sampled_each(const struct why_sampled *s, uint32_t tid, uint64_t start_ns, uint64_t end_ns,
		      why_sampled_fn *fn, void *arg);

/*
 * All samples and records before @known_ns have been told. Windows that were in time are handed to @good, with a window's
 * samples one after another, and forgotten; so are late ones that are over.
 */
struct why_sampled_good {
	/* False: this window is not wanted. */
	bool (*begin)(const struct why_sampled_window *window, uint32_t tid, void *arg);
	why_sampled_fn *sample;
	void *arg;
};
void why_sampled_settle(struct why_sampled *s, uint64_t known_ns,
			const struct why_sampled_good *good);

#endif
