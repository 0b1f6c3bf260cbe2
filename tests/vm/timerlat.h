/* SPDX-License-Identifier: GPL-2.0-or-later */
/* timerlat_fd, of the module (and of kernels that have their own). The VM has two CPUs; most is done on the second. */
#ifndef TESTS_VM_TIMERLAT_H
#define TESTS_VM_TIMERLAT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tap.h"

#include <tlob/timerlat.h>

#define TIMERLAT_DIR RV_DIR "timerlat/"
#define CPU 1
#define ALL_CPUS (-1)

/* The calling thread, or @tid. */
static inline int pin_thread(pid_t tid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (int i = 0; i < 2; i++)
		if (cpu == i || cpu == ALL_CPUS)
			CPU_SET(i, &set);
	return sched_setaffinity(tid, sizeof(set), &set) == 0 ? 0 : -errno;
}

static inline void pin(int cpu)
{
	int ret = pin_thread(0, cpu);

	check(ret == 0, "pin to %d: %d", cpu, ret);
}

static inline int timerlat_set(const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), TIMERLAT_DIR "%s", name);
	return write_file(path, value);
}

static inline char *timerlat_get(const char *name)
{
	static __thread char text[512];
	char path[128];

	snprintf(path, sizeof(path), TIMERLAT_DIR "%s", name);
	read_file(path, text, sizeof(text));
	text[strcspn(text, "\n")] = '\0';
	return text;
}

/* Afresh: enabled, the usual period, no limit, nothing stopped. */
static inline void timerlat_begin(void)
{
	pin(ALL_CPUS);
	check(timerlat_set("enable", "0") == 0);
	check(timerlat_set("timerlat_period_us", "1000") == 0);
	check(timerlat_set("stop_tracing_us", "0") == 0);
	check(timerlat_set("stop_tracing_total_us", "0") == 0);
	check(timerlat_set("enable", "1") == 0);
	check(write_file(TRACE_DIR "tracing_on", "1") == 0);
	write_file(TRACE_DIR "trace", "");
	check(write_file(TRACE_DIR "events/rv_timerlat/enable", "1") == 0);
}

/* The descriptor, or a negative errno. */
static inline int timerlat_open(int cpu)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), TIMERLAT_DIR "per_cpu/cpu%d/timerlat_fd", cpu);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 ? fd : -errno;
}

static inline int timerlat_open_pinned(void)
{
	int fd;

	pin(CPU);
	fd = timerlat_open(CPU);
	check(fd >= 0, "open: %d", fd);
	return fd;
}

/* 0 or a negative errno. */
static inline int timerlat_read(int fd)
{
	return read(fd, NULL, 0) >= 0 ? 0 : -errno;
}

static inline int timerlat_sample(int fd, struct tlob_timerlat_sample *sample)
{
	return ioctl(fd, TLOB_TIMERLAT_SAMPLE, sample) == 0 ? 0 : -errno;
}

/* What @call gives in a thread of its own. */
struct timerlat_call {
	int (*call)(void *arg);
	void *arg;
	int ret;
};

static inline void *timerlat_call(void *arg)
{
	struct timerlat_call *c = arg;

	c->ret = c->call(c->arg);
	return NULL;
}

static inline int in_thread(int (*call)(void *arg), void *arg)
{
	struct timerlat_call c = {call, arg, 0};
	pthread_t thread;

	pthread_create(&thread, NULL, timerlat_call, &c);
	pthread_join(thread, NULL);
	return c.ret;
}

/* In a child: what it returns, 0 to 127, or minus the signal that killed it. */
static inline int wait_for(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -1000;
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static inline int in_child(int (*call)(void *arg), void *arg)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(-call(arg));
	return wait_for(pid);
}

#endif
