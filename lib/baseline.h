/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Engine user: running, waiting and sleeping time from the kernel's own books. Reading them costs
 * about a microsecond, so a thread does it at a start only when the last time is long enough ago
 * for the region's budget. A window's split counts from that baseline; what lies between it and the
 * start is taken as running time, which is what the record's uncertain_ns says.
 */
#ifndef TLOB_LIB_BASELINE_H
#define TLOB_LIB_BASELINE_H

#include "clock.h"
#include "home.h"

/* Not older than a quarter of the budget, within these. */
#define TLOB_BASELINE_MIN_NS 100000u
#define TLOB_BASELINE_MAX_NS 1000000u

/* The calling thread's books as of now, into its slot, if anybody wants to know. */
void tlob_baseline_refresh(struct tlob_seat *seat, __u64 now_ns);

/*
 * What a start remembers of the baseline; the window is the caller's. sleeping_ns holds how old it
 * was (32 bits), which is only known when the time is, and above that how often the thread had
 * given up the CPU by itself, which reserved[0] has in place.
 */
tlob_inline void tlob_baseline_note(const struct tlob_slot *slot, struct tlob_window *w)
{
	tlob_store(&w->switches, (__u32)slot->sample_switches);
	tlob_store(&w->running_ns, slot->sample_running_ns);
	tlob_store(&w->waiting_ns, slot->sample_waiting_ns);
}

tlob_inline void tlob_baseline_note_age(const struct tlob_slot *slot, struct tlob_window *w,
					__u64 age_ns)
{
	tlob_store(&w->sleeping_ns, (__u32)age_ns | slot->reserved[0]);
}

#define TLOB_NO_BASELINE (~0ULL) /* sample_running_ns, running_ns: nobody listened */

/*
 * Split of the calling thread's window @w, into @r: elapsed_ns is set. Exact but for the age of the
 * baseline.
 */
void tlob_baseline_split_own(struct tlob_seat *seat, const struct tlob_window *w,
			     struct tlob_record *r);
/*
 * The same for another thread, which may be anywhere; also state, cpu and comm. -ESRCH if it has
 * exited. @lateness_ns: how long ago the watcher was woken up.
 */
int tlob_baseline_split_other(const struct tlob_slot *slot, const struct tlob_window *w,
			      struct tlob_record *r, __u64 lateness_ns);

/*
 * The calling thread's three clocks since it took its seat; TLOB_F_ESTIMATED if the books are
 * closed.
 */
__u32 tlob_baseline_clock(struct tlob_seat *seat, struct tlob_split *out);
/* When it takes it. */
void tlob_baseline_begin(struct tlob_seat *seat);

void tlob_books_close(struct tlob_seat *seat);

#endif
