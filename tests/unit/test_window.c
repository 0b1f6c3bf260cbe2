// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Windows: one outcome each, no wake-up missed, and a split that adds up whatever the memory says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <cmocka.h>

#include "core/window.h"

static struct tlob_window window;
static struct tlob_arena_head head;

static int reset(void **state)
{
	memset(&window, 0, sizeof(window));
	memset(&head, 0, sizeof(head));
	head.next_wake_ns = TLOB_NEVER;
	return 0;
}

/* ---- one outcome ----------------------------------------------------------------------------- */

static void test_stop_in_time(void **state)
{
	uint64_t gen;

	gen = tlob_window_arm(&window);
	assert_int_equal(TLOB_WINDOW_STATE(window.state), TLOB_ARMED);
	assert_int_equal(tlob_window_end(&window, gen), TLOB_ARMED);
	assert_int_equal(TLOB_WINDOW_STATE(window.state), TLOB_IDLE);
}

static void test_second_stop_finds_nothing(void **state)
{
	uint64_t gen;

	gen = tlob_window_arm(&window);
	tlob_window_end(&window, gen);
	assert_int_equal(tlob_window_end(&window, gen), TLOB_IDLE);
	/* nor does it end the next window, which is another generation in the same place */
	assert_int_equal(tlob_window_arm(&window), gen + 1);
	assert_int_equal(tlob_window_end(&window, gen), TLOB_IDLE);
	assert_int_equal(tlob_window_end(&window, gen + 1), TLOB_ARMED);
}

static void test_engine_takes_it(void **state)
{
	static const uint32_t outcomes[] = {TLOB_EXPIRED, TLOB_CANCELLED, TLOB_IDLE};
	size_t i;

	for (i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
		uint64_t gen = tlob_window_arm(&window), word = window.state;

		assert_int_equal(tlob_window_take(&window, word, outcomes[i]), 1);
		assert_int_equal(TLOB_WINDOW_GEN(window.state), gen);
		assert_int_equal(tlob_window_take(&window, word, TLOB_EXPIRED), 0);
		assert_int_equal(tlob_window_end(&window, gen), outcomes[i]);
		assert_int_equal(tlob_window_end(&window, gen), TLOB_IDLE);
	}
}

static void test_engine_is_late(void **state)
{
	uint64_t gen, word;

	gen = tlob_window_arm(&window);
	word = window.state;
	tlob_window_end(&window, gen);
	assert_int_equal(tlob_window_take(&window, word, TLOB_EXPIRED), 0);
	tlob_window_arm(&window);
	assert_int_equal(tlob_window_take(&window, word, TLOB_EXPIRED), 0);
	assert_int_equal(TLOB_WINDOW_STATE(window.state), TLOB_ARMED);
}

#define WINDOWS 300000

struct taken {
	uint64_t expired;
	uint64_t torn;
	int stop;
};

/* As an engine does it: state, fields, then the exchange that says the fields were good. */
static void *expire_all(void *arg)
{
	struct taken *t = arg;

	while (!__atomic_load_n(&t->stop, __ATOMIC_ACQUIRE)) {
		uint64_t word = tlob_load_acquire(&window.state), start, tag;

		if (TLOB_WINDOW_STATE(word) != TLOB_ARMED)
			continue;
		start = tlob_load(&window.start_ns);
		tag = tlob_load(&window.tag);
		if (!tlob_window_take(&window, word, TLOB_EXPIRED))
			continue;
		t->expired++;
		if (start != TLOB_WINDOW_GEN(word) || tag != ~start)
			t->torn++;
	}
	return NULL;
}

static void test_stop_against_expiry(void **state)
{
	uint64_t counts[4] = {0}, gen = 0, i;
	static struct taken taken;
	pthread_t engine;

	memset(&taken, 0, sizeof(taken));
	assert_int_equal(pthread_create(&engine, NULL, expire_all, &taken), 0);
	/* as many as it takes for both sides to have won, were the engine slow to start */
	for (i = 0; i < WINDOWS || !counts[TLOB_ARMED] || !counts[TLOB_EXPIRED]; i++) {
		volatile unsigned int work = i % 64;

		tlob_store(&window.start_ns, gen + 1);
		tlob_store(&window.tag, ~(gen + 1));
		gen = tlob_window_arm(&window);
		while (work)
			work--;
		if (i % 5000 == 0)
			sched_yield();
		counts[tlob_window_end(&window, gen)]++;
	}
	__atomic_store_n(&taken.stop, 1, __ATOMIC_RELEASE);
	pthread_join(engine, NULL);
	assert_int_equal(counts[TLOB_ARMED] + counts[TLOB_EXPIRED], i);
	assert_int_equal(counts[TLOB_EXPIRED], taken.expired);
	assert_int_equal(taken.torn, 0);
}

/* ---- wake-ups -------------------------------------------------------------------------------- */

#define UP 1000000000ULL /* the machine has been up for a second */

static void test_when_to_kick(void **state)
{
	assert_true(tlob_window_wants_kick(&head, UP + 100, UP + 5000)); /* nothing is waited for */
	head.next_wake_ns = UP + 5000;
	assert_true(tlob_window_wants_kick(&head, UP + 100, UP + 4999));
	assert_false(tlob_window_wants_kick(&head, UP + 100, UP + 5000));
	assert_false(tlob_window_wants_kick(&head, UP + 100, UP + 6000));
	/* it is about to fire, or late: it will look again by itself */
	assert_false(tlob_window_wants_kick(&head, UP + 5001, UP + 6000));
	assert_false(tlob_window_wants_kick(&head, UP + 5000 + TLOB_OVERDUE_NS,
					    UP + 2 * TLOB_OVERDUE_NS));
	/* so late that it may have been lost, or that nobody is there */
	assert_true(tlob_window_wants_kick(&head, UP + 5001 + TLOB_OVERDUE_NS,
					   UP + 2 * TLOB_OVERDUE_NS));
	assert_false(tlob_window_wants_kick(&head, UP + 100, UP + 6000));
	tlob_arena_close(&head);
	assert_true(tlob_window_wants_kick(&head, UP + 100, UP + 6000));
}

static void test_wake_up_is_only_lowered(void **state)
{
	assert_int_equal(tlob_wake_lower(&head, 5000), 5000);
	assert_int_equal(head.next_wake_ns, 5000);
	assert_int_equal(tlob_wake_lower(&head, 6000), 5000);
	assert_int_equal(head.next_wake_ns, 5000);
	assert_int_equal(tlob_wake_lower(&head, 4000), 4000);
	assert_int_equal(head.next_wake_ns, 4000);
	tlob_wake_clear(&head);
	assert_int_equal(head.next_wake_ns, TLOB_NEVER);
	assert_int_equal(tlob_wake_lower(&head, TLOB_NEVER), TLOB_NEVER);
}

#define ROUNDS 200000
#define DEADLINE (UP + 5000)

static uint32_t arrived;

/* Both leave within nanoseconds of each other, which a sleeping barrier would not do. */
static void meet(uint32_t *round)
{
	unsigned int spins = 0;

	*round += 2;
	__atomic_fetch_add(&arrived, 1, __ATOMIC_ACQ_REL);
	while ((int32_t)(__atomic_load_n(&arrived, __ATOMIC_ACQUIRE) - *round) < 0)
		if (++spins > 2000)
			sched_yield();
}

/* So that every distance between the two is tried. */
static void linger(int i)
{
	volatile int work = i;

	while (work > 0)
		work--;
}

static void *scan_each_round(void *arg)
{
	uint32_t round = 0;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		uint64_t earliest = TLOB_NEVER;

		meet(&round);
		linger(i % 211);
		tlob_wake_clear(&head);
		if (TLOB_WINDOW_STATE(tlob_load_acquire(&window.state)) == TLOB_ARMED)
			earliest = tlob_load(&window.deadline_ns);
		tlob_wake_lower(&head, earliest);
		meet(&round);
	}
	return NULL;
}

/*
 * A scan that clears the wake-up and a thread that arms without a kick because it still sees the
 * old one: one of the two must notice the other, or the window is never looked at.
 */
static void test_no_window_is_missed(void **state)
{
	pthread_t engine;
	uint32_t round = 0, missed = 0;
	int i;

	arrived = 0;
	window.deadline_ns = DEADLINE;
	assert_int_equal(pthread_create(&engine, NULL, scan_each_round, NULL), 0);
	for (i = 0; i < ROUNDS; i++) {
		uint64_t gen;

		tlob_store(&head.next_wake_ns, UP + 100);
		meet(&round);
		linger(i % 223);
		gen = tlob_window_arm(&window);
		if (tlob_window_wants_kick(&head, UP + 200, DEADLINE))
			tlob_wake_lower(&head, DEADLINE);
		meet(&round);
		missed += tlob_load(&head.next_wake_ns) > DEADLINE;
		tlob_window_end(&window, gen);
	}
	pthread_join(engine, NULL);
	assert_int_equal(missed, 0);
}

static void *close_each_round(void *arg)
{
	uint64_t *cancelled = arg;
	uint32_t round = 0;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		uint64_t word;

		meet(&round);
		linger(i % 211);
		tlob_arena_close(&head);
		word = tlob_load_acquire(&window.state);
		if (TLOB_WINDOW_STATE(word) == TLOB_ARMED)
			*cancelled += (uint64_t)tlob_window_take(&window, word, TLOB_CANCELLED);
		meet(&round);
	}
	return NULL;
}

/* Likewise when the arena is closed: the walk cancels the window, or its thread finds out. */
static void test_no_window_outlives_its_arena(void **state)
{
	uint64_t by_walk = 0, by_thread = 0, outcomes = 0, missed = 0;
	uint32_t round = 0;
	pthread_t engine;
	int i;

	arrived = 0;
	assert_int_equal(pthread_create(&engine, NULL, close_each_round, &by_walk), 0);
	for (i = 0; i < ROUNDS; i++) {
		uint64_t gen;

		tlob_store(&head.next_wake_ns, UP + 100);
		tlob_store(&head.closed, 0);
		meet(&round);
		linger(i % 223);
		gen = tlob_window_arm(&window);
		if (tlob_window_wants_kick(&head, UP + 200, DEADLINE))
			by_thread += (uint64_t)tlob_window_take(&window, gen << 2 | TLOB_ARMED,
								TLOB_CANCELLED);
		meet(&round);
		if (tlob_window_end(&window, gen) == TLOB_CANCELLED)
			outcomes++;
		else
			missed++;
	}
	pthread_join(engine, NULL);
	assert_int_equal(missed, 0);
	assert_int_equal(outcomes, by_walk + by_thread);
}

/* ---- split ----------------------------------------------------------------------------------- */

static void start_at(uint64_t running, uint64_t waiting, uint64_t sleeping)
{
	window.running_ns = running;
	window.waiting_ns = waiting;
	window.sleeping_ns = sleeping;
	window.switches = 10;
}

static uint16_t split(struct tlob_split now, uint64_t elapsed, struct tlob_record *r)
{
	memset(r, 0x5a, sizeof(*r));
	return tlob_window_split(&window, &now, elapsed, r);
}

static void check_split(const struct tlob_record *r, uint64_t running, uint64_t waiting,
			uint64_t sleeping)
{
	assert_int_equal(r->running_ns, running);
	assert_int_equal(r->waiting_ns, waiting);
	assert_int_equal(r->sleeping_ns, sleeping);
}

static void test_split_is_the_difference(void **state)
{
	struct tlob_split now = {150000, 270000, 390000, 17, TLOB_SLEEPING};
	struct tlob_record r;

	start_at(100000, 200000, 300000);
	assert_int_equal(split(now, 210000, &r), 0);
	check_split(&r, 50000, 70000, 90000);
	assert_int_equal(r.switches, 7);
	assert_int_equal(r.state, TLOB_SLEEPING);
}

static void test_split_over_wrapped_counters(void **state)
{
	struct tlob_split now = {50000, 70000, 90000, 3, TLOB_RUNNING};
	struct tlob_record r;

	start_at(0ULL - 10000, 0ULL - 20000, 0ULL - 30000);
	window.switches = UINT32_MAX;
	assert_int_equal(split(now, 270000, &r), 0);
	check_split(&r, 60000, 90000, 120000);
	assert_int_equal(r.switches, 4);
}

static void test_small_disagreement_is_the_clocks(void **state)
{
	struct tlob_split now = {150000, 270000, 390000, 10, TLOB_RUNNING};
	struct tlob_record r;

	start_at(100000, 200000, 300000);
	assert_int_equal(split(now, 210000 + TLOB_SPLIT_SLACK_NS, &r), 0);
	check_split(&r, 50000 + TLOB_SPLIT_SLACK_NS, 70000, 90000);
	assert_int_equal(split(now, 210000 - TLOB_SPLIT_SLACK_NS, &r), 0);
	check_split(&r, 50000 - TLOB_SPLIT_SLACK_NS, 70000, 90000);
	assert_int_equal(split(now, 210001 + TLOB_SPLIT_SLACK_NS, &r), TLOB_F_SPOILED);
	assert_int_equal(split(now, 209999 - TLOB_SPLIT_SLACK_NS, &r), TLOB_F_SPOILED);
}

/* A total that went back, be it by a few ns taken back or by a scribbler, is no time at all. */
static void test_split_of_a_clock_gone_back(void **state)
{
	struct tlob_split now = {150000, 199900, 300000, 10, TLOB_RUNNING};
	struct tlob_record r;

	start_at(100000, 200000, 300000);
	assert_int_equal(split(now, 50000, &r), 0);
	check_split(&r, 50000, 0, 0);
	now.running_ns = 0;
	assert_int_equal(split(now, 50000, &r), TLOB_F_SPOILED);
	check_split(&r, 50000, 0, 0);
}

static void test_sum_holds_whatever_the_memory_says(void **state)
{
	uint64_t x[8], seed = 11;
	struct tlob_record r;
	int i, j;

	for (i = 0; i < 100000; i++) {
		struct tlob_split now;

		for (j = 0; j < 8; j++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			x[j] = seed >> (seed % 60);
		}
		start_at(x[0], x[1], x[2]);
		now = (struct tlob_split){x[3], x[4], x[5], 10, (uint32_t)x[6]};
		split(now, x[7], &r);
		assert_int_equal(r.running_ns + r.waiting_ns + r.sleeping_ns, x[7]);
		assert_true(r.waiting_ns <= x[7] && r.sleeping_ns <= x[7] && r.running_ns <= x[7]);
		assert_true(r.state <= TLOB_SLEEPING);
	}
}

#define CASE(name) cmocka_unit_test_setup(test_##name, reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(stop_in_time),
		CASE(second_stop_finds_nothing),
		CASE(engine_takes_it),
		CASE(engine_is_late),
		CASE(stop_against_expiry),
		CASE(when_to_kick),
		CASE(wake_up_is_only_lowered),
		CASE(no_window_is_missed),
		CASE(no_window_outlives_its_arena),
		CASE(split_is_the_difference),
		CASE(split_over_wrapped_counters),
		CASE(small_disagreement_is_the_clocks),
		CASE(split_of_a_clock_gone_back),
		CASE(sum_holds_whatever_the_memory_says),
	};

	return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
