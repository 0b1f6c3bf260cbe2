// SPDX-License-Identifier: GPL-2.0-or-later
/* The mapped ring: layout, order, overflow, waking, reading; and a consumer who writes nonsense into it. */
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "tap.h"

#define RECORD sizeof(struct tlob_record)

static size_t page;

static size_t ring_bytes(size_t capacity)
{
	return page + (capacity * RECORD + page - 1) / page * page;
}

struct ring {
	int fd;
	size_t bytes;
	struct tlob_mmap_page *head;
	struct tlob_record *records;
};

static struct ring ring_open(size_t capacity)
{
	struct ring r = {.fd = rv_open(), .bytes = ring_bytes(capacity)};

	r.head = mmap(NULL, r.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, r.fd, 0);
	check(r.head != MAP_FAILED, "capacity %zu", capacity);
	if (r.head == MAP_FAILED)
		exit(1);
	r.records = (void *)((char *)r.head + page);
	return r;
}

static void ring_close(struct ring *r)
{
	munmap(r->head, r->bytes);
	close(r->fd);
}

/* One overrun of the calling thread, reported to @notify. */
static void overrun(int notify, uint64_t tag)
{
	static __thread int fd;

	if (fd == 0)
		fd = rv_open();
	check(rv_start(fd, 1000, notify, tag) == 0);
	spin_ns(20000);
	check(rv_stop(fd) == -EOVERFLOW);
}

static uint32_t head_of(const struct ring *r)
{
	return __atomic_load_n(&r->head->data_head, __ATOMIC_ACQUIRE);
}

static void mmap_basic(void) /* D13 */
{
	struct ring r = ring_open(32);

	check(r.head->version == 1 && r.head->record_size == RECORD && r.head->data_offset == page);
	check(r.head->data_head == 0 && r.head->data_tail == 0 && r.head->dropped == 0);
	check(r.head->capacity == 32);
	ring_close(&r);
}

static void capacities(void) /* D2 */
{
	for (size_t capacity = 32; capacity <= 65536; capacity *= 2) {
		struct ring r = ring_open(capacity);

		check(r.head->capacity == capacity, "%zu", capacity);
		overrun(r.fd, capacity);
		check(head_of(&r) == 1 && r.records[0].tag == capacity);
		ring_close(&r);
	}
}

static bool map_fails(int fd, size_t bytes, int prot, int flags, off_t offset, int error)
{
	return mmap(NULL, bytes, prot, flags, fd, offset) == MAP_FAILED && errno == error;
}

static void mmap_errors(void) /* D12 */
{
	size_t good = ring_bytes(64);
	int fd = rv_open();

	check(map_fails(fd, page, PROT_READ, MAP_SHARED, 0, EINVAL), "short");
	check(map_fails(fd, good + page, PROT_READ, MAP_SHARED, 0, EINVAL), "long");
	check(map_fails(fd, ring_bytes(131072), PROT_READ, MAP_SHARED, 0, EINVAL), "too long");
	check(map_fails(fd, good, PROT_READ, MAP_PRIVATE, 0, EINVAL), "private");
	check(map_fails(fd, good, PROT_READ, MAP_SHARED, page, EINVAL), "offset");
	check(map_fails(fd, good, PROT_READ | PROT_EXEC, MAP_SHARED, 0, EPERM), "exec");
	check(mmap(NULL, good, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED, "read only");
	check(mmap(NULL, good, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED, "twice");
	check(map_fails(fd, ring_bytes(128), PROT_READ, MAP_SHARED, 0, EINVAL), "another capacity");
	close(fd);
}

static void mmap_consume(void)
{
	struct ring r = ring_open(32);

	for (uint32_t i = 0; i < 100; i++) {
		overrun(r.fd, i);
		check(head_of(&r) == i + 1);
		check(r.records[i % 32].tag == i && sum_holds(&r.records[i % 32]));
		__atomic_store_n(&r.head->data_tail, i + 1, __ATOMIC_RELEASE);
	}
	check(r.head->dropped == 0);
	ring_close(&r);
}

static void event_push_one(void)
{
	struct ring r = ring_open(32);

	overrun(r.fd, 42);
	check(head_of(&r) == 1 && r.records[0].tag == 42 && r.records[0].budget_ns == 1000);
	ring_close(&r);
}

static void event_push_overflow(void) /* D4 */
{
	struct ring r = ring_open(32);

	for (uint64_t i = 0; i < 33; i++)
		overrun(r.fd, i);
	check(head_of(&r) == 32 && r.head->dropped == 1, "dropped %llu", r.head->dropped);
	check(r.records[0].tag == 0 && r.records[31].tag == 31);
	ring_close(&r);
}

static void event_empty(void)
{
	struct ring r = ring_open(32);

	check(rv_empty(r.fd) && head_of(&r) == 0);
	ring_close(&r);
}

static void *late_overrun(void *arg)
{
	sleep_ns(50 * MS);
	overrun(*(int *)arg, 9);
	return NULL;
}

static void ring_wakeup(void)
{
	int fd = rv_open(), ep = epoll_create1(0);
	struct epoll_event ev = {.events = EPOLLIN};
	struct tlob_record record;
	uint64_t began = now_ns();
	pthread_t thread;

	check(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) == 0);
	pthread_create(&thread, NULL, late_overrun, &fd);
	check(epoll_wait(ep, &ev, 1, 2000) == 1 && (ev.events & EPOLLIN));
	check(now_ns() - began < 1000 * MS);
	pthread_join(thread, NULL);
	check(read(fd, &record, RECORD) == (ssize_t)RECORD && record.tag == 9);
	close(ep);
	close(fd);
}

static void read_blocks(void) /* D8 */
{
	struct tlob_record record;
	int fd = rv_open();
	pthread_t thread;

	pthread_create(&thread, NULL, late_overrun, &fd);
	check(read(fd, &record, RECORD) == (ssize_t)RECORD && record.tag == 9);
	pthread_join(thread, NULL);
	close(fd);
}

static int raced_fd;

static void *reader(void *arg)
{
	struct tlob_record record;

	*(ssize_t *)arg = read(raced_fd, &record, RECORD);
	return NULL;
}

/* Two blocked readers, one record: the loser goes on waiting. */
static void read_loses_the_race(void) /* D8 */
{
	ssize_t a = 0, b = 0;
	pthread_t ta, tb;

	raced_fd = rv_open();
	pthread_create(&ta, NULL, reader, &a);
	pthread_create(&tb, NULL, reader, &b);
	sleep_ns(50 * MS);
	overrun(raced_fd, 1);
	sleep_ns(100 * MS);
	check(a + b == (ssize_t)RECORD, "%zd %zd", a, b);
	overrun(raced_fd, 2);
	pthread_join(ta, NULL);
	pthread_join(tb, NULL);
	check(a == (ssize_t)RECORD && b == (ssize_t)RECORD, "%zd %zd", a, b);
	close(raced_fd);
}

static void read_sizes(void) /* D7 */
{
	struct tlob_record records[8];
	int fd = rv_open();

	fcntl(fd, F_SETFL, O_NONBLOCK);
	check(read(fd, records, RECORD) == -1 && errno == EAGAIN);
	check(read(fd, records, RECORD - 1) == -1 && errno == EINVAL);
	for (int i = 0; i < 5; i++)
		overrun(fd, i);
	check(read(fd, records, 2 * RECORD + 17) == 2 * (ssize_t)RECORD);
	check(read(fd, records, sizeof(records)) == 3 * (ssize_t)RECORD && records[2].tag == 4);
	close(fd);
}

static void read_fault_loses_nothing(void) /* D9 */
{
	char *two =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct tlob_record record;
	int fd = rv_open();

	munmap(two + page, page);
	overrun(fd, 1);
	overrun(fd, 2);
	check(read(fd, two + page - 10, RECORD) == -1 && errno == EFAULT);
	/* the second one does not fit: the first is read, the second stays */
	check(read(fd, two + page - RECORD - 5, 2 * RECORD) == (ssize_t)RECORD);
	check(rv_read(fd, &record) && record.tag == 2);
	munmap(two, page);
	close(fd);
}

static void not_inherited(void)
{
	struct ring r = ring_open(32);
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		volatile uint32_t *head = &r.head->data_head;

		_exit(*head);
	}
	waitpid(pid, &status, 0);
	check(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "status %x", status);
	ring_close(&r);
}

static void hostile_page(void) /* D14 */
{
	struct ring r = ring_open(32);
	struct tlob_record record;

	for (uint32_t i = 0; i < 2000; i++) {
		uint32_t *words = (uint32_t *)r.head;

		for (int w = 0; w < 8; w++)
			words[w] = (uint32_t)random();
		if (i % 3 == 0)
			words[1] = i % 2 ? 0xffffffff : 0; /* tail */
		overrun(r.fd, i);
		check(r.head->data_head <= i + 1, "head %u after %u records", r.head->data_head,
		      i + 1);
	}
	/* a sane tail, and all is well again */
	overrun(r.fd, 1);
	r.head->data_tail = head_of(&r);
	check(rv_empty(r.fd));
	overrun(r.fd, 12345);
	check(read(r.fd, &record, RECORD) == (ssize_t)RECORD && record.tag == 12345, "tag %llu",
	      record.tag);
	ring_close(&r);
}

static volatile bool reading_over;

static void *read_into_fresh_pages(void *arg)
{
	struct pollfd p = {*(int *)arg, POLLIN, 0};

	while (!reading_over) {
		char *to = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
				0);

		if (poll(&p, 1, 10) == 1 && read(p.fd, to, page) < 0)
			check(errno == EAGAIN);
		munmap(to, page);
	}
	return NULL;
}

/* Reading may fault while it holds off other readers; mapping holds the lock that faults take. */
static void read_while_mapping(void)
{
	int fd = rv_open();
	pthread_t thread;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	overrun(fd, 0);
	reading_over = false;
	pthread_create(&thread, NULL, read_into_fresh_pages, &fd);
	for (int i = 0; i < 2000; i++) {
		void *at = mmap(NULL, ring_bytes(64), PROT_READ, MAP_SHARED, fd, 0);

		overrun(fd, i);
		check(at != MAP_FAILED && munmap(at, ring_bytes(64)) == 0);
	}
	reading_over = true;
	pthread_join(thread, NULL);
	close(fd);
}

static void user_limit(void) /* W7 */
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int n = 0, fd;

		if (setgid(65534) || setuid(65534))
			_exit(10);
		/* the limit set by the runner: 16 descriptors, 64 pages */
		while (n < 40 && (fd = open("/dev/rv", O_RDWR)) >= 0)
			n++;
		if (n != 16 || errno != EMFILE)
			_exit(11);
		if (mmap(NULL, ring_bytes(65536), PROT_READ, MAP_SHARED, fd - 1, 0) != MAP_FAILED)
			_exit(12);
		_exit(0);
	}
	check(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 0, "status %x", status);
	/* others are not held up */
	check(close(rv_open()) == 0);
}

int main(void)
{
	static const struct tap_test tests[] = {
		T(mmap_basic),		T(capacities),	   T(mmap_errors),
		T(mmap_consume),	T(event_push_one), T(event_push_overflow),
		T(event_empty),		T(ring_wakeup),	   T(read_blocks),
		T(read_loses_the_race), T(read_sizes),	   T(read_fault_loses_nothing),
		T(not_inherited),	T(hostile_page),   T(read_while_mapping),
		T(user_limit),
	};

	page = sysconf(_SC_PAGESIZE);
	tlob_set_enabled(true);
	write_file("/sys/module/tlob/parameters/user_files", "16");
	write_file("/sys/module/tlob/parameters/user_pages", "64");
	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
