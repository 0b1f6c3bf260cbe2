// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Thread clocks: where time goes, and that a reader gets one instant. What event leads where is the
 * model's own test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <string.h>
#include <cmocka.h>

#include "core/clock.h"

#define PREEMPT TLOB_MODEL_EVENT_PREEMPT
#define SLEEP TLOB_MODEL_EVENT_SLEEP
#define WAKEUP TLOB_MODEL_EVENT_WAKEUP
#define SWITCH_IN TLOB_MODEL_EVENT_SWITCH_IN

static struct tlob_clock thread_clock;

static int reset(void **state)
{
	memset(&thread_clock, 0, sizeof(thread_clock));
	thread_clock.since_ns = 1000;
	return 0;
}

static void step(uint32_t event, uint64_t now_ns)
{
	tlob_clock_write_begin(&thread_clock);
	tlob_clock_step(&thread_clock, event, now_ns);
	tlob_clock_write_end(&thread_clock);
}

static struct tlob_split read_at(uint64_t now_ns)
{
	struct tlob_split s;

	assert_int_equal(tlob_clock_try_read(&thread_clock, now_ns, &s), 1);
	return s;
}

static void check_split(struct tlob_split s, uint64_t running, uint64_t waiting, uint64_t sleeping)
{
	assert_int_equal(s.running_ns, running);
	assert_int_equal(s.waiting_ns, waiting);
	assert_int_equal(s.sleeping_ns, sleeping);
}

/* ---- writing --------------------------------------------------------------------------------- */

static void test_time_goes_to_the_state_it_was_spent_in(void **state)
{
	step(PREEMPT, 1010);
	check_split(read_at(1010), 10, 0, 0);
	step(SWITCH_IN, 1030);
	check_split(read_at(1030), 10, 20, 0);
	step(SLEEP, 1070);
	check_split(read_at(1070), 50, 20, 0);
	step(WAKEUP, 1150);
	check_split(read_at(1150), 50, 20, 80);
	step(SWITCH_IN, 1151);
	check_split(read_at(1151), 50, 21, 80);
	assert_int_equal(thread_clock.since_ns, 1151);
	assert_int_equal(thread_clock.state, TLOB_RUNNING);
}

static void test_time_never_runs_backwards(void **state)
{
	step(PREEMPT, 1010);
	step(SWITCH_IN, 1005); /* another CPU's clock, a little behind */
	check_split(read_at(1010), 10, 0, 0);
	assert_int_equal(thread_clock.since_ns, 1010);
	assert_int_equal(thread_clock.state, TLOB_RUNNING);
	step(SLEEP, 1020);
	check_split(read_at(1020), 20, 0, 0);
}

static void test_event_the_model_forbids(void **state)
{
	step(SLEEP, 1010);
	step(PREEMPT, 1030); /* of a thread that sleeps: it still slept until now */
	assert_int_equal(thread_clock.state, TLOB_SLEEPING);
	check_split(read_at(1030), 10, 0, 20);
}

static void test_sum_is_the_time_since_the_start(void **state)
{
	static const uint32_t events[] = {PREEMPT, SLEEP, WAKEUP, SWITCH_IN};
	uint64_t now = 1000, x = 5;
	int i;

	for (i = 0; i < 100000; i++) {
		struct tlob_split s;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		now += x % 5000;
		step(events[(x >> 32) % 4], now);
		s = read_at(now + 7);
		assert_int_equal(s.running_ns + s.waiting_ns + s.sleeping_ns, now + 7 - 1000);
	}
}

/* ---- reading --------------------------------------------------------------------------------- */

static void test_time_in_progress_is_included(void **state)
{
	check_split(read_at(1000), 0, 0, 0);
	check_split(read_at(1500), 500, 0, 0);
	step(PREEMPT, 2000);
	check_split(read_at(2100), 1000, 100, 0);
	step(SWITCH_IN, 2200);
	step(SLEEP, 2300);
	check_split(read_at(2350), 1100, 200, 50);
}

/* The time was read, then the thread was switched, then it read its clock. */
static void test_clock_ahead_of_the_time(void **state)
{
	step(PREEMPT, 1100);
	check_split(read_at(1090), 90, 0, 0); /* the watcher's time is a little old */
	step(SWITCH_IN, 1400);
	check_split(read_at(1100), 100, 0, 0);
	check_split(read_at(1300), 100, 200, 0);
	check_split(read_at(1090), 90, 0, 0); /* read just before it was preempted */
	step(SLEEP, 1500);
	step(SWITCH_IN,
	     1900); /* slept and had not to wait: only more than all its waiting shows it */
	check_split(read_at(1500), 200, 0, 300);
	check_split(read_at(1000), 0, 0, 0);
	check_split(read_at(0), 0, 0, 0); /* before there was a clock */
}

static void test_writer_at_work(void **state)
{
	struct tlob_split s;

	tlob_clock_write_begin(&thread_clock);
	assert_int_equal(tlob_clock_try_read(&thread_clock, 2000, &s), 0);
	tlob_clock_write_end(&thread_clock);
	assert_int_equal(tlob_clock_try_read(&thread_clock, 2000, &s), 1);
}

static void test_scribbled_clock(void **state)
{
	struct tlob_split s;
	uint64_t x = 9;
	int i;

	for (i = 0; i < 10000; i++) {
		size_t j;

		for (j = 0; j < sizeof(thread_clock) / sizeof(uint64_t); j++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			memcpy((char *)&thread_clock + j * sizeof(x), &x, sizeof(x));
		}
		tlob_clock_try_read(&thread_clock, x, &s);
		step((uint32_t)(x >> 40) % 8, x);
	}
	/* a new owner starts from nothing */
	reset(NULL);
	check_split(read_at(1001), 1, 0, 0);
}

/* ---- reading while it is written ------------------------------------------------------------- */

#define STEPS 300000
#define LATER (1ULL << 50)

static int writing;

static void *switch_often(void *arg)
{
	static const uint32_t events[] = {PREEMPT, SWITCH_IN, SLEEP, WAKEUP, SWITCH_IN};
	uint64_t now = 1000;
	int i;

	for (i = 0; i < STEPS; i++) {
		now += (uint64_t)(i % 1000);
		tlob_clock_write_begin(&thread_clock);
		tlob_clock_step(&thread_clock, events[i % 5], now);
		tlob_store(&thread_clock.switches, thread_clock.switches + 1);
		tlob_clock_write_end(&thread_clock);
	}
	__atomic_store_n(&writing, 0, __ATOMIC_RELEASE);
	return NULL;
}

/* The three add up to the time only if all came from one instant. */
static void test_reader_gets_one_instant(void **state)
{
	uint32_t switches = 0;
	uint64_t reads = 0;
	pthread_t writer;

	writing = 1;
	assert_int_equal(pthread_create(&writer, NULL, switch_often, NULL), 0);
	while (__atomic_load_n(&writing, __ATOMIC_ACQUIRE) || reads == 0) {
		struct tlob_split s;

		if (!tlob_clock_try_read(&thread_clock, LATER, &s))
			continue;
		assert_int_equal(s.running_ns + s.waiting_ns + s.sleeping_ns, LATER - 1000);
		assert_true(s.switches >= switches);
		switches = s.switches;
		reads++;
	}
	pthread_join(writer, NULL);
	assert_int_equal(thread_clock.switches, STEPS);
}

#define CASE(name) cmocka_unit_test_setup(test_##name, reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(time_goes_to_the_state_it_was_spent_in),
		CASE(time_never_runs_backwards),
		CASE(event_the_model_forbids),
		CASE(sum_is_the_time_since_the_start),
		CASE(time_in_progress_is_included),
		CASE(clock_ahead_of_the_time),
		CASE(writer_at_work),
		CASE(scribbled_clock),
		CASE(reader_gets_one_instant),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
