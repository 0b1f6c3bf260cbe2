// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Recordings of the module's rings, read back: the events of all CPUs in order of time, with the counts and the time of day of the
 * machine they are of; and what is not whole, or not one at all, is refused by its name.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <tlob/ctl.h>
#include <tlob/page_ring.h>

#include "ctl/ring_head.h"

#define PAGE_BYTES 512u
#define CPUS 2
#define EVENTS 48u

static char folder[64], path[80];

/* Of one CPU, written page by page. */
struct pages {
	char bytes[4 * PAGE_BYTES] __attribute__((aligned(8)));
	uint32_t npages, used, events;
};

static struct pages pages[CPUS];
static struct tlobctl_ring_head head;

static void finish_page(struct pages *p)
{
	struct tlob_page_head *h = (void *)(p->bytes + (p->npages - 1) * PAGE_BYTES);

	h->readable = (uint64_t)p->npages << 32 | (uint64_t)(p->used / 8) << 16;
}

static void new_page(struct pages *p)
{
	p->npages++;
	p->used = sizeof(struct tlob_page_head);
	finish_page(p);
}

static void add(struct pages *p, uint64_t time_ns, uint16_t type, const void *payload,
		uint32_t bytes)
{
	uint32_t all = (uint32_t)(sizeof(struct tlob_page_event) + bytes + 7) / 8 * 8;
	struct tlob_page_event *e;

	if (!p->npages || p->used + all > PAGE_BYTES)
		new_page(p);
	e = (void *)(p->bytes + (p->npages - 1) * PAGE_BYTES + p->used);
	*e = (struct tlob_page_event){.bytes = all, .type = type, .time_ns = time_ns};
	memcpy(e + 1, payload, bytes);
	p->used += all;
	p->events += type != TLOB_PAGE_PADDING;
	finish_page(p);
}

static void mark(struct pages *p, uint64_t time_ns, const char *text)
{
	add(p, time_ns, TLOB_PAGE_MARK, text, (uint32_t)strlen(text) + 1);
}

static void write_file(const char *suffix, const void *data, size_t bytes)
{
	char name[96];
	FILE *f;

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	f = fopen(name, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, bytes, f), bytes);
	assert_int_equal(fclose(f), 0);
}

static void write_head(void)
{
	size_t bytes;
	char *text = tlobctl_ring_head_print(&head, &bytes);

	assert_non_null(text);
	write_file("", text, bytes);
	free(text);
}

static void write_recording(void)
{
	char suffix[8];

	head.ncpus = 0;
	for (uint32_t i = 0; i < CPUS; i++) {
		const struct tlobctl_ring_head_cpu cpu = {.cpu = i,
							  .page_bytes = PAGE_BYTES,
							  .pages = pages[i].npages,
							  .read = pages[i].events,
							  .lost = 10 * i};

		assert_int_equal(tlobctl_ring_head_add_cpu(&head, &cpu), 0);
		snprintf(suffix, sizeof(suffix), ".cpu%u", i);
		write_file(suffix, pages[i].bytes, (size_t)pages[i].npages * PAGE_BYTES);
	}
	write_head();
}

static int set_up(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/tlob-recording-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/r", folder);
	memset(pages, 0, sizeof(pages));
	head = (struct tlobctl_ring_head){
		.big_endian = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__,
		.long_bytes = 8,
		.memory_page_bytes = 4096,
		.release = "6.1.0",
		.machine = "other",
		.unix_ns = 1700000000000000000,
		.unix_offset_ns = 1600000000000000000,
		.ended = true,
	};
	/* more than a page of each, interleaved */
	for (uint32_t i = 0; i < EVENTS; i++) {
		char text[24];

		snprintf(text, sizeof(text), "number %u", i);
		mark(&pages[i / 3 % CPUS], 1000 + i, text);
	}
	return 0;
}

static int tear_down(void **state)
{
	char command[96];

	(void)state;
	tlobctl_ring_head_deinit(&head);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

static int open_it(struct tlobctl_ring **ring)
{
	struct tlobctl_ring_opts opts = {.size = sizeof(opts), .recording = path};

	return tlobctl_ring_open(&opts, ring);
}

static void assert_refused(int error, const char *why)
{
	struct tlobctl_ring *ring = NULL;

	assert_int_equal(open_it(&ring), error);
	assert_null(ring);
	if (!strstr(tlobctl_error(), why))
		fail_msg("'%s' does not say '%s'", tlobctl_error(), why);
}

/* Opens; the events up to what is wrong are fine. */
static void assert_breaks(const char *why)
{
	struct tlobctl_ring_event event;
	struct tlobctl_ring *ring = NULL;
	int r;

	assert_int_equal(open_it(&ring), 0);
	while ((r = tlobctl_ring_next(ring, &event)) > 0)
		;
	assert_int_equal(r, -EBADMSG);
	if (!strstr(tlobctl_error(), why))
		fail_msg("'%s' does not say '%s'", tlobctl_error(), why);
	tlobctl_ring_close(ring);
}

static void test_events_of_all_cpus_are_in_order(void **state)
{
	struct tlobctl_ring_counts counts;
	struct tlobctl_ring_event event;
	struct tlobctl_ring *ring = NULL;
	char text[64], expected[64];

	(void)state;
	write_recording();
	assert_int_equal(open_it(&ring), 0);
	assert_string_equal(tlobctl_ring_source_name(ring), "module");
	assert_non_null(strstr(tlobctl_ring_note(ring), "on Linux 6.1.0, other, 2 CPUs"));
	for (uint32_t i = 0; i < EVENTS; i++) {
		assert_int_equal(tlobctl_ring_next(ring, &event), 1);
		assert_int_equal(event.time_ns, 1000 + i);
		assert_int_equal(event.cpu, i / 3 % CPUS);
		assert_string_equal(event.name, "mark");
		tlobctl_ring_text(ring, &event, text, sizeof(text));
		snprintf(expected, sizeof(expected), "number %u", i);
		assert_string_equal(text, expected);
		assert_int_equal(tlobctl_ring_unix_ns(ring, event.time_ns),
				 1600000000000001000 + i);
	}
	assert_int_equal(tlobctl_ring_next(ring, &event), 0);
	assert_int_equal(tlobctl_ring_counts(ring, 1, &counts), 0);
	assert_int_equal(counts.read, EVENTS / CPUS);
	assert_int_equal(counts.lost, 10);
	tlobctl_ring_close(ring);
}

static void test_events_are_chosen_by_name(void **state)
{
	const char *names[] = {"swi*"};
	struct tlobctl_ring_opts opts = {
		.size = sizeof(opts), .recording = path, .events = names, .nevents = 1};
	const struct tlob_page_switch sw = {
		.prev_tid = 5, .prev_state = 1, .tid = 7, .comm = "prog"};
	struct tlobctl_ring_event event;
	struct tlobctl_ring *ring = NULL;
	char text[64];

	(void)state;
	add(&pages[1], 2000, TLOB_PAGE_SWITCH, &sw, sizeof(sw));
	write_recording();
	assert_int_equal(tlobctl_ring_open(&opts, &ring), 0);
	assert_int_equal(tlobctl_ring_next(ring, &event), 1);
	tlobctl_ring_text(ring, &event, text, sizeof(text));
	assert_string_equal(text, "5 sleeps -> 7 prog");
	assert_int_equal(tlobctl_ring_next(ring, &event), 0);
	tlobctl_ring_close(ring);
	names[0] = "sched:sched_switch";
	ring = NULL;
	assert_int_equal(tlobctl_ring_open(&opts, &ring), -ENOENT);
	assert_non_null(strstr(tlobctl_error(), "there are switch, wake, record, mark, migrate"));
}

/* Its maker was killed: the counts say nothing, the last page may be a part of one. */
static void test_what_was_not_ended_is_read(void **state)
{
	struct tlobctl_ring_event event;
	struct tlobctl_ring *ring = NULL;
	unsigned int n = 0;

	(void)state;
	head.ended = false;
	new_page(&pages[0]); /* nothing in it */
	write_recording();
	head.cpus[0].pages = head.cpus[0].read = 0;
	write_head();
	write_file(".cpu0", pages[0].bytes, (size_t)pages[0].npages * PAGE_BYTES + 100);
	assert_int_equal(open_it(&ring), 0);
	assert_non_null(strstr(tlobctl_ring_note(ring), "was not ended"));
	while (tlobctl_ring_next(ring, &event) > 0)
		n++;
	assert_int_equal(n, EVENTS);
	tlobctl_ring_close(ring);
}

static void test_files_that_are_not_whole(void **state)
{
	char name[96];

	(void)state;
	write_recording();
	write_file(".cpu1", pages[1].bytes, PAGE_BYTES);
	assert_refused(-EBADMSG, "r.cpu1' is truncated: 512 bytes");
	write_file(".cpu1", pages[1].bytes, sizeof(pages[1].bytes));
	assert_refused(-EBADMSG, "r.cpu1' is corrupt: 2048 bytes");
	snprintf(name, sizeof(name), "%s.cpu1", path);
	unlink(name);
	assert_refused(-ENOENT, "r.cpu1' is missing");
	unlink(path);
	assert_refused(-ENOENT, "cannot open");
	strcat(path, ".cpu0");
	assert_refused(-EINVAL, "has pages of one CPU; the recording is");
}

static void test_heads_that_are_none(void **state)
{
	size_t bytes;
	char *text;

	(void)state;
	write_recording();
	text = tlobctl_ring_head_print(&head, &bytes);
	write_file("", text, bytes / 2);
	assert_refused(-EINVAL, "is truncated");
	text[bytes / 2] ^= 1;
	write_file("", text, bytes);
	assert_refused(-EINVAL, "is corrupt: its checksum is another");
	write_file("", text, 3);
	assert_refused(-EINVAL, "is no recording of tlob ring");
	free(text);
	head.big_endian = !head.big_endian;
	write_head();
	assert_refused(-EINVAL, "-endian machine; read it on one of these");
	head.big_endian = !head.big_endian;
	head.long_bytes = 4;
	write_head();
	assert_refused(-EINVAL, "32-bit machine");
	head.long_bytes = 8;
	head.cpus[1].cpu = 0;
	write_head();
	assert_refused(-EINVAL, "CPUs are not in order");
}

static void test_pages_that_are_none(void **state)
{
	struct tlob_page_head *h = (void *)pages[1].bytes;
	struct tlob_page_event *e = (void *)(h + 1);
	uint64_t readable = h->readable;
	uint32_t length = e->bytes;

	(void)state;
	e->bytes = PAGE_BYTES;
	write_recording();
	assert_breaks("r.cpu1' is corrupt: at byte 16, an event goes beyond");
	e->bytes = 8;
	write_recording();
	assert_breaks("at byte 16, an event has a length that there is not");
	e->bytes = length;
	h->readable = PAGE_BYTES / 8 * 2 << 16;
	write_recording();
	assert_breaks("larger than it is");
	h->readable = readable;
	e->type = TLOB_PAGE_PADDING; /* one event less than were recorded */
	write_recording();
	assert_breaks("there are 23 events in it, and 24 were recorded");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_events_of_all_cpus_are_in_order, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_events_are_chosen_by_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_was_not_ended_is_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_files_that_are_not_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_heads_that_are_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pages_that_are_none, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
