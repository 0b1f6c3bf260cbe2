// SPDX-License-Identifier: GPL-2.0-or-later
/* The record ring: nothing lost uncounted, nothing torn, no harm from hostile memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "core/ring.h"

#define CAPACITY 64

static struct tlob_ring ring;
static struct tlob_ring_cell cells[CAPACITY + 1]; /* the last must stay as it is */

static int reset(void **state)
{
	memset(&ring, 0, sizeof(ring));
	memset(cells, 0, sizeof(cells));
	memset(&cells[CAPACITY], 0x5a, sizeof(cells[0]));
	tlob_ring_init(&ring, cells, CAPACITY);
	return 0;
}

/* Every field the same function of producer and number, so that a torn record shows. */
static struct tlob_record make_record(uint32_t producer, uint64_t number)
{
	struct tlob_record r;

	memset(&r, 0, sizeof(r));
	r.tid = producer;
	r.tag = number;
	r.time_ns = number * 3 + producer;
	r.window = ~number;
	memset(r.comm, (int)('a' + number % 26), sizeof(r.comm));
	return r;
}

static void check_record(const struct tlob_record *r)
{
	struct tlob_record want = make_record(r->tid, r->tag);

	assert_memory_equal(r, &want, sizeof(want));
}

static int push(uint32_t producer, uint64_t number)
{
	struct tlob_record r = make_record(producer, number);

	return tlob_ring_push(&ring, cells, CAPACITY, &r);
}

static int pop(struct tlob_record *r)
{
	return tlob_ring_pop(&ring, cells, CAPACITY, r);
}

/* ---- alone ----------------------------------------------------------------------------------- */

static void test_in_order_over_many_rounds(void **state)
{
	struct tlob_record r;
	uint64_t in = 0, out = 0;

	assert_int_equal(pop(&r), 0);
	while (in < 10 * CAPACITY) {
		uint64_t until = in + 1 + in % CAPACITY;

		for (; in < until; in++)
			assert_int_equal(push(1, in), 0);
		for (; out < in; out++) {
			assert_int_equal(pop(&r), 1);
			check_record(&r);
			assert_int_equal(r.tag, out);
		}
		assert_int_equal(pop(&r), 0);
	}
	assert_int_equal(ring.dropped, 0);
}

static void test_full_drops_the_new_and_counts(void **state)
{
	struct tlob_record r;
	uint64_t i;

	for (i = 0; i < CAPACITY; i++)
		assert_int_equal(push(1, i), 0);
	for (; i < CAPACITY + 10; i++)
		assert_int_equal(push(1, i), -ENOSPC);
	assert_int_equal(ring.dropped, 10);
	assert_int_equal(pop(&r), 1);
	assert_int_equal(r.tag, 0);
	assert_int_equal(push(1, 1000), 0); /* into the place that became free */
	assert_int_equal(push(1, 1001), -ENOSPC);
	for (i = 1; i < CAPACITY; i++) {
		assert_int_equal(pop(&r), 1);
		assert_int_equal(r.tag, i);
	}
	assert_int_equal(pop(&r), 1);
	assert_int_equal(r.tag, 1000);
	assert_int_equal(pop(&r), 0);
	assert_int_equal(ring.dropped, 11);
}

static void test_positions_wrap(void **state)
{
	const uint64_t start = UINT64_MAX - CAPACITY / 2;
	struct tlob_record r;
	uint64_t i;

	ring.head = ring.tail = start;
	for (i = 0; i < CAPACITY; i++)
		cells[(start + i) % CAPACITY].turn = start + i;
	for (i = 0; i < CAPACITY; i++)
		assert_int_equal(push(1, i), 0);
	assert_int_equal(push(1, i), -ENOSPC);
	for (i = 0; i < CAPACITY; i++) {
		assert_int_equal(pop(&r), 1);
		assert_int_equal(r.tag, i);
	}
	assert_int_equal(pop(&r), 0);
}

static void test_smallest_capacity(void **state)
{
	struct tlob_record in = make_record(1, 2), r;

	tlob_ring_init(&ring, cells, 2);
	assert_int_equal(tlob_ring_push(&ring, cells, 2, &in), 0);
	assert_int_equal(tlob_ring_push(&ring, cells, 2, &in), 0);
	assert_int_equal(tlob_ring_push(&ring, cells, 2, &in), -ENOSPC);
	assert_int_equal(tlob_ring_pop(&ring, cells, 2, &r), 1);
	assert_int_equal(tlob_ring_push(&ring, cells, 2, &in), 0);
	assert_int_equal(tlob_ring_pop(&ring, cells, 2, &r), 1);
	assert_int_equal(tlob_ring_pop(&ring, cells, 2, &r), 1);
	assert_int_equal(tlob_ring_pop(&ring, cells, 2, &r), 0);
}

/* ---- several producers ----------------------------------------------------------------------- */

#define PRODUCERS 4
#define PUSHES 50000

struct producer {
	pthread_t thread;
	uint32_t number;
	uint64_t pushed;
	uint64_t refused;
};

static int producing;

static void *produce(void *arg)
{
	struct producer *p = arg;
	uint64_t i;

	for (i = 0; i < PUSHES; i++) {
		if (push(p->number, i) == 0)
			p->pushed++;
		else
			p->refused++;
		if (i % 64 == p->number)
			sched_yield(); /* two CPUs: let the others and the consumer meet it */
	}
	__atomic_fetch_sub(&producing, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* Returns how many were taken; each producer's must come in order. */
static uint64_t consume_all(void)
{
	uint64_t next[PRODUCERS] = {0}, taken = 0;
	struct tlob_record r;

	for (;;) {
		int last = __atomic_load_n(&producing, __ATOMIC_ACQUIRE) == 0;

		while (pop(&r)) {
			assert_true(r.tid < PRODUCERS);
			check_record(&r);
			assert_true(r.tag >= next[r.tid]);
			next[r.tid] = r.tag + 1;
			taken++;
		}
		if (last)
			return taken;
		sched_yield();
	}
}

static void test_producers_and_consumer_add_up(void **state)
{
	static struct producer producers[PRODUCERS];
	uint64_t pushed = 0, refused = 0, taken;
	uint32_t i;

	producing = PRODUCERS;
	for (i = 0; i < PRODUCERS; i++) {
		producers[i] = (struct producer){.number = i};
		assert_int_equal(pthread_create(&producers[i].thread, NULL, produce, &producers[i]),
				 0);
	}
	taken = consume_all();
	for (i = 0; i < PRODUCERS; i++) {
		pthread_join(producers[i].thread, NULL);
		pushed += producers[i].pushed;
		refused += producers[i].refused;
	}
	assert_int_equal(taken, pushed);
	assert_int_equal(ring.dropped, refused);
	assert_int_equal(taken + ring.dropped, PRODUCERS * PUSHES);
	assert_true(taken > CAPACITY);
}

/* ---- signals --------------------------------------------------------------------------------- */

static uint64_t from_signal;

static void push_in_signal(int sig)
{
	push(1, from_signal++);
}

static void test_push_interrupts_push(void **state)
{
	const struct itimerspec every = {{0, 50000}, {0, 50000}};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	uint64_t next[2] = {0}, taken = 0, i;
	struct tlob_record r;
	timer_t timer;

	from_signal = 0;
	assert_true(signal(SIGUSR1, push_in_signal) != SIG_ERR);
	assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	assert_int_equal(timer_settime(timer, 0, &every, NULL), 0);
	/* a consumer in the middle of a pop is interrupted as well */
	for (i = 0; i < 200000 || __atomic_load_n(&from_signal, __ATOMIC_RELAXED) < 50; i++) {
		push(0, i);
		while (i % 16 == 0 && pop(&r)) {
			check_record(&r);
			assert_true(r.tid < 2 && r.tag >= next[r.tid]);
			next[r.tid] = r.tag + 1;
			taken++;
		}
	}
	timer_delete(timer);
	signal(SIGUSR1, SIG_IGN);
	while (pop(&r))
		taken++;
	assert_int_equal(taken + ring.dropped, i + from_signal);
}

/* ---- a producer that died, and memory that lies ---------------------------------------------- */

static void test_skip_what_a_dead_producer_claimed(void **state)
{
	struct tlob_record r;

	push(1, 0);
	ring.head++; /* claimed, never filled */
	push(1, 2);
	assert_int_equal(pop(&r), 1);
	assert_int_equal(pop(&r), 0);
	assert_int_equal(tlob_ring_skip(&ring, cells, CAPACITY), 1);
	assert_int_equal(pop(&r), 1);
	assert_int_equal(r.tag, 2);
	assert_int_equal(pop(&r), 0);
	assert_int_equal(tlob_ring_skip(&ring, cells, CAPACITY), 0);
	ring.head += CAPACITY + 1; /* no honest producer gets there: do not follow */
	assert_int_equal(tlob_ring_skip(&ring, cells, CAPACITY), 0);
	ring.head -= CAPACITY + 1;
	/* and the ring is as good as new */
	assert_int_equal(push(1, 3), 0);
	assert_int_equal(pop(&r), 1);
	assert_int_equal(r.tag, 3);
}

static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

/* Small, huge, and around what is there. */
static uint64_t nasty(uint64_t *x)
{
	uint64_t v = next_random(x) >> (next_random(x) % 64);

	return next_random(x) % 2 ? v : ring.tail + v % 130 - 65;
}

static void test_scribbled_positions(void **state)
{
	struct tlob_ring_cell guard = cells[CAPACITY];
	struct tlob_record r;
	uint64_t x = 99;
	int i, j;

	for (i = 0; i < 20000; i++) {
		ring.head = nasty(&x);
		ring.tail = nasty(&x);
		ring.capacity = (uint32_t)nasty(&x);
		for (j = 0; j < 8; j++)
			cells[next_random(&x) % CAPACITY].turn = nasty(&x);
		for (j = 0; j < 10; j++) {
			push(1, 1);
			pop(&r);
			tlob_ring_skip(&ring, cells, CAPACITY);
		}
	}
	assert_memory_equal(&guard, &cells[CAPACITY], sizeof(guard));
}

/* Cells ahead of the head would make a careless producer spin for ever. */
static void test_push_gives_up_on_nonsense(void **state)
{
	int i;

	for (i = 0; i < CAPACITY; i++)
		cells[i].turn += 1000;
	assert_int_equal(push(1, 1), -ENOSPC);
	assert_int_equal(ring.dropped, 1);
}

#define CASE(name) cmocka_unit_test_setup(test_##name, reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(in_order_over_many_rounds),
		CASE(full_drops_the_new_and_counts),
		CASE(positions_wrap),
		CASE(smallest_capacity),
		CASE(producers_and_consumer_add_up),
		CASE(push_interrupts_push),
		CASE(skip_what_a_dead_producer_claimed),
		CASE(scribbled_positions),
		CASE(push_gives_up_on_nonsense),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
