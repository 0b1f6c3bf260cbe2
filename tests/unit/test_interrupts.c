// SPDX-License-Identifier: GPL-2.0-or-later
/* What interrupts took of a window: streams whose right answer is known, one per rule. Budgets are half of the window. */
#include "stream.h"

#include "interrupt_sums.h"

#define NET_RX 3
#define RCU 9
#define LINE_24 (TLOB_INTERRUPT_LINE + 24)

/* Interrupts of @source took @ns from @tid between the two times. */
static struct tlob_history_entry *took(uint64_t since_us, uint64_t us, uint32_t tid,
				       uint32_t source, uint32_t ns)
{
	struct tlob_history_entry *e = add(us, 0, TLOB_HISTORY_INTERRUPTS, source, tid);

	e->since_ns = since_us * US;
	e->interrupt_ns = ns;
	return e;
}

static const struct tlobctl_culprit *by(const char *name)
{
	for (size_t i = 0; i < answer.why.nculprits; i++) {
		const struct tlobctl_culprit *c = &answer.why.culprits[i];

		if (c->cause == TLOBCTL_CAUSE_INTERRUPTED && !strcmp(answer.who[c->who].comm, name))
			return c;
	}
	return NULL;
}

static uint64_t us_by(const char *name)
{
	return by(name) ? by(name)->ns / US : 0;
}

static enum tlobctl_cause blamed(const struct tlobctl_why *why)
{
	return why->culprits[why->blame].cause;
}

static void test_taken_from_running(void **state)
{
	const struct tlobctl_why *why;

	sw(50, 0, 0, 0, ME);
	took(100, 300, ME, NET_RX, 190 * US);
	took(300, 600, ME, NET_RX, 290 * US);
	took(300, 600, ME, TLOB_INTERRUPT_LOCAL_TIMER, 20 * US);
	why = judge(100, 1000);
	assert_int_equal(us_by("net_rx"), 480);
	assert_int_equal(by("net_rx")->times, 2);
	assert_int_equal(by("net_rx")->longest_ns, 290 * US);
	assert_int_equal(us_by("local_timer"), 20);
	assert_int_equal(us_of(TLOBCTL_CAUSE_RUNNING, 0), 400);
	assert_int_equal(blamed(why), TLOBCTL_CAUSE_INTERRUPTED);
	assert_true(answer.who[by("net_rx")->who].kernel);
	assert_int_equal(why->nsegments, 1);
	assert_int_equal(why->segments[0].cause, TLOBCTL_CAUSE_RUNNING);
}

/* Neither is the largest by itself; the largest of them is named. */
static void test_blamed_as_a_whole(void **state)
{
	const struct tlobctl_why *why;

	sw(50, 0, 0, 0, ME);
	took(100, 350, ME, RCU, 200 * US);
	took(100, 350, ME, NET_RX, 250 * US);
	sw(700, 0, ME, 0, HOG);
	sw(990, 0, HOG, 0, ME);
	why = judge(100, 1000);
	assert_int_equal(us_of(TLOBCTL_CAUSE_BEHIND, HOG), 290);
	assert_int_equal(blamed(why), TLOBCTL_CAUSE_INTERRUPTED);
	assert_string_equal(answer.who[why->culprits[why->blame].who].comm, "net_rx");
}

static void test_own_running_took_the_budget(void **state)
{
	sw(50, 0, 0, 0, ME);
	took(100, 1000, ME, NET_RX, 400 * US);
	assert_int_equal(blamed(judge(100, 1000)), TLOBCTL_CAUSE_RUNNING);
}

/* 460 us of running with a budget of 450: 15 us of ticks are not why it was late. */
static void test_few_are_part_of_running(void **state)
{
	const struct tlobctl_why *why;

	sw(50, 0, 0, 0, ME);
	took(100, 550, ME, TLOB_INTERRUPT_LOCAL_TIMER, 15 * US);
	sw(560, 0, ME, 0, HOG);
	why = judge(100, 1000);
	assert_int_equal(us_of(TLOBCTL_CAUSE_RUNNING, 0), 445);
	assert_int_equal(us_of(TLOBCTL_CAUSE_BEHIND, HOG), 440);
	assert_int_equal(blamed(why), TLOBCTL_CAUSE_RUNNING);
}

static void test_of_other_threads(void **state)
{
	took(60, 90, HOG, NET_RX, 30 * US);
	sw(100, 0, HOG, 0, ME);
	took(100, 400, HOG + 1, NET_RX, 300 * US);
	judge(100, 1000);
	assert_int_equal(us_of(TLOBCTL_CAUSE_RUNNING, 0), 900);
	assert_null(by("net_rx"));
}

/* Of what is told across the start, or after the end, the part that lies in the window. */
static void test_across_the_ends(void **state)
{
	sw(10, 0, 0, 0, ME);
	took(50, 100, ME, RCU, 50 * US);
	took(50, 150, ME, NET_RX, 80 * US);
	took(800, 1200, ME, TLOB_INTERRUPT_WORK, 200 * US);
	took(1200, 1300, ME, RCU, 100 * US);
	judge(100, 1000);
	assert_null(by("rcu"));
	assert_int_equal(us_by("net_rx"), 40);
	assert_int_equal(us_by("irq_work"), 100);
	assert_int_equal(us_of(TLOBCTL_CAUSE_RUNNING, 0), 760);
}

static void test_names_of_lines(void **state)
{
	sw(50, 0, 0, 0, ME);
	strcpy(took(100, 200, ME, LINE_24, 10 * US)->comm, "virtio0-input.0");
	took(100, 200, ME, LINE_24 + 1, 20 * US);
	took(100, 200, ME, TLOB_INTERRUPT_CALL, 5 * US);
	took(100, 200, ME, TLOB_INTERRUPT_CALL_SINGLE, 5 * US);
	judge(100, 1000);
	assert_int_equal(us_by("virtio0-input.0"), 10);
	assert_int_equal(us_by("irq 25"), 20);
	assert_int_equal(us_by("call_function"), 10);
}

/* More than it ran cannot be: what was told about the last millisecond may say so. */
static void test_never_more_than_running(void **state)
{
	sw(50, 0, 0, 0, ME);
	sw(200, 0, ME, S, 0);
	took(100, 200, ME, NET_RX, 110 * US);
	judge(100, 1000);
	assert_int_equal(us_by("net_rx"), 100);
	assert_int_equal(us_of(TLOBCTL_CAUSE_RUNNING, 0), 0);
}

/* They do not tell what the thread did: asleep it is, whatever its CPU was interrupted by before. */
static void test_are_no_steps(void **state)
{
	took(100, 150, ME, NET_RX, 10 * US);
	wake(800, 0, LOADER, ME);
	sw(810, 0, 0, 0, ME);
	judge(100, 1000);
	assert_int_equal(us_of(TLOBCTL_CAUSE_WOKEN, LOADER), 700);
	assert_int_equal(us_by("net_rx"), 10);
}

/* It slept through all of it, on a CPU that interrupts kept busy before and after. */
static void test_never_ran(void **state)
{
	sw(10, 0, 0, 0, ME);
	took(10, 50, ME, NET_RX, 40 * US);
	sw(50, 0, ME, S, 0);
	took(60, 900, 0, NET_RX, 800 * US);
	wake(1100, 0, LOADER, ME);
	sw(1110, 0, 0, 0, ME);
	took(1110, 1200, ME, NET_RX, 80 * US);
	judge(100, 1000);
	assert_null(by("net_rx"));
	assert_int_equal(us_of(TLOBCTL_CAUSE_ASLEEP, 0), 900);
}

/* Whoever it waits behind is to blame for all of its time, be it ksoftirqd. */
static void test_of_the_culprit(void **state)
{
	const struct tlobctl_why *why;

	sw(50, 0, 0, 0, ME);
	sw(150, 0, ME, 0, HOG);
	took(150, 900, HOG, NET_RX, 700 * US);
	sw(900, 0, HOG, S, ME);
	why = judge(100, 1000);
	assert_int_equal(us_of(TLOBCTL_CAUSE_BEHIND, HOG), 750);
	assert_int_equal(blamed(why), TLOBCTL_CAUSE_BEHIND);
	assert_null(by("net_rx"));
}

/* ---- how they add up on a CPU */

static void test_sum_hard(void **state)
{
	struct tlob_interrupt_sums s = {0};

	tlob_interrupt_hard_begin(&s, 1000);
	assert_int_equal(tlob_interrupt_hard_end(&s, 1300), 300);
	tlob_interrupt_hard_begin(&s, 2000);
	assert_int_equal(tlob_interrupt_hard_end(&s, 2010), 10);
	assert_int_equal(s.hard_ns, 310);
}

static void test_sum_hard_inside_soft(void **state)
{
	struct tlob_interrupt_sums s = {0};

	tlob_interrupt_hard_begin(&s, 100);
	tlob_interrupt_hard_end(&s, 200);
	tlob_interrupt_soft_prepare(&s, NET_RX);
	tlob_interrupt_soft_begin(&s, 1000);
	tlob_interrupt_hard_begin(&s, 1100);
	assert_int_equal(tlob_interrupt_hard_end(&s, 1400), 300);
	tlob_interrupt_hard_begin(&s, 1500);
	assert_int_equal(tlob_interrupt_hard_end(&s, 1550), 50);
	assert_int_equal(tlob_interrupt_soft_end(&s, 2000), 650);
	tlob_interrupt_soft_clear(&s);
}

/* What the hard one that comes in the middle tells of the soft one is no longer in what its end says. */
static void test_sum_cut(void **state)
{
	struct tlob_interrupt_sums s = {0};
	__u64 ns = 0;

	assert_int_equal(tlob_interrupt_soft_cut(&s, 500, &ns), TLOB_INTERRUPT_NONE);
	tlob_interrupt_soft_prepare(&s, NET_RX);
	assert_int_equal(tlob_interrupt_soft_cut(&s, 900, &ns), TLOB_INTERRUPT_NONE);
	tlob_interrupt_soft_begin(&s, 1000);
	tlob_interrupt_hard_begin(&s, 1700);
	tlob_interrupt_hard_end(&s, 1800);
	assert_int_equal(tlob_interrupt_soft_cut(&s, 1800, &ns), NET_RX);
	assert_int_equal(ns, 700);
	tlob_interrupt_hard_begin(&s, 1900);
	tlob_interrupt_hard_end(&s, 1950);
	assert_int_equal(tlob_interrupt_soft_end(&s, 2000), 150);
	/* between the end and the clearing */
	assert_int_equal(tlob_interrupt_soft_cut(&s, 2100, &ns), TLOB_INTERRUPT_NONE);
	tlob_interrupt_soft_clear(&s);
	assert_int_equal(tlob_interrupt_soft_cut(&s, 2200, &ns), TLOB_INTERRUPT_NONE);
}

/* One comes between the steps of a soft one's begin, another between those of its end: left out, not counted twice. */
static void test_sum_between_steps(void **state)
{
	struct tlob_interrupt_sums s = {0};

	tlob_interrupt_soft_prepare(&s, NET_RX);
	tlob_interrupt_hard_begin(&s, 900);
	tlob_interrupt_hard_end(&s, 990);
	tlob_interrupt_soft_begin(&s, 1000);
	tlob_interrupt_hard_begin(&s, 2010);
	tlob_interrupt_hard_end(&s, 2050);
	assert_int_equal(tlob_interrupt_soft_end(&s, 2000), 870);
	tlob_interrupt_soft_clear(&s);
	tlob_interrupt_soft_prepare(&s, NET_RX);
	tlob_interrupt_hard_begin(&s, 3000);
	tlob_interrupt_hard_end(&s, 3500);
	tlob_interrupt_soft_begin(&s, 3501);
	assert_int_equal(tlob_interrupt_soft_end(&s, 3600), 0);
}

/* The engine came while they were under way; or the CPU changed hands in the middle of a soft one. */
static void test_sum_without_begin(void **state)
{
	struct tlob_interrupt_sums s = {0};

	assert_int_equal(tlob_interrupt_hard_end(&s, 5000), 0);
	assert_int_equal(tlob_interrupt_soft_end(&s, 6000), 0);
	assert_int_equal(s.hard_ns, 0);
	tlob_interrupt_hard_begin(&s, 7000);
	assert_int_equal(tlob_interrupt_hard_end(&s, 7100), 100);
	assert_int_equal(tlob_interrupt_hard_end(&s, 7200), 0);
	tlob_interrupt_soft_prepare(&s, NET_RX);
	tlob_interrupt_soft_begin(&s, 8000);
	tlob_interrupt_soft_clear(&s);
	assert_int_equal(tlob_interrupt_soft_end(&s, 9000), 0);
}

/* Its clock is another's: an end before the begin is none. */
static void test_sum_backwards(void **state)
{
	struct tlob_interrupt_sums s = {0};

	tlob_interrupt_hard_begin(&s, 1000);
	assert_int_equal(tlob_interrupt_hard_end(&s, 999), 0);
	tlob_interrupt_soft_prepare(&s, NET_RX);
	tlob_interrupt_soft_begin(&s, 1000);
	assert_int_equal(tlob_interrupt_soft_end(&s, 999), 0);
	assert_int_equal(s.hard_ns, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_taken_from_running, begin, end),
		cmocka_unit_test_setup_teardown(test_blamed_as_a_whole, begin, end),
		cmocka_unit_test_setup_teardown(test_own_running_took_the_budget, begin, end),
		cmocka_unit_test_setup_teardown(test_few_are_part_of_running, begin, end),
		cmocka_unit_test_setup_teardown(test_of_other_threads, begin, end),
		cmocka_unit_test_setup_teardown(test_across_the_ends, begin, end),
		cmocka_unit_test_setup_teardown(test_names_of_lines, begin, end),
		cmocka_unit_test_setup_teardown(test_never_more_than_running, begin, end),
		cmocka_unit_test_setup_teardown(test_are_no_steps, begin, end),
		cmocka_unit_test_setup_teardown(test_never_ran, begin, end),
		cmocka_unit_test_setup_teardown(test_of_the_culprit, begin, end),
		cmocka_unit_test(test_sum_hard),
		cmocka_unit_test(test_sum_hard_inside_soft),
		cmocka_unit_test(test_sum_cut),
		cmocka_unit_test(test_sum_between_steps),
		cmocka_unit_test(test_sum_without_begin),
		cmocka_unit_test(test_sum_backwards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
