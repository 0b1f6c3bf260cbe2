/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Subject side of the conformance harness: work, and telling the truth about it. */
#include "harness.h"

#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>

#include <fcntl.h>

#define TRUTH_FD 3
#define COMMAND_FD 4

const char *conf_argument;

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void spin_ns(uint64_t ns)
{
	uint64_t end = now_ns() + ns;

	while (now_ns() < end)
		;
}

void sleep_ns(uint64_t ns)
{
	struct timespec t = {.tv_sec = (time_t)(ns / 1000000000u),
			     .tv_nsec = (long)(ns % 1000000000u)};

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

void pin_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

void told_to_go(void)
{
	struct pollfd p = {.fd = COMMAND_FD, .events = POLLIN};
	char byte;

	if (poll(&p, 1, 10000) != 1 || read(COMMAND_FD, &byte, 1) != 1)
		exit(99);
}

void tell(const struct truth *t)
{
	if (write(TRUTH_FD, t, sizeof(*t)) != sizeof(*t))
		exit(98);
}

void tell_result(uint64_t tag, int64_t result)
{
	struct truth t = {.tag = tag, .result = result, .tid = (uint64_t)gettid()};

	tell(&t);
}

void books(struct truth *t)
{
	struct timespec unused;
	char text[128] = "";
	int fd;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &unused); /* brings the books up to date */
	fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0 ||
	    sscanf(text, "%lu %lu", &t->run_ns, &t->wait_ns) != 2)
		exit(97);
	close(fd);
}

int one_window(struct tlob_region *region, uint64_t tag, void (*work)(uint64_t), uint64_t ns)
{
	struct truth t = {.tag = tag, .tid = (uint64_t)syscall(SYS_gettid)}, before, after;
	tlob_window_t w;

	books(&before);
	t.start_ns = now_ns();
	w = tlob_start(region, tag);
	work(ns);
	t.result = tlob_stop(w);
	t.stop_ns = now_ns();
	books(&after);
	t.run_ns = after.run_ns - before.run_ns;
	t.wait_ns = after.wait_ns - before.wait_ns;
	tell(&t);
	return (int)t.result;
}
