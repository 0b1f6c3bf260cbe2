// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tlob_start() and tlob_stop(). The good path is this file and nothing else: two reads of the time,
 * the few words of a window, one compare-and-swap, one count. Everything beyond is out of line.
 *
 * A handle is generation << 12 | epoch << 4 | 8 | index, its upper 52 bits mixed with the seat's
 * salt. So it is never 0, a stop in another thread or of another home's window is told apart, and a
 * second stop finds another generation.
 */
#include "window.h"

#include <errno.h>

#include <tlob/tlob.h>

#include "baseline.h"
#include "calm.h"
#include "engine.h"
#include "ledger.h"
#include "now.h"
#include "ownclock.h"
#include "process.h"
#include "region.h"
#include "thread.h"

#define HANDLE_TAG 0xff8u
#define HANDLE_VALID 8u
#define HANDLE_GEN_SHIFT 12
#define ALL_WINDOWS ((1u << TLOB_MAX_DEPTH) - 1)

static tlob_window_t start_slowly(struct tlob_region *region, uint64_t tag);

static tlob_cold tlob_window_t refuse(struct tlob_home *home, struct tlob_slot *slot, __u32 region)
{
	if (slot)
		tlob_store(&slot->refused, tlob_load(&slot->refused) + 1);
	if (region < TLOB_MAX_REGIONS)
		tlob_add(&home->ledger->regions[region].refused, 1);
	return TLOB_NO_WINDOW;
}

/*
 * The engine has to be told of a deadline. If it has gone, this window is none: the start is made
 * again, in the home that takes over; unless it has had its outcome already.
 */
static tlob_cold tlob_window_t kick(struct tlob_seat *seat, struct tlob_region *region,
				    struct tlob_window *w, tlob_window_t handle, __u64 gen)
{
	struct tlob_home *home = seat->home;
	__u64 tag = w->tag;
	int r = -ESHUTDOWN;
	TLOB_CALM;

	if (!tlob_load(&seat->head->closed))
		r = home->engine->arm(seat, w->start_ns, w->deadline_ns);
	if (r >= 0 || !(tlob_engine_gone(r) || r == -ESRCH))
		return handle;
	/* expired meanwhile: its record is out, and the stop says so */
	if (!tlob_window_take(w, gen << 2 | TLOB_ARMED, TLOB_IDLE))
		return handle;
	tlob_own_clear(&seat->slot->used, 1u << (handle & 7));
	if (r == -ESRCH) /* the child of a vfork, on its parent's seat */
		return TLOB_NO_WINDOW;
	tlob_process_lost(home);
	if (tlob_load(&tlob_live->epoch) == home->epoch) /* nothing could take over */
		return refuse(home, NULL, tlob_load(&region->internal_id));
	return start_slowly(region, tag);
}

/* Take a window that nobody has; NULL if there is none. */
tlob_hot struct tlob_window *claim_window(struct tlob_slot *slot, __u32 *index)
{
	__u32 used;

	do {
		used = tlob_load(&slot->used);
		if (tlob_unlikely((used & ALL_WINDOWS) == ALL_WINDOWS))
			return NULL;
		*index = (__u32)__builtin_ctz(~used);
	} while (tlob_unlikely(!tlob_own_swap(&slot->used, used, used | 1u << *index)));
	return &slot->windows[*index];
}

/* The baseline is too old. Another, and the time after it; 0 if the home has changed meanwhile. */
static tlob_cold __u64 refresh(struct tlob_seat *seat, struct tlob_window *w, __u64 now)
{
	TLOB_CALM;

	tlob_baseline_refresh(seat, now);
	if (tlob_load(&tlob_live->epoch) != seat->epoch)
		return 0;
	tlob_baseline_note(seat->slot, w);
	return tlob_now();
}

/*
 * What does not need the time comes before it is read: it is done while the processor is still at
 * the previous fence, whereas all that follows the read is waited for.
 */
tlob_hot tlob_window_t open_window(struct tlob_seat *seat, struct tlob_region *region, uint64_t tag)
{
	struct tlob_slot *slot = seat->slot;
	struct tlob_arena_head *head = seat->head;
	__u64 now, age, deadline, gen;
	struct tlob_window *w;
	tlob_window_t handle;
	__u32 index;

	w = claim_window(slot, &index);
	if (tlob_unlikely(!w))
		return refuse(seat->home, slot, tlob_load(&region->internal_id));
	tlob_store(&w->tag, tag);
	tlob_store(&w->region, tlob_load(&region->internal_id));
	if (seat->clocked) {
		now = tlob_own_clock_note(slot, w);
	} else {
		tlob_baseline_note(slot, w);
		now = tlob_now();
		age = now - slot->sample_ns;
		if (tlob_unlikely((__s64)age > (__s64)tlob_load(&region->internal_interval_ns))) {
			now = refresh(seat, w, now);
			if (!now) {
				tlob_own_clear(&slot->used, 1u << index);
				return start_slowly(region, tag);
			}
			age = now - slot->sample_ns;
		}
		tlob_baseline_note_age(slot, w, age);
	}
	deadline = now + tlob_load(&region->internal_budget_ns);
	tlob_store(&w->start_ns, now);
	tlob_store(&w->deadline_ns, deadline);
	gen = tlob_window_arm(w);
	handle = (gen << HANDLE_GEN_SHIFT ^ seat->salt) | seat->tag | index;
	if (tlob_unlikely(tlob_window_wants_kick(head, now, deadline)))
		return kick(seat, region, w, handle, gen);
	return handle;
}

/* It has no number and will get none, so that most of the way can be spared. */
static tlob_window_t refuse_unnumbered(void)
{
	struct tlob_home *home = tlob_load_acquire(&tlob_live->home);

	if (home)
		tlob_add(&home->ledger->unmeasured, 1);
	return TLOB_NO_WINDOW;
}

/* First use, of the process, thread or region; or another home than last time. */
static tlob_cold tlob_window_t start_slowly(struct tlob_region *region, uint64_t tag)
{
	struct tlob_home *home;
	struct tlob_seat *seat;

	if (tlob_load(&tlob_switched_off))
		return TLOB_NO_WINDOW;
	if (tlob_unlikely(tlob_load(&region->internal_id) == TLOB_NO_REGION))
		return refuse_unnumbered();
	{
		TLOB_CALM;

		home = tlob_process_home();
		if (!home)
			return TLOB_NO_WINDOW;
		if (tlob_region_enter(home, region))
			return refuse_unnumbered();
		seat = tlob_thread_sit(home);
	}
	if (!seat)
		return refuse(home, NULL, tlob_load(&region->internal_id));
	return open_window(seat, region, tag);
}

tlob_window_t tlob_start(struct tlob_region *region, uint64_t tag)
{
	struct tlob_seat *seat = tlob_seat;
	__u32 epoch = tlob_load(&tlob_live->epoch);

	if (tlob_unlikely(seat->epoch != epoch || tlob_load(&region->internal_epoch) != epoch))
		return start_slowly(region, tag);
	return open_window(seat, region, tag);
}

/* ---- stop */

static int fail(int error)
{
	errno = error;
	return -error;
}

/* Its record is out. The engine may have read the time after this thread did. */
static int end_expired(struct tlob_ending *end)
{
	struct tlob_seat *seat = end->seat;
	__u64 deadline = end->window->deadline_ns;
	__u32 region = end->window->region;

	end->now_ns = tlob_now();
	if (end->now_ns < deadline)
		end->now_ns = deadline;
	tlob_ledger_add(seat, tlob_ledger_cell(seat, region), end->now_ns - end->window->start_ns);
	tlob_ledger_count(seat, region, overruns);
	if (tlob_engine_gone(seat->home->engine->finish(end, true)))
		tlob_process_lost(seat->home);
	return -EOVERFLOW;
}

/*
 * Nobody has been told that it was late. If there is nobody any more who could be, it ends without
 * an outcome.
 */
static int end_late(struct tlob_ending *end)
{
	struct tlob_seat *seat = end->seat;
	__u32 region = end->window->region;

	if (tlob_engine_gone(seat->home->engine->finish(end, false))) {
		tlob_ledger_count(seat, region, cancelled);
		tlob_process_lost(seat->home);
		return -ECANCELED;
	}
	tlob_ledger_add(seat, tlob_ledger_cell(seat, region), end->now_ns - end->window->start_ns);
	tlob_ledger_count(seat, region, overruns);
	return -EOVERFLOW;
}

/*
 * Everything but a window that ended in time: @was is what its state was, @now_ns when it was
 * stopped. It is IDLE now, and its fields are still this thread's.
 */
static tlob_cold int end_badly(struct tlob_seat *seat, __u32 index, __u32 was, __u64 now_ns)
{
	struct tlob_window *w = &seat->slot->windows[index];
	struct tlob_ending end = {.seat = seat, .window = w, .index = index, .now_ns = now_ns};
	int r = -ECANCELED;

	if (was == TLOB_IDLE)
		return fail(tlob_load(&seat->home->dead) ? ECANCELED : EINVAL);
	{
		TLOB_CALM;

		if (was == TLOB_CANCELLED)
			tlob_ledger_count(seat, w->region, cancelled);
		else
			r = was == TLOB_EXPIRED ? end_expired(&end) : end_late(&end);
		tlob_own_clear(&seat->slot->used, 1u << index);
	}
	return fail(-r);
}

/*
 * As for a start: first all that does not need the time. If the handle is stale what is read here
 * is not used.
 */
tlob_hot int close_window(struct tlob_seat *seat, tlob_window_t handle)
{
	__u32 index = handle & (TLOB_MAX_DEPTH - 1), was;
	struct tlob_window *w = &seat->slot->windows[index];
	__u64 gen = (handle ^ seat->salt) >> HANDLE_GEN_SHIFT;
	__u64 start = tlob_load(&w->start_ns), deadline = tlob_load(&w->deadline_ns), now;
	struct tlob_cell cell;

	now = tlob_now();
	was = tlob_window_end(w, gen);
	if (tlob_unlikely(was != TLOB_ARMED || now >= deadline))
		return end_badly(seat, index, was, now);
	cell = tlob_ledger_cell(seat, tlob_load(&w->region));
	tlob_ledger_add(seat, cell, now - start);
	tlob_own_clear(&seat->slot->used, 1u << index);
	return 0;
}

/* Was @handle given out in an earlier epoch, to whomever? Only 8 bits of it are there to tell. */
static bool has_been(tlob_window_t handle)
{
	__u32 last = tlob_load(&tlob_last_epoch), epoch = (handle >> 4) & 0xff;

	return (handle & HANDLE_VALID) && (last > 0xff || (epoch && epoch <= last));
}

/* A window of an older home, or of none. */
static tlob_cold int stop_slowly(tlob_window_t handle)
{
	struct tlob_seat *seat = tlob_thread_seat_of(handle & HANDLE_TAG);
	__u32 epoch = tlob_load(&tlob_live->epoch);

	if (seat && epoch && !tlob_load(&seat->home->dead))
		return close_window(seat, handle);
	if (handle == TLOB_NO_WINDOW || seat)
		return fail(ECANCELED);
	if (epoch && (handle & HANDLE_TAG) == ((epoch & 0xff) << 4 | HANDLE_VALID))
		return fail(EINVAL); /* another thread's */
	return fail(has_been(handle) ? ECANCELED : EINVAL);
}

int tlob_stop(tlob_window_t window)
{
	struct tlob_seat *seat = tlob_seat;

	if (tlob_unlikely(seat->epoch != tlob_load(&tlob_live->epoch) ||
			  (window & HANDLE_TAG) != seat->tag))
		return stop_slowly(window);
	return close_window(seat, window);
}
