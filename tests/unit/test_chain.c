// SPDX-License-Identifier: GPL-2.0-or-later
/* I slept until somebody woke me: what that one did meanwhile, and who woke it. */
#include "stream.h"

static const struct tlobctl_culprit *woken_by(uint32_t tid)
{
	const struct tlobctl_culprit *c = culprit(TLOBCTL_CAUSE_WOKEN, tid);

	assert_non_null(c);
	return c;
}

/* The holder of the lock was itself kept from the CPU. */
static void test_holder_preempted(void **state)
{
	const struct tlobctl_culprit *c;

	sw(40, 1, 0, 0, LOADER);
	sw(50, 0, 0, 0, ME);
	sw(150, 1, LOADER, 0, HOG);
	sw(200, 0, ME, S, 0);
	sw(800, 1, HOG, S, LOADER);
	wake(810, 1, LOADER, ME);
	sw(811, 0, 0, 0, ME);
	judge(100, 1000);
	c = woken_by(LOADER);
	assert_int_equal(c->nlinks, 1);
	assert_int_equal(c->links[0].cause, TLOBCTL_CAUSE_BEHIND);
	assert_int_equal(c->links[0].waiting_ns, 600 * US);
	assert_int_equal(c->links[0].running_ns, 10 * US);
	assert_int_equal(answer.who[c->links[0].other].tid, HOG);
}

/* Three in a row: I slept until LOADER woke me, which slept until DISK woke it, which was running. */
static void test_chain_of_three(void **state)
{
	const struct tlobctl_culprit *c;

	sw(40, 1, 0, 0, LOADER);
	sw(50, 0, 0, 0, ME);
	sw(200, 0, ME, S, 0);
	sw(250, 1, LOADER, S, DISK);
	wake(790, 1, DISK, LOADER);
	sw(800, 1, DISK, S, LOADER);
	wake(810, 1, LOADER, ME);
	sw(811, 0, 0, 0, ME);
	judge(100, 1000);
	c = woken_by(LOADER);
	assert_int_equal(c->nlinks, 2);
	assert_int_equal(c->links[0].cause, TLOBCTL_CAUSE_WOKEN);
	assert_int_equal(c->links[0].other_ns, 540 * US);
	assert_int_equal(answer.who[c->links[0].other].tid, DISK);
	assert_int_equal(answer.who[c->links[1].who].tid, DISK);
	assert_int_equal(c->links[1].cause, TLOBCTL_CAUSE_RUNNING);
}

/* Two that wake each other do not go round for ever. */
static void test_chain_ends_in_a_circle(void **state)
{
	const struct tlobctl_culprit *c;

	sw(40, 1, 0, 0, LOADER);
	sw(50, 0, 0, 0, ME);
	sw(60, 1, LOADER, S, 0);
	sw(200, 0, ME, S, 0);
	wake(300, 0, 0, ME);
	sw(301, 0, 0, 0, ME);
	wake(310, 0, ME, LOADER);
	sw(311, 1, 0, 0, LOADER);
	sw(320, 0, ME, S, 0);
	sw(330, 1, LOADER, S, 0);
	wake(700, 1, ME, LOADER); /* cannot be, but must not hurt */
	sw(710, 1, 0, 0, LOADER);
	wake(900, 1, LOADER, ME);
	sw(901, 0, 0, 0, ME);
	judge(100, 1000);
	c = woken_by(LOADER);
	assert_int_equal(c->nlinks, 1);
}

static void test_chain_is_bounded(void **state)
{
	sw(50, 0, 0, 0, ME);
	sw(100, 0, ME, S, 0);
	for (uint16_t i = 0; i < 20; i++)
		sw(100, (uint16_t)(1 + i), 1000u + i, S, 0);
	for (uint16_t i = 20; i-- > 0;) {
		wake(900u - 2 * i, (uint16_t)(2 + i), 1001u + i, 1000u + i);
		sw(901u - 2 * i, (uint16_t)(1 + i), 0, 0, 1000u + i);
	}
	wake(902, 1, 1000, ME);
	sw(903, 0, 0, 0, ME);
	judge(100, 1000);
	assert_int_equal(woken_by(1000)->nlinks, WHY_CHAIN_DEPTH);
}

/* The waker was only started in the meantime. */
static void test_waker_is_new(void **state)
{
	const struct tlobctl_culprit *c;

	sw(40, 1, 0, 0, DISK);
	sw(50, 0, 0, 0, ME);
	sw(200, 0, ME, S, 0);
	add(700, 1, TLOB_HISTORY_NEW, DISK, LOADER);
	sw(710, 1, DISK, S, LOADER);
	wake(900, 1, LOADER, ME);
	sw(900, 0, 0, 0, ME);
	judge(100, 1000);
	c = woken_by(LOADER);
	assert_int_equal(c->links[0].cause, TLOBCTL_CAUSE_RUNNING);
	assert_int_equal(c->links[0].running_ns, 190 * US);
	assert_int_equal(c->links[0].sleeping_ns, 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(test_##name, begin, end)
	const struct CMUnitTest tests[] = {
		CASE(holder_preempted), CASE(chain_of_three), CASE(chain_ends_in_a_circle),
		CASE(chain_is_bounded), CASE(waker_is_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
