// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The page ring, as the kernel module has it: nothing lost uncounted, nothing torn or out of order, whoever interrupts
 * whom. Between any two steps of the algorithm a test may run other writers and the reader.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <cmocka.h>

static uint64_t clock_now;
static void (*on_step)(void);
#define TLOB_PAGE_CLOCK() __atomic_add_fetch(&clock_now, 1, __ATOMIC_SEQ_CST)
#define TLOB_PAGE_STEP() \
	do { \
		if (on_step) \
			on_step(); \
	} while (0)
#include "core/page_ring.h"

#define PAGE_BYTES 512u
#define MAX_SLOTS 16u

static struct tlob_page_ring ring;
static uint64_t slots[MAX_SLOTS];
static void *pages[MAX_SLOTS + 1];
static char storage[MAX_SLOTS + 1][PAGE_BYTES] __attribute__((aligned(8)));

static void set_up(uint32_t nslots, bool overwrite)
{
	on_step = NULL;
	memset(storage, 0, sizeof(storage));
	for (size_t i = 0; i <= MAX_SLOTS; i++)
		pages[i] = storage[i];
	tlob_page_ring_init(&ring, (__u64 *)slots, pages, nslots, PAGE_BYTES, overwrite);
}

/* As if @laps rounds had gone by. */
static void pretend_laps(uint32_t laps)
{
	const uint64_t more = (uint64_t)(laps * ring.nslots) << 32;

	ring.tail += more;
	ring.reader.number += (uint32_t)(more >> 32);
	for (uint32_t i = 0; i < ring.nslots; i++)
		slots[i] += more;
	for (uint32_t i = 0; i <= ring.nslots; i++) {
		tlob_page_of(&ring, i)->commit += more;
		tlob_page_of(&ring, i)->readable += more;
	}
}

/* Payload: a number and as many copies of it as the number says. */
static uint32_t payload_words(uint64_t number)
{
	return 1 + (uint32_t)(number * 7 % 5);
}

static bool begin_event(uint64_t number, struct tlob_page_reserved *r)
{
	if (!tlob_page_reserve(&ring, TLOB_PAGE_MARK, payload_words(number) * 8, r))
		return false;
	for (uint32_t i = 0; i < payload_words(number); i++)
		((uint64_t *)r->payload)[i] = number;
	return true;
}

static bool write_event(uint64_t number)
{
	struct tlob_page_reserved r;

	if (!begin_event(number, &r))
		return false;
	tlob_page_commit(&ring, &r);
	return true;
}

static uint64_t check_event(const struct tlob_page_event *e)
{
	const uint64_t *words = (const uint64_t *)(e + 1);

	if (e->type != TLOB_PAGE_MARK || e->bytes != 16 + payload_words(words[0]) * 8)
		fail_msg("torn head: type %u, %u bytes", e->type, e->bytes);
	for (uint32_t i = 0; i < payload_words(words[0]); i++)
		if (words[i] != words[0])
			fail_msg("torn payload");
	return words[0];
}

/* Hand each event of what there is to @take; as many events as the range says. */
static uint64_t read_events(void (*take)(const struct tlob_page_event *e, uint64_t number))
{
	struct tlob_page_range range;
	uint64_t all = 0;

	while (tlob_page_look(&ring, &range)) {
		uint32_t events = 0;

		for (uint32_t at = range.begin; at < range.end;) {
			const struct tlob_page_event *e =
				(const void *)((char *)pages[range.id] + at);

			assert_true(e->bytes >= 8 && e->bytes % 8 == 0 &&
				    e->bytes <= range.end - at);
			at += e->bytes;
			if (e->type == TLOB_PAGE_PADDING)
				continue;
			take(e, check_event(e));
			events++;
		}
		assert_int_equal(events, range.events);
		tlob_page_consume(&ring, range.end, range.events);
		all += events;
	}
	return all;
}

static uint64_t expected; /* number of the next event */

static void take_next(const struct tlob_page_event *e, uint64_t number)
{
	assert_int_equal(number, expected);
	expected++;
}

static uint64_t last_number, last_time;

static void take_later(const struct tlob_page_event *e, uint64_t number)
{
	assert_true(number > last_number);
	assert_true(e->time_ns > last_time);
	last_number = number;
	last_time = e->time_ns;
}

/* ---- alone ---- */

static void test_in_order_over_many_rounds(void **state)
{
	uint64_t in = 0;

	set_up(4, false);
	expected = 0;
	assert_int_equal(read_events(take_next), 0);
	while (in < 5000) {
		for (uint64_t until = in + 1 + in % 23; in < until; in++)
			assert_true(write_event(in));
		read_events(take_next);
		assert_int_equal(expected, in);
		assert_int_equal(read_events(take_next), 0);
	}
	assert_int_equal(ring.dropped + ring.overrun, 0);
	assert_int_equal(ring.written, in);
	assert_int_equal(ring.reader.events, in);
}

static void test_full_drops_the_new_and_counts(void **state)
{
	uint64_t in = 0, dropped;

	set_up(4, false);
	expected = 0;
	while (write_event(in))
		in++;
	assert_true(in * 56 > 3 * PAGE_BYTES); /* all slots were used */
	for (dropped = 1; dropped < 10; dropped++)
		assert_false(write_event(in));
	assert_int_equal(ring.dropped, 10);
	assert_int_equal(read_events(take_next), in);
	assert_true(write_event(in));
	assert_int_equal(read_events(take_next), 1);
	assert_int_equal(tlob_page_lost_since(&ring), 10);
	assert_int_equal(tlob_page_lost_since(&ring), 0);
}

static void test_overwrite_loses_the_oldest_and_counts(void **state)
{
	uint64_t in, read;

	set_up(4, true);
	last_number = last_time = 0;
	for (in = 1; in <= 1000; in++)
		assert_true(write_event(in));
	read = read_events(take_later);
	assert_int_equal(last_number, 1000);
	assert_true(read * 56 > 3 * PAGE_BYTES);
	assert_int_equal(read + ring.overrun, 1000);
	assert_int_equal(tlob_page_lost_since(&ring), ring.overrun);
	assert_int_equal(ring.dropped, 0);
	assert_true(ring.pages_lost > 0);
}

static void test_reads_the_page_being_written(void **state)
{
	struct tlob_page_range range, more;

	set_up(2, false);
	assert_true(write_event(0));
	assert_true(tlob_page_look(&ring, &range));
	assert_int_equal(range.events, 1);
	tlob_page_consume(&ring, range.end, 1);
	assert_false(tlob_page_look(&ring, &more));
	assert_true(write_event(1));
	assert_true(tlob_page_look(&ring, &more));
	assert_int_equal(more.id, range.id);
	assert_int_equal(more.begin, range.end);
}

static void test_part_of_a_range(void **state)
{
	struct tlob_page_range range = {0};

	set_up(2, false);
	for (uint64_t i = 0; i < 3; i++)
		assert_true(write_event(i));
	assert_true(tlob_page_look(&ring, &range));
	assert_int_equal(range.events, 3);
	tlob_page_consume(&ring, range.begin + 16 + payload_words(0) * 8, 1);
	expected = 1;
	assert_int_equal(read_events(take_next), 2);
}

static void test_page_numbers_wrap(void **state)
{
	for (int overwrite = 0; overwrite < 2; overwrite++) {
		uint64_t in = 1;

		set_up(4, overwrite);
		pretend_laps(0x3ffffffe);
		last_number = last_time = 0;
		for (int round = 0; round < 50; round++) {
			for (int i = 0; i < 11; i++)
				write_event(in++);
			if (!overwrite || round % 10 == 0)
				read_events(take_later);
		}
		read_events(take_later);
		assert_int_equal(last_number, in - 1);
		assert_true(TLOB_PAGE_NUMBER(ring.tail) < 100);
		assert_int_equal(ring.reader.events + ring.overrun, in - 1);
	}
}

static void test_incomplete_event_holds_back_later_ones(void **state)
{
	struct tlob_page_reserved outer, inner;

	set_up(2, true);
	expected = 0;
	assert_true(begin_event(0, &outer));
	assert_true(begin_event(1, &inner));
	tlob_page_commit(&ring, &inner);
	assert_int_equal(read_events(take_next), 0);
	for (uint64_t i = 2; i < 20; i++) /* over the end of the page */
		assert_true(write_event(i));
	assert_int_equal(read_events(take_next), 0);
	tlob_page_commit(&ring, &outer);
	assert_int_equal(read_events(take_next), 20);
}

static void test_incomplete_event_is_not_overwritten(void **state)
{
	struct tlob_page_reserved outer;
	uint64_t in;

	set_up(2, true);
	expected = 0;
	assert_true(begin_event(0, &outer));
	for (in = 1; write_event(in); in++)
		assert_true(in < 100);
	assert_int_equal(ring.overrun, 0);
	assert_int_equal(ring.dropped, 1);
	tlob_page_commit(&ring, &outer);
	assert_int_equal(read_events(take_next), in);
	assert_true(write_event(in));
}

/* ---- any interleaving, against a list ---- */

#define PENDING 4

static struct random_lab {
	uint64_t seed;
	uint64_t next; /* number of the next event */
	uint64_t refused;
	uint64_t read, last_key;
	uint64_t pending[PENDING]; /* places of incomplete events, by depth */
	unsigned int commit_steps[PENDING]; /* how far their commits are */
	bool committing[PENDING];
	unsigned int depth, budget;
	bool reading;
	unsigned int reader_depth; /* of writers that it interrupts */
	uint8_t state[1 << 16]; /* of each event: 0 refused or not there yet, 1 complete, 2 read */
} lab;

static uint32_t random_below(uint32_t n)
{
	lab.seed = lab.seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(lab.seed >> 33) % n;
}

static void lab_take(const struct tlob_page_event *e, uint64_t number)
{
	uint64_t key = (uint64_t)ring.reader.number << 16 |
		       (uint64_t)((char *)e - (char *)pages[ring.reader.id]);

	assert_int_equal(lab.state[number], 1);
	lab.state[number] = 2;
	assert_true(lab.read == 0 || key > lab.last_key);
	for (unsigned int i = 0; i < lab.depth; i++)
		assert_true(lab.pending[i] > key);
	assert_true(e->time_ns > last_time);
	last_time = e->time_ns;
	lab.last_key = key;
	lab.read++;
}

static void lab_write(void)
{
	struct tlob_page_reserved r;
	unsigned int depth = lab.depth;
	uint64_t number = lab.next++;

	lab.pending[lab.depth++] = UINT64_MAX; /* its place is not known yet */
	lab.committing[depth] = false;
	if (begin_event(number, &r)) {
		lab.pending[depth] = (uint64_t)r.number << 16 |
				     (uint64_t)((char *)r.payload - 16 - (char *)r.head);
		lab.state[number] = 1; /* if it is read before its commit, pending tells */
		lab.commit_steps[depth] = 0;
		lab.committing[depth] = true;
		tlob_page_commit(&ring, &r);
	} else {
		lab.refused++;
	}
	lab.depth = depth;
}

static void lab_read(void)
{
	lab.reading = true;
	lab.reader_depth = lab.depth;
	read_events(lab_take);
	lab.reading = false;
}

/* More than the ring holds. */
static void lab_burst(void)
{
	unsigned int budget = lab.budget;

	lab.budget = 0;
	for (int i = 0; i < 30; i++)
		lab_write();
	lab.budget = budget;
}

static void lab_step(void)
{
	unsigned int depth = lab.depth - 1;

	/* a step of the innermost writer: after the first of its commit the event is complete */
	if (lab.depth > 0 && !(lab.reading && lab.reader_depth == lab.depth) &&
	    lab.committing[depth] && lab.commit_steps[depth]++ == 1)
		lab.pending[depth] = UINT64_MAX;
	if (lab.budget == 0 || random_below(6) != 0)
		return;
	lab.budget--;
	if (lab.depth < PENDING && random_below(30) == 0)
		lab_burst();
	else if (lab.depth < PENDING && random_below(3) != 0)
		lab_write();
	else if (!lab.reading && random_below(2))
		lab_read();
}

static void check_random(uint64_t seed, uint32_t nslots, bool overwrite)
{
	uint64_t complete = 0;

	memset(&lab, 0, sizeof(lab));
	last_time = 0;
	lab.seed = seed;
	set_up(nslots, overwrite);
	on_step = lab_step;
	for (int i = 0; i < 400; i++) {
		lab.budget = random_below(40);
		if (random_below(8) == 0)
			lab_read();
		else
			lab_write();
	}
	on_step = NULL;
	lab_read();
	for (uint64_t i = 0; i < lab.next; i++)
		complete += lab.state[i] != 0;
	assert_int_equal(complete, ring.written);
	assert_int_equal(lab.refused, ring.dropped);
	assert_int_equal(ring.written + ring.dropped, lab.next);
	assert_int_equal(lab.read, ring.reader.events);
	assert_int_equal(lab.read + ring.overrun, ring.written);
	if (!overwrite)
		assert_int_equal(ring.overrun, 0);
}

static void test_random_interleavings(void **state)
{
	uint64_t overrun = 0, dropped = 0;

	for (uint64_t seed = 1; seed <= 1500; seed++) {
		check_random(seed, 2u << seed % 3, seed % 2);
		overrun += ring.overrun;
		dropped += seed % 2 ? ring.dropped : 0;
	}
	/* the rare ways were gone, too: an interrupted writer in the way of those that interrupt it */
	assert_true(overrun > 1000);
	assert_true(dropped > 10);
}

/* ---- in parallel ---- */

static volatile bool stop;
static uint64_t numbers;

/* In order per writer only: two may take their numbers in one order and their places in the other. */
static uint64_t last_of[4];

static void take_of_writer(const struct tlob_page_event *e, uint64_t number)
{
	assert_true(e->time_ns > last_time);
	last_time = e->time_ns;
	assert_true(number >> 2 > last_of[number & 3]);
	last_of[number & 3] = number >> 2;
}

static void *read_until_stopped(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		read_events(take_of_writer);
		sched_yield();
	}
	return NULL;
}

static void write_many(uint64_t writer, uint64_t count)
{
	for (uint64_t i = 1; i <= count; i++)
		write_event(i << 2 | writer);
}

static void *writer_main(void *arg)
{
	write_many((uintptr_t)arg, 60000);
	return NULL;
}

static void stress(unsigned int writers, uint32_t nslots, bool overwrite)
{
	pthread_t reader, threads[3];

	set_up(nslots, overwrite);
	stop = false;
	last_time = 0;
	memset(last_of, 0, sizeof(last_of));
	assert_int_equal(pthread_create(&reader, NULL, read_until_stopped, NULL), 0);
	for (uintptr_t i = 0; i < writers; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, writer_main, (void *)i), 0);
	for (unsigned int i = 0; i < writers; i++)
		pthread_join(threads[i], NULL);
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	pthread_join(reader, NULL);
	read_events(take_of_writer);
	assert_int_equal(ring.written + ring.dropped, writers * 60000);
	assert_int_equal(ring.reader.events + ring.overrun, ring.written);
	assert_true(ring.reader.events > 0);
}

static void test_writer_and_reader(void **state)
{
	stress(1, 4, true);
	stress(1, 4, false);
	stress(1, 16, true);
}

static void test_writers_and_reader(void **state)
{
	stress(2, 4, true);
	stress(3, 2, false);
	stress(3, 8, true);
}

/* ---- interrupted by signals, which write, while another thread reads ---- */

static volatile sig_atomic_t interrupts;

static void on_alarm(int signo)
{
	for (uint64_t n = 0; n < 1 + numbers % 7; n++)
		write_event(++numbers << 2 | 1);
	interrupts++;
}

static void check_signals(bool overwrite)
{
	const struct itimerval often = {{0, 40}, {0, 40}}, never = {{0, 0}, {0, 0}};
	struct sigaction act = {.sa_handler = on_alarm}, old;
	sigset_t set;
	pthread_t reader;
	uint64_t written = 0;

	set_up(4, overwrite);
	stop = false;
	numbers = last_time = 0;
	interrupts = 0;
	memset(last_of, 0, sizeof(last_of));
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &set, NULL); /* the reader's */
	assert_int_equal(pthread_create(&reader, NULL, read_until_stopped, NULL), 0);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	sigaction(SIGALRM, &act, &old);
	setitimer(ITIMER_REAL, &often, NULL);
	while (interrupts < 400) {
		for (int i = 0; i < 1000; i++)
			write_event(++written << 2);
		sched_yield(); /* ThreadSanitizer delivers at such calls */
	}
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &old, NULL);
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	pthread_join(reader, NULL);
	read_events(take_of_writer);
	assert_int_equal(ring.written + ring.dropped, written + numbers);
	assert_int_equal(ring.reader.events + ring.overrun, ring.written);
}

static void test_nested_by_signals(void **state)
{
	check_signals(true);
	check_signals(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order_over_many_rounds),
		cmocka_unit_test(test_full_drops_the_new_and_counts),
		cmocka_unit_test(test_overwrite_loses_the_oldest_and_counts),
		cmocka_unit_test(test_reads_the_page_being_written),
		cmocka_unit_test(test_part_of_a_range),
		cmocka_unit_test(test_page_numbers_wrap),
		cmocka_unit_test(test_incomplete_event_holds_back_later_ones),
		cmocka_unit_test(test_incomplete_event_is_not_overwritten),
		cmocka_unit_test(test_random_interleavings),
		cmocka_unit_test(test_writer_and_reader),
		cmocka_unit_test(test_writers_and_reader),
		cmocka_unit_test(test_nested_by_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
