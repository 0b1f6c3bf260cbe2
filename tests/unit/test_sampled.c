// SPDX-License-Identifier: GPL-2.0-or-later
/* Samples and their windows: which belong together, what becomes of them; and stacks that are the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "why/sampled.h"
#include "why/traces.h"

#define ME 100
#define S 1000000000ULL

static struct why_sampled sampled;
static char said[4096];
static uint64_t refuse; /* this window is not wanted */

static int begin(void **state)
{
	sampled = (struct why_sampled){0};
	refuse = 0;
	return 0;
}

static int end(void **state)
{
	why_sampled_deinit(&sampled);
	return 0;
}

static struct why_sampled_window window(uint64_t number, uint64_t start_ns)
{
	return (struct why_sampled_window){
		.window = number, .start_ns = start_ns, .deadline_ns = start_ns + 100, .client = 1};
}

static void put(const char *fmt, uint64_t number)
{
	snprintf(said + strlen(said), sizeof(said) - strlen(said), fmt, (unsigned long)number);
}

static bool good_begin(const struct why_sampled_window *w, uint32_t tid, void *arg)
{
	if (w->window == refuse)
		return false;
	put("good %lu:", w->window);
	return true;
}

static void good_sample(uint32_t trace, void *arg)
{
	put(" %lu", trace);
}

static void settle(uint64_t known_ns, const char *expected)
{
	const struct why_sampled_good good = {good_begin, good_sample, NULL};

	said[0] = '\0';
	why_sampled_settle(&sampled, known_ns, &good);
	assert_string_equal(said, expected);
}

static void add(uint32_t tid, uint32_t tgid, uint64_t time_ns, uint32_t trace,
		const struct why_sampled_window *windows, size_t n)
{
	const struct why_sampled_hit hit = {
		.tid = tid, .tgid = tgid, .time_ns = time_ns, .trace = trace};

	why_sampled_add(&sampled, &hit, windows, n);
}

static void sample(uint64_t time_ns, uint32_t trace, struct why_sampled_window w)
{
	add(ME, ME, time_ns, trace, &w, 1);
}

static void each(uint64_t start_ns, uint64_t end_ns, const char *expected)
{
	said[0] = '\0';
	why_sampled_each(&sampled, ME, start_ns, end_ns, good_sample, NULL);
	assert_string_equal(said, expected);
}

/* A later sample does not name it, and everything up to then has been read. */
static void test_good(void **state)
{
	sample(1010, 1, window(1, 1000));
	sample(1020, 2, window(1, 1000));
	settle(1025, "");
	sample(1210, 3, window(9, 1200));
	settle(1205, ""); /* its record may still come */
	settle(1211, "good 1: 1 2");
	settle(1215, "");
	each(0, 5000, " 3");
}

static void test_not_wanted(void **state)
{
	refuse = 1;
	sample(1010, 1, window(1, 1000));
	sample(1210, 3, window(9, 1200));
	settle(1220, "");
	assert_int_equal(sampled.nsamples, 1);
}

/* Records come before samples: so many are late meanwhile that the first of them is not known any more. */
static void test_late_in_a_storm(void **state)
{
	for (uint64_t i = 0; i < 200; i++) {
		struct why_sampled_window w = window(10 + i, 1000 + 200 * i);

		why_sampled_late(&sampled, ME, ME, &w, w.start_ns + 150);
	}
	sample(1050, 1, window(10, 1000));
	sample(1000 + 200 * 200, 2, window(300, 1000 + 200 * 200 - 10));
	sample(1000 + 200 * 201, 3, window(301, 1000 + 200 * 201 - 10));
	settle(S, "good 300: 2");
}

static void test_good_by_its_deadline(void **state)
{
	sample(1010, 1, window(1, 1000));
	settle(1100 + S, "");
	settle(1101 + S, "good 1: 1");
	assert_int_equal(sampled.nsamples, 0);
}

static void test_late(void **state)
{
	const struct why_sampled_window w = window(1, 1000);

	sample(1010, 1, w);
	why_sampled_late(&sampled, ME, ME, &w, 0);
	sample(1090, 2, w);
	settle(1500 + 2 * S, ""); /* it may go on for ever */
	each(1000, 1095, " 1 2");
	why_sampled_late(&sampled, ME, ME, &w, 1600);
	settle(1600, "");
	each(1000, 1600, " 1 2");
	settle(1601, "");
	assert_int_equal(sampled.nsamples, 0);
}

/* The record is there first: what comes later from the ring of samples is still of a late window. */
static void test_record_before_samples(void **state)
{
	const struct why_sampled_window w = window(1, 1000);

	why_sampled_late(&sampled, ME, ME, &w, 1150);
	sample(1010, 1, w);
	sample(1210, 2, window(9, 1200));
	settle(1220, "");
}

/* The same, and samples of the window before have not come either. */
static void test_record_before_older_samples(void **state)
{
	const struct why_sampled_window w = window(2, 2000);

	why_sampled_late(&sampled, ME, ME, &w, 0);
	sample(1010, 1, window(1, 1000));
	sample(2010, 2, w);
	settle(2015, "good 1: 1");
	sample(2110, 3, w);
	settle(2115, "");
	each(2000, 2200, " 2 3");
}

/* And if the record was dropped, a sample after the deadline knows better than to call it good. */
static void test_late_without_a_record(void **state)
{
	sample(1010, 1, window(1, 1000));
	sample(1100, 2, window(1, 1000));
	sample(1210, 3, window(9, 1200));
	settle(1220, "");
}

static void test_ended_by_exit(void **state)
{
	sample(1010, 1, window(1, 1000));
	why_sampled_exit(&sampled, ME, 1050);
	settle(1060, "");
	assert_int_equal(sampled.nsamples, 0);
}

static void test_nested(void **state)
{
	struct why_sampled_window both[2] = {window(1, 1000), window(2, 1020)};

	sample(1010, 1, both[0]);
	add(ME, ME, 1030, 2, both, 2);
	sample(1050, 3, both[0]);
	settle(1051, "good 2: 2");
	each(1000, 1100, " 1 2 3"); /* the outer one's are all still there */
	sample(1210, 4, window(9, 1200));
	settle(1220, "good 1: 1 2 3");
}

/* Windows of probes and of the program itself may have the same number. */
static void test_same_number_elsewhere(void **state)
{
	struct why_sampled_window a = window(1, 1000), b = window(1, 1000);

	b.client = 0;
	sample(1010, 1, a);
	why_sampled_late(&sampled, ME, ME, &b, 1020);
	sample(1210, 3, window(9, 1200));
	settle(1220, "good 1: 1");
}

static void test_lost_trace(void **state)
{
	sample(1010, 1, window(1, 1000));
	sample(1210, UINT32_MAX, window(9, 1200));
	settle(1220, "good 1: 1");
	assert_int_equal(sampled.nsamples, 0);
}

static void test_threads_come_and_go(void **state)
{
	struct why_sampled_window w = window(1, 1000);

	for (uint32_t tid = 1; tid <= 10000; tid++) {
		add(tid, tid, 1010 + tid, 1, &w, 1);
		why_sampled_exit(&sampled, tid, 1010 + tid);
		if (tid % 100 == 0)
			settle(1011 + tid, "");
	}
	assert_int_equal(sampled.nsamples, 0);
	assert_int_equal(sampled.crowded, 0);
	assert_true(sampled.slots <= 1024);
}

/* Somebody scribbles over his windows. */
static void test_senseless(void **state)
{
	for (uint64_t i = 0; i < 5000; i++)
		sample(i * 7919 % 5000, (uint32_t)i, window(i, UINT64_MAX - i));
	settle(UINT64_MAX, said);
	assert_int_equal(sampled.nsamples, 0);
}

static void test_crowded(void **state)
{
	for (uint64_t i = 0; i < (1 << 18) + 5; i++)
		sample(1000, 1, window(1, 1000));
	assert_int_equal(sampled.crowded, 5);
}

static void count_it(uint32_t trace, void *arg)
{
	(*(size_t *)arg)++;
}

static size_t samples_of(uint32_t tid)
{
	size_t n = 0;

	why_sampled_each(&sampled, tid, 0, UINT64_MAX, count_it, &n);
	return n;
}

/* A thread that has been late for minutes has all the room there is when another comes. */
static void test_share_of_a_process(void **state)
{
	struct why_sampled_window busy = window(1, 1000), other = window(2, 1000);
	uint64_t now = S;

	for (uint64_t i = 0; i < 1 << 18; i++)
		add(ME, ME, now += 1000, 1, &busy, 1);
	assert_int_equal(sampled.crowded, 0);
	for (uint64_t i = 0; i < 50000; i++) {
		add(ME, ME, now += 1000, 1, &busy, 1);
		add(200, 200, now += 1000, 2, &other, 1);
	}
	assert_int_equal(samples_of(200), 50000);
	assert_true(samples_of(ME) >= 1 << 16);
	assert_int_equal(sampled.crowded, (1 << 18) + 100000 - samples_of(ME) - samples_of(200));
	assert_int_equal(sampled.nsamples, samples_of(ME) + samples_of(200));
}

/* A thousand busy threads of one process, or a thousand processes' worth of them, against one quiet thread. */
static void crowd(uint32_t threads, bool processes)
{
	struct why_sampled_window busy = window(1, 1000), other = window(2, 1000);
	uint64_t now = S;

	for (uint64_t i = 0; i < 1 << 18; i++) {
		uint32_t tid = 1000 + (uint32_t)(i % threads);

		add(tid, processes ? tid : 1000, now += 1000, 1, &busy, 1);
	}
	for (uint64_t i = 0; i < 100000; i++) {
		uint32_t tid = 1000 + (uint32_t)(i % threads);

		add(tid, processes ? tid : 1000, now += 100000, 1, &busy, 1);
		if (i % 1000 == 0)
			add(200, processes ? 200 : 1000, now, 2, &other, 1);
	}
	assert_true(sampled.nsamples <= 1 << 18);
	assert_in_range(samples_of(200), 95, 100);
}

static void test_share_of_a_thread(void **state)
{
	crowd(1000, false);
}

static void test_share_among_many(void **state)
{
	crowd(500, true);
}

/* One process may have a quarter of the threads there is room for. */
static void test_too_many_threads(void **state)
{
	struct why_sampled_window w = window(1, 1000);

	for (uint32_t tid = 1; tid <= 1 << 16; tid++)
		add(1000 + tid, 1000, 1010, 1, &w, 1);
	assert_int_equal(sampled.nthreads, 1 << 14);
	assert_int_equal(sampled.crowded, 3 << 14);
	add(200, 200, 1010, 2, &w, 1);
	assert_int_equal(samples_of(200), 1);
	settle(3 * S, said); /* they are in time */
	add(300, 1000, 4 * S, 1, &w, 1);
	assert_int_equal(samples_of(300), 1);
}

/* ---- stacks */

static const struct why_object *const prog = (const void *)16, *const lib = (const void *)32;

static bool take(struct why_traces *t, uint32_t *number, enum why_event_kind kind, uint64_t value)
{
	struct why_event e = {.kind = kind};

	if (kind == WHY_OBJECT_SWITCH)
		e.object = (const void *)(uintptr_t)value;
	else if (kind == WHY_TRACE_END)
		e.cut = value;
	else
		e.offset = value;
	return why_traces_take(t, &e, number);
}

static uint32_t trace(struct why_traces *t, const struct why_object *object, uint64_t a, uint64_t b,
		      bool cut)
{
	uint32_t number = 77;

	assert_false(take(t, &number, WHY_TRACE_BEGIN, 0));
	assert_false(take(t, &number, WHY_OBJECT_SWITCH, (uintptr_t)object));
	assert_false(take(t, &number, WHY_PLACE, a));
	assert_false(take(t, &number, WHY_PLACE, b));
	assert_true(take(t, &number, WHY_TRACE_END, cut));
	return number;
}

static void test_same_stack(void **state)
{
	struct why_traces t = {0};
	uint32_t number;

	assert_int_equal(trace(&t, prog, 1, 2, false), 0);
	assert_int_equal(trace(&t, prog, 2, 1, false), 1);
	assert_int_equal(trace(&t, lib, 1, 2, false), 2);
	assert_int_equal(trace(&t, prog, 1, 2, true), 3);
	assert_int_equal(trace(&t, prog, 1, 2, false), 0);
	take(&t, &number, WHY_KERNEL_ENTER, 0);
	assert_int_equal(trace(&t, prog, 1, 2, false), 4);
	assert_true(t.list[4]->places[0].kernel);
	take(&t, &number, WHY_KERNEL_LEAVE, 0);
	assert_int_equal(trace(&t, prog, 1, 2, false), 0);
	assert_int_equal(t.list[2]->n, 2);
	assert_ptr_equal(t.list[2]->places[1].object, lib);
	assert_int_equal(t.list[2]->places[1].offset, 2);
	why_traces_deinit(&t);
}

static void test_many_stacks(void **state)
{
	struct why_traces t = {0};

	for (uint64_t i = 0; i < WHY_MAX_TRACES; i++)
		assert_int_equal(trace(&t, prog, i, i / 3, false), i);
	for (uint64_t i = 0; i < WHY_MAX_TRACES; i += 1001)
		assert_int_equal(trace(&t, prog, i, i / 3, false), i);
	assert_int_equal(trace(&t, lib, 0, 0, false), UINT32_MAX);
	assert_int_equal(t.refused, 1);
	why_traces_deinit(&t);
}

#define T(name) cmocka_unit_test_setup_teardown(test_##name, begin, end)

/* As deep as they can be, each another one: they do not take hundreds of megabytes. */
static void test_deep_stacks(void **state)
{
	struct why_traces t = {0};
	uint32_t number;

	(void)state;
	for (uint64_t i = 0; i < 20000; i++) {
		take(&t, &number, WHY_TRACE_BEGIN, 0);
		take(&t, &number, WHY_PLACE, i);
		for (uint64_t k = 1; k < WHY_MAX_CHAIN; k++)
			take(&t, &number, WHY_PLACE, k);
		take(&t, &number, WHY_TRACE_END, false);
	}
	assert_in_range(t.bytes, WHY_MAX_TRACE_BYTES / 2, WHY_MAX_TRACE_BYTES);
	assert_int_equal(t.count + t.refused, 20000);
	assert_true(t.refused);
	why_traces_deinit(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(good),
		T(not_wanted),
		T(late_in_a_storm),
		T(good_by_its_deadline),
		T(late),
		T(record_before_samples),
		T(record_before_older_samples),
		T(late_without_a_record),
		T(ended_by_exit),
		T(nested),
		T(same_number_elsewhere),
		T(lost_trace),
		T(threads_come_and_go),
		T(senseless),
		T(crowded),
		T(share_of_a_process),
		T(share_of_a_thread),
		T(share_among_many),
		T(too_many_threads),
		T(same_stack),
		T(many_stacks),
		T(deep_stacks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
