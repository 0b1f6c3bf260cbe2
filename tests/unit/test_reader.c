// SPDX-License-Identifier: GPL-2.0-or-later
/* The process that reads files: it answers, it ends when it takes too long, another one goes on, and nothing of it is left. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <time.h>

#include "asking.h"
#include "why/code.h"
#include "why/image.h"
#include "why/places.h"
#include "why/reader.h"

#define LIMIT_MS 2000
#define SOON_MS 20000

static struct why_symbolizer *symbolizer;
static struct why_reader reader;

static int make_lab(void **state)
{
	if (lab_make(state))
		return -1;
	lab_write("plain.c", plain_c, strlen(plain_c));
	lab_run("cc -O2 -g -shared -fPIC -o plain.so plain.c");
	return why_symbolizer_new(&symbolizer);
}

static int end(void **state)
{
	why_symbolizer_free(symbolizer);
	return lab_remove(state);
}

static const struct why_object *object(const char *binary)
{
	return why_object_of(symbolizer, in_lab(binary), "", NULL, 0);
}

static enum why_reader_kind next(struct why_reader_answer *answer, struct tlobctl_frame *frames)
{
	struct pollfd p = {.fd = reader.fd, .events = POLLIN};
	enum why_reader_kind kind;

	do {
		assert_int_equal(poll(&p, 1, SOON_MS), 1);
		kind = why_reader_next(&reader, answer, frames);
	} while (kind == WHY_READER_NOTHING);
	return kind;
}

static void ask_plain(void)
{
	const struct why_reader_place place = {.offset = offset_of("plain.so", "in_hidden")};

	assert_int_equal(why_reader_ask(&reader, object("plain.so"), &place, 1), 0);
}

static void is_answered(void)
{
	struct tlobctl_frame frames[WHY_PLACE_FRAMES];
	struct why_reader_answer answer;

	ask_plain();
	assert_int_equal(next(&answer, frames), WHY_READER_PLACE);
	assert_int_equal(answer.index, 0);
	assert_string_equal(frames[answer.nframes - 1].function, "hidden");
	assert_string_equal(frames[0].file + strlen(frames[0].file) - 7, "plain.c");
	assert_int_equal(next(&answer, frames), WHY_READER_DONE);
}

/* The process that reads, which the reader's own has started. */
static pid_t worker_of(pid_t pid)
{
	char command[40], line[32] = "0";
	FILE *f;

	snprintf(command, sizeof(command), "pgrep -P %d", (int)pid);
	f = popen(command, "re");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	pclose(f);
	return (pid_t)atoi(line);
}

/* Or it is not yet waited for by whoever inherits it. */
static bool has_ended(pid_t pid)
{
	char path[40], line[512] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return true;
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0';
	fclose(f);
	return strstr(line, ") Z ") != NULL;
}

static void test_answers(void **state)
{
	(void)state;
	assert_int_equal(why_reader_start(&reader, LIMIT_MS, 0), 0);
	is_answered();
	is_answered();
	why_reader_stop(&reader);
}

static void test_killed(void **state)
{
	struct why_reader_answer answer;

	(void)state;
	assert_int_equal(why_reader_start(&reader, LIMIT_MS, 0), 0);
	is_answered();
	assert_int_equal(kill(worker_of(reader.pid), SIGKILL), 0);
	assert_int_equal(next(&answer, NULL), WHY_READER_DIED);
	is_answered();
	why_reader_stop(&reader);
}

/* It would take seconds, and has 50 ms. */
static void test_endless(void **state)
{
	static const char source[] = ".section .debug_info,\"\",@progbits\n.long end-begin\n"
				     "begin: .short 4\n.long 0\n.byte 8,1\n"
				     ".fill 150000000,1,2\n.byte 0\nend:\n"
				     ".section .debug_abbrev,\"\",@progbits\n"
				     ".byte 1,0x11,1,0,0,2,0x2e,0,0,0,0\n";
	struct tlobctl_frame frames[WHY_PLACE_FRAMES];
	struct why_reader_place place;
	struct why_reader_answer answer;
	struct timespec since, now;

	(void)state;
	lab_write("endless.s", source, strlen(source));
	lab_run("cc -O2 -shared -fPIC -o endless.so plain.c endless.s");
	place = (struct why_reader_place){.offset = offset_of("endless.so", "in_hidden")};
	assert_int_equal(why_reader_start(&reader, 50, 0), 0);
	clock_gettime(CLOCK_MONOTONIC, &since);
	assert_int_equal(why_reader_ask(&reader, object("endless.so"), &place, 1), 0);
	assert_int_equal(next(&answer, frames), WHY_READER_DIED);
	clock_gettime(CLOCK_MONOTONIC, &now);
	assert_in_range(now.tv_sec - since.tv_sec, 0, 5);
	why_reader_stop(&reader);
}

static void test_nothing_is_left(void **state)
{
	pid_t pid, worker;

	(void)state;
	assert_int_equal(why_reader_start(&reader, LIMIT_MS, 0), 0);
	is_answered();
	pid = reader.pid;
	worker = worker_of(pid);
	assert_false(has_ended(worker));
	why_reader_stop(&reader);
	assert_true(has_ended(pid));
	assert_true(has_ended(worker));
}

/* A copy that unwinding can be done with, and that nobody can change. */
static void test_code(void **state)
{
	uint64_t offset = offset_of("plain.so", "in_hidden");
	struct tlobctl_frame frames[WHY_PLACE_FRAMES];
	struct why_codes codes = {.bytes = 0};
	struct why_reader_answer answer;
	struct why_code code = {.cfi = NULL};

	(void)state;
	assert_int_equal(why_reader_start(&reader, LIMIT_MS, 0), 0);
	assert_int_equal(why_reader_ask_code(&reader, object("plain.so"), 0, 0), 0);
	assert_int_equal(next(&answer, frames), WHY_READER_CODE);
	assert_true(answer.fd >= 0);
	assert_in_range(why_image_bytes(answer.fd), 1, 1 << 17);
	assert_int_equal(ftruncate(answer.fd, 0), -1);
	assert_int_equal(pwrite(answer.fd, "x", 1, 0), -1);
	assert_int_equal(next(&answer, frames), WHY_READER_DONE);
	assert_int_equal(why_reader_ask_code(&reader, object("plain.so"), 0, 0), 0);
	assert_int_equal(next(&answer, frames), WHY_READER_CODE);
	why_code_add(&codes, object("plain.so"), answer.fd);
	assert_true(why_code_of(&codes, object("plain.so"), offset, offset, &code));
	assert_non_null(code.cfi);
	why_codes_deinit(&codes);
	why_reader_stop(&reader);
}

/* One entry that says of each byte of code where the registers are: to look it up takes as long as it is. */
static void test_long_entry(void **state)
{
	static const char source[] = ".text\n.globl f\n.type f,@function\nf:\n.cfi_startproc\n"
				     ".rept 100000\nnop\n.cfi_adjust_cfa_offset 8\n.endr\n"
				     ".cfi_endproc\n.size f,.-f\n";
	int fd;

	(void)state;
	lab_write("long.s", source, strlen(source));
	lab_run("cc -shared -o long.so long.s && cp plain.so theirs.so && chmod o+w long.so theirs.so");
	assert_int_equal(why_image_make(object("long.so"), NULL), -1);
	fd = why_image_make(object("theirs.so"), NULL);
	assert_true(fd >= 0);
	close(fd);
}

/* Names without end: what is kept of them is not. */
static void test_forgets(void **state)
{
	struct why_places p = {.new = {.bytes = 0}};
	struct tlobctl_frame frame = {.object = "", .build_id = ""}, found;
	char function[1024], file[16];
	size_t most = 0;

	(void)state;
	memset(function, 'f', sizeof(function));
	for (uint64_t i = 0; i < 200000; i++) {
		snprintf(function, sizeof(function), "%lu", (unsigned long)i);
		function[strlen(function)] = 'f';
		function[sizeof(function) - 1] = '\0';
		snprintf(file, sizeof(file), "%lu.c", (unsigned long)i % 100);
		frame.function = function;
		frame.file = file;
		why_places_turn(&p);
		why_places_add(&p, symbolizer ? object("plain.so") : NULL, i, false, &frame, 1);
		/* who is asked for again and again stays */
		assert_int_equal(why_places_find(&p, object("plain.so"), 0, false, &found, 1), 1);
		most = p.new.bytes + p.old.bytes > most ? p.new.bytes + p.old.bytes : most;
	}
	assert_in_range(most, WHY_GENERATION_BYTES, 2 * WHY_GENERATION_BYTES + 8192);
	assert_int_equal(why_places_find(&p, object("plain.so"), 1, false, &found, 1), 0);
	assert_int_equal(why_places_find(&p, object("plain.so"), 199999, false, &found, 1), 1);
	assert_memory_equal(found.function, "199999f", 7);
	assert_string_equal(found.file, "99.c");
	why_places_deinit(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers), cmocka_unit_test(test_killed),
		cmocka_unit_test(test_endless), cmocka_unit_test(test_nothing_is_left),
		cmocka_unit_test(test_code),	cmocka_unit_test(test_long_entry),
		cmocka_unit_test(test_forgets),
	};

	return cmocka_run_group_tests(tests, make_lab, end);
}
