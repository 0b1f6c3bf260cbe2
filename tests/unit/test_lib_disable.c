// SPDX-License-Identifier: GPL-2.0-or-later
/* A program built with TLOB_DISABLE: the same source, nothing of the library in it. */
#define TLOB_DISABLE
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <tlob/tlob.h>

TLOB_REGION(region, "disabled", TLOB_US(1));

static void on_overrun(const struct tlob_record *record, const struct tlob_region *of, void *arg)
{
	fail();
}

static int scoped(void)
{
	TLOB_SCOPE(region, 7);
	return 3;
}

static void test_nothing_happens(void **state)
{
	struct tlob_times times;
	tlob_window_t w;

	assert_string_equal(tlob_engine(), "off");
	assert_int_equal(tlob_on_overrun(on_overrun, NULL), 0);
	errno = 0;
	for (int i = 0; i < 1000; i++) {
		w = tlob_start(&region, 1);
		assert_int_equal(w, TLOB_NO_WINDOW);
		assert_int_equal(tlob_stop(w), 0);
		assert_int_equal(tlob_begin(&region, 1), 0);
		assert_int_equal(tlob_begin(&region, 1), 0);
		assert_int_equal(tlob_end(&region, 1), 0);
		assert_int_equal(tlob_chain(&region, NULL, 0), 0);
		assert_int_equal(scoped(), 3);
	}
	assert_int_equal(errno, 0);
	assert_int_equal(tlob_thread_clock(&times), -ENODATA);
	assert_int_equal(region.internal_epoch, 0);
}

/*
 * Not even a reference to it: this program was linked with the library, and has taken none of it.
 */
static void test_nothing_is_linked(void **state)
{
	if (system("nm --version >/dev/null 2>&1"))
		skip();
	assert_int_equal(system("nm /proc/$PPID/exe | grep -q ' T main$'"), 0);
	assert_int_not_equal(system("nm /proc/$PPID/exe | grep -q ' [TU] tlob_[a-z_]*$'"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_happens),
		cmocka_unit_test(test_nothing_is_linked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
