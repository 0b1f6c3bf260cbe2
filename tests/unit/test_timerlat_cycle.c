// SPDX-License-Identifier: GPL-2.0-or-later
/* Timer latency: the parts of a cycle add up whatever the marks are, and the next one is on the grid. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ctl/timerlat_cycle.h"

static uint64_t ns[TLOBCTL_TIMERLAT_PARTS];

static void split(uint64_t deadline, uint64_t irq, uint64_t cpu, uint64_t user)
{
	const struct timerlat_marks m = {.deadline_ns = deadline,
					 .irq_ns = irq,
					 .cpu_ns = cpu,
					 .user_ns = user,
					 .split = true};

	timerlat_split(&m, ns);
	assert_int_equal(ns[TLOBCTL_TIMERLAT_IRQ] + ns[TLOBCTL_TIMERLAT_THREAD] +
				 ns[TLOBCTL_TIMERLAT_USER_RET],
			 ns[TLOBCTL_TIMERLAT_TOTAL]);
}

static void assert_parts(uint64_t irq, uint64_t thread, uint64_t user)
{
	assert_int_equal(ns[TLOBCTL_TIMERLAT_IRQ], irq);
	assert_int_equal(ns[TLOBCTL_TIMERLAT_THREAD], thread);
	assert_int_equal(ns[TLOBCTL_TIMERLAT_USER_RET], user);
}

static void test_parts_add_up(void **state)
{
	split(1000, 1010, 1030, 1035);
	assert_parts(10, 20, 5);
	split(1000, 990, 1030, 1035); /* an interrupt that was being served already */
	assert_parts(0, 30, 5);
	split(1000, 1010, 1005, 1035); /* never taken off the CPU */
	assert_parts(10, 0, 25);
	split(1000, 1040, 1050, 1035); /* marks of another cycle */
	assert_parts(35, 0, 0);
	split(1000, 1010, 1030, 995); /* a clock that is behind */
	assert_parts(0, 0, 0);
}

static void test_the_next_time_is_on_the_grid(void **state)
{
	uint64_t skipped = 0;

	assert_int_equal(timerlat_next(1000, 100, 1050, &skipped), 1100);
	assert_int_equal(skipped, 0);
	assert_int_equal(timerlat_next(1000, 100, 1099, &skipped), 1100);
	assert_int_equal(skipped, 0);
	assert_int_equal(timerlat_next(1000, 100, 1100, &skipped), 1200);
	assert_int_equal(skipped, 1);
	assert_int_equal(timerlat_next(1000, 100, 1350, &skipped), 1400);
	assert_int_equal(skipped, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts_add_up),
		cmocka_unit_test(test_the_next_time_is_on_the_grid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
