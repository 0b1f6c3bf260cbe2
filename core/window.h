/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A window's life: start, stop, expiry, cancellation. These few functions are the whole protocol between a
 * thread and its engine; model/window.pml is the same in Promela, and spin proves one outcome per window.
 */
#ifndef TLOB_CORE_WINDOW_H
#define TLOB_CORE_WINDOW_H

#include "clock.h"

#define TLOB_STALL_NS \
	100000000ULL /* next_wake_ns so far in the past: nobody serves this arena any more */

/* Thread: publish window @w, whose other fields are filled in. Full barrier: next_wake_ns is read after. */
tlob_inline __u64 tlob_window_arm(struct tlob_window *w)
{
	__u64 gen = TLOB_WINDOW_GEN(tlob_load(&w->state)) + 1;

	tlob_xchg(&w->state, gen << 2 | TLOB_ARMED);
	return gen;
}

/* Thread: must the engine be told of a deadline? Also true when the engine seems to be gone. */
tlob_inline int tlob_window_wants_kick(struct tlob_arena_head *h, __u64 now_ns, __u64 deadline_ns)
{
	__u64 next = tlob_load(&h->next_wake_ns);

	return deadline_ns < next || (next < now_ns && now_ns - next > TLOB_STALL_NS);
}

/* Thread: end generation @gen of @w. Returns what it was: ARMED (stopped in time or won the race),
 * EXPIRED, CANCELLED, or IDLE if @gen is not open any more. */
tlob_inline __u32 tlob_window_end(struct tlob_window *w, __u64 gen)
{
	__u64 armed = gen << 2 | TLOB_ARMED;
	__u64 was = tlob_cmpxchg(&w->state, armed, gen << 2 | TLOB_IDLE);

	if (was == armed)
		return TLOB_ARMED;
	if (TLOB_WINDOW_GEN(was) != gen)
		return TLOB_IDLE;
	tlob_store_release(&w->state, gen << 2 | TLOB_IDLE);
	return TLOB_WINDOW_STATE(was);
}

/*
 * Engine: move an ARMED window to @to (EXPIRED, CANCELLED, IDLE) if it is still the generation in @word. The caller
 * copies the window's fields before this call: once it returns 1 the thread may reuse them.
 */
tlob_inline int tlob_window_take(struct tlob_window *w, __u64 word, __u32 to)
{
	return tlob_cmpxchg(&w->state, word, (word & ~3ULL) | to) == word;
}

#define TLOB_SPLIT_SLACK_NS \
	1000ULL /* the kernel's fast clock and the vDSO's may differ by this much */

/* What a clock gained, kept within 0 .. @limit_ns. */
tlob_inline __u64 tlob_gain(__u64 now_ns, __u64 then_ns, __u64 limit_ns)
{
	__u64 gain = now_ns - then_ns;

	if ((__s64)gain < 0)
		return 0;
	return gain < limit_ns ? gain : limit_ns;
}

/*
 * The split of a window: clock now minus clock at start. Both may have been written by a hostile program:
 * running is what waiting and sleeping leave of @elapsed_ns, so the sum always holds. Returns TLOB_F_SPOILED if
 * that is not what the clock says.
 */
tlob_inline __u16 tlob_window_split(const struct tlob_window *w, const struct tlob_split *now,
				    __u64 elapsed_ns, struct tlob_record *r)
{
	__u64 running = now->running_ns - w->running_ns;

	r->waiting_ns = tlob_gain(now->waiting_ns, w->waiting_ns, elapsed_ns);
	r->sleeping_ns = tlob_gain(now->sleeping_ns, w->sleeping_ns, elapsed_ns - r->waiting_ns);
	r->running_ns = elapsed_ns - r->waiting_ns - r->sleeping_ns;
	r->switches = now->switches - w->switches;
	r->state = now->state <= TLOB_SLEEPING ? now->state : TLOB_RUNNING;
	/* unsigned on purpose: true when the two differ by more than the slack either way */
	if (running - r->running_ns + TLOB_SPLIT_SLACK_NS > 2 * TLOB_SPLIT_SLACK_NS)
		return TLOB_F_SPOILED;
	return 0;
}

#endif
