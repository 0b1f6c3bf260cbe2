/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Streams of switches and wake-ups as a test wants them, and what the analysis makes of them for thread ME. Times in us.
 */
#ifndef TLOB_TESTS_UNIT_STREAM_H
#define TLOB_TESTS_UNIT_STREAM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sys/syscall.h>

#include "why/chain.h"
#include "why/culprit.h"
#include "why/who.h"

#define US 1000ULL
#define ME 100
#define HOG 200
#define LOADER 300
#define DISK 400
#define S TLOB_HISTORY_INTERRUPTIBLE
#define D TLOB_HISTORY_UNINTERRUPTIBLE

static struct tlob_history_entry entries[256];
static struct why_stream stream;
static struct why_answer answer;

static inline int begin(void **state)
{
	memset(entries, 0, sizeof(entries));
	stream = (struct why_stream){.entries = entries};
	return 0;
}

static inline int end(void **state)
{
	why_answer_deinit(&answer);
	return 0;
}

static inline struct tlob_history_entry *add(uint64_t us, uint16_t cpu, uint8_t kind, uint32_t prev,
					     uint32_t tid)
{
	struct tlob_history_entry *e = &entries[stream.count++];
	*e = (struct tlob_history_entry){.time_ns = us * US,
					 .cpu = cpu,
					 .kind = kind,
					 .prev_tid = prev,
					 .tid = tid,
					 .tgid = kind == TLOB_HISTORY_SWITCH ? tid / 100 * 100 : 0,
					 .syscall = TLOB_HISTORY_NO_SYSCALL,
					 .priority = 120};
	if (kind == TLOB_HISTORY_SWITCH)
		snprintf(e->comm, sizeof(e->comm), "t%u", tid);
	return e;
}

/* @prev leaves @cpu in @prev_state, @next gets it. */
static inline struct tlob_history_entry *sw(uint64_t us, uint16_t cpu, uint32_t prev,
					    uint16_t prev_state, uint32_t next)
{
	struct tlob_history_entry *e = add(us, cpu, TLOB_HISTORY_SWITCH, prev, next);

	e->prev_state = prev_state;
	return e;
}

static inline struct tlob_history_entry *wake(uint64_t us, uint16_t cpu, uint32_t waker,
					      uint32_t tid)
{
	return add(us, cpu, TLOB_HISTORY_WAKE, waker, tid);
}

static inline void migrate(uint64_t us, uint32_t tid, uint16_t to)
{
	add(us, 0, TLOB_HISTORY_MIGRATE, 0, tid)->other_cpu = to;
}

static inline const struct tlobctl_why *judge(uint64_t from_us, uint64_t to_us)
{
	struct why_window w = {ME, from_us * US, to_us * US, (to_us - from_us) / 2 * US,
			       TLOB_RUNNING};
	uint64_t at = w.start_ns, sum = 0;

	assert_int_equal(why_culprits(&stream, &w, &answer), 0);
	for (size_t i = 0; i < answer.why.nsegments; i++) {
		assert_int_equal(answer.why.segments[i].start_ns, at);
		at = answer.why.segments[i].end_ns;
		assert_true(at > answer.why.segments[i].start_ns);
	}
	assert_int_equal(at, w.end_ns);
	for (size_t i = 0; i < answer.why.nculprits; i++)
		sum += answer.why.culprits[i].ns;
	assert_int_equal(sum, w.end_ns - w.start_ns);
	return &answer.why;
}

static inline const struct tlobctl_culprit *culprit(enum tlobctl_cause cause, uint32_t tid)
{
	for (size_t i = 0; i < answer.why.nculprits; i++) {
		const struct tlobctl_culprit *c = &answer.why.culprits[i];

		if (c->cause == cause &&
		    (tid ? c->who != TLOBCTL_NOBODY && answer.who[c->who].tid == tid :
			   c->who == TLOBCTL_NOBODY))
			return c;
	}
	return NULL;
}

static inline uint64_t us_of(enum tlobctl_cause cause, uint32_t tid)
{
	const struct tlobctl_culprit *c = culprit(cause, tid);

	return c ? c->ns / US : 0;
}

#endif
