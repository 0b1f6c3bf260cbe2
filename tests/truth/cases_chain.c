/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Late because of somebody who was late because of somebody else, and for two reasons at once. */
#include "truth.h"

static pthread_mutex_t outer = PTHREAD_MUTEX_INITIALIZER, inner = PTHREAD_MUTEX_INITIALIZER;

/* The measured thread needs the outer lock. */
static int need_lock(int threads)
{
	tlob_window_t w;

	pin_to(0);
	truth_join(truth_late);
	w = tlob_start(truth_late, 1);
	truth_release(threads);
	pthread_mutex_lock(&outer);
	pthread_mutex_unlock(&outer);
	tlob_stop(w);
	return 0;
}

static void *hold_a_little(void *arg)
{
	truth_fifo(10);
	pthread_mutex_lock(&outer);
	truth_wait_go();
	truth_burn(3 * MS);
	pthread_mutex_unlock(&outer);
	return NULL;
}

static int holder_preempted(void)
{
	truth_fifo(20);
	truth_thread("rt-hog", 1, truth_fifo_hog);
	truth_thread("holder", 1, hold_a_little);
	return need_lock(2);
}

/* The most urgent one waits for the least urgent one, which one in between keeps from the CPU. */
static int inversion(void)
{
	truth_thread("mid", 1, truth_fifo_hog);
	truth_thread("low", 1, hold_a_little);
	truth_fifo(50);
	return need_lock(2);
}

static void *hold_inner(void *arg)
{
	truth_fifo(20);
	pthread_mutex_lock(&inner);
	truth_wait_go();
	spin_ns(TROUBLE);
	pthread_mutex_unlock(&inner);
	return NULL;
}

static void *hold_outer(void *arg)
{
	truth_fifo(20);
	pthread_mutex_lock(&outer);
	truth_wait_go();
	pthread_mutex_lock(&inner);
	pthread_mutex_unlock(&inner);
	pthread_mutex_unlock(&outer);
	return NULL;
}

static int three(void)
{
	truth_fifo(20);
	truth_thread("last", 1, hold_inner);
	truth_thread("middle", 0, hold_outer);
	return need_lock(2);
}

static void *hold_asleep(void *arg)
{
	truth_fifo(20);
	pthread_mutex_lock(&outer);
	truth_wait_go();
	sleep_ns(TROUBLE);
	pthread_mutex_unlock(&outer);
	return NULL;
}

static int holder_sleeps(void)
{
	truth_fifo(20);
	truth_thread("sleeper", 1, hold_asleep);
	return need_lock(1);
}

static void *hold_long(void *arg)
{
	truth_fifo(20);
	pthread_mutex_lock(&outer);
	truth_wait_go();
	sleep_ns(2 * TROUBLE);
	pthread_mutex_unlock(&outer);
	return NULL;
}

/* First the CPU is taken from it, then the lock is, for longer. */
static int two(void)
{
	pthread_t hog;
	tlob_window_t w;

	hog = truth_thread("rt-hog", 0, truth_fifo_hog);
	pin_to(0);
	truth_fifo(20);
	truth_join(truth_late);
	w = tlob_start(truth_late, 1);
	truth_release(1);
	truth_burn(3 * MS);
	pthread_join(hog, NULL);
	truth_thread("sleeper", 1, hold_long);
	truth_release(1);
	pthread_mutex_lock(&outer);
	pthread_mutex_unlock(&outer);
	tlob_stop(w);
	return 0;
}

const struct truth_case truth_chain[] = {
	{.name = "holder-preempted",
	 .what = "the holder of the mutex is kept from its CPU",
	 .fn = holder_preempted,
	 .cause = TLOBCTL_CAUSE_WOKEN,
	 .who = "holder",
	 .syscall = "futex",
	 .least_ns = 35 * MS,
	 .links = {{TLOBCTL_CAUSE_BEHIND, "holder", "rt-hog"}}},
	{.name = "inversion",
	 .what = "priority inversion: one in between runs",
	 .fn = inversion,
	 .cause = TLOBCTL_CAUSE_WOKEN,
	 .who = "low",
	 .syscall = "futex",
	 .least_ns = 35 * MS,
	 .links = {{TLOBCTL_CAUSE_BEHIND, "low", "mid"}}},
	{.name = "three",
	 .what = "the holder waits for the holder of another mutex",
	 .fn = three,
	 .cause = TLOBCTL_CAUSE_WOKEN,
	 .who = "middle",
	 .syscall = "futex",
	 .least_ns = 35 * MS,
	 .links = {{TLOBCTL_CAUSE_WOKEN, "middle", "last"}, {TLOBCTL_CAUSE_RUNNING, "last", NULL}}},
	{.name = "holder-sleeps",
	 .what = "the holder of the mutex sleeps by the clock",
	 .fn = holder_sleeps,
	 .cause = TLOBCTL_CAUSE_WOKEN,
	 .who = "sleeper",
	 .syscall = "futex",
	 .least_ns = 35 * MS,
	 .links = {{TLOBCTL_CAUSE_INTERRUPT, "sleeper", NULL}}},
	{.name = "two",
	 .what = "first the CPU is taken, then a mutex for twice as long",
	 .fn = two,
	 .cause = TLOBCTL_CAUSE_WOKEN,
	 .who = "sleeper",
	 .least_ns = 75 * MS,
	 .also = TLOBCTL_CAUSE_BEHIND,
	 .also_who = "rt-hog",
	 .also_least_ns = 35 * MS},
	{.name = NULL},
};
