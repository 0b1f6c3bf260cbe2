// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tlob_begin() and tlob_end(): windows that cross threads. As in window.c the good path is free of
 * system calls and locks.
 */
#include "pool.h"

#include <errno.h>

#include <tlob/tlob.h>

#include "calm.h"
#include "chains.h"
#include "engine.h"
#include "ledger.h"
#include "now.h"
#include "process.h"
#include "record.h"
#include "region.h"
#include "shared.h"
#include "thread.h"

static int begin_slowly(struct tlob_region *region, uint64_t tag);
static void begin_stage(struct tlob_seat *seat, struct tlob_region *region, uint64_t tag);
static int end_stage(struct tlob_home *home, struct tlob_region *region, uint64_t tag, int r);

static int fail(int error)
{
	errno = error;
	return -error;
}

#define count(home, number, what) \
	do { \
		__u32 number_ = (number); \
		if (number_ < TLOB_MAX_REGIONS) \
			tlob_add(&(home)->ledger->regions[number_].what, 1); \
	} while (0)

/* ---- begin */

static tlob_cold int begin_in_vain(struct tlob_home *home, __u32 region, int r)
{
	if (r == -EEXIST)
		return fail(EEXIST);
	count(home, region, refused);
	return fail(-r);
}

/*
 * The engine has to be told of a deadline; as in window.c. Another thread may have ended the window by now, and begun its own
 * in its place: then this tells of that one's deadline once more, and there is nothing to take back.
 */
static tlob_cold int kick(struct tlob_seat *seat, struct tlob_region *region,
			  const struct tlob_place *p, __u64 gen)
{
	struct tlob_home *home = seat->home;
	struct tlob_window *w = &p->slot->windows[p->index];
	__u64 tag = tlob_load(&w->tag), start = tlob_load(&w->start_ns);
	__u64 deadline = tlob_load(&w->deadline_ns);
	int r = -ESHUTDOWN;

	{
		TLOB_CALM;

		if (!tlob_load(&home->pool.entries[p->arena]->head.closed))
			r = home->engine->transit_arm(home, p->arena, start, deadline);
		if (r >= 0 || !(tlob_engine_gone(r) || r == -ESRCH))
			return 0;
		if (!tlob_window_take(w, gen << 2 | TLOB_ARMED, TLOB_IDLE))
			return 0; /* expired meanwhile, or ended */
		tlob_transit_release(p);
		if (r != -ESRCH)
			tlob_process_lost(home);
	}
	if (r == -ESRCH) /* the child of a vfork */
		return fail(ECANCELED);
	if (tlob_load(&tlob_live->epoch) == home->epoch)
		return begin_in_vain(home, tlob_load(&region->internal_id), -ECANCELED);
	return p->width == 1 ? begin_slowly(region, tag) : -ECANCELED;
}

/* No room where this key may be. */
static tlob_cold int claim_in_more(struct tlob_home *home, __u32 region, __u64 tag, __u32 width,
				   struct tlob_place *p)
{
	int r = -TLOB_TRANSIT_ENOSPC;
	TLOB_CALM;

	for (__u32 n = 1; r == -TLOB_TRANSIT_ENOSPC && n < TLOB_TRANSIT_ARENAS; n++) {
		if (tlob_pool_grow(home, n, 0))
			break;
		r = tlob_transit_claim(&home->pool, region, tag, width, p);
	}
	return r;
}

/*
 * An agent takes its time to give an arena, so it is asked before the last one is full: when a key
 * has not found room in its first slot there.
 */
static tlob_cold void ask_ahead(struct tlob_home *home, __u32 arena)
{
	TLOB_CALM;

	if (arena + 1 < TLOB_TRANSIT_ARENAS)
		(void)tlob_pool_grow(home, arena + 1, 0);
}

static inline bool is_crowded(struct tlob_home *home, const struct tlob_place *p)
{
	return (tlob_load(&p->slot->used) & 0xff) == 0xff && p->arena + 1 < TLOB_TRANSIT_ARENAS &&
	       !tlob_load(&home->pool.entries[p->arena + 1]);
}

/* @width 2: a chain, whose log is empty yet. */
tlob_hot int open_window(struct tlob_seat *seat, struct tlob_region *region, uint64_t tag,
			 __u32 width)
{
	struct tlob_home *home = seat->home;
	__u32 id = tlob_load(&region->internal_id);
	__u64 now, deadline, gen;
	struct tlob_window *w;
	struct tlob_place p;
	int r;

	r = tlob_transit_claim(&home->pool, id, tag, width, &p);
	if (tlob_unlikely(r == -TLOB_TRANSIT_ENOSPC))
		r = claim_in_more(home, id, tag, width, &p);
	if (tlob_unlikely(r))
		return begin_in_vain(home, id, r);
	if (tlob_unlikely(is_crowded(home, &p)))
		ask_ahead(home, p.arena);
	w = &p.slot->windows[p.index];
	tlob_store(&w->switches, tlob_load(&seat->slot->tid));
	tlob_store(&w->running_ns, (__u64)tlob_load(&seat->slot->flags));
	tlob_store(&w->sleeping_ns, (__u64)(width - 1)); /* by which engines know a chain */
	if (width == 2)
		tlob_log_clear(&p);
	now = tlob_now();
	deadline = now + tlob_load(&region->internal_budget_ns);
	tlob_store(&w->start_ns, now);
	tlob_store(&w->deadline_ns, deadline);
	gen = tlob_window_arm(w);
	if (tlob_unlikely(
		    tlob_window_wants_kick(&home->pool.entries[p.arena]->head, now, deadline)))
		return kick(seat, region, &p, gen);
	return 0;
}

tlob_hot int begin_window(struct tlob_seat *seat, struct tlob_region *region, uint64_t tag)
{
	int r = open_window(seat, region, tag, 1);

	if (tlob_unlikely(!r && tlob_load(&region->internal_chain)))
		begin_stage(seat, region, tag);
	return r;
}

/* First use, of the process, thread, region or pool; or another home than last time. */
static tlob_cold int begin_slowly(struct tlob_region *region, uint64_t tag)
{
	struct tlob_home *home;
	struct tlob_seat *seat = NULL;
	int r = -ECANCELED;

	if (tlob_load(&tlob_switched_off))
		return fail(ECANCELED);
	{
		TLOB_CALM;

		home = tlob_process_home();
		if (home && tlob_load(&region->internal_id) != TLOB_NO_REGION)
			r = tlob_region_enter(home, region);
		if (home && r)
			tlob_add(&home->ledger->unmeasured, 1);
		if (!r)
			r = tlob_pool_first(home);
		if (!r) {
			seat = tlob_thread_sit(home);
			r = seat ? 0 : -ENOSPC;
		}
	}
	if (seat)
		return begin_window(seat, region, tag);
	if (home && tlob_load(&region->internal_epoch) == home->epoch)
		return begin_in_vain(home, tlob_load(&region->internal_id), r);
	return fail(-r);
}

int tlob_begin(struct tlob_region *region, uint64_t tag)
{
	struct tlob_seat *seat = tlob_seat;
	__u32 epoch = tlob_load(&tlob_live->epoch);

	if (tlob_unlikely(region->internal_shared))
		return tlob_shared_begin(region, tag);
	if (tlob_unlikely(seat->epoch != epoch || tlob_load(&region->internal_epoch) != epoch ||
			  !tlob_load(&seat->home->pool.entries[0])))
		return begin_slowly(region, tag);
	return begin_window(seat, region, tag);
}

/* ---- end */

/* Whoever ends a window counts it; it need not have a seat in that home. */
static void add(struct tlob_home *home, __u32 region, __u64 elapsed_ns)
{
	struct tlob_seat *seat = tlob_seat;
	char *hist;

	if (tlob_likely(seat->epoch == home->epoch)) {
		tlob_ledger_add(seat, tlob_ledger_cell(seat, region), elapsed_ns);
		return;
	}
	hist = region < TLOB_MAX_REGIONS ? tlob_load(&home->hists[region]) : NULL;
	if (hist)
		tlob_hist_add((struct tlob_hist *)(hist + TLOB_OWN_SHARDS * TLOB_HIST_STRIDE),
			      elapsed_ns);
}

/* As in window.c: its record is out, or nobody has been told that it was late. */
static int end_over(struct tlob_transit_ending *end, bool expired)
{
	struct tlob_home *home = end->home;
	const struct tlob_window *w = end->window;
	__u32 region = w->region;

	if (expired) {
		end->now_ns = tlob_now();
		if (end->now_ns < w->deadline_ns)
			end->now_ns = w->deadline_ns;
		add(home, region, end->now_ns - w->start_ns);
		count(home, region, overruns);
		if (tlob_engine_gone(home->engine->transit_finish(end, true)))
			tlob_process_lost(home);
		return EOVERFLOW;
	}
	if (tlob_engine_gone(home->engine->transit_finish(end, false))) {
		count(home, region, cancelled);
		tlob_process_lost(home);
		return ECANCELED;
	}
	add(home, region, end->now_ns - w->start_ns);
	count(home, region, overruns);
	return EOVERFLOW;
}

/* Everything but a window that ended in time; it is IDLE now, and still this thread's. */
static tlob_cold int end_badly(struct tlob_home *home, const struct tlob_place *p, __u64 word,
			       __u64 now_ns)
{
	struct tlob_transit_ending end = {.home = home,
					  .window = &p->slot->windows[p->index],
					  .place = *p,
					  .word = word,
					  .now_ns = now_ns};
	int error = ECANCELED;

	{
		TLOB_CALM;

		if (tlob_load(&home->dead))
			;
		else if (TLOB_WINDOW_STATE(word) == TLOB_CANCELLED)
			count(home, end.window->region, cancelled);
		else
			error = end_over(&end, TLOB_WINDOW_STATE(word) == TLOB_EXPIRED);
		tlob_transit_release(p);
	}
	return fail(error);
}

/* -ESRCH if it is not in @home; errno is left alone then. */
tlob_hot int end_window(struct tlob_home *home, __u32 region, uint64_t tag, __u32 width)
{
	__u64 word, start, now, deadline;
	struct tlob_window *w;
	struct tlob_place p;

	do {
		if (tlob_unlikely(!tlob_transit_find(&home->pool, region, tag, &p, &word)))
			return -ESRCH;
		w = &p.slot->windows[p.index];
		start = tlob_load(&w->start_ns);
		deadline = tlob_load(&w->deadline_ns);
		now = tlob_now();
	} while (tlob_unlikely(!tlob_transit_end(&p, word)));
	p.width = width;
	if (tlob_unlikely(TLOB_WINDOW_STATE(word) != TLOB_ARMED || now >= deadline ||
			  tlob_load(&home->dead)))
		return end_badly(home, &p, word, now);
	tlob_transit_release(&p);
	add(home, region, now - start);
	return 0;
}

/* It was begun in another home, or in none. */
static tlob_cold int end_slowly(struct tlob_region *region, uint64_t tag)
{
	struct tlob_home *home = tlob_load_acquire(&tlob_live->home);
	__u32 id = tlob_load(&region->internal_id);

	if (tlob_load(&tlob_switched_off))
		return fail(ECANCELED);
	/* behind the first of this process they are its parent's */
	for (; home && tlob_load(&region->internal_epoch) &&
	       home->epoch >= tlob_load(&tlob_live->first_epoch);
	     home = home->older) {
		int r = tlob_pool_at(&home->pool, 0) ? end_window(home, id, tag, 1) : -ESRCH;

		if (r != -ESRCH)
			return tlob_load(&region->internal_chain) ?
				       end_stage(home, region, tag, r) :
				       r;
	}
	return fail(id == TLOB_NO_REGION ? ECANCELED : ESRCH);
}

int tlob_end(struct tlob_region *region, uint64_t tag)
{
	struct tlob_home *home = tlob_load_acquire(&tlob_live->home);
	__u32 epoch = tlob_load(&tlob_live->epoch);
	int r = -ESRCH;

	if (tlob_unlikely(region->internal_shared))
		return tlob_shared_end(region, tag);
	if (tlob_likely(home && home->epoch == epoch && tlob_load(&region->internal_epoch) &&
			tlob_pool_at(&home->pool, 0)))
		r = end_window(home, tlob_load(&region->internal_id), tag, 1);
	if (tlob_unlikely(r == -ESRCH))
		return end_slowly(region, tag);
	if (tlob_unlikely(tlob_load(&region->internal_chain)))
		return end_stage(home, region, tag, r);
	return r;
}

/* ---- chains */

/* The region's chain is open in @home: where. 0: it is not. */
static int find_chain(struct tlob_home *home, const struct tlob_region *chain, uint64_t tag,
		      struct tlob_place *p)
{
	__u64 word;

	return tlob_transit_find(&home->pool, tlob_load(&chain->internal_id), tag, p, &word);
}

static void mark(struct tlob_home *home, const struct tlob_region *chain, uint64_t tag, __u32 n)
{
	struct tlob_place p;

	if (find_chain(home, chain, tag, &p))
		tlob_log_mark(&p, n, tlob_now());
}

static tlob_cold void begin_stage(struct tlob_seat *seat, struct tlob_region *region, uint64_t tag)
{
	__u32 stage, n;
	struct tlob_region *chain = tlob_chain_of(region, &stage, &n);
	int error = errno;

	if (!chain || tlob_chain_enter(seat->home, chain))
		return;
	if (stage == 0)
		(void)open_window(seat, chain, tag, 2);
	mark(seat->home, chain, tag, 2 * stage);
	errno = error;
}

/* @r: of the window of the region itself. The chain may be over where that was not. */
static tlob_cold int end_stage(struct tlob_home *home, struct tlob_region *region, uint64_t tag,
			       int r)
{
	__u32 stage, n;
	struct tlob_region *chain = tlob_chain_of(region, &stage, &n);
	int error = errno, of_chain;

	if (!chain || !tlob_load(&chain->internal_epoch))
		return r;
	mark(home, chain, tag, 2 * stage + 1);
	if (stage + 1 < n)
		return r;
	of_chain = end_window(home, tlob_load(&chain->internal_id), tag, 2);
	if (!r && of_chain == -EOVERFLOW)
		return of_chain;
	errno = error;
	return r;
}

/* ---- the process ends */

static void abandon(struct tlob_home *home, const struct tlob_place *p)
{
	struct tlob_window *w = &p->slot->windows[p->index];
	__u64 word = tlob_load_acquire(&w->state);
	struct tlob_transit_ending end = {
		.home = home, .window = w, .place = *p, .word = word, .now_ns = tlob_now()};

	if (TLOB_WINDOW_STATE(word) == TLOB_IDLE || !tlob_transit_end(p, word))
		return;
	end.place.width = tlob_load(&w->sleeping_ns) ? 2 : 1;
	if (TLOB_WINDOW_STATE(word) == TLOB_ARMED)
		count(home, w->region, abandoned);
	else if (TLOB_WINDOW_STATE(word) == TLOB_EXPIRED && home->engine->transit_abandon)
		home->engine->transit_abandon(&end);
	tlob_transit_release(&end.place);
}

void tlob_transit_leave(struct tlob_home *home)
{
	union tlob_arena_entry *entries;
	struct tlob_place p;

	for (p.arena = 0; (entries = tlob_pool_at(&home->pool, p.arena)); p.arena++) {
		for (p.number = 1; p.number < TLOB_ARENA_SLOTS; p.number++) {
			p.slot = &entries[p.number].transit;
			for (p.index = 0; p.index < TLOB_MAX_DEPTH; p.index++)
				if (tlob_load(&p.slot->used) & 1u << p.index)
					abandon(home, &p);
		}
	}
}
