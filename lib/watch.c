// SPDX-License-Identifier: LGPL-2.1-or-later
/* See watch.h. */
#include "watch.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <tlob/rv.h>

#include "baseline.h"
#include "calm.h"
#include "engine.h"
#include "now.h"
#include "peek.h"
#include "process.h"
#include "record.h"
#include "window.h"

/* Callbacks run on it, so it is not as small as it could be; only pages that are touched count. */
#define STACK_BYTES (256 * 1024)
/*
 * Above everything that is not real-time, and below what people give their own real-time threads:
 * an overrun of such a thread is then noticed when it leaves the CPU, or on another one. Unless the
 * thread that creates the watcher is real-time itself, and so probably the one that is watched:
 * then just above it.
 */
#define PRIORITY 10
#define LINGER_NS TLOB_NS_PER_S
#define MAX_RINGS 4
#define SETTLE_NS (2 * TLOB_NS_PER_MS)
#define STOP_WAIT_S 1
#define STOP_WAIT_NS (STOP_WAIT_S * TLOB_NS_PER_S)

/* Of the watcher that runs; live->watching. */
static pthread_t thread;

/*
 * Signals that were blocked where no handler ran: since before main(), or in the parent when it
 * forked.
 */
static sigset_t usual;

/* ---- expiry */

struct scan {
	struct tlob_home *home;
	union tlob_arena_entry *entries;
	bool transit; /* arena @number of the pool: its windows belong to no thread */
	__u32 number;
	__u64 woken_ns; /* when this thread was due to run */
	__u64 earliest_ns; /* deadline still open */
};

/*
 * The split is taken before the window is: once it is EXPIRED the thread goes on to close it. If
 * the stop wins meanwhile, it reports.
 */
static void expire(struct scan *s, __u32 index, struct tlob_window *w, __u64 word,
		   const struct tlob_window *copy)
{
	struct tlob_slot *slot = &s->entries[index].slot;
	struct tlob_place place = {.arena = s->number, .number = index};
	struct tlob_live *live = tlob_live;
	__u64 now = tlob_now();
	struct tlob_record r;

	place.index = (__u32)(w - slot->windows);
	if (s->transit)
		tlob_record_begin_transit(&r, copy, &place, word, now);
	else
		tlob_record_begin(&r, slot, copy, word, place.index, now);
	r.type = TLOB_REC_OVERRUN;
	if (!s->transit && tlob_baseline_split_other(slot, copy, &r, now - s->woken_ns)) {
		tlob_window_take(w, word, TLOB_IDLE); /* its thread has exited: abandoned */
		return;
	}
	(void)tlob_xchg(&live->expiring, (const void *)w);
	place.slot = &s->entries[index].transit;
	if (tlob_window_take(w, word, TLOB_EXPIRED)) {
		if (s->transit)
			tlob_record_deliver_stages(s->home, &r, copy, &place);
		tlob_record_deliver(s->home, &r);
	}
	tlob_store_release(&live->expiring, (const void *)NULL);
}

static void scan_slot(struct scan *s, __u32 index)
{
	struct tlob_slot *slot = &s->entries[index].slot;
	__u32 used = tlob_load_acquire(&slot->used);

	for (__u32 i = 0; i < TLOB_MAX_DEPTH; i++) {
		struct tlob_window *w = &slot->windows[i], copy;
		__u64 word = tlob_load_acquire(&w->state);

		if (!(used & 1u << i) || TLOB_WINDOW_STATE(word) != TLOB_ARMED)
			continue;
		tlob_window_copy(w, &copy);
		if (copy.deadline_ns <= tlob_now())
			expire(s, index, w, word, &copy);
		else if (copy.deadline_ns < s->earliest_ns)
			s->earliest_ns = copy.deadline_ns;
	}
}

/* Slots in @taken: where it points to, for that is only to be read once the wake-up is cleared. */
static void scan_arena(struct scan *s, const __u64 *taken)
{
	struct tlob_arena_head *head = &s->entries->head;

	s->earliest_ns = TLOB_NEVER;
	tlob_wake_clear(head);
	for (__u64 left = tlob_load_acquire(taken) & ~1ULL; left; left &= left - 1)
		scan_slot(s, (__u32)__builtin_ctzll(left));
	if (s->earliest_ns != TLOB_NEVER)
		tlob_wake_lower(head, s->earliest_ns);
}

/* Scan it if it is due, or @all; returns when it is due next. */
static __u64 scan_due(struct scan *s, const __u64 *taken, bool all)
{
	const __u64 *next = &s->entries->head.next_wake_ns;

	if (all || tlob_load(next) <= tlob_now())
		scan_arena(s, taken);
	return tlob_load(next);
}

/* Scan what is due, or @all; returns when the next is due. */
static __u64 scan_home(struct tlob_home *home, __u64 woken_ns, bool all)
{
	static const __u64 all_slots = ~0ULL;
	struct scan s = {.home = home, .woken_ns = woken_ns};
	__u64 earliest = TLOB_NEVER, next;
	struct tlob_arena *arena;

	for (__u32 i = 0; (arena = tlob_arena_at(home, i)); i++) {
		s.entries = arena->entries;
		next = scan_due(&s, &arena->taken, all);
		if (next < earliest)
			earliest = next;
	}
	s.transit = true;
	for (; (s.entries = tlob_pool_at(&home->pool, s.number)); s.number++) {
		next = scan_due(&s, &all_slots, all);
		if (next < earliest)
			earliest = next;
	}
	return earliest;
}

/* The same for every home that this thread serves and that may still have windows. */
static __u64 scan_homes(__u64 woken_ns, bool all)
{
	struct tlob_home *home = tlob_load_acquire(&tlob_live->home);
	__u64 earliest = TLOB_NEVER;

	/* behind the first of this process they are its parent's */
	for (; home && home->epoch >= tlob_load(&tlob_live->first_epoch); home = home->older) {
		__u64 next;

		if (home->engine->clocked || tlob_load(&home->dead))
			continue;
		next = scan_home(home, woken_ns, all);
		if (next < earliest)
			earliest = next;
	}
	return earliest;
}

/* ---- records that a kernel has for this process */

static bool has_ring(const struct tlob_home *home)
{
	return home->engine->hear && !home->agent;
}

/* Tell what is there; the descriptors to wait for more go to @polls. Returns how many. */
static nfds_t hear_homes(struct pollfd polls[MAX_RINGS])
{
	struct tlob_home *home = tlob_load_acquire(&tlob_live->home);
	nfds_t n = 0;

	for (; home && home->epoch >= tlob_load(&tlob_live->first_epoch); home = home->older) {
		if (!has_ring(home) || tlob_load(&home->dead) || n == MAX_RINGS ||
		    !tlob_descriptor_ours(&home->kick))
			continue;
		/* a stop that has just told its own records is waited for: another may follow */
		home->engine->hear(home, SETTLE_NS);
		polls[n++] = (struct pollfd){.fd = home->kick.fd, .events = POLLIN | POLLPRI};
	}
	return n;
}

/*
 * As long as nothing comes, until @until_ns. No longer than a second: the program may have closed
 * what it does not know, and an agent may have come.
 */
static void wait_for_records(struct pollfd *polls, nfds_t n, __u64 until_ns)
{
	__u64 now = tlob_now(), most = now + TLOB_NS_PER_S;
	struct timespec left;

	until_ns = until_ns < most ? until_ns : most;
	left = tlob_timespec(until_ns > now ? until_ns - now : 0);
	(void)ppoll(polls, n, &left, NULL);
}

/* Whoever waits there has something else to do. */
static void nudge_homes(void)
{
	struct tlob_home *home = tlob_load_acquire(&tlob_live->home);

	for (; home && home->epoch >= tlob_load(&tlob_live->first_epoch); home = home->older)
		if (has_ring(home) && tlob_descriptor_ours(&home->kick))
			(void)ioctl(home->kick.fd, TLOB_IOCTL_NUDGE);
}

bool tlob_watch_serves(const struct tlob_home *home)
{
	return !home->engine->clocked || has_ring(home);
}

/* ---- the thread */

/*
 * Threads are left that measure, or the main thread; otherwise it must not keep the process alive.
 */
static bool is_needed(struct tlob_live *live, __u64 now, __u64 *alone_ns)
{
	if (tlob_load(&live->holders) > 0) {
		*alone_ns = 0;
		return true;
	}
	if (!*alone_ns)
		*alone_ns = now;
	return now - *alone_ns < LINGER_NS;
}

/*
 * Sleeping: wake_ns is first NEVER, so that whoever arms while the arenas are looked through calls;
 * then the time this thread wakes up by itself, so that only earlier deadlines do.
 */
static void watch_until_unneeded(struct tlob_live *live)
{
	__u64 woken = tlob_now(), alone = 0;
	struct pollfd polls[MAX_RINGS];
	bool all = true;
	nfds_t rings;

	while (tlob_load(&live->watch) == TLOB_WATCH_RUNS) {
		__u32 calls;
		__u64 wake;

		tlob_xchg(&live->wake_ns, TLOB_NEVER);
		calls = tlob_load_acquire(&live->calls);
		wake = scan_homes(woken, all);
		rings = hear_homes(polls);
		all = false;
		tlob_process_look(tlob_now());
		if (!is_needed(live, tlob_now(), &alone))
			return;
		if (alone && alone + LINGER_NS < wake)
			wake = alone + LINGER_NS;
		tlob_xchg(&live->wake_ns, wake);
		if (rings)
			wait_for_records(polls, rings, wake);
		else
			tlob_futex_wait(&live->calls, calls, wake);
		woken = tlob_now();
		if (wake < woken)
			woken = wake;
	}
}

static bool home_has_deadlines(struct tlob_home *home)
{
	union tlob_arena_entry *entries;
	struct tlob_arena *arena;

	for (__u32 i = 0; (arena = tlob_arena_at(home, i)); i++)
		if (tlob_load(&arena->entries->head.next_wake_ns) != TLOB_NEVER)
			return true;
	for (__u32 i = 0; (entries = tlob_pool_at(&home->pool, i)); i++)
		if (tlob_load(&entries->head.next_wake_ns) != TLOB_NEVER)
			return true;
	return false;
}

/* Only looks: another watcher may be at it already. */
static bool has_deadlines(void)
{
	struct tlob_home *home = tlob_load_acquire(&tlob_live->home);

	for (; home && home->epoch >= tlob_load(&tlob_live->first_epoch); home = home->older)
		if (tlob_watch_serves(home) && !tlob_load(&home->dead) && home_has_deadlines(home))
			return true;
	return false;
}

static void *watch(void *arg)
{
	struct sched_param param;
	struct tlob_live *live = arg;

	prctl(PR_SET_NAME, "tlob-watch");
	prctl(PR_SET_TIMERSLACK, 1UL);
	/* a callback may fork */
	if (sched_getscheduler(0) == SCHED_FIFO && !sched_getparam(0, &param))
		(void)sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param);
	tlob_store(&live->watch_tid, tlob_gettid());
	for (;;) {
		watch_until_unneeded(live);
		tlob_peek_close();
		if (tlob_cmpxchg(&live->watch, (__u32)TLOB_WATCH_RUNS, (__u32)TLOB_WATCH_NONE) ==
		    TLOB_WATCH_ENDS)
			return NULL; /* joined */
		/* who arms from now on starts another; who did before is seen here */
		if (!has_deadlines() || tlob_cmpxchg(&live->watch, (__u32)TLOB_WATCH_NONE,
						     (__u32)TLOB_WATCH_RUNS) != TLOB_WATCH_NONE)
			break;
	}
	pthread_detach(pthread_self());
	return NULL;
}

/* What it would be best to have; each may be refused. */
enum {
	ANYWHERE = 1, /* on any CPU */
	URGENT = 2, /* real-time */
	SMALL = 4, /* in stack: a program with much thread-local data needs the default size */
	ALL = ANYWHERE | URGENT | SMALL
};

static int priority(void)
{
	struct sched_param own;
	int policy;

	if (pthread_getschedparam(pthread_self(), &policy, &own) ||
	    (policy != SCHED_FIFO && policy != SCHED_RR) || own.sched_priority < PRIORITY)
		return PRIORITY;
	return own.sched_priority < sched_get_priority_max(SCHED_FIFO) ? own.sched_priority + 1 :
									 own.sched_priority;
}

/*
 * All of it before the thread runs: on the CPU of a real-time thread that does not sleep, which it
 * would inherit, it could do nothing about it itself, and among many others it would take its time
 * to get so far.
 */
static int create(struct tlob_live *live, int manner)
{
	struct sched_param param = {.sched_priority = priority()};
	pthread_attr_t attr;
	cpu_set_t all;
	int r;
	TLOB_QUIET; /* inherited: no signal of the program's is handled there */

	if (pthread_attr_init(&attr))
		return -ENOMEM;
	if (manner & SMALL)
		pthread_attr_setstacksize(&attr, STACK_BYTES);
	if (manner & URGENT) {
		pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
		pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
		pthread_attr_setschedparam(&attr, &param);
	}
	if (manner & ANYWHERE) {
		memset(&all, 0xff, sizeof(all));
		pthread_attr_setaffinity_np(&attr, sizeof(all), &all);
	}
	r = pthread_create(&thread, &attr, watch, live);
	pthread_attr_destroy(&attr);
	return -r;
}

void tlob_watch_note_signals(void)
{
	(void)pthread_sigmask(SIG_SETMASK, NULL, &usual);
}

void tlob_watch_start(void)
{
	struct tlob_live *live = tlob_live;

	if (!tlob_load(&live->pid) || tlob_lock_take(&live->watching, 0))
		return;
	if (!tlob_load(&tlob_switched_off) &&
	    tlob_cmpxchg(&live->watch, (__u32)TLOB_WATCH_NONE, (__u32)TLOB_WATCH_RUNS) ==
		    TLOB_WATCH_NONE) {
		int manner = ALL;

		while (manner >= 0 && create(live, manner))
			manner--;
		if (manner < 0) /* no thread to be had: overruns are told at the stop */
			tlob_store(&live->watch, (__u32)TLOB_WATCH_NONE);
	}
	tlob_lock_release(&live->watching);
}

/* It sleeps in one of two ways. */
static void call(struct tlob_live *live)
{
	__atomic_add_fetch(&live->calls, 1, __ATOMIC_SEQ_CST);
	tlob_futex_wake(&live->calls, 1);
	nudge_homes();
}

void tlob_watch_call(void)
{
	struct tlob_live *live = tlob_live;

	if (tlob_load(&live->watch) != TLOB_WATCH_RUNS)
		return;
	call(live);
}

void tlob_watch_stop(void)
{
	struct tlob_live *live = tlob_live;
	struct timespec until;

	if (tlob_load(&live->watch_tid) == tlob_gettid()) /* a callback has called exit() */
		return;
	if (tlob_lock_take(&live->watching, STOP_WAIT_NS))
		return;
	if (tlob_cmpxchg(&live->watch, (__u32)TLOB_WATCH_RUNS, (__u32)TLOB_WATCH_ENDS) ==
	    TLOB_WATCH_RUNS) {
		call(live);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += STOP_WAIT_S;
		if (pthread_timedjoin_np(thread, NULL,
					 &until)) /* a callback that does not return */
			pthread_detach(thread);
		tlob_store(&live->watch, (__u32)TLOB_WATCH_NONE);
	}
	tlob_lock_release(&live->watching);
}

static bool is_usual(const sigset_t *blocked)
{
	for (int signal = 1; signal < NSIG; signal++)
		if (sigismember(blocked, signal) && !sigismember(&usual, signal))
			return false;
	return true;
}

/*
 * A start without a watcher: in a forked child, after an agent has come that wants engine user, or
 * after the watcher has gone with the threads. A handler that runs has its own signal blocked, so
 * where nothing is blocked but what always is, no handler runs, and a thread may be created.
 * Elsewhere overruns are told at the stop, until somebody arms who may.
 */
static void start_if_safe(struct tlob_home *home)
{
	sigset_t blocked;

	if (tlob_process_listens(home) && !pthread_sigmask(SIG_SETMASK, NULL, &blocked) &&
	    is_usual(&blocked))
		tlob_watch_start();
}

void tlob_watch_ensure(struct tlob_home *home)
{
	if (tlob_load(&tlob_live->watch) == TLOB_WATCH_NONE)
		start_if_safe(home);
}

void tlob_watch_arm(struct tlob_home *home, struct tlob_arena_head *head, __u64 deadline_ns)
{
	struct tlob_live *live = tlob_live;
	__u64 next = tlob_load(&head->next_wake_ns);

	/*
	 * nobody scans: what is there means nothing, and once it is stale each start would come
	 * here
	 */
	if (tlob_load(&live->watch) == TLOB_WATCH_NONE && next < deadline_ns)
		tlob_cmpxchg(&head->next_wake_ns, next, deadline_ns);
	tlob_wake_lower(head, deadline_ns);
	if (tlob_load(&live->watch) == TLOB_WATCH_NONE)
		start_if_safe(home);
	else if (deadline_ns < tlob_load(&live->wake_ns))
		tlob_watch_call();
}

void tlob_watch_settle(const struct tlob_window *w)
{
	struct tlob_live *live = tlob_live;
	__u64 until = tlob_now() + SETTLE_NS;
	struct timespec pause = {.tv_nsec = 20 * TLOB_NS_PER_US};

	while (tlob_load_acquire(&live->expiring) == w && tlob_now() < until)
		nanosleep(&pause, NULL);
}
