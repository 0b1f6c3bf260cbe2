/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How long interrupts have a CPU: from when they begin and end. Of one CPU, written there only.
 *
 * A hard interrupt may come in the middle of a soft one, anywhere in the functions of soft ones below: it counts for itself
 * alone. Where it comes between two of their steps, its time is left out, rather than counted twice. An end whose begin was not
 * seen, because the engine came in between, counts nothing.
 */
#ifndef TLOB_CORE_INTERRUPT_SUMS_H
#define TLOB_CORE_INTERRUPT_SUMS_H

#include "atomic.h"

#define TLOB_INTERRUPT_NONE 0xffffffffU

struct tlob_interrupt_sums {
	__u64 hard_since_ns, soft_since_ns; /* of the one under way; 0: there is none */
	__u64 hard_ns; /* all that hard ones took */
	__u64 hard_before_ns; /* the same at soft_since_ns */
	__u32 soft; /* which; TLOB_INTERRUPT_NONE: it is just being added up */
	__u32 reserved;
};

tlob_inline void tlob_interrupt_hard_begin(struct tlob_interrupt_sums *s, __u64 now)
{
	tlob_store(&s->hard_since_ns, now);
}

/* Returns how long it took. */
tlob_inline __u64 tlob_interrupt_hard_end(struct tlob_interrupt_sums *s, __u64 now)
{
	__u64 since = tlob_load(&s->hard_since_ns);

	if (!since || now <= since)
		return 0;
	tlob_store(&s->hard_since_ns, 0);
	tlob_store(&s->hard_ns, s->hard_ns + (now - since));
	return now - since;
}

/* And then ask for the time, for _soft_begin(). */
tlob_inline void tlob_interrupt_soft_prepare(struct tlob_interrupt_sums *s, __u32 soft)
{
	tlob_store(&s->soft, soft);
	tlob_store(&s->hard_before_ns, tlob_load(&s->hard_ns));
}

tlob_inline void tlob_interrupt_soft_begin(struct tlob_interrupt_sums *s, __u64 now)
{
	tlob_store(&s->soft_since_ns, now);
}

/* Without the hard ones in it. */
tlob_inline __u64 tlob_interrupt_soft_so_far(const struct tlob_interrupt_sums *s, __u64 now)
{
	__u64 since = tlob_load(&s->soft_since_ns);
	__u64 hard = tlob_load(&s->hard_ns) - tlob_load(&s->hard_before_ns);

	return since && now > since && now - since > hard ? now - since - hard : 0;
}

/*
 * By a hard one that came in the middle and has ended: which soft one that was, and how long it took so far. That
 * is not part of what its end will return.
 */
tlob_inline __u32 tlob_interrupt_soft_cut(struct tlob_interrupt_sums *s, __u64 now, __u64 *ns)
{
	__u32 soft = tlob_load(&s->soft);

	if (!tlob_load(&s->soft_since_ns) || soft == TLOB_INTERRUPT_NONE)
		return TLOB_INTERRUPT_NONE;
	*ns = tlob_interrupt_soft_so_far(s, now);
	tlob_interrupt_soft_prepare(s, soft);
	tlob_interrupt_soft_begin(s, now);
	return soft;
}

/* It counts as under way until the caller has put that where it belongs, and calls tlob_interrupt_soft_clear(). */
tlob_inline __u64 tlob_interrupt_soft_end(struct tlob_interrupt_sums *s, __u64 now)
{
	tlob_store(&s->soft, TLOB_INTERRUPT_NONE);
	tlob_fence_release();
	return tlob_interrupt_soft_so_far(s, now);
}

tlob_inline void tlob_interrupt_soft_clear(struct tlob_interrupt_sums *s)
{
	tlob_fence_release();
	tlob_store(&s->soft_since_ns, 0);
}

#endif
