/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Many threads: one region in 8 at once, 1,000 at once, 10,000 over time. */
#include "harness.h"

#include <pthread.h>
#include <sys/syscall.h>

TLOB_REGION(eight, "eight", TLOB_MS(20));
TLOB_REGION(crowd, "crowd", TLOB_MS(200));
TLOB_REGION(stream, "stream", TLOB_S(10));

static pthread_barrier_t barrier;

static void *one_of_eight(void *arg)
{
	uint64_t n = (uint64_t)(uintptr_t)arg;

	pthread_barrier_wait(&barrier);
	one_window(&eight, n, n % 2 ? sleep_ns : spin_ns, n < 4 ? 1000 : 300000000u);
	return NULL;
}

static void *one_of_crowd(void *arg)
{
	uint64_t n = (uint64_t)(uintptr_t)arg;
	struct truth t = {.tag = n, .tid = (uint64_t)syscall(SYS_gettid)};
	tlob_window_t w = tlob_start(&crowd, n);

	if (!(n % 10)) /* these wait until all have started and then some */
		sleep_ns(1500000000u);
	t.result = tlob_stop(w);
	tell(&t);
	pthread_barrier_wait(&barrier);
	return NULL;
}

static void *passer(void *arg)
{
	int *bad = arg;

	for (int i = 0; i < 3; i++) {
		tlob_window_t w = tlob_start(&stream, 0);

		if (!w || tlob_stop(w))
			__atomic_fetch_add(bad, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void run_threads(int n, void *(*fn)(void *))
{
	pthread_t *threads = calloc((size_t)n, sizeof(*threads));
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	pthread_barrier_init(&barrier, NULL, (unsigned)n);
	for (int i = 0; i < n; i++)
		if (pthread_create(&threads[i], &attr, fn, (void *)(uintptr_t)i))
			exit(96);
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	free(threads);
}

static int subject_eight(void)
{
	run_threads(8, one_of_eight);
	return 0;
}

static int subject_crowd(void)
{
	run_threads(1000, one_of_crowd);
	return 0;
}

static int subject_stream(void)
{
	int bad = 0;

	for (int i = 0; i < 10000; i += 10) {
		pthread_t threads[10];

		for (int k = 0; k < 10; k++)
			if (pthread_create(&threads[k], NULL, passer, &bad))
				exit(96);
		for (int k = 0; k < 10; k++)
			pthread_join(threads[k], NULL);
	}
	tell_result(1, bad);
	return 0;
}

const struct conf_subject conf_subjects[] = {
	{"eight", subject_eight},
	{"crowd", subject_crowd},
	{"stream", subject_stream},
	{NULL, NULL},
};

static void check_eight(struct conf *c)
{
	const char *wrong;
	bool right = true;

	CONF_RUN(c, "eight");
	for (uint64_t n = 0; n < 8; n++) {
		const struct conf_event *e = conf_find(c, TLOB_REC_OVERRUN, "eight", n);
		const struct truth *t = conf_truth(c, n);

		right &= t && (t->result == -EOVERFLOW) == (e != NULL);
		if (n >= 4)
			right &= e && conf_is_id(c, e->record.tid, t->tid);
	}
	tap_ok(right, "8 threads: records belong to the threads that were over");
	wrong = conf_pairs_wrong(c);
	tap_ok(!wrong, "8 threads: pairs and sums (%s)", wrong ? wrong : "hold");
}

static void check_crowd(struct conf *c)
{
	struct tlobctl_stat s = {0};
	size_t over = 0, bad = 0;
	const char *wrong;

	CONF_RUN(c, "crowd");
	for (size_t i = 0; i < c->ntruths; i++) {
		const struct truth *t = &c->truths[i];
		bool record = conf_find(c, TLOB_REC_OVERRUN, "crowd", t->tag) != NULL;

		over += t->result == -EOVERFLOW;
		bad += record != (t->result == -EOVERFLOW);
	}
	tap_ok(c->ntruths == 1000, "1,000 threads have measured (%zu)", c->ntruths);
	tap_ok(over >= 100 && !bad, "1,000 threads: %zu over, each with its record, no other",
	       over);
	wrong = conf_pairs_wrong(c);
	tap_ok(!wrong, "1,000 threads: pairs and sums (%s)", wrong ? wrong : "hold");
	tap_ok(conf_stat(c, "crowd", &s) && s.windows == 1000 && s.overruns == over && !s.refused,
	       "1,000 threads: statistics agree (%lu windows, %lu over, %lu refused)", s.windows,
	       s.overruns, s.refused);
}

static void check_stream(struct conf *c)
{
	struct tlobctl_stat s = {0};

	CONF_RUN(c, "stream");
	tap_ok(conf_result(c, 1) == 0,
	       "10,000 threads one after another: every window measured, none over");
	tap_ok(conf_stat(c, "stream", &s) && s.windows == 30000 && !s.refused,
	       "10,000 threads one after another: slots are reused (%lu windows, %lu refused)",
	       s.windows, s.refused);
}

int conf_main(struct conf *c)
{
	tap_plan(2 + 4 + 2);
	conf_open(c);
	check_eight(c);
	check_crowd(c);
	check_stream(c);
	conf_close(c);
	return tap_done();
}
