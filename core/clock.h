/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Thread clocks: how running, waiting and sleeping time add up. The transitions are those of
 * model/tlob.dot; an engine only says which event happened when.
 */
#ifndef TLOB_CORE_CLOCK_H
#define TLOB_CORE_CLOCK_H

#include "atomic.h"
#include "tlob_model.h" /* generated from model/tlob.dot */

TLOB_ASSERT((int)TLOB_RUNNING == (int)TLOB_MODEL_STATE_RUNNING, "model and ABI agree");
TLOB_ASSERT((int)TLOB_WAITING == (int)TLOB_MODEL_STATE_WAITING, "model and ABI agree");
TLOB_ASSERT((int)TLOB_SLEEPING == (int)TLOB_MODEL_STATE_SLEEPING, "model and ABI agree");

/* Three clocks at one instant, time in progress included. */
struct tlob_split {
	__u64 running_ns;
	__u64 waiting_ns;
	__u64 sleeping_ns;
	__u32 switches;
	__u32 state;
};

tlob_inline void tlob_split_add(struct tlob_split *s, __u32 state, __u64 ns)
{
	if (state == TLOB_RUNNING)
		s->running_ns += ns;
	else if (state == TLOB_WAITING)
		s->waiting_ns += ns;
	else
		s->sleeping_ns += ns;
}

/* Engine only, between tlob_clock_write_begin() and _end(): @event happened at @now_ns. */
tlob_inline void tlob_clock_step(struct tlob_clock *c, __u32 event, __u64 now_ns)
{
	__u32 state = tlob_load(&c->state);
	__u64 since = tlob_load(&c->since_ns);
	__u64 ns = now_ns > since ? now_ns - since : 0;
	__u32 next;

	if (state == TLOB_RUNNING)
		tlob_store(&c->running_ns, c->running_ns + ns);
	else if (state == TLOB_WAITING)
		tlob_store(&c->waiting_ns, c->waiting_ns + ns);
	else
		tlob_store(&c->sleeping_ns, c->sleeping_ns + ns);
	tlob_store(&c->since_ns, since + ns);

	next = tlob_model_next(state, event);
	if (next != TLOB_MODEL_INVALID)
		tlob_store(&c->state, next);
}

tlob_inline void tlob_clock_write_begin(struct tlob_clock *c)
{
	tlob_store(&c->seq, c->seq + 1);
	tlob_fence_release();
}

tlob_inline void tlob_clock_write_end(struct tlob_clock *c)
{
	tlob_store_release(&c->seq, c->seq + 1);
}

tlob_inline __u64 tlob_take_back(__u64 *total_ns, __u64 ns)
{
	__u64 taken = ns < *total_ns ? ns : *total_ns;

	*total_ns -= taken;
	return ns - taken;
}

/*
 * The thread was switched between a read of the time and the read of its clock, which is @ns ahead:
 * take that back from what the thread did last. Before it ran it waited, or slept and had not to
 * wait; before it left the CPU it ran.
 */
tlob_inline void tlob_split_take_back(struct tlob_split *s, __u64 ns)
{
	if (s->state == TLOB_RUNNING) {
		ns = tlob_take_back(&s->waiting_ns, ns);
		ns = tlob_take_back(&s->sleeping_ns, ns);
	}
	tlob_take_back(&s->running_ns, ns);
}

/* One attempt to copy @c as of @now_ns; 0 if the engine was writing meanwhile. */
tlob_inline int tlob_clock_try_read(struct tlob_clock *c, __u64 now_ns, struct tlob_split *out)
{
	__u32 seq = tlob_load_acquire(&c->seq);
	__u64 since;

	out->running_ns = tlob_load(&c->running_ns);
	out->waiting_ns = tlob_load(&c->waiting_ns);
	out->sleeping_ns = tlob_load(&c->sleeping_ns);
	out->switches = tlob_load(&c->switches);
	out->state = tlob_load(&c->state);
	since = tlob_load(&c->since_ns);
	tlob_fence_acquire();
	if ((seq & 1) || tlob_load(&c->seq) != seq)
		return 0;
	if (now_ns >= since)
		tlob_split_add(out, out->state, now_ns - since);
	else
		tlob_split_take_back(out, since - now_ns);
	return 1;
}

#endif
