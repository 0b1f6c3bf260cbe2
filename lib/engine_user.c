// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Engine user: no privilege, no kernel part. The watcher notices expiry, the kernel's books give
 * the split.
 */
#include "baseline.h"
#include "engine.h"
#include "ledger.h"
#include "now.h"
#include "process.h"
#include "record.h"
#include "watch.h"
#include "window.h"

static int enroll(struct tlob_seat *seat)
{
	tlob_baseline_begin(seat);
	return 0;
}

static int arm(struct tlob_seat *seat, __u64 now_ns, __u64 deadline_ns)
{
	tlob_watch_arm(seat->home, seat->head, deadline_ns);
	tlob_process_look(now_ns);
	return 0;
}

static void deliver(struct tlob_home *home, struct tlob_record *r, bool overrun_too)
{
	bool agent = home->agent && !tlob_load(&home->dead);

	r->type = TLOB_REC_CLOSE;
	if (overrun_too) {
		struct tlob_record overrun = tlob_record_overrun_of(r);

		tlob_record_deliver(home, &overrun);
	}
	tlob_record_deliver(home, r);
	/* with an agent the callback has not heard of the overrun yet: it is told of both now */
	if (agent && !tlob_load(&home->dead))
		tlob_record_tell_both(home, r, true);
}

static int finish(const struct tlob_ending *end, bool expired)
{
	struct tlob_home *home = end->seat->home;
	struct tlob_record r;

	if (expired)
		tlob_watch_settle(end->window);
	if (!tlob_process_listens(home))
		return 0;
	tlob_record_begin_own(&r, end);
	tlob_baseline_split_own(end->seat, end->window, &r);
	deliver(home, &r, !expired);
	return 0;
}

static int arm_transit(struct tlob_home *home, __u32 arena, __u64 now_ns, __u64 deadline_ns)
{
	tlob_watch_arm(home, &home->pool.entries[arena]->head, deadline_ns);
	tlob_process_look(now_ns);
	return 0;
}

static int end_transit(const struct tlob_transit_ending *end, __u16 flags, bool expired)
{
	struct tlob_record r;

	if (expired)
		tlob_watch_settle(end->window);
	if (!tlob_process_listens(end->home))
		return 0;
	tlob_record_begin_transit(&r, end->window, &end->place, end->word, end->now_ns);
	r.flags |= flags;
	r.end_tid = flags & TLOB_F_ABANDONED ? 0 : tlob_gettid();
	if (!expired)
		tlob_record_deliver_stages(end->home, &r, end->window, &end->place);
	tlob_record_deliver_stages(end->home, &r, end->window, &end->place);
	deliver(end->home, &r, !expired);
	return 0;
}

static int finish_transit(const struct tlob_transit_ending *end, bool expired)
{
	return end_transit(end, 0, expired);
}

static void abandon_transit(const struct tlob_transit_ending *end)
{
	end_transit(end, TLOB_F_ABANDONED, true);
}

static void abandon(struct tlob_seat *seat, __u32 index)
{
	struct tlob_window *w = &seat->slot->windows[index];
	struct tlob_ending end = {.seat = seat, .window = w, .index = index};
	__u64 word = tlob_load(&w->state);
	struct tlob_record r;

	if (TLOB_WINDOW_STATE(word) == TLOB_ARMED && tlob_window_take(w, word, TLOB_IDLE)) {
		tlob_ledger_count(seat, w->region, abandoned);
		return;
	}
	if (TLOB_WINDOW_STATE(tlob_load(&w->state)) != TLOB_EXPIRED)
		return;
	if (!tlob_process_listens(seat->home))
		return;
	tlob_watch_settle(w);
	end.now_ns = tlob_now();
	tlob_record_begin_own(&r, &end);
	tlob_baseline_split_own(seat, w, &r);
	r.flags |= TLOB_F_ABANDONED;
	deliver(seat->home, &r, false);
}

static int leave(struct tlob_seat *seat)
{
	__u32 used = tlob_load(&seat->slot->used);

	for (__u32 i = 0; i < TLOB_MAX_DEPTH; i++)
		if (used & 1u << i)
			abandon(seat, i);
	return 0;
}

const struct tlob_engine tlob_engine_user = {
	.name = "user",
	.clocked = false,
	.enroll = enroll,
	.leave = leave,
	.arm = arm,
	.finish = finish,
	.transit_arm = arm_transit,
	.transit_finish = finish_transit,
	.transit_abandon = abandon_transit,
};
