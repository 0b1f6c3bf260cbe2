// SPDX-License-Identifier: LGPL-2.1-or-later
/* See baseline.h. */
#include "baseline.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "now.h"
#include "process.h"
#include "peek.h"
#include "procfile.h"
#include "window.h"

/*
 * A baseline this fresh counts as taken at the start: the microsecond between is known to be
 * running time.
 */
#define FRESH_NS 2000u

/*
 * A thread that samples often keeps its file open: three times as fast. Not for all: descriptors
 * are the program's.
 */
#define SAMPLES_TO_KEEP 8u
#define MAX_KEPT 64u
/* Longer than any way of reading them takes. */
#define LONG_READ_NS (50 * TLOB_NS_PER_US)
/* While nobody listens only to see whether an agent has come. */
#define DEAF_NS (100 * TLOB_NS_PER_MS)
/* The watcher's own wake-up and first microseconds, on top of how late it says it is. */
#define WATCHER_SLACK_NS (50 * TLOB_NS_PER_US)

struct books {
	__u64 running_ns;
	__u64 waiting_ns;
	__u32 switches; /* times it got a CPU */
	__u32 voluntary; /* times it gave it up by itself: without any it has not slept */
	__u64 at_ns; /* when running_ns was read, last of all: of one's own books only */
	bool closed; /* no schedstat to be had: waiting_ns is unknown */
};

static __u64 cpu_clock(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t))
		return 0;
	return (__u64)t.tv_sec * TLOB_NS_PER_S + (__u64)t.tv_nsec;
}

/* ---- the calling thread */

static bool may_keep(struct tlob_seat *seat)
{
	struct tlob_live *live = tlob_live;

	if (seat->samples < SAMPLES_TO_KEEP || tlob_load(&live->kept_books) >= MAX_KEPT)
		return false;
	__atomic_add_fetch(&live->kept_books, 1, __ATOMIC_RELAXED);
	return true;
}

void tlob_books_close(struct tlob_seat *seat)
{
	if (seat->books.fd < 0)
		return;
	tlob_descriptor_drop(&seat->books);
	__atomic_sub_fetch(&tlob_live->kept_books, 1, __ATOMIC_RELAXED);
}

/*
 * The program may have closed the kept file and opened something else: whatever does not read like
 * one is forgotten.
 */
static bool read_kept(struct tlob_seat *seat, __u64 values[3])
{
	if (seat->books.fd < 0)
		return false;
	if (tlob_procfile_numbers(seat->books.fd, values, 3))
		return true;
	seat->books.fd = -1;
	return false;
}

static bool read_schedstat(struct tlob_seat *seat, __u64 values[3])
{
	struct tlob_descriptor kept;
	bool read;
	int fd;

	if (read_kept(seat, values))
		return true;
	fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	read = tlob_procfile_numbers(fd, values, 3);
	seat->samples++;
	if (read && may_keep(seat)) {
		if (tlob_descriptor_adopt(fd, &kept)) {
			__atomic_sub_fetch(&tlob_live->kept_books, 1, __ATOMIC_RELAXED);
			return true;
		}
		seat->books = kept;
	} else {
		close(fd);
	}
	return read;
}

static void read_once(struct tlob_seat *seat, struct books *b)
{
	__u64 values[3] = {0};
	struct rusage usage = {0};

	b->closed = !read_schedstat(seat, values);
	getrusage(RUSAGE_THREAD, &usage);
	b->waiting_ns = values[1];
	b->voluntary = (__u32)usage.ru_nvcsw;
	b->switches = b->closed ? (__u32)(usage.ru_nvcsw + usage.ru_nivcsw) : (__u32)values[2];
	b->running_ns = cpu_clock(CLOCK_THREAD_CPUTIME_ID);
	b->at_ns = tlob_now();
}

/*
 * Pages that do not belong together would make a wait into sleep: read again if this thread was off
 * the CPU meanwhile.
 */
static void read_own(struct tlob_seat *seat, struct books *b)
{
	for (int tries = 0; tries < 3; tries++) {
		__u64 begin = tlob_now();

		read_once(seat, b);
		if (b->at_ns - begin < LONG_READ_NS)
			break;
	}
}

static void sample(struct tlob_seat *seat)
{
	struct tlob_slot *slot = seat->slot;
	struct books b;

	read_own(seat, &b);
	slot->sample_running_ns = b.running_ns;
	slot->sample_waiting_ns = b.waiting_ns;
	slot->sample_switches = b.switches;
	slot->reserved[0] = (__u64)b.voluntary << 32;
	slot->sample_ns = b.at_ns;
}

void tlob_baseline_begin(struct tlob_seat *seat)
{
	struct tlob_slot *slot = seat->slot;
	struct tlob_clock *c = &slot->clock;

	sample(seat);
	c->since_ns = slot->sample_ns;
	c->running_ns = slot->sample_running_ns;
	c->waiting_ns = slot->sample_waiting_ns;
	c->switches = (__u32)slot->sample_switches;
}

void tlob_baseline_refresh(struct tlob_seat *seat, __u64 now_ns)
{
	if (tlob_process_listens(seat->home)) {
		sample(seat);
	} else {
		seat->slot->sample_ns = now_ns + DEAF_NS;
		seat->slot->sample_running_ns = TLOB_NO_BASELINE;
	}
	tlob_process_look(now_ns);
}

__u32 tlob_baseline_clock(struct tlob_seat *seat, struct tlob_split *out)
{
	const struct tlob_clock *c = &seat->slot->clock;
	struct books b;
	__u64 elapsed;

	read_own(seat, &b);
	elapsed = b.at_ns - c->since_ns;
	out->running_ns = tlob_gain(b.running_ns, c->running_ns, elapsed);
	out->waiting_ns = tlob_gain(b.waiting_ns, c->waiting_ns, elapsed - out->running_ns);
	out->sleeping_ns = elapsed - out->running_ns - out->waiting_ns;
	out->switches = b.switches - c->switches;
	out->state = TLOB_RUNNING;
	return b.closed ? TLOB_F_ESTIMATED : 0;
}

/* ---- the split of a window */

static void estimate(struct tlob_record *r, __u64 uncertain_ns)
{
	r->flags |= TLOB_F_ESTIMATED;
	r->uncertain_ns += uncertain_ns;
	if (r->uncertain_ns > r->elapsed_ns)
		r->uncertain_ns = r->elapsed_ns;
}

/* Running and completed waits; the rest is left in sleeping_ns. */
static void split(const struct tlob_window *w, const struct books *b, struct tlob_record *r)
{
	__u32 gap = (__u32)w->sleeping_ns;

	if (w->running_ns == TLOB_NO_BASELINE) { /* nobody listened when it started */
		r->running_ns = r->elapsed_ns;
		r->waiting_ns = r->sleeping_ns = 0;
		estimate(r, r->elapsed_ns);
		return;
	}
	r->running_ns = tlob_gain(b->running_ns, w->running_ns + gap, r->elapsed_ns);
	r->waiting_ns = tlob_gain(b->waiting_ns, w->waiting_ns, r->elapsed_ns - r->running_ns);
	r->sleeping_ns = r->elapsed_ns - r->running_ns - r->waiting_ns;
	r->switches = b->switches - w->switches;
	if (gap > FRESH_NS)
		estimate(r, gap);
	if (b->closed)
		estimate(r, r->sleeping_ns);
}

/*
 * It has not slept: what is left was taken from a thread on its CPU, by interrupts or by the host
 * of a virtual machine.
 */
static void has_not_slept(struct tlob_record *r)
{
	r->running_ns += r->sleeping_ns;
	r->sleeping_ns = 0;
}

void tlob_baseline_split_own(struct tlob_seat *seat, const struct tlob_window *w,
			     struct tlob_record *r)
{
	struct books b;

	read_own(seat, &b);
	split(w, &b, r);
	if (b.voluntary == (__u32)(w->sleeping_ns >> 32))
		has_not_slept(r);
	r->state = TLOB_RUNNING;
}

/* ---- another thread */

/* Move @ns of what is in sleeping_ns to waiting_ns. */
static void was_waiting(struct tlob_record *r, __u64 ns)
{
	if (ns > r->sleeping_ns)
		ns = r->sleeping_ns;
	r->sleeping_ns -= ns;
	r->waiting_ns += ns;
}

/* Only displaced by the watcher itself, just now: then it is running. */
static bool is_displaced(const struct tlob_record *r, __u64 off_ns, __u64 lateness_ns)
{
	return (int)r->cpu == sched_getcpu() && off_ns <= lateness_ns + WATCHER_SLACK_NS;
}

/*
 * How long it has been off its CPU, as the scheduler's debug file has it. Clocks of two CPUs may
 * not be compared: of a thread elsewhere it is not known, and anything up to @limit_ns.
 */
static __u64 off_cpu(const struct tlob_record *r, const struct tlob_procfile_sched *victim,
		     __u64 limit_ns)
{
	struct tlob_procfile_sched self;

	(void)cpu_clock(CLOCK_THREAD_CPUTIME_ID); /* brings this thread's entry up to date */
	if ((int)r->cpu != sched_getcpu() || !tlob_procfile_sched(tlob_gettid(), &self))
		return limit_ns;
	return tlob_gain(self.exec_start_ns, victim->exec_start_ns, limit_ns);
}

/*
 * Runnable, but not on a CPU. The wait that goes on is in no book yet. If the thread has not slept
 * since the start, all that is left is that wait; if it has, as much of it as it has been off its
 * CPU.
 */
static void split_wait(const struct tlob_window *w, struct tlob_record *r, __u64 lateness_ns)
{
	__u64 off = r->sleeping_ns;
	struct tlob_procfile_sched victim;
	bool slept = true;

	r->switches++;
	r->state = TLOB_RUNNING;
	if (is_displaced(r, off, lateness_ns)) {
		was_waiting(r, off);
		return;
	}
	if (tlob_procfile_sched(r->tid, &victim)) {
		slept = (__u32)victim.voluntary != (__u32)(w->sleeping_ns >> 32);
		off = off_cpu(r, &victim, off);
	}
	if (is_displaced(r, off, lateness_ns)) {
		was_waiting(r, off);
		return;
	}
	r->state = TLOB_WAITING;
	was_waiting(r, slept ? off : r->sleeping_ns);
	if (slept)
		estimate(r, off);
}

/*
 * A clock that moves between two reads belongs to a thread that runs: what is left then is sleep
 * that is over. One that does not move: the state letter tells. Without /proc there is none, and it
 * is called sleep, which is what is left in the split too.
 */
int tlob_baseline_split_other(const struct tlob_slot *slot, const struct tlob_window *w,
			      struct tlob_record *r, __u64 lateness_ns)
{
	clockid_t clock = (clockid_t)(~slot->tid << 3 | 6); /* per thread, scheduler's */
	struct tlob_procfile_stat stat;
	struct books b = {0};
	__u64 values[3] = {0}, then = cpu_clock(clock);

	b.running_ns = cpu_clock(clock);
	if (!then || !tlob_peek_stat(slot->tid, &stat)) {
		if (!then)
			return -ESRCH;
		memset(&stat, 0, sizeof(stat));
	}
	b.closed = !tlob_peek_schedstat(slot->tid, values);
	b.waiting_ns = values[1];
	b.switches = b.closed ? w->switches : (__u32)values[2];
	r->cpu = stat.cpu;
	memcpy(r->comm, stat.comm, sizeof(r->comm));
	split(w, &b, r);
	r->state = TLOB_RUNNING;
	if (b.running_ns != then) {
		if (!b.closed && b.switches == w->switches) /* never off its CPU */
			has_not_slept(r);
		return 0;
	}
	if (stat.state == 'R') {
		split_wait(w, r, lateness_ns);
	} else {
		r->state = TLOB_SLEEPING;
		r->switches++;
	}
	return 0;
}
