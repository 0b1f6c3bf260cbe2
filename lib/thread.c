// SPDX-License-Identifier: LGPL-2.1-or-later
/* See thread.h. */
#include "thread.h"

#include <limits.h>
#include <pthread.h>
#include <stdint.h>

#include "baseline.h"
#include "calm.h"
#include "engine.h"
#include "ledger.h"
#include "now.h"
#include "process.h"
#include "watch.h"
#include "window.h"

/* Where a thread without a seat points: its epoch is never the current one. */
static struct tlob_seat nowhere = {.epoch = ~0u};
__thread struct tlob_seat *tlob_seat __attribute__((tls_model("initial-exec"))) = &nowhere;

/* A thread waits for a slot once in a home, and takes what is there from then on. */
#define SEAT_WAIT_NS (20 * TLOB_NS_PER_MS)
static __thread __u32 waited_epoch __attribute__((tls_model("initial-exec")));

/*
 * Its destructor is how the exit of a thread is noticed. glibc keeps the values of the first 32
 * keys inside the thread, so that setting one allocates nothing and may be done in a signal
 * handler; a key past those is not used, and the slots of exited threads are lost until the process
 * ends.
 */
#define KEYS_WITHOUT_MALLOC 32
static pthread_key_t exit_key;
static __u32 has_key;

static void clear_windows(struct tlob_slot *slot)
{
	for (__u32 i = 0; i < TLOB_MAX_DEPTH; i++) {
		struct tlob_window *w = &slot->windows[i];

		tlob_store_release(&w->state, tlob_load(&w->state) & ~3ULL);
	}
	tlob_store(&slot->used, 0u);
}

static void leave(struct tlob_seat *seat)
{
	if (!tlob_load(&seat->home->dead)) {
		(void)seat->home->engine->leave(seat);
		clear_windows(seat->slot);
	}
	tlob_ledger_leave_shard(seat);
	tlob_books_close(seat);
	tlob_arena_release(seat);
}

/* Is @seat this process's, and not what a child has left of its parent's? */
static bool is_ours(const struct tlob_seat *seat)
{
	__u32 first = tlob_load(&tlob_live->first_epoch);

	return seat != &nowhere && first && seat->epoch - first < INT_MAX;
}

static void on_exit_of_thread(void *value)
{
	struct tlob_seat *seat = tlob_seat;
	TLOB_CALM;
	TLOB_QUIET;

	tlob_seat = &nowhere;
	while (seat && is_ours(seat)) {
		struct tlob_seat *older = seat->older;

		leave(seat);
		seat = older;
	}
	if ((__u32)(uintptr_t)value == tlob_load(&tlob_live->pid) &&
	    __atomic_sub_fetch(&tlob_live->holders, 1, __ATOMIC_SEQ_CST) == 0)
		tlob_watch_call();
}

void tlob_thread_leave_windows(void)
{
	TLOB_QUIET;

	for (struct tlob_seat *seat = tlob_seat; seat && is_ours(seat); seat = seat->older)
		if (!seat->clocked && !tlob_load(&seat->home->dead)) {
			(void)seat->home->engine->leave(seat);
			clear_windows(seat->slot);
		}
}

void tlob_thread_init(void)
{
	if (pthread_key_create(&exit_key, on_exit_of_thread))
		return;
	if (exit_key < KEYS_WITHOUT_MALLOC)
		tlob_store_release(&has_key, 1u);
	else
		pthread_key_delete(exit_key);
}

void tlob_thread_deinit(void)
{
	if (tlob_xchg(&has_key, 0u))
		pthread_key_delete(exit_key);
}

void tlob_thread_hold(void)
{
	void *mark = (void *)(uintptr_t)tlob_load(&tlob_live->pid);

	if (!tlob_load_acquire(&has_key) || pthread_getspecific(exit_key) == mark)
		return;
	if (!pthread_setspecific(exit_key, mark))
		__atomic_add_fetch(&tlob_live->holders, 1, __ATOMIC_SEQ_CST);
}

/*
 * The seat that a new one stands before, if it is still good for windows that are open in it. Those
 * behind it are given back unless they have some.
 */
static struct tlob_seat *keep_older(struct tlob_seat *seat)
{
	struct tlob_seat *kept = NULL, **end = &kept;

	for (bool first = true; seat && is_ours(seat); first = false) {
		struct tlob_seat *older = seat->older;

		if (tlob_load(&seat->home->dead) || (!first && !tlob_load(&seat->slot->used))) {
			leave(seat);
		} else {
			*end = seat;
			end = &seat->older;
		}
		seat = older;
	}
	*end = NULL;
	return kept;
}

/* Spread over the upper 52 bits, different for each thread of a home and each home. */
static __u64 salt_for(struct tlob_home *home)
{
	__u64 n = (__u64)home->epoch << 32 | __atomic_add_fetch(&home->serial, 1, __ATOMIC_RELAXED);

	n = (n ^ n >> 31) * 0x9e3779b97f4a7c15ULL;
	return (n ^ n >> 29) << 12;
}

static void fit_out(struct tlob_seat *seat)
{
	struct tlob_home *home = seat->home;
	struct tlob_slot *slot = seat->slot;
	__u32 index =
		(__u32)((union tlob_arena_entry *)slot - (union tlob_arena_entry *)seat->head);

	seat->tag = (seat->epoch & 0xff) << 4 | 8;
	seat->salt = salt_for(home);
	seat->clocked = home->engine->clocked;
	seat->shard =
		(TLOB_OWN_SHARDS + index % (TLOB_HIST_SHARDS - TLOB_OWN_SHARDS)) * TLOB_HIST_STRIDE;
	clear_windows(slot);
	tlob_store(&slot->tid, tlob_gettid());
	tlob_store(&slot->refused, 0u);
}

struct tlob_seat *tlob_thread_sit(struct tlob_home *home)
{
	struct tlob_seat *seat;
	int r;
	TLOB_QUIET;

	if (tlob_seat->epoch == home->epoch) /* a handler was faster */
		return tlob_seat;
	seat = tlob_arena_claim(home, waited_epoch == home->epoch ? 0 : SEAT_WAIT_NS);
	waited_epoch = home->epoch;
	if (!seat)
		return NULL;
	fit_out(seat);
	r = home->engine->enroll(seat);
	if (r) {
		tlob_arena_release(seat);
		if (tlob_engine_gone(r))
			tlob_process_lost(home);
		return NULL;
	}
	tlob_thread_hold();
	seat->older = keep_older(tlob_seat);
	tlob_seat = seat;
	return seat;
}

struct tlob_seat *tlob_thread_seat_of(__u32 tag)
{
	for (struct tlob_seat *seat = tlob_seat; seat && is_ours(seat); seat = seat->older)
		if (seat->tag == tag)
			return seat;
	return NULL;
}
