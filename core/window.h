/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A window's life: start, stop, expiry, cancellation. These few functions are the whole protocol between a
 * thread and its engine; model/window.pml is the same in Promela, and spin proves one outcome per window.
 */
#ifndef TLOB_CORE_WINDOW_H
#define TLOB_CORE_WINDOW_H

#include "clock.h"

#define TLOB_OVERDUE_NS 2000000ULL /* next_wake_ns so far in the past: the engine is told again */
#define TLOB_STALL_NS 100000000ULL /* and here: nobody serves this arena any more */

/* Thread: publish window @w, whose other fields are filled in. Full barrier: next_wake_ns is read after. */
tlob_inline __u64 tlob_window_arm(struct tlob_window *w)
{
	__u64 gen = TLOB_WINDOW_GEN(tlob_load(&w->state)) + 1;

	tlob_xchg(&w->state, gen << 2 | TLOB_ARMED);
	return gen;
}

/* Thread, after arming: must the engine be called? For an earlier deadline than the one it waits for; and, as it will
 * not look by itself, when the arena is closed or its engine seems to be gone: then the call fails and says so. */
tlob_inline int tlob_window_wants_kick(struct tlob_arena_head *h, __u64 now_ns, __u64 deadline_ns)
{
	__u64 stale = now_ns - TLOB_OVERDUE_NS;

	/* in one comparison: the wake-up lies neither after the deadline nor before the time it would be stale. Modulo 2^64,
	 * so not in the first TLOB_OVERDUE_NS after boot. */
	return tlob_load(&h->next_wake_ns) - stale > deadline_ns - stale || tlob_load(&h->closed);
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
 * Engine: copy a window before the exchange that decides about it; if the thread goes on meanwhile the copy is worthless,
 * and that exchange fails.
 */
tlob_inline void tlob_window_copy(const struct tlob_window *from, struct tlob_window *to)
{
	to->state = tlob_load_acquire(&from->state);
	to->start_ns = tlob_load(&from->start_ns);
	to->deadline_ns = tlob_load(&from->deadline_ns);
	to->tag = tlob_load(&from->tag);
	to->region = tlob_load(&from->region);
	to->switches = tlob_load(&from->switches);
	to->running_ns = tlob_load(&from->running_ns);
	to->waiting_ns = tlob_load(&from->waiting_ns);
	to->sleeping_ns = tlob_load(&from->sleeping_ns);
}

/*
 * Engine: move an ARMED window to @to (EXPIRED, CANCELLED, IDLE) if it is still the generation in @word. The caller
 * copies the window's fields before this call: once it returns 1 the thread may reuse them.
 */
tlob_inline int tlob_window_take(struct tlob_window *w, __u64 word, __u32 to)
{
	return tlob_cmpxchg(&w->state, word, (word & ~3ULL) | to) == word;
}

/*
 * Engine: the one lazy wake-up of an arena. A scan first clears it, then looks at the windows, then lowers it to the
 * earliest deadline still open: a thread that arms meanwhile is either seen by the scan or finds NEVER and kicks. A kick
 * lowers it to its deadline. Scans and kicks run beside each other, so both end in the same loop, which leaves the
 * timer no later than next_wake_ns whoever comes last:
 *
 *	next = tlob_wake_lower(head, deadline);
 *	do {
 *		wake = next;
 *		set the timer to wake, unless that is NEVER: then leave it
 *		next = tlob_load(&head->next_wake_ns);
 *	} while (next < wake);
 */
tlob_inline void tlob_wake_clear(struct tlob_arena_head *h)
{
	tlob_xchg(&h->next_wake_ns, TLOB_NEVER);
}

#define TLOB_WAKE_TRIES 16 /* each failed try means that another CPU has succeeded */

/* Returns what to set the timer to: @deadline_ns or the earlier wake-up that is already there. */
tlob_inline __u64 tlob_wake_lower(struct tlob_arena_head *h, __u64 deadline_ns)
{
	__u64 next = tlob_load(&h->next_wake_ns);

	for (int i = 0; i < TLOB_WAKE_TRIES && deadline_ns < next; i++) {
		__u64 was = tlob_cmpxchg(&h->next_wake_ns, next, deadline_ns);

		if (was == next)
			return deadline_ns;
		next = was;
	}
	return deadline_ns < next ? deadline_ns : next;
}

/*
 * Engine: nothing is to start in this arena any more. Call it before the walk that takes the ARMED windows to CANCELLED:
 * a thread that arms meanwhile is either seen by that walk or finds the arena closed and kicks, which must fail.
 * It then takes its own window back with tlob_window_take(); where that fails the window has expired and is an
 * overrun like any other. Windows that are EXPIRED stay so: their overrun has been reported.
 */
tlob_inline void tlob_arena_close(struct tlob_arena_head *h)
{
	(void)tlob_xchg(&h->closed, 1u);
}

/*
 * A thread that is switched between a read of the time and a read of its clock makes the two disagree by about as
 * much as lies between them; what an honest program cannot reach is more than that.
 */
#define TLOB_SPLIT_SLACK_NS 20000ULL

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
