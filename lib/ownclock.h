/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The calling thread's clock, as an engine outside keeps it. */
#ifndef TLOB_LIB_OWNCLOCK_H
#define TLOB_LIB_OWNCLOCK_H

#include "clock.h"
#include "now.h"

/*
 * A thread that is switched out this often between two reads is not reading its own clock; nor is a
 * spoilt one.
 */
#define TLOB_CLOCK_TRIES 16

/* Clock and time as of one instant; returns the time. */
tlob_hot __u64 tlob_own_clock(struct tlob_slot *slot, struct tlob_split *split)
{
	__u64 now = 0;

	for (int i = 0; i < TLOB_CLOCK_TRIES; i++) {
		__u32 seq = tlob_load_acquire(&slot->clock.seq);

		now = tlob_now();
		if (tlob_likely(tlob_clock_try_read(&slot->clock, now, split) &&
				tlob_load(&slot->clock.seq) == seq))
			break;
	}
	return now;
}

/* The clock has moved while it was read, or the program scribbles over it. */
static tlob_cold __attribute__((unused)) __u64 tlob_own_clock_note_slowly(struct tlob_slot *slot,
									  struct tlob_window *w)
{
	struct tlob_split split;
	__u64 now = tlob_own_clock(slot, &split);

	tlob_store(&w->switches, split.switches);
	tlob_store(&w->running_ns, split.running_ns);
	tlob_store(&w->waiting_ns, split.waiting_ns);
	tlob_store(&w->sleeping_ns, split.sleeping_ns);
	return now;
}

/*
 * The same into a window that starts now. Whoever reads its own clock runs, so only running time
 * goes on: all else is copied before the time is read.
 */
tlob_hot __u64 tlob_own_clock_note(struct tlob_slot *slot, struct tlob_window *w)
{
	struct tlob_clock *c = &slot->clock;
	__u32 seq = tlob_load_acquire(&c->seq);
	__u64 offset = tlob_load(&c->running_ns) - tlob_load(&c->since_ns), now;

	tlob_store(&w->switches, tlob_load(&c->switches));
	tlob_store(&w->waiting_ns, tlob_load(&c->waiting_ns));
	tlob_store(&w->sleeping_ns, tlob_load(&c->sleeping_ns));
	now = tlob_now();
	tlob_fence_acquire();
	if (tlob_unlikely((seq & 1) || tlob_load(&c->seq) != seq))
		return tlob_own_clock_note_slowly(slot, w);
	tlob_store(&w->running_ns, offset + now);
	return now;
}

#endif
