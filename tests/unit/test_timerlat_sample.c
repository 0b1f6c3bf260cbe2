// SPDX-License-Identifier: GPL-2.0-or-later
/* The kernel's timerlat events, out of a page of its trace buffer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <traceevent/kbuffer.h>

#include "ctl/timerlat_sample.h"

static const char format_text[] =
	"name: timerlat\n"
	"ID: 17\n"
	"format:\n"
	"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
	"\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n"
	"\n"
	"\tfield:unsigned int seqnum;\toffset:8;\tsize:4;\tsigned:0;\n"
	"\tfield:int context;\toffset:12;\tsize:4;\tsigned:1;\n"
	"\tfield:u64 timer_latency;\toffset:16;\tsize:8;\tsigned:0;\n";

static unsigned char page[4096] __attribute__((aligned(8)));
static size_t used;

static void begin_page(uint64_t time_ns)
{
	memset(page, 0, sizeof(page));
	memcpy(page, &time_ns, sizeof(time_ns));
	used = 0;
}

/* As the kernel's ring buffer has it: four bytes with the length in words and the time since the event before. */
static void put_event(uint16_t id, uint32_t seqnum, uint32_t context, uint64_t latency,
		      uint32_t delta_ns)
{
	uint32_t head = 6 | delta_ns << 5;
	uint64_t commit;
	unsigned char *at = page + 16 + used;

	memcpy(at, &head, 4);
	memcpy(at + 4, &id, 2);
	memcpy(at + 4 + 8, &seqnum, 4);
	memcpy(at + 4 + 12, &context, 4);
	memcpy(at + 4 + 16, &latency, 8);
	used += 4 + 24;
	commit = used;
	memcpy(page + 8, &commit, sizeof(commit));
}

static struct timerlat_sample take(struct timerlat_sample before)
{
	struct kbuffer *buffer = kbuffer_alloc(KBUFFER_LSIZE_8, KBUFFER_ENDIAN_LITTLE);
	struct timerlat_format format;

	assert_non_null(buffer);
	assert_true(timerlat_format_parse(format_text, &format));
	timerlat_sample_take(buffer, page, &format, &before);
	kbuffer_free(buffer);
	return before;
}

static void test_format(void **state)
{
	struct timerlat_format format = {.id = 5};

	assert_true(timerlat_format_parse(format_text, &format));
	assert_int_equal(format.id, 17);
	assert_int_equal(format.seqnum, 8);
	assert_int_equal(format.context, 12);
	assert_int_equal(format.latency, 16);
	assert_int_equal(format.bytes, 24);
	assert_false(timerlat_format_parse("", &format));
	assert_false(timerlat_format_parse("ID: 0\n", &format));
	assert_false(
		timerlat_format_parse("ID: 17\n field:u64 seqnum;\toffset:8;\tsize:8;", &format));
	assert_int_equal(format.id, 17); /* untouched */
}

static void test_the_latest_cycle_counts(void **state)
{
	struct timerlat_sample s = {.any = false};

	begin_page(1000000);
	put_event(17, 6, 2, 9000, 0); /* the return of the cycle before, told at the next */
	put_event(17, 7, 0, 1500, 100);
	put_event(3, 99, 1, 77, 10); /* somebody else's */
	put_event(17, 7, 1, 4500, 3000);
	s = take(s);
	assert_true(s.any);
	assert_int_equal(s.irq.seqnum, 7);
	assert_int_equal(s.irq.latency_ns, 1500);
	assert_int_equal(s.irq.time_ns, 1000100);
	assert_int_equal(s.thread.seqnum, 7);
	assert_int_equal(s.thread.latency_ns, 4500);
	assert_int_equal(s.thread.time_ns, 1003110);
}

static void test_without_a_thread_there_is_no_cycle(void **state)
{
	struct timerlat_sample s = {.any = false};

	begin_page(1000000);
	put_event(17, 7, 0, 1500, 100);
	s = take(s);
	assert_false(s.any);
	assert_int_equal(s.irq.seqnum, 7);
	begin_page(2000000); /* the rest comes with the next page */
	put_event(17, 7, 1, 4500, 0);
	s = take(s);
	assert_true(s.any);
	assert_int_equal(s.irq.seqnum, s.thread.seqnum);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_the_latest_cycle_counts),
		cmocka_unit_test(test_without_a_thread_there_is_no_cycle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
