// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libtlob without an agent: windows that cross threads, what the calls return and what the callback
 * is told, and several threads that begin and end the same tags while the watcher looks.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "lib_subject.h"

TLOB_REGION(roomy, "roomy", TLOB_S(100));
TLOB_REGION(tight, "tight", TLOB_MS(5));
TLOB_REGION(whole, "whole", TLOB_MS(5));
TLOB_REGION(first, "first", TLOB_S(100));
TLOB_REGION(last, "last", TLOB_S(100));

static _Atomic unsigned overruns, closes, strange;
static _Atomic uint32_t end_tid;

static void on_overrun(const struct tlob_record *r, const struct tlob_region *region, void *arg)
{
	strange += !(r->flags & TLOB_F_TRANSIT) || (region != &tight && region != &whole) ||
		   r->running_ns || r->waiting_ns || r->sleeping_ns ||
		   r->elapsed_ns < r->budget_ns || r->time_ns - r->start_ns != r->elapsed_ns;
	if (r->type == TLOB_REC_CLOSE)
		end_tid = r->end_tid;
	*(r->type == TLOB_REC_OVERRUN ? &overruns : &closes) += 1;
}

static void subject_returns(void)
{
	errno = 1234;
	CHECK_IS(tlob_begin(&roomy, 0), 0);
	CHECK_IS(tlob_begin(&roomy, UINT64_MAX), 0);
	CHECK_IS(tlob_end(&roomy, UINT64_MAX), 0);
	CHECK_IS(errno, 1234);
	CHECK_IS(tlob_begin(&roomy, 0), -EEXIST);
	CHECK_IS(errno, EEXIST);
	CHECK_IS(tlob_end(&roomy, 0), 0);
	CHECK_IS(tlob_end(&roomy, 0), -ESRCH);
	CHECK_IS(errno, ESRCH);
	CHECK_IS(tlob_end(&tight, 0), -ESRCH); /* never entered */
}

static void *end_it(void *arg)
{
	CHECK_IS(tlob_end(&tight, 7), -EOVERFLOW);
	*(uint32_t *)arg = (uint32_t)gettid();
	return NULL;
}

static void subject_late(void)
{
	uint32_t tid = 0;
	pthread_t t;

	CHECK_IS(tlob_on_overrun(on_overrun, NULL), 0);
	CHECK_IS(tlob_begin(&tight, 7), 0);
	for (int i = 0; i < 500 && !overruns; i++)
		sleep_ns(10000000);
	CHECK_IS(overruns, 1); /* told while it is open */
	CHECK_IS(closes, 0);
	CHECK(!pthread_create(&t, NULL, end_it, &tid));
	pthread_join(t, NULL);
	CHECK_IS(overruns, 1);
	CHECK_IS(closes, 1);
	CHECK_IS(end_tid, tid);
	CHECK_IS(strange, 0);
}

static void subject_chain(void)
{
	static struct tlob_region *const stages[] = {&first, &last};

	CHECK_IS(tlob_on_overrun(on_overrun, NULL), 0);
	CHECK_IS(tlob_chain(&whole, stages, 2), 0);
	CHECK_IS(tlob_begin(&first, 1), 0);
	CHECK_IS(tlob_end(&first, 1), 0);
	sleep_ns(20000000);
	CHECK_IS(tlob_begin(&last, 1), 0);
	CHECK_IS(tlob_end(&last, 1), -EOVERFLOW); /* the whole was late */
	CHECK_IS(overruns, 1);
	CHECK_IS(closes, 1);
	CHECK_IS(tlob_begin(&first, 1), 0); /* its place has been given back */
	CHECK_IS(tlob_end(&first, 1), 0);
	CHECK_IS(tlob_begin(&last, 1), 0);
	CHECK_IS(tlob_end(&last, 1), 0);
	CHECK_IS(strange, 0);
}

static void subject_off(void)
{
	CHECK_IS(tlob_begin(&roomy, 1), -ECANCELED);
	CHECK_IS(tlob_end(&roomy, 1), -ECANCELED);
}

#define THREADS 4
#define ROUNDS 4000

static _Atomic unsigned begun, ended, late;

static void *race(void *arg)
{
	uint64_t x = (uintptr_t)arg * 7919 + 1;

	for (int i = 0; i < ROUNDS; i++) {
		int r;

		x = x * 6364136223846793005u + 1442695040888963407u;
		r = tlob_begin(&tight, x >> 61);
		CHECK(r == 0 || r == -EEXIST);
		begun += r == 0;
		if (i % 1000 == 0)
			sleep_ns(8000000); /* what is open expires */
		r = tlob_end(&tight, x >> 58 & 7);
		CHECK(r == 0 || r == -EOVERFLOW || r == -ESRCH);
		ended += r != -ESRCH;
		late += r == -EOVERFLOW;
	}
	return NULL;
}

static void subject_race(void)
{
	pthread_t t[THREADS];

	CHECK_IS(tlob_on_overrun(on_overrun, NULL), 0);
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK(!pthread_create(&t[i], NULL, race, (void *)i));
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	for (uint64_t tag = 0; tag < 8; tag++) {
		int r = tlob_end(&tight, tag);

		ended += r != -ESRCH;
		late += r == -EOVERFLOW;
	}
	CHECK_IS(begun, ended);
	CHECK(late > 0);
	CHECK_IS(overruns, late);
	CHECK_IS(closes, late);
	CHECK_IS(strange, 0);
}

static const struct subject subjects[] = {
	{"returns", subject_returns}, {"late", subject_late}, {"chain", subject_chain},
	{"off", subject_off},	      {"race", subject_race}, {NULL, NULL},
};

static void test_returns(void **state)
{
	assert_int_equal(subject_run("returns", NOBODY, NULL), 0);
}

static void test_late(void **state)
{
	assert_int_equal(subject_run("late", NOBODY, NULL), 0);
}

static void test_chain(void **state)
{
	assert_int_equal(subject_run("chain", NOBODY, NULL), 0);
}

static void test_off(void **state)
{
	assert_int_equal(subject_run("off", NOBODY, "TLOB=0"), 0);
}

static void test_race(void **state)
{
	assert_int_equal(subject_run("race", NOBODY, NULL), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_returns), cmocka_unit_test(test_late),
		cmocka_unit_test(test_chain),	cmocka_unit_test(test_off),
		cmocka_unit_test(test_race),
	};

	subject_main(argc, argv, subjects);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
