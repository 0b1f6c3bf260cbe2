// SPDX-License-Identifier: GPL-2.0-or-later
/* Reading the switch history: order, reach, gaps, and a writer that does not wait for its reader. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>
#include <sys/mman.h>

#include "ctl/history_size.h"
#include "why/history.h"

#define CPUS 3
#define CAPACITY 64

static union tlob_history_line lines[CPUS + CPUS * CAPACITY];
static const struct why_history history = {lines, sizeof(lines), CPUS, CAPACITY};
static struct why_stream stream;

static int begin(void **state)
{
	memset(lines, 0, sizeof(lines));
	return 0;
}

static int end(void **state)
{
	why_stream_deinit(&stream);
	return 0;
}

static struct tlob_history_entry *write_begin(uint32_t cpu, uint64_t position)
{
	struct tlob_history_entry *e =
		&lines[tlob_history_line_of(CPUS, CAPACITY, cpu, position)].entry;

	tlob_history_begin(e);
	return e;
}

/* As the engine does; every field tells the time, so that a torn entry gives itself away. */
static void write_entry(uint32_t cpu, uint64_t time_ns)
{
	struct tlob_history_head *head = &lines[cpu].head;
	uint64_t position = head->position;
	struct tlob_history_entry *e = write_begin(cpu, position);
	uint32_t tid = (uint32_t)time_ns;
	uint64_t comm[2] = {time_ns, time_ns};
	uint64_t packed;

	tlob_store(&e->time_ns, time_ns);
	tlob_store(&e->prev_tid, tid);
	tlob_store(&e->tid, tid);
	tlob_store(&e->tgid, tid);
	tlob_store(&e->cpu, (uint16_t)cpu);
	tlob_store(&e->kind, TLOB_HISTORY_SWITCH);
	tlob_store(&e->flags, 0);
	for (int i = 0; i < 2; i++)
		tlob_store((uint64_t *)e->comm + i, comm[i]);
	tlob_store(&e->cgroup, time_ns);
	packed = time_ns;
	tlob_store(&e->prev_state, (uint16_t)packed);
	tlob_store(&e->syscall, (uint16_t)packed);
	tlob_store(&e->priority, (int16_t)packed);
	tlob_store(&e->other_cpu, (uint16_t)packed);
	tlob_history_commit(head, e, position);
}

static bool is_whole(const struct tlob_history_entry *e)
{
	uint64_t comm[2];

	memcpy(comm, e->comm, sizeof(comm));
	return e->prev_tid == (uint32_t)e->time_ns && e->tid == (uint32_t)e->time_ns &&
	       e->cgroup == e->time_ns && comm[0] == e->time_ns && comm[1] == e->time_ns &&
	       e->syscall == (uint16_t)e->time_ns && e->other_cpu == (uint16_t)e->time_ns;
}

static void read_all(uint64_t from, uint64_t to)
{
	assert_int_equal(why_history_read(&history, from, to, 100000, &stream), 0);
	for (size_t i = 0; i < stream.count; i++) {
		assert_true(is_whole(&stream.entries[i]));
		assert_true(!i || stream.entries[i].time_ns >= stream.entries[i - 1].time_ns);
	}
}

static void test_nothing(void **state)
{
	read_all(10, 20);
	assert_int_equal(stream.count, 0);
	assert_int_equal(stream.covers_ns, 10);
}

static void test_merged_in_order(void **state)
{
	for (uint64_t t = 1; t <= 60; t++)
		write_entry((uint32_t)(t * 7 % CPUS), t);
	read_all(1, 60);
	assert_int_equal(stream.count, 60);
	assert_int_equal(stream.covers_ns, 1);
	assert_false(stream.cut);
	for (uint64_t t = 1; t <= 60; t++)
		assert_int_equal(stream.entries[t - 1].time_ns, t);
}

/* One switch of each CPU before the part tells who ran when it began. */
static void test_what_was_before(void **state)
{
	write_entry(0, 10);
	write_entry(1, 11);
	write_entry(0, 20);
	write_entry(0, 30);
	write_entry(0, 40);
	read_all(25, 35);
	assert_int_equal(stream.count, 3);
	assert_int_equal(stream.entries[0].time_ns, 11);
	assert_int_equal(stream.entries[1].time_ns, 20);
	assert_int_equal(stream.entries[2].time_ns, 30);
}

/* A thread that has had the CPU for two seconds: its switch is behind what interrupts took from it, each millisecond. */
static void test_behind_interrupts(void **state)
{
	static union tlob_history_line one[1 + 4096];
	const struct why_history long_one = {one, sizeof(one), 1, 4096};

	for (uint64_t p = 0; p < 2000; p++) {
		struct tlob_history_entry *e = &one[1 + p].entry;

		e->time_ns = 1000 + p * 1000;
		e->kind = p == 3 ? TLOB_HISTORY_SWITCH : TLOB_HISTORY_INTERRUPTS;
		tlob_history_commit(&one[0].head, e, p);
	}
	assert_int_equal(why_history_read(&long_one, 1990000, 2000000, 10000, &stream), 0);
	assert_int_equal(stream.entries[0].kind, TLOB_HISTORY_SWITCH);
	assert_int_equal(stream.count, 1997);
}

static void test_does_not_reach_back(void **state)
{
	for (uint64_t t = 1; t <= 1000; t++)
		write_entry(0, t);
	read_all(500, 1000);
	assert_int_equal(stream.covers_ns,
			 938); /* 63 are kept: the 64th may be overwritten at any time */
	assert_int_equal(stream.entries[0].time_ns, 938);
	assert_int_equal(stream.count, 63);
	read_all(950, 990);
	assert_int_equal(stream.covers_ns, 950);
	assert_int_equal(stream.count, 42);
	read_all(10, 20); /* all of it is gone */
	assert_int_equal(stream.count, 0);
	assert_true(stream.covers_ns >= 20);
}

static void test_one_cpu_busy_one_idle(void **state)
{
	write_entry(1, 5);
	for (uint64_t t = 10; t <= 1000; t++)
		write_entry(0, t);
	read_all(900, 1000);
	assert_int_equal(stream.covers_ns, 938);
	assert_int_equal(stream.entries[0].time_ns, 5);
}

static void test_at_most(void **state)
{
	for (uint64_t t = 1; t <= 50; t++)
		write_entry(0, t);
	assert_int_equal(why_history_read(&history, 1, 50, 10 * CPUS, &stream), 0);
	assert_true(stream.cut);
	assert_int_equal(stream.count, 10);
	assert_int_equal(stream.entries[0].time_ns, 41);
	assert_int_equal(stream.covers_ns, 41);
}

/* The writer has begun on an entry and not come back yet. */
static void test_half_written(void **state)
{
	for (uint64_t t = 1; t <= 100; t++)
		write_entry(0, t);
	write_begin(0, 100)->tid = 12345; /* where position 36 was */
	read_all(1, 100);
	assert_int_equal(stream.entries[0].time_ns, 38);
	assert_int_equal(stream.count, 63);
	write_begin(0, 80)->tid = 12345; /* something that should be there is not */
	read_all(50, 100);
	assert_int_equal(stream.covers_ns, 82);
	assert_int_equal(stream.entries[0].time_ns, 82);
	assert_true(stream.cut);
}

static void test_mapped(void **state)
{
	struct why_history mapped;
	int fd = memfd_create("history", MFD_CLOEXEC);

	write_entry(2, 77);
	assert_int_equal(write(fd, lines, sizeof(lines)), sizeof(lines));
	assert_int_equal(why_history_map(&mapped, fd, CPUS, CAPACITY), 0);
	assert_int_equal(why_history_read(&mapped, 70, 80, 100, &stream), 0);
	assert_int_equal(stream.count, 1);
	assert_int_equal(stream.entries[0].cpu, 2);
	why_history_unmap(&mapped);
	assert_null(mapped.lines);
	close(fd);
	assert_int_equal(why_history_map(&mapped, fd, CPUS, CAPACITY), -EBADF);
}

#define ENTRIES 50000

static uint64_t clock_now;

static void *writer(void *arg)
{
	uint32_t cpu = (uint32_t)(uintptr_t)arg;

	for (int i = 0; i < ENTRIES; i++) {
		write_entry(cpu, __atomic_add_fetch(&clock_now, 1, __ATOMIC_SEQ_CST));
		if (i % 64 == 0)
			usleep(1); /* now and then nobody writes */
	}
	return NULL;
}

/* Nothing torn, nothing out of order, and nothing left out behind the point from where it is said to be complete. */
static void test_while_it_is_written(void **state)
{
	pthread_t threads[2];
	size_t seen = 0;

	clock_now = 0;
	for (uintptr_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, writer, (void *)i), 0);
	for (uint64_t now = 0; now < 2 * ENTRIES;) {
		uint64_t last[CPUS] = {0};

		now = __atomic_load_n(&clock_now, __ATOMIC_SEQ_CST);
		read_all(now > 40 ? now - 40 : 0, now);
		seen += stream.count;
		for (size_t k = 0; k < stream.count; k++) {
			const struct tlob_history_entry *e = &stream.entries[k];

			/* positions of one CPU follow each other */
			assert_true(!last[e->cpu] || e->seq == last[e->cpu] + 1);
			last[e->cpu] = e->seq;
		}
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_true(seen > 0);
	read_all(clock_now - 40, clock_now);
	assert_true(stream.count >= 41);
}

static uint32_t entries_of(uint64_t bytes, uint64_t ns, uint32_t cpus)
{
	const struct tlobctl_opts opts = {.history_bytes = bytes, .history_ns = ns};

	return tlobctl_history_entries(&opts, cpus, 131072);
}

static void test_sizes(void **state)
{
	assert_int_equal(entries_of(0, 0, 4), 131072);
	assert_int_equal(entries_of(0, 0, 64), 65536); /* 256 MiB in all */
	assert_int_equal(entries_of(16 << 20, 0, 4), 65536);
	assert_int_equal(entries_of(17 << 20, 0, 4), 65536); /* rounded down */
	assert_int_equal(entries_of(1, 0, 4), 1024);
	/* a time is rounded up, and counts for each CPU */
	assert_int_equal(entries_of(0, 1000000000, 64), 65536);
	assert_int_equal(entries_of(0, 1000100000, 64), 131072);
	assert_int_equal(entries_of(0, 1, 64), 1024);
	assert_int_equal(entries_of(1, 256000000000, 64), 1 << 24);
	assert_int_equal(entries_of(0, UINT64_MAX, 64), 1 << 24);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(test_##name, begin, end)
	const struct CMUnitTest tests[] = {
		CASE(nothing),
		CASE(merged_in_order),
		CASE(what_was_before),
		CASE(behind_interrupts),
		CASE(does_not_reach_back),
		CASE(one_cpu_busy_one_idle),
		CASE(at_most),
		CASE(half_written),
		CASE(mapped),
		CASE(while_it_is_written),
		CASE(sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
