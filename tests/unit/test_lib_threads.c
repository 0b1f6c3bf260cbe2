// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libtlob with many threads: 10,000 at once, slots used again, exit inside a window, and a process
 * that ends with its last thread.
 */
#include "lib_fake.h"

TLOB_REGION(roomy, "roomy", TLOB_S(100));
TLOB_REGION(tight, "tight", TLOB_MS(1));

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define CROWD 700 /* their threads are expensive */
#else
#define CROWD 10000
#endif
#define PER_THREAD 3

static pthread_barrier_t together;

static void start_threads(pthread_t *t, int n, void *(*fn)(void *))
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	for (int i = 0; i < n; i++)
		CHECK(!pthread_create(&t[i], &attr, fn, (void *)(uintptr_t)i));
	pthread_attr_destroy(&attr);
}

static void join_threads(pthread_t *t, int n)
{
	for (int i = 0; i < n; i++)
		CHECK(!pthread_join(t[i], NULL));
}

/*
 * All have a window open at the same time. An agent may be too slow for so many at once: those are
 * refused.
 */
static void *one_of_crowd(void *arg)
{
	for (int i = 0; i < PER_THREAD; i++) {
		tlob_window_t w = tlob_start(&roomy, (uintptr_t)arg);

		if (i == 0)
			pthread_barrier_wait(&together);
		CHECK_IS(tlob_stop(w), w ? 0 : -ECANCELED);
	}
	return NULL;
}

static pthread_t crowd[CROWD];

static void subject_crowd(void)
{
	pthread_barrier_init(&together, NULL, CROWD);
	start_threads(crowd, CROWD, one_of_crowd);
	join_threads(crowd, CROWD);
	/* and once more: all slots are free again */
	start_threads(crowd, CROWD, one_of_crowd);
	join_threads(crowd, CROWD);
}

/* One after another: a slot or two will do for all. */
static void *passer(void *arg)
{
	tlob_window_t w = tlob_start(&roomy, 1);

	CHECK(w);
	CHECK_IS(tlob_stop(w), 0);
	return arg;
}

static void subject_stream(void)
{
	for (int i = 0; i < 2000; i++) {
		start_threads(crowd, 4, passer);
		join_threads(crowd, 4);
	}
}

/* Left open at exit: one in time, one that is over. */
static void *leaver(void *arg)
{
	CHECK(tlob_start(&roomy, 10));
	CHECK(tlob_start(&tight, 11));
	spin_ns(20000000);
	CHECK(tlob_start(&tight, 12));
	return arg;
}

static void subject_leavers(void)
{
	tlob_window_t w = tlob_start(&roomy, 1);

	for (int i = 0; i < 5; i++) {
		pthread_t t;

		start_threads(&t, 1, leaver);
		join_threads(&t, 1);
	}
	sleep_ns(20000000); /* past the budget of those that were left open */
	CHECK_IS(tlob_stop(w), 0);
}

/* More threads than the agent has slots for: refused, and nothing breaks. */
static void *one_too_many(void *arg)
{
	tlob_window_t w = tlob_start(&roomy, 1);
	int r = tlob_stop(w);

	CHECK_IS(r, w ? 0 : -ECANCELED);
	pthread_barrier_wait(&together);
	return arg;
}

#define FULL_THREADS 100

static void subject_full(void)
{
	pthread_barrier_init(&together, NULL, FULL_THREADS);
	start_threads(crowd, FULL_THREADS, one_too_many);
	join_threads(crowd, FULL_THREADS);
}

/* Windows in destructors of thread-specific data, which may come after the library's own. */
#ifdef __SANITIZE_THREAD__
#define LATE_ROUNDS 1 /* it takes its own leave of the thread then */
#else
#define LATE_ROUNDS 3
#endif
static pthread_key_t late_key;

static void measure_late(void *value)
{
	CHECK_IS(tlob_stop(tlob_start(&roomy, 1)), 0);
	if ((uintptr_t)value < LATE_ROUNDS)
		pthread_setspecific(late_key, (char *)value + 1);
}

static void *with_destructor(void *arg)
{
	pthread_setspecific(late_key, (void *)1);
	CHECK_IS(tlob_stop(tlob_start(&roomy, 1)), 0);
	return arg;
}

static void subject_destructors(void)
{
	CHECK(!pthread_key_create(&late_key, measure_late));
	for (int i = 0; i < 200; i++) {
		start_threads(crowd, 4, with_destructor);
		join_threads(crowd, 4);
	}
}

/* main() has gone, its last thread goes: the watcher must not keep the process. */
static void *last_one(void *arg)
{
	tlob_window_t w = tlob_start(&tight, 1);

	spin_ns(3000000);
	CHECK_IS(tlob_stop(w), -EOVERFLOW);
	return arg;
}

static void subject_last(void)
{
	pthread_t t;

	CHECK(tlob_start(&roomy, 1));
	start_threads(&t, 1, last_one);
	pthread_exit(NULL);
}

static void at_exit(void)
{
	(void)tlob_stop(tlob_start(&roomy, 1));
}

/* exit() while others measure, and windows after it. */
static void *measure_for_ever(void *arg)
{
	for (;;) {
		tlob_window_t w = tlob_start(&tight, 1);

		(void)tlob_stop(tlob_start(&roomy, 1));
		if ((uintptr_t)arg % 2)
			spin_ns(1200000);
		(void)tlob_stop(w);
	}
	return NULL;
}

static void subject_exit(void)
{
	atexit(at_exit);
	start_threads(crowd, 4, measure_for_ever);
	sleep_ns(20000000);
}

static const struct subject subjects[] = {
	{"crowd", subject_crowd},
	{"stream", subject_stream},
	{"leavers", subject_leavers},
	{"full", subject_full},
	{"destructors", subject_destructors},
	{"last", subject_last},
	{"exit", subject_exit},
	{NULL, NULL},
};

/* ---- the agent's side */

/* @few may be refused. */
static void run_counted(enum fake_manner manner, const char *name, uint64_t windows, uint64_t few,
			uint64_t arenas)
{
	struct fake f = {0};
	uint64_t refused;

	if (manner == FAKE_BPF && !fake_make_bpf(&f))
		return;
	fake_open(&f, manner, NULL);
	assert_int_equal(subject_run(name, f.name, NULL), 0);
	refused = f.ledger->regions[fake_region(&f, "roomy")].refused;
	assert_int_equal(fake_windows(&f, "roomy") + refused, windows);
	assert_in_range(refused, 0, few);
	if (refused)
		printf("[          ] %d of %d refused\n", (int)refused, (int)windows);
	else if (arenas) /* asked for ahead */
		assert_in_range(__atomic_load_n(&f.narenas, __ATOMIC_ACQUIRE), arenas, arenas + 8);
	fake_close(&f);
}

static void test_crowd(void **state)
{
	run_counted(FAKE_HONEST, "crowd", 2 * CROWD * PER_THREAD, 0, 0);
}

static void test_crowd_bpf(void **state)
{
	run_counted(FAKE_BPF, "crowd", 2 * CROWD * PER_THREAD, CROWD, (CROWD + 62) / 63);
}

static void test_stream(void **state)
{
	run_counted(FAKE_HONEST, "stream", 8000, 0, 0);
	run_counted(FAKE_BPF, "stream", 8000, 0, 1);
}

static void test_leavers(void **state)
{
	struct fake f = {0};
	struct tlob_record r;
	int overruns = 0, closes = 0;

	fake_open(&f, FAKE_HONEST, NULL);
	assert_int_equal(subject_run("leavers", f.name, NULL), 0);
	while (fake_pop(&f, &r)) {
		assert_in_range(r.tag, 11, 12); /* 12 if its thread takes long to exit */
		overruns += r.type == TLOB_REC_OVERRUN;
		closes += r.type == TLOB_REC_CLOSE && (r.flags & TLOB_F_ABANDONED);
	}
	assert_in_range(overruns, 1,
			10); /* on a busy machine the watcher may be late, or the exit */
	assert_int_equal(closes, overruns);
	assert_int_equal(fake_windows(&f, "roomy"), 1);
	assert_int_equal(fake_windows(&f, "tight"), 0);
	assert_int_equal(f.ledger->regions[fake_region(&f, "roomy")].abandoned, 5);
	assert_int_equal(f.ledger->regions[fake_region(&f, "tight")].abandoned + (uint64_t)overruns,
			 10);
	fake_close(&f);
}

static void test_full(void **state)
{
	struct fake f = {.max_arenas = 1};
	uint64_t windows, refused;

	if (!fake_make_bpf(&f))
		skip();
	fake_open(&f, FAKE_BPF, NULL);
	assert_int_equal(subject_run("full", f.name, NULL), 0);
	windows = fake_windows(&f, "roomy");
	refused = f.ledger->regions[fake_region(&f, "roomy")].refused;
	assert_int_equal(windows, TLOB_ARENA_SLOTS - 1);
	assert_int_equal(windows + refused, FULL_THREADS);
	fake_close(&f);
}

static void test_destructors(void **state)
{
	run_counted(FAKE_HONEST, "destructors", 200 * 4 * (1 + LATE_ROUNDS), 0, 0);
	run_counted(FAKE_BPF, "destructors", 200 * 4 * (1 + LATE_ROUNDS), 0, 1);
}

static void test_last(void **state)
{
	struct fake f = {0};

#ifdef __SANITIZE_THREAD__
	skip(); /* it has a thread of its own that keeps the process */
#endif
	fake_open(&f, FAKE_HONEST, NULL);
	assert_int_equal(subject_run("last", f.name, NULL), 0);
	assert_int_equal(subject_run("last", NOBODY, "TLOB_LOG=/dev/null"), 0);
	fake_close(&f);
}

static void test_exit(void **state)
{
	struct fake f = {0};

	fake_open(&f, FAKE_HONEST, NULL);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(subject_run("exit", f.name, NULL), 0);
		assert_int_equal(subject_run("exit", NOBODY, "TLOB_LOG=/dev/null"), 0);
	}
	fake_close(&f);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crowd),  cmocka_unit_test(test_crowd_bpf),
		cmocka_unit_test(test_stream), cmocka_unit_test(test_leavers),
		cmocka_unit_test(test_full),   cmocka_unit_test(test_destructors),
		cmocka_unit_test(test_last),   cmocka_unit_test(test_exit),
	};

	subject_main(argc, argv, subjects);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
