// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Everything at once, from several threads: starts, stops, expiries, exits, closes, disabling, binding, mapped rings being
 * scribbled on, and calls with random arguments. What counts is the kernel log, and that all is gone at the end.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "uprobe.h"

#define SECONDS 4
#define FDS 8

static volatile bool over;
static int fds[FDS];
static unsigned long at_start, at_stop;

static unsigned int pick(unsigned int *seed, unsigned int n)
{
	return (unsigned int)rand_r(seed) % n;
}

static uint64_t budget(unsigned int *seed)
{
	static const uint64_t ns[] = {1000, 5000, 20000, 100000, MS, 50 * MS, 1000 * MS};

	return ns[pick(seed, 7)];
}

/* ---- one outcome: counted by the thread, and by the ring ---- */

static struct {
	uint64_t late, records;
} tally;

static void *count_outcomes(void *arg)
{
	unsigned int seed = (unsigned int)(long)arg;
	int fd = rv_open(), ring = rv_open();
	uint64_t late = 0, records = 0;
	struct tlob_record r[64];
	ssize_t n;

	fcntl(ring, F_SETFL, O_NONBLOCK);
	while (!over) {
		int ret = rv_start(fd, budget(&seed), ring, 0);

		if (ret == 0) {
			if (pick(&seed, 50) == 0)
				sleep_ns(2 * MS);
			else
				spin_ns(pick(&seed, 30000));
			ret = rv_stop(fd);
			check(ret == 0 || ret == -EOVERFLOW, "%d", ret);
			late += ret == -EOVERFLOW;
		} else {
			check(false, "start %d", ret);
		}
		while ((n = read(ring, r, sizeof(r))) > 0) {
			for (size_t i = 0; i < n / sizeof(r[0]); i++)
				check(sum_holds(&r[i]) && r[i].type == TLOB_REC_OVERRUN);
			records += n / sizeof(r[0]);
		}
	}
	__atomic_fetch_add(&tally.late, late, __ATOMIC_RELAXED);
	__atomic_fetch_add(&tally.records, records, __ATOMIC_RELAXED);
	close(fd);
	close(ring);
	return NULL;
}

static void run(void *(*const threads[])(void *), size_t n, unsigned int seconds)
{
	pthread_t ids[16];

	over = false;
	for (size_t i = 0; i < n; i++)
		pthread_create(&ids[i], NULL, threads[i], (void *)(long)(i + 1));
	sleep_ns(seconds * 1000 * MS);
	over = true;
	for (size_t i = 0; i < n; i++)
		pthread_join(ids[i], NULL);
}

static void one_outcome_per_window(void)
{
	void *(*const threads[])(void *) = {count_outcomes, count_outcomes, count_outcomes};

	tlob_set_enabled(true);
	tally.late = tally.records = 0;
	run(threads, 3, SECONDS);
	check(tally.late == tally.records && tally.late > 100, "%lu late, %lu records", tally.late,
	      tally.records);
	printf("# %lu late windows, %lu records\n", tally.late, tally.records);
	check(rv_tasks_become(0), "%u", rv_tasks());
}

/* ---- everything at once ---- */

static void *start_stop(void *arg)
{
	unsigned int seed = (unsigned int)(long)arg;

	while (!over) {
		int fd = fds[pick(&seed, FDS)];

		if (pick(&seed, 3))
			rv_start_closing(fd, budget(&seed),
					 pick(&seed, 2) ? fds[pick(&seed, FDS)] : -1, 0);
		else
			rv_stop(fd);
		if (pick(&seed, 20) == 0)
			sched_yield();
	}
	return NULL;
}

static void *open_close(void *arg)
{
	unsigned int seed = (unsigned int)(long)arg;

	while (!over) {
		int fd = open("/dev/rv", O_RDWR), other = open("/dev/rv", O_RDWR);

		rv_start(fd, budget(&seed), fd, 0);
		rv_start(other, budget(&seed), fd, 0);
		if (pick(&seed, 2))
			mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		close(fd);
		rv_stop(other);
		close(other);
		/* another descriptor may be the same number */
	}
	return NULL;
}

static void *short_lived(void *arg)
{
	(void)arg;
	rv_start(fds[0], 1000, fds[1], 0);
	rv_start(fds[1], 10 * MS, fds[1], 0);
	mark_start();
	return NULL;
}

static void *spawn(void *arg)
{
	unsigned int seed = (unsigned int)(long)arg;

	while (!over) {
		pthread_t thread;
		pid_t pid;

		if (pick(&seed, 2)) {
			if (pthread_create(&thread, NULL, short_lived, NULL) == 0)
				pthread_join(thread, NULL);
		} else if ((pid = fork()) == 0) {
			short_lived(NULL);
			if (pick(&seed, 2))
				execl("/bin/true", "true", (char *)NULL);
			raise(SIGKILL);
		} else if (pid > 0) {
			waitpid(pid, NULL, 0);
		}
	}
	return NULL;
}

static void *toggle(void *arg)
{
	(void)arg;
	while (!over) {
		write_file(TLOB_DIR "enable", "0");
		sleep_ns(2 * MS);
		write_file(TLOB_DIR "enable", "1");
		sleep_ns(20 * MS);
	}
	return NULL;
}

static void *bind(void *arg)
{
	(void)arg;
	while (!over) {
		bind_ns(self(), at_start, at_stop, 1000);
		sleep_ns(5 * MS);
		unbind(self(), at_start);
	}
	return NULL;
}

static void *hit(void *arg)
{
	unsigned int seed = (unsigned int)(long)arg;

	while (!over) {
		mark_start();
		if (pick(&seed, 2))
			spin_ns(2000);
		if (pick(&seed, 4))
			mark_stop();
	}
	return NULL;
}

static void *drain(void *arg)
{
	struct tlob_record r[16];
	unsigned int seed = (unsigned int)(long)arg;

	while (!over) {
		for (int i = 0; i < FDS; i++) {
			fcntl(fds[i], F_SETFL, O_NONBLOCK);
			if (read(fds[i], r, sizeof(r)) < 0)
				sleep_ns(1000);
		}
		if (pick(&seed, 10) == 0)
			sleep_ns(MS);
	}
	return NULL;
}

static void everything_at_once(void) /* W3 */
{
	void *(*const threads[])(void *) = {start_stop, start_stop, open_close, spawn,
					    toggle,	bind,	    hit,	drain};

	for (int i = 0; i < FDS; i++)
		fds[i] = rv_open();
	run(threads, 8, 2 * SECONDS);
	for (int i = 0; i < FDS; i++)
		close(fds[i]);
	write_file(TLOB_DIR "enable", "0");
	check(rv_tasks_become(0), "%u", rv_tasks());
	write_file(TLOB_DIR "enable", "1");
}

/* ---- calls with random arguments ---- */

static void random_call(unsigned int *seed, char *junk, struct tlob_mmap_page *pages[])
{
	static const unsigned int cmds[] = {TLOB_IOCTL_TRACE_START, TLOB_IOCTL_TRACE_STOP, 0xB903,
					    0x4018B902, 0xB900};
	struct tlob_start_args args;
	int fd = fds[pick(seed, FDS)];
	int i = pick(seed, FDS);

	switch (pick(seed, 10)) {
	case 0:
		for (size_t b = 0; b < sizeof(args); b++)
			((unsigned char *)&args)[b] = rand_r(seed);
		ioctl(fd, cmds[pick(seed, 5)], &args);
		break;
	case 1:
		ioctl(fd, rand_r(seed), rand_r(seed));
		break;
	case 2:
		ioctl(fd, TLOB_IOCTL_TRACE_START, junk + pick(seed, 4096));
		break;
	case 3:
	case 4:
	case 5:
		rv_start(fd, budget(seed), fds[i], rand_r(seed));
		break;
	case 6:
		rv_stop(fd);
		break;
	case 7:
		if (read(fd, junk + pick(seed, 4096), pick(seed, 4096)) < 0 && pick(seed, 100) == 0)
			sched_yield();
		break;
	case 8:
		if (!pages[i]) {
			void *at = mmap(NULL, 4096 * (1 + pick(seed, 6)), PROT_READ | PROT_WRITE,
					pick(seed, 9) ? MAP_SHARED : MAP_PRIVATE, fd,
					4096 * (pick(seed, 20) == 0));

			pages[i] = at == MAP_FAILED ? NULL : at;
		}
		break;
	default:
		if (pages[i])
			((volatile uint32_t *)pages[i])[pick(seed, 1024)] = rand_r(seed);
	}
}

static void *fuzz(void *arg)
{
	unsigned int seed = (unsigned int)(long)arg * 7919;
	struct tlob_mmap_page *pages[FDS] = {NULL};
	char *junk = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned long n = 0;

	munmap(junk + 4096, 4096); /* reads and writes at its end fault */
	for (int i = 0; i < 4096; i++)
		junk[i] = rand_r(&seed);
	while (!over) {
		random_call(&seed, junk, pages);
		n++;
	}
	printf("# %lu random calls\n", n);
	return NULL;
}

static void random_calls(void)
{
	void *(*const threads[])(void *) = {fuzz, fuzz, fuzz, spawn, toggle};

	for (int i = 0; i < FDS; i++) {
		fds[i] = rv_open();
		fcntl(fds[i], F_SETFL, O_NONBLOCK);
	}
	run(threads, 5, SECONDS);
	for (int i = 0; i < FDS; i++)
		close(fds[i]);
}

int main(void)
{
	static const struct tap_test tests[] = {T(one_outcome_per_window), T(everything_at_once),
						T(random_calls)};

	at_start = file_offset(mark_start);
	at_stop = file_offset(mark_stop);
	tlob_set_enabled(true);
	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
