// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The measuring threads, one on each CPU. From the start to the end a thread does nothing but sleep and count: what it
 * touches is locked in memory and its own, but for one word that tells it to stop.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "atomic.h"
#include "error.h"
#include "hist.h"
#include "now.h"
#include "timerlat.h"

#define STACK_BYTES (256 << 10) /* all of it gets locked */

/* ---- counting */

static void add(struct timerlat_tally *a, uint64_t ns)
{
	tlob_hist_add(&a->hist, ns);
	if (!a->count || ns < a->min_ns)
		tlob_store(&a->min_ns, ns);
	tlob_store(&a->sum_ns, a->sum_ns + ns);
	tlob_store(&a->last_ns, ns);
	tlob_store_release(&a->count, a->count + 1); /* whoever sees the count sees a minimum */
}

/* The first wins. */
static void pass_limit(struct timerlat_lane *lane, const struct timerlat_marks *marks)
{
	struct tlobctl_timerlat *t = lane->t;
	const uint64_t one = 1;

	if (tlob_cmpxchg(&t->hit_lane, TIMERLAT_NO_LANE, lane->index) != TIMERLAT_NO_LANE)
		return;
	t->hit = *marks;
	tlob_store_release(&t->stopping, true);
	if (write(t->event, &one, sizeof(one)) < 0)
		return; /* only if it is full, and then it is readable already */
}

/* One cycle of @lane has ended. False: that was the last one, a limit was passed. */
static bool count(struct timerlat_lane *lane, const struct timerlat_marks *marks)
{
	const struct tlobctl_timerlat_opts *o = &lane->t->opts;
	uint64_t ns[TLOBCTL_TIMERLAT_PARTS];
	bool late;

	timerlat_split(marks, ns);
	if (marks->split)
		for (int i = 0; i < TLOBCTL_TIMERLAT_TOTAL; i++)
			add(&lane->parts[i], ns[i]);
	else
		tlob_store(&lane->unsplit, lane->unsplit + 1);
	add(&lane->parts[TLOBCTL_TIMERLAT_TOTAL], ns[TLOBCTL_TIMERLAT_TOTAL]);
	tlob_store(&lane->cycles, lane->cycles + 1);
	late = (o->stop_total_ns && ns[TLOBCTL_TIMERLAT_TOTAL] > o->stop_total_ns) ||
	       (o->stop_irq_ns && marks->split && ns[TLOBCTL_TIMERLAT_IRQ] > o->stop_irq_ns);
	if (late)
		pass_limit(lane, marks);
	return !late;
}

/* ---- a thread */

/* What ends a sleep: nobody else uses it, and outside of these threads it is ignored as ever. */
#define WAKE_SIGNAL SIGURG
#define WAKE_AGAIN_NS 1000000 /* it may come just before the sleep that it is to end */

static void on_wake(int signal)
{
	(void)signal;
}

static int pin(struct timerlat_lane *lane)
{
	cpu_set_t *set = CPU_ALLOC(lane->cpu + 1);
	size_t bytes = CPU_ALLOC_SIZE(lane->cpu + 1);
	int err;

	if (!set)
		return tlobctl_fail(-ENOMEM, "no memory for a set of CPUs");
	CPU_ZERO_S(bytes, set);
	CPU_SET_S(lane->cpu, bytes, set);
	err = sched_setaffinity(0, bytes, set) ? -errno : 0;
	CPU_FREE(set);
	return err ? tlobctl_fail(err, "cannot measure on CPU %u: %s", lane->cpu, strerror(-err)) :
		     0;
}

/* As tlobctl_timerlat_open() found out that it may. */
static int schedule(struct timerlat_lane *lane)
{
	const struct tlobctl_timerlat_opts *o = &lane->t->opts;
	struct sched_param param = {.sched_priority = o->priority};
	int policy = o->policy == TLOBCTL_TIMERLAT_RR ? SCHED_RR : SCHED_FIFO;

	if (o->policy == TLOBCTL_TIMERLAT_OTHER) {
		if (o->priority &&
		    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), o->priority))
			return tlobctl_fail(-errno, "cannot run at nice level %d: %m", o->priority);
		return 0;
	}
	if (sched_setscheduler(0, policy, &param))
		return tlobctl_fail(-errno, "cannot run with real-time priority %d: %m",
				    o->priority);
	return 0;
}

static int set_up(struct timerlat_lane *lane)
{
	char name[16];
	int r;

	snprintf(name, sizeof(name), "timerlat/%u", lane->cpu);
	prctl(PR_SET_NAME, name);
	prctl(PR_SET_TIMERSLACK, 1UL);
	lane->tid = (uint32_t)syscall(SYS_gettid);
	r = pin(lane);
	if (!r)
		r = schedule(lane);
	if (!r && lane->t->backend->join)
		r = lane->t->backend->join(lane);
	return r;
}

static void fail(struct timerlat_lane *lane, int err)
{
	snprintf(lane->why, sizeof(lane->why), "%s", tlobctl_error());
	tlob_store_release(&lane->error, err);
}

static void measure(struct timerlat_lane *lane)
{
	struct tlobctl_timerlat *t = lane->t;
	struct timerlat_marks marks = {0};
	const uint64_t one = 1;
	int r = 0;

	lane->deadline_ns = tlobctl_now_ns() + t->opts.period_ns;
	while (!tlob_load(&t->stopping)) {
		uint64_t skipped = 0;

		r = t->backend->cycle(lane, &marks);
		if (r < 0)
			break;
		if (r)
			continue;
		if (!count(lane, &marks))
			break;
		lane->deadline_ns = timerlat_next(lane->deadline_ns, t->opts.period_ns,
						  marks.user_ns, &skipped);
		if (skipped)
			tlob_store(&lane->skipped, lane->skipped + skipped);
	}
	if (r < 0) {
		fail(lane, r);
		r = (int)write(t->event, &one, sizeof(one));
	}
}

static void *thread_main(void *arg)
{
	struct timerlat_lane *lane = arg;
	struct tlobctl_timerlat *t = lane->t;
	int r;

	r = set_up(lane);
	if (r)
		fail(lane, r);
	sem_post(&t->ready);
	while (sem_wait(&t->go) && errno == EINTR)
		;
	if (!r)
		measure(lane);
	tlob_store_release(&lane->ended, true);
	return NULL;
}

/* ---- all of them */

static int start_one(struct timerlat_lane *lane, const pthread_attr_t *attr)
{
	int err = pthread_create(&lane->thread, attr, thread_main, lane);

	lane->started = !err;
	return err ? tlobctl_fail(-err, "cannot start a thread to measure CPU %u: %s", lane->cpu,
				  strerror(err)) :
		     0;
}

static int first_failure(const struct tlobctl_timerlat *t)
{
	for (size_t i = 0; i < t->nlanes; i++)
		if (tlob_load_acquire(&t->lanes[i]->error))
			return tlobctl_fail(t->lanes[i]->error, "%s", t->lanes[i]->why);
	return 0;
}

/* Signals are for the others: a thread that is interrupted has not slept. But one, which tells it to end. */
static int create_all(struct tlobctl_timerlat *t, size_t *n)
{
	sigset_t all, before;
	pthread_attr_t attr;
	int r = 0;

	sigfillset(&all);
	sigdelset(&all, WAKE_SIGNAL);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES < PTHREAD_STACK_MIN ? PTHREAD_STACK_MIN :
									   STACK_BYTES);
	for (*n = 0; *n < t->nlanes; (*n)++) {
		r = start_one(t->lanes[*n], &attr);
		if (r)
			break;
	}
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

int timerlat_threads_start(struct tlobctl_timerlat *t)
{
	size_t n;
	int r = create_all(t, &n);

	for (size_t i = 0; i < n; i++)
		while (sem_wait(&t->ready) && errno == EINTR)
			;
	if (!r)
		r = first_failure(t);
	if (r)
		tlob_store_release(&t->stopping, true);
	/* measuring begins on all CPUs at once, when the slowest is ready */
	for (size_t i = 0; i < n; i++)
		sem_post(&t->go);
	return r;
}

/* Until it has noticed. */
static void end_one(struct timerlat_lane *lane)
{
	const struct timespec pause = {.tv_nsec = WAKE_AGAIN_NS};

	while (!tlob_load_acquire(&lane->ended)) {
		pthread_kill(lane->thread, WAKE_SIGNAL);
		nanosleep(&pause, NULL);
	}
	pthread_join(lane->thread, NULL);
	lane->started = false;
}

void timerlat_threads_stop(struct tlobctl_timerlat *t)
{
	const struct sigaction wake = {.sa_handler = on_wake};
	struct sigaction before;

	tlob_store_release(&t->stopping, true);
	sigaction(WAKE_SIGNAL, &wake, &before);
	for (size_t i = 0; i < t->nlanes; i++)
		if (t->lanes[i]->started)
			end_one(t->lanes[i]);
	sigaction(WAKE_SIGNAL, &before, NULL);
}

int tlobctl_timerlat_stop(struct tlobctl_timerlat *t)
{
	if (!t->stopped)
		timerlat_threads_stop(t);
	t->stopped = true;
	return first_failure(t);
}
