// SPDX-License-Identifier: GPL-2.0-or-later
/* A program linked with libtlob finds the module by itself, and nothing else is needed. */
#include <pthread.h>
#include <sys/wait.h>

#include <tlob/tlob.h>

#include "trace.h"

TLOB_REGION(wide, "wide", TLOB_S(10));
TLOB_REGION(narrow, "narrow", TLOB_MS(5));

static struct tlob_record told[64];
static unsigned int told_count; /* by whichever thread */

static void note(const struct tlob_record *record, const struct tlob_region *region, void *arg)
{
	(void)region;
	(void)arg;
	if (told_count < 64)
		told[told_count] = *record;
	__atomic_add_fetch(&told_count, 1, __ATOMIC_RELEASE);
}

/* On a slow machine the thread that stops does not wait for a callback under way for ever. */
static bool told_become(unsigned int n)
{
	for (int i = 0; i < 200 && __atomic_load_n(&told_count, __ATOMIC_ACQUIRE) < n; i++)
		sleep_ns(10 * MS);
	return told_count == n;
}

static void engine_is_kernel(void)
{
	check(strcmp(tlob_engine(), "kernel") == 0, "%s", tlob_engine());
}

static void in_time(void)
{
	for (int i = 0; i < 1000; i++)
		check(tlob_stop(tlob_start(&wide, i)) == 0);
}

static void over_budget(void)
{
	char line[512];
	tlob_window_t w;

	told_count = 0;
	trace_begin();
	w = tlob_start(&narrow, 99);
	sleep_ns(30 * MS);
	check(tlob_stop(w) == -EOVERFLOW);
	trace_end();
	check(trace_count("tlob_budget_exceeded", line, sizeof(line)) == 1 &&
		      trace_field(line, "tag") == 99,
	      "the kernel has seen it");
	check(told_become(2), "%u", told_count);
	check(told[0].type == TLOB_REC_OVERRUN && told[1].type == TLOB_REC_CLOSE);
	check(told[0].tag == 99 && told[0].elapsed_ns < told[1].elapsed_ns && sum_holds(&told[1]));
	check(told[1].sleeping_ns > told[1].running_ns && told[1].flags == 0);
}

/* Not only when its thread comes back. */
static void heard_while_it_happens(void)
{
	tlob_window_t w;

	told_count = 0;
	w = tlob_start(&narrow, 7);
	check(told_become(1), "%u", told_count);
	check(told[0].type == TLOB_REC_OVERRUN && told[0].tag == 7);
	check(tlob_stop(w) == -EOVERFLOW);
	check(told_become(2), "%u", told_count);
	check(told[1].type == TLOB_REC_CLOSE && told[1].elapsed_ns > told[0].elapsed_ns);
}

static uint64_t life_of_a_child(void)
{
	uint64_t began = now_ns();
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		tlob_window_t w = tlob_start(&narrow, 1);

		sleep_ns(50 * MS);
		tlob_stop(w);
		exit(0);
	}
	check(waitpid(pid, &status, 0) == pid && status == 0);
	return now_ns() - began;
}

/* The watcher waits for the kernel, a second at most, and still has to be told to end. */
static void ends_at_once(void)
{
	uint64_t best = ~0ULL, one;

	for (int i = 0; i < 5 && best >= 900 * MS; i++) {
		one = life_of_a_child();
		best = one < best ? one : best;
	}
	check(best < 900 * MS, "%lu ms", (unsigned long)(best / MS));
}

static void own_clock(void)
{
	struct tlob_times a, b;

	check(tlob_thread_clock(&a) == 0);
	sleep_ns(20 * MS);
	check(tlob_thread_clock(&b) == 0 && b.sleeping_ns - a.sleeping_ns > 15 * MS);
	check(!(b.flags & TLOB_F_ESTIMATED));
}

static pthread_barrier_t all_here;

static void *thread_with_window(void *arg)
{
	tlob_window_t w = tlob_start(&wide, 0);

	pthread_barrier_wait(&all_here);
	*(int *)arg = tlob_stop(w);
	return NULL;
}

static void more_threads_than_an_arena_has(void)
{
	static pthread_t threads[150];
	static int results[150];
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	pthread_barrier_init(&all_here, NULL, 150);
	for (int i = 0; i < 150; i++)
		check(pthread_create(&threads[i], &attr, thread_with_window, &results[i]) == 0);
	for (int i = 0; i < 150; i++) {
		pthread_join(threads[i], NULL);
		check(results[i] == 0, "%d: %d", i, results[i]);
	}
	check(rv_tasks_become(1), "%u", rv_tasks());
}

static void forked(void)
{
	tlob_window_t w = tlob_start(&wide, 0);
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int ret = tlob_stop(w);

		if (ret != -ECANCELED && ret != -EINVAL)
			_exit(1);
		if (tlob_stop(tlob_start(&wide, 1)) != 0)
			_exit(2);
		w = tlob_start(&narrow, 1);
		sleep_ns(20 * MS);
		_exit(tlob_stop(w) == -EOVERFLOW && strcmp(tlob_engine(), "kernel") == 0 ? 0 : 3);
	}
	check(waitpid(pid, &status, 0) == pid && status == 0, "status %x", status);
	check(tlob_stop(w) == 0);
}

static void disabled_meanwhile(void)
{
	tlob_window_t w = tlob_start(&wide, 0);

	tlob_set_enabled(false);
	check(tlob_stop(w) == -ECANCELED);
	/* goes on by itself */
	w = tlob_start(&narrow, 0);
	sleep_ns(20 * MS);
	tlob_stop(w);
	w = tlob_start(&narrow, 0);
	sleep_ns(20 * MS);
	check(tlob_stop(w) == -EOVERFLOW);
	check(strcmp(tlob_engine(), "user") == 0, "%s", tlob_engine());
	tlob_set_enabled(true);
}

int main(void)
{
	static const struct tap_test tests[] = {
		T(engine_is_kernel),
		T(in_time),
		T(over_budget),
		T(heard_while_it_happens),
		T(ends_at_once),
		T(own_clock),
		T(more_threads_than_an_arena_has),
		T(forked),
		T(disabled_meanwhile),
	};

	tlob_set_enabled(true);
	tlob_on_overrun(note, NULL);
	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
