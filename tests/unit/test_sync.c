// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The rules by which raw buffers become one stream, on recorded buffers: each test is the recording and what must come of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "recorded.h"

static struct recorded played;
static char said[16384];

static void play(const char *recording, const char *expected)
{
	played.length = 0;
	said[0] = '\0';
	if (!recorded_play(&played, recording))
		fail_msg("a line of the recording is not understood");
	assert_string_equal(said, expected);
}

static int begin(void **state)
{
	return recorded_begin(&played, said, sizeof(said));
}

static int end(void **state)
{
	recorded_end(&played);
	return 0;
}

static void lost(uint64_t no_mapping, uint64_t no_space, uint64_t backtraces, uint64_t buffer)
{
	assert_int_equal(played.sync.losses.no_mapping, no_mapping);
	assert_int_equal(played.sync.losses.no_space, no_space);
	assert_int_equal(played.sync.losses.backtraces, backtraces);
	assert_int_equal(played.sync.losses.buffer, buffer);
}

#define PROGRAM "@10 0 exec 100\n@11 0 map 100 1000 1000 prog 0\n@12 0 map 100 5000 1000 lib 2000\n"

/* ---- D1: one ordered stream of object and offset */

static void test_places_instead_of_addresses(void **state)
{
	play(PROGRAM "@20 0 sample 100/101 u 5010 1020\npass 30\npass 40\n",
	     "cpu 0\ncontext 100/101 #1\ntrace 20\nobject lib\n2010\nobject prog\n20\nend\n");
	lost(0, 0, 0, 0);
}

static void test_order_of_time_not_of_buffers(void **state)
{
	play(PROGRAM "@50 0 sample 100/100 u 1050\n"
		     "@30 1 sample 100/101 u 1030\n@60 1 sample 100/101 u 1060\n"
		     "@40 2 sample 100/102 u 1040\npass 70\npass 80\n",
	     "cpu 1\ncontext 100/101 #1\ntrace 30\nobject prog\n30\nend\n"
	     "cpu 2\ncontext 100/102 #1\ntrace 40\nobject prog\n40\nend\n"
	     "cpu 0\ncontext 100/100 #1\ntrace 50\nobject prog\n50\nend\n"
	     "cpu 1\ncontext 100/101 #1\ntrace 60\nobject prog\n60\nend\n");
}

/* The writer took the time before the first pass, and had its record in the buffer after it. */
static void test_waits_for_what_is_being_written(void **state)
{
	play(PROGRAM "@25 0 sample 100/100 u 1025\npass 30\n", "");
	play("@20 1 sample 100/101 u 1020\npass 40\n",
	     "cpu 1\ncontext 100/101 #1\ntrace 20\nobject prog\n20\nend\n"
	     "cpu 0\ncontext 100/100 #1\ntrace 25\nobject prog\n25\nend\n");
	assert_int_equal(played.sync.losses.late, 0);
}

static void test_memory_without_a_file(void **state)
{
	play(PROGRAM "@13 0 map 100 7000 1000 - 0\n@20 0 sample 100/100 u 7010\npass 30\npass 40\n",
	     "cpu 0\ncontext 100/100 #1\ntrace 20\nobject -\n7010\nend\n");
}

/* A function that never returns may be the last of its mapping: the return address is the byte after it. */
static void test_return_address_at_the_end(void **state)
{
	play(PROGRAM "@20 0 sample 100/100 u 1010 2000\npass 30\npass 40\n",
	     "cpu 0\ncontext 100/100 #1\ntrace 20\nobject prog\n10\n1000\nend\n");
	play("@50 0 sample 100/100 u 2000\npass 60\npass 70\n", "lost\n");
}

/* ---- D2: state changes */

static void test_says_what_changes_and_no_more(void **state)
{
	play(PROGRAM "@20 0 sample 100/100 u 1020\n@21 0 sample 100/100 u 1021\n"
		     "@22 0 sample 100/100 u 5022\n@23 0 sample 100/101 u 5023\npass 30\npass 40\n",
	     "cpu 0\ncontext 100/100 #1\n"
	     "trace 20\nobject prog\n20\nend\n"
	     "trace 21\n21\nend\n"
	     "trace 22\nobject lib\n2022\nend\n"
	     "context 100/101 #1\ntrace 23\n2023\nend\n");
}

static void test_object_again_after_cpu_switch(void **state)
{
	play(PROGRAM "@20 0 sample 100/100 u 1020\n@21 1 sample 100/100 u 1021\npass 30\npass 40\n",
	     "cpu 0\ncontext 100/100 #1\ntrace 20\nobject prog\n20\nend\n"
	     "cpu 1\ntrace 21\nobject prog\n21\nend\n");
}

static void test_kernel_and_back(void **state)
{
	play(PROGRAM "@20 0 sample 100/100 k f010 f020 u 1020 1024\n@21 0 sample 100/100 k f030\n"
		     "@22 0 sample 100/100 u 1022\npass 30\npass 40\n",
	     "cpu 0\ncontext 100/100 #1\n"
	     "trace 20\nkernel\nobject [kernel]\n10\n20\nuser\nobject prog\n20\n24\nend\n"
	     "trace 21\nkernel\nobject [kernel]\n30\nend\n"
	     "trace 22\nuser\nobject prog\n22\nend\n");
}

static void test_thread_of_the_kernel(void **state)
{
	play("@20 0 sample 2/2 k f010\npass 30\npass 40\n",
	     "cpu 0\ncontext 2/2 #0\ntrace 20\nkernel\nobject [kernel]\n10\nend\n");
	lost(0, 0, 0, 0);
}

static void test_another_program_in_the_same_process(void **state)
{
	play(PROGRAM "@20 0 sample 100/100 u 1020\n@25 0 exec 100\n@26 0 map 100 1000 1000 next 0\n"
		     "@30 0 sample 100/100 u 1030\npass 40\npass 50\n",
	     "cpu 0\ncontext 100/100 #1\ntrace 20\nobject prog\n20\nend\n"
	     "context 100/100 #2\ntrace 30\nobject next\n30\nend\n");
}

static void test_exit_is_told(void **state)
{
	play(PROGRAM "@20 0 exit 100/101\npass 30\npass 40\n", "exit 101\n");
}

/* ---- D3, J11: attribution before a mapping disappears, whichever CPU tells it */

/* The exit is read first, from the CPU it happened on; the sample of another CPU is older. */
static void test_late_sample_after_exit_of_another_cpu(void **state)
{
	play(PROGRAM "pass 15\n@40 0 exit 100/100\npass 50\n", "");
	play("@30 1 sample 100/101 u 5030\npass 60\n",
	     "cpu 1\ncontext 100/101 #1\ntrace 30\nobject lib\n2030\nend\nexit 100\n");
	lost(0, 0, 0, 0);
}

static void test_late_sample_after_dlclose(void **state)
{
	play(PROGRAM "@40 0 unmap 100 5000 1000\n@41 0 sample 100/100 u 5010\npass 50\n"
		     "@39 1 sample 100/101 u 5039\npass 60\n",
	     "cpu 1\ncontext 100/101 #1\ntrace 39\nobject lib\n2039\nend\nlost\n");
	lost(1, 0, 1, 0);
}

static void test_library_in_the_place_of_another(void **state)
{
	play(PROGRAM "@40 0 map 100 5000 1000 other 0\n@41 0 sample 100/100 u 5041\npass 50\n"
		     "@39 1 sample 100/101 u 5039\npass 60\n",
	     "cpu 1\ncontext 100/101 #1\ntrace 39\nobject lib\n2039\nend\n"
	     "cpu 0\ncontext 100/100 #1\ntrace 41\nobject other\n41\nend\n");
}

/* At the very moment of a change it has happened. */
static void test_change_comes_first(void **state)
{
	play(PROGRAM
	     "@40 1 sample 100/101 u 5040\n@40 0 map 100 5000 1000 other 0\npass 50\npass 60\n",
	     "cpu 1\ncontext 100/101 #1\ntrace 40\nobject other\n40\nend\n");
}

static void test_part_of_a_mapping(void **state)
{
	play(PROGRAM "@40 0 map 100 5400 200 middle 0\n"
		     "@50 0 sample 100/100 u 53ff\n@51 0 sample 100/100 u 5400\n"
		     "@52 0 sample 100/100 u 55ff\n@53 0 sample 100/100 u 5600\npass 60\npass 70\n",
	     "cpu 0\ncontext 100/100 #1\ntrace 50\nobject lib\n23ff\nend\n"
	     "trace 51\nobject middle\n0\nend\ntrace 52\n1ff\nend\n"
	     "trace 53\nobject lib\n2600\nend\n");
}

static void test_exec_tells_the_old_from_the_new(void **state)
{
	play(PROGRAM "@40 0 exec 100\n@41 0 map 100 1000 1000 next 0\npass 50\n"
		     "@39 1 sample 100/101 u 1039\n@45 0 sample 100/100 u 1045\npass 60\n",
	     "cpu 1\ncontext 100/101 #1\ntrace 39\nobject prog\n39\nend\n"
	     "cpu 0\ncontext 100/100 #2\ntrace 45\nobject next\n45\nend\n");
}

static void test_child_has_what_its_parent_had(void **state)
{
	play(PROGRAM "@20 0 fork 100 200\n@21 0 unmap 100 5000 1000\n"
		     "@30 1 sample 200/200 u 5030\n@31 0 sample 100/100 u 5031\npass 40\npass 50\n",
	     "cpu 1\ncontext 200/200 #2\ntrace 30\nobject lib\n2030\nend\nlost\n");
}

static void test_threads_come_and_go(void **state)
{
	play(PROGRAM "@20 0 fork 100 100\n@30 0 exit 100/100\n@31 1 sample 100/101 u 1031\n"
		     "@40 1 exit 100/101\npass 50\npass 60\n",
	     "exit 100\ncpu 1\ncontext 100/101 #1\ntrace 31\nobject prog\n31\nend\nexit 101\n");
	play("@45 1 sample 100/101 u 1045\npass 70\npass 80\n", "lost\n");
	lost(0, 1, 1, 0); /* it has ended with its last thread */
}

/* J11: the number of a process, used again, is another address space */
static void test_number_used_again(void **state)
{
	play(PROGRAM "@20 0 exit 100/100\n"
		     "@30 1 fork 7 100\n@31 1 exec 100\n@32 1 map 100 1000 1000 heir 0\n"
		     "@35 1 sample 100/100 u 1035\npass 40\n"
		     "@19 2 sample 100/100 u 1019\npass 50\n",
	     "cpu 2\ncontext 100/100 #1\ntrace 19\nobject prog\n19\nend\nexit 100\n"
	     "cpu 1\ncontext 100/100 #2\ntrace 35\nobject heir\n35\nend\n");
}

/* The same, and nobody was told of the exit. */
static void test_number_used_again_by_a_stranger(void **state)
{
	play(PROGRAM "@30 1 fork 7 100\n@35 1 sample 100/100 u 1035\npass 40\npass 50\n", "lost\n");
	lost(0, 1, 1, 0); /* and not in prog */
}

/* J11: a CPU that has gone offline is not waited for */
static void test_offline_cpu_does_not_stall(void **state)
{
	play(PROGRAM "@20 3 sample 100/103 u 1020\n@21 0 exit 100/100\n"
		     "begin 0 30\nend 0\nbegin 1 30\nend 1\nbegin 2 30\nend 2\n"
		     "begin 0 40\nend 0\nbegin 1 40\nend 1\nbegin 2 40\nend 2\nflush\n",
	     "");
	play("offline 3\nflush\n",
	     "cpu 3\ncontext 100/103 #1\ntrace 20\nobject prog\n20\nend\nexit 100\n");
	assert_int_equal(played.sync.spaces.count, 0);
}

static void test_cpu_comes_back(void **state)
{
	play("offline 3\n" PROGRAM
	     "pass 30\npass 40\nonline 3\n@50 0 sample 100/100 u 1050\npass 60\n",
	     "");
	play("pass 70\n", "cpu 0\ncontext 100/100 #1\ntrace 50\nobject prog\n50\nend\n");
}

/* ---- D4: two full passes over every CPU before anything is forgotten */

static void test_kept_for_two_passes(void **state)
{
	play(PROGRAM "pass 15\npass 16\n@20 0 exit 100/100\npass 30\n", "");
	assert_int_equal(played.sync.spaces.count, 1);
	/* of one CPU it is the second pass, of the others not */
	play("begin 0 40\nend 0\nflush\nbegin 0 41\nend 0\nflush\n", "");
	assert_int_equal(played.sync.spaces.count, 1);
	play("begin 1 42\nend 1\nbegin 2 42\nend 2\nflush\n", "");
	assert_int_equal(played.sync.spaces.count, 1);
	play("begin 3 43\nend 3\nflush\n", "exit 100\n");
	assert_int_equal(played.sync.spaces.count, 0);
	assert_int_equal(played.sync.spaces.nmappings, 0);
}

static void test_a_pass_that_is_under_way_does_not_count(void **state)
{
	play(PROGRAM "pass 15\nbegin 0 18\n@20 0 exit 100/100\nend 0\nbegin 0 30\nend 0\n"
		     "begin 1 30\nend 1\nbegin 2 30\nend 2\nbegin 3 30\nend 3\n"
		     "begin 1 40\nend 1\nbegin 2 40\nend 2\nbegin 3 40\nend 3\nflush\n",
	     "");
	assert_int_equal(played.sync.spaces.count, 1);
}

static void test_mappings_are_released_too(void **state)
{
	play(PROGRAM "@20 0 unmap 100 5000 1000\npass 30\npass 40\n", "");
	assert_int_equal(played.sync.spaces.nmappings, 1);
	assert_int_equal(played.sync.spaces.count, 1);
}

/* A ring that feeds nothing here, but names addresses, is waited for by release and not by the stream. */
static void test_silent_source_holds_release(void **state)
{
	played.sync.sources[3].silent = true;
	play(PROGRAM "@20 0 exit 100/100\nbegin 0 30\nend 0\nbegin 1 30\nend 1\nbegin 2 30\nend 2\n"
		     "begin 0 40\nend 0\nbegin 1 40\nend 1\nbegin 2 40\nend 2\nflush\n",
	     "exit 100\n");
	assert_int_equal(played.sync.spaces.count, 1);
	play("begin 3 50\nend 3\nflush\n", "");
	assert_int_equal(played.sync.spaces.count, 1);
	play("begin 3 60\nend 3\nflush\n", "");
	assert_int_equal(played.sync.spaces.count, 0);
}

/* ---- D5: losses, each by its cause */

static void test_loss_no_mapping(void **state)
{
	play(PROGRAM "@20 0 sample 100/100 u 9000\npass 30\npass 40\n", "lost\n");
	lost(1, 0, 1, 0);
}

static void test_loss_no_space(void **state)
{
	play("@20 0 sample 300/300 u 9000\npass 30\npass 40\n", "lost\n");
	lost(0, 1, 1, 0);
}

static void test_loss_buffer(void **state)
{
	play("lost 7\nlost 2\npass 30\n", "");
	lost(0, 0, 0, 9);
}

/* Records that are not there may have been changes: what was known is looked at again. */
static void test_doubt_after_loss(void **state)
{
	play(PROGRAM "pass 20\npass 30\n", "");
	assert_true(why_sync_knows(&played.sync, 100));
	play("lost 1\n", "");
	assert_false(why_sync_knows(&played.sync, 100));
	play("found 100 1\nhas 100 1000 1000 prog 0\nhas 100 8000 1000 missed 0\n"
	     "@40 0 sample 100/100 u 8001\npass 50\npass 60\n",
	     "cpu 0\ncontext 100/100 #1\ntrace 40\nobject missed\n1\nend\n");
	assert_true(why_sync_knows(&played.sync, 100));
}

static void test_too_late_is_counted(void **state)
{
	play(PROGRAM "pass 30\npass 40\n@20 0 sample 100/100 u 1020\npass 50\n",
	     "cpu 0\ncontext 100/100 #1\ntrace 20\nobject prog\n20\nend\n");
	assert_int_equal(played.sync.losses.late, 1);
}

/* ---- D6, J7: backtraces */

static void test_first_frame_lost(void **state)
{
	play(PROGRAM
	     "@20 0 sample 100/100 u 9000 1010 1020\n@21 0 sample 100/100 u 1021\npass 30\npass 40\n",
	     "lost\ncpu 0\ncontext 100/100 #1\ntrace 21\nobject prog\n21\nend\n");
	lost(1, 0, 1, 0); /* the callers are not asked for */
}

static void test_later_frame_lost(void **state)
{
	play(PROGRAM "@20 0 sample 100/100 u 1010 9000 1020\npass 30\npass 40\n",
	     "cpu 0\ncontext 100/100 #1\ntrace 20\nobject prog\n10\ncut\n");
	lost(0, 0, 0, 0);
	assert_int_equal(played.sync.losses.cut, 1);
}

static void test_kernel_part_stays(void **state)
{
	play("@20 0 sample 300/300 k f010 u 1010\npass 30\npass 40\n",
	     "cpu 0\ncontext 300/300 #0\ntrace 20\nkernel\nobject [kernel]\n10\ncut\n");
	lost(0, 1, 0, 0);
}

/* Callers by a copy of the stack: "2" makes two of them, at 1100 and 5100. */
static size_t callers(const struct why_raw *raw, const struct why_space *space, uint64_t *chain,
		      size_t room, bool *cut, void *arg)
{
	size_t n = (size_t)(((const char *)raw->sample.copy)[0] - '0');

	assert_ptr_equal(arg, &played);
	assert_int_equal(space->tgid, raw->tgid);
	assert_int_equal(raw->sample.copy_bytes, 2);
	assert_true(room > n);
	for (size_t i = 0; i < n; i++)
		chain[i] = i ? 0x5100 : 0x1100;
	*cut = n == 2;
	return n;
}

static void sample_with_copy(const char *copy, uint32_t tgid, uint16_t nkernel)
{
	const uint64_t chain[] = {0xf010, 0x1010, 0x1020};
	const struct why_raw raw = {.kind = WHY_RAW_SAMPLE,
				    .time_ns = 20,
				    .tgid = tgid,
				    .tid = tgid,
				    .sample = {.chain = chain + !nkernel,
					       .nkernel = nkernel,
					       .nuser = 2,
					       .copy = copy,
					       .copy_bytes = 2}};

	assert_int_equal(why_sync_push(&played.sync, &raw), 0);
}

static void test_callers_by_a_copy_of_the_stack(void **state)
{
	played.sync.callers = callers;
	played.sync.callers_arg = &played;
	play(PROGRAM, "");
	sample_with_copy("2", 100, 1);
	sample_with_copy("0", 100, 0); /* cannot be told: what came with the sample */
	sample_with_copy("2", 300, 1); /* nobody is asked about a process that is not known */
	assert_int_equal(played.sync.copied_bytes, 6);
	play("pass 30\npass 40\n",
	     "cpu 0\ncontext 100/100 #1\ntrace 20\nkernel\nobject [kernel]\n10\n"
	     "user\nobject prog\n100\nobject lib\n2100\ncut\n"
	     "trace 20\nobject prog\n10\n20\nend\n"
	     "context 300/300 #0\ntrace 20\nkernel\nobject [kernel]\n10\ncut\n");
	assert_int_equal(played.sync.copied_bytes, 0);
}

/* ---- processes that are older than we are */

static void test_found_process(void **state)
{
	play("@20 0 sample 100/100 u 1020\nfound 100 1\nhas 100 1000 1000 prog 0\npass 30\npass 40\n",
	     "cpu 0\ncontext 100/100 #1\ntrace 20\nobject prog\n20\nend\n");
	play("@50 0 exit 100/100\npass 60\npass 70\n", "exit 100\n");
	assert_int_equal(played.sync.spaces.count, 0);
}

/* It opened a library before it was looked at; what was told with its time is not overwritten. */
static void test_found_fills_in(void **state)
{
	play("@10 0 map 100 5000 1000 lib 2000\npass 15\npass 16\n", "");
	play("found 100 2\nhas 100 1000 1000 prog 0\nhas 100 5000 1000 lib 2000\n"
	     "has 100 4000 3000 wide 0\n"
	     "@20 0 sample 100/100 u 1020 5020 4020 6020\n@9 0 sample 100/100 u 1009 5009\n"
	     "pass 30\npass 40\n",
	     "cpu 0\ncontext 100/100 #1\ntrace 9\nobject prog\n9\ncut\n"
	     "trace 20\n20\nobject lib\n2020\nobject wide\n20\n2020\nend\n");
}

static void test_found_heir_of_a_number(void **state)
{
	play(PROGRAM "pass 15\npass 16\n@20 0 exit 100/100\npass 30\n"
		     "found 100 1\n@25 1 sample 100/100 u 8001\npass 31\n",
	     "exit 100\nlost\n");
	/* the one that has exited is not what was found */
	play("found 100 1\nhas 100 8000 1000 heir 0\n@40 1 sample 100/100 u 8001\n"
	     "@19 1 sample 100/100 u 1019\npass 50\npass 60\n",
	     "lost\ncpu 1\ncontext 100/100 #2\ntrace 40\nobject heir\n1\nend\n");
}

/* ---- J10: out of a cyclic buffer */

static void cyclic(size_t size, uint64_t start, uint64_t stop)
{
	unsigned char buffer[64], to[64 + 2];

	memset(to, 0xee, sizeof(to));
	for (size_t i = 0; i < size; i++)
		buffer[i] = (unsigned char)i;
	why_cyclic_copy(to + 1, buffer, size, start, stop);
	for (uint64_t i = 0; i < stop - start; i++)
		assert_int_equal(to[1 + i], (start + i) & (size - 1));
	assert_int_equal(to[0], 0xee);
	assert_int_equal(to[1 + (stop - start)], 0xee);
}

static void test_cyclic_up_to_the_end(void **state)
{
	cyclic(64, 10,
	       64); /* stop is where the buffer ends: the copy of old never came to an end */
	cyclic(64, 0, 64);
	cyclic(64, 63, 64);
	cyclic(64, 64, 128);
	cyclic(64, 64, 64);
}

static void test_cyclic_everywhere(void **state)
{
	for (uint64_t start = 0; start < 48; start++)
		for (uint64_t length = 0; length <= 16; length++)
			cyclic(16, start, start + length);
	cyclic(16, UINT64_MAX - 3, UINT64_MAX - 3 + 8); /* positions run over, too */
}

/* More than there is does not leave the buffer. */
static void test_cyclic_too_much(void **state)
{
	unsigned char buffer[16] = {0}, to[17];

	to[16] = 0xee;
	why_cyclic_copy(to, buffer, sizeof(buffer), 5, 500);
	assert_int_equal(to[16], 0xee);
}

#define T(name) cmocka_unit_test_setup_teardown(test_##name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(places_instead_of_addresses),
		T(order_of_time_not_of_buffers),
		T(waits_for_what_is_being_written),
		T(memory_without_a_file),
		T(return_address_at_the_end),
		T(says_what_changes_and_no_more),
		T(object_again_after_cpu_switch),
		T(kernel_and_back),
		T(thread_of_the_kernel),
		T(another_program_in_the_same_process),
		T(exit_is_told),
		T(late_sample_after_exit_of_another_cpu),
		T(late_sample_after_dlclose),
		T(library_in_the_place_of_another),
		T(change_comes_first),
		T(part_of_a_mapping),
		T(exec_tells_the_old_from_the_new),
		T(child_has_what_its_parent_had),
		T(threads_come_and_go),
		T(number_used_again),
		T(number_used_again_by_a_stranger),
		T(offline_cpu_does_not_stall),
		T(cpu_comes_back),
		T(kept_for_two_passes),
		T(a_pass_that_is_under_way_does_not_count),
		T(mappings_are_released_too),
		T(silent_source_holds_release),
		T(loss_no_mapping),
		T(loss_no_space),
		T(loss_buffer),
		T(doubt_after_loss),
		T(too_late_is_counted),
		T(first_frame_lost),
		T(later_frame_lost),
		T(kernel_part_stays),
		T(callers_by_a_copy_of_the_stack),
		T(found_process),
		T(found_fills_in),
		T(found_heir_of_a_number),
		T(cyclic_up_to_the_end),
		T(cyclic_everywhere),
		T(cyclic_too_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
