/* SPDX-License-Identifier: GPL-2.0-only */
/* One step of a deterministic automaton, by the table that model/gen.c makes of a .dot file. */
#ifndef RV_AUTOMATON_H
#define RV_AUTOMATON_H

#include <linux/compiler.h>
#include <linux/types.h>

#define RVC_INVALID 0xff /* what tables give for an event that is not allowed */

struct rvc_automaton {
	u32 state;
};

/*
 * @next: the table. Returns the state after @event, or RVC_INVALID, and then the state is left as it was. The events of one
 * automaton must not run beside each other.
 */
static __always_inline u32 rvc_automaton_step(struct rvc_automaton *a, u32 event,
					      u32 (*next)(u32 state, u32 event))
{
	u32 to = next(READ_ONCE(a->state), event);

	if (to != RVC_INVALID)
		WRITE_ONCE(a->state, to);
	return to;
}

#endif
