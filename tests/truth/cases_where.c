/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Late in a known place: the function must be named. The subjects have no frame pointers. */
#include "truth.h"

#include <dlfcn.h>
#include <limits.h>
#include <poll.h>

static volatile unsigned int sink;

/* Not spin_ns(): the time is to be spent in the function itself. */
#define SPIN(ns) \
	do { \
		for (uint64_t end = now_ns() + (ns); now_ns() < end;) \
			for (unsigned int i = 0; i < 20000; i++) \
				sink += i * i; \
	} while (0)

static void begin(tlob_window_t *w)
{
	pin_to(1);
	truth_fifo(20);
	truth_join(truth_late);
	*w = tlob_start(truth_late, 1);
}

__attribute__((noinline)) static void spin_here(uint64_t ns)
{
	SPIN(ns);
	sink++;
}

static int in_function(void)
{
	tlob_window_t w;

	begin(&w);
	spin_here(TROUBLE);
	tlob_stop(w);
	return 0;
}

static inline __attribute__((always_inline)) void spin_inlined(uint64_t ns)
{
	SPIN(ns);
}

__attribute__((noinline)) static void around_inlined(uint64_t ns)
{
	sink++;
	spin_inlined(ns);
	sink++;
}

static int in_inlined(void)
{
	tlob_window_t w;

	begin(&w);
	around_inlined(TROUBLE);
	tlob_stop(w);
	return 0;
}

/* The library is closed, and its memory gone, before the budget expires and anybody is told. */
static int in_closed_library(void)
{
	char path[PATH_MAX + 32];
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX);
	void (*nap)(long ns);
	tlob_window_t w;
	void *library;

	if (n <= 0)
		return 1;
	path[n] = '\0';
	strcpy(strrchr(path, '/'), "/closed.so");
	library = dlopen(path, RTLD_NOW);
	if (!library)
		return 1;
	*(void **)&nap = dlsym(library, "closed_nap");
	begin(&w);
	nap(7 * MS);
	dlclose(library);
	SPIN(TROUBLE);
	tlob_stop(w);
	return dlopen(path, RTLD_NOW | RTLD_NOLOAD) ? 1 : 0;
}

static int compare(const void *a, const void *b)
{
	poll(NULL, 0, TROUBLE / MS);
	return 0;
}

/* It sleeps in a call of the C library, which a function called from the C library has made. */
__attribute__((noinline)) static void sort_slowly(void)
{
	int numbers[2] = {2, 1};

	qsort(numbers, 2, sizeof(int), compare);
	sink += (unsigned int)numbers[0];
}

static int below_library(void)
{
	tlob_window_t w;

	begin(&w);
	sort_slowly();
	tlob_stop(w);
	return 0;
}

__attribute__((noinline)) static void nap_early(void)
{
	sleep_ns(5 * MS);
	sink++;
}

/* What comes last is not what took long. */
static int early_sleep(void)
{
	tlob_window_t w;

	begin(&w);
	nap_early();
	SPIN(8 * MS);
	tlob_stop(w);
	return 0;
}

__attribute__((noinline)) static void spin_elsewhere(uint64_t ns)
{
	SPIN(ns);
	sink--; /* unlike spin_here(), or the compiler makes one of both */
}

static void *elsewhere(void *arg)
{
	tlob_window_t w;

	truth_fifo(20);
	truth_wait_go();
	w = tlob_start(truth_late, 1);
	spin_elsewhere(TROUBLE);
	tlob_stop(w);
	return NULL;
}

/* Whoever begins first has the timer on its CPU, and so the other's expiry is noticed there. */
static int other_cpu(void)
{
	pthread_t thread;
	tlob_window_t w;

	pin_to(0);
	truth_join(truth_late);
	w = tlob_start(truth_late, 0);
	thread = truth_thread("elsewhere", 1, elsewhere);
	truth_release(1);
	sleep_ns(MS);
	tlob_stop(w); /* in time: the agent has nothing else to do */
	pthread_join(thread, NULL);
	return 0;
}

/* When the agent hears of it the process is on its way out, or has gone. */
__attribute__((noinline)) static void spin_and_exit(void)
{
	SPIN(10 * MS + MS / 20);
	_exit(0);
}

static int exits(void)
{
	tlob_window_t w;

	begin(&w);
	spin_and_exit();
	return 1;
}

const struct truth_case truth_where[] = {
	{.name = "function",
	 .what = "it computes in a function",
	 .fn = in_function,
	 .cause = TLOBCTL_CAUSE_RUNNING,
	 .least_ns = 35 * MS,
	 .where = "spin_here"},
	{.name = "inlined",
	 .what = "it computes in a function that is inlined",
	 .fn = in_inlined,
	 .cause = TLOBCTL_CAUSE_RUNNING,
	 .least_ns = 35 * MS,
	 .where = "spin_inlined",
	 .where_inlined = true},
	{.name = "other-cpu",
	 .what = "it computes on another CPU than the one that notices",
	 .fn = other_cpu,
	 .cause = TLOBCTL_CAUSE_RUNNING,
	 .least_ns = 35 * MS,
	 .where = "spin_elsewhere"},
	{.name = "closed",
	 .what = "it sleeps in a library that has been closed when its budget expires",
	 .fn = in_closed_library,
	 .cause = TLOBCTL_CAUSE_RUNNING,
	 .least_ns = 35 * MS,
	 .where = "nap_in_library",
	 .where_asleep = true},
	{.name = "below",
	 .what = "it sleeps in the C library, called back from there",
	 .fn = below_library,
	 .cause = TLOBCTL_CAUSE_INTERRUPT,
	 .syscall = "poll",
	 .least_ns = 35 * MS,
	 .where = "sort_slowly"},
	{.name = "early",
	 .what = "it sleeps for a time, and computes when its budget expires",
	 .fn = early_sleep,
	 .cause = TLOBCTL_CAUSE_INTERRUPT,
	 .syscall = "clock_nanosleep",
	 .least_ns = 4 * MS,
	 .where = "nap_early",
	 .where_asleep = true},
	{.name = "exits",
	 .what = "it computes, and its process ends as soon as it is late",
	 .fn = exits,
	 .cause = TLOBCTL_CAUSE_RUNNING,
	 .least_ns = 9 * MS,
	 .where = "spin_and_exit"},
	{.name = NULL},
};
