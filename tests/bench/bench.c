/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the benchmarks share, see bench.h. */
#include "bench.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int missed;

uint64_t bench_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void bench_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

void bench_fifo(int priority)
{
	struct sched_param p = {.sched_priority = priority};

	sched_setscheduler(0, priority ? SCHED_FIFO : SCHED_OTHER, &p);
}

int bench_compare_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

double bench_median(double *values, int n)
{
	qsort(values, (size_t)n, sizeof(*values), bench_compare_double);
	return values[n / 2];
}

double bench_min(const double *values, int n)
{
	double least = values[0];

	for (int i = 1; i < n; i++)
		if (values[i] < least)
			least = values[i];
	return least;
}

double bench_percentile(const double *sorted, int n, double percent)
{
	int i = (int)(percent / 100 * n);

	return sorted[i < n ? i : n - 1];
}

void bench_row(const char *what, double value, double base, const char *unit, double ratio,
	       double limit)
{
	printf("%-58s %10.1f %10.1f %-3s %7.3f", what, value, base, unit, ratio);
	if (limit > 0) {
		printf("  <= %-5.2f %s", limit, ratio <= limit ? "yes" : "NO");
		missed |= ratio > limit;
	}
	putchar('\n');
	fflush(stdout);
}

void bench_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

int bench_status(void)
{
	return missed;
}

double bench_time(void (*loop)(long n), long n)
{
	double least = 1e18;

	for (int i = 0; i < 5; i++) {
		uint64_t since = bench_now_ns();
		double ns;

		loop(n);
		ns = (double)(bench_now_ns() - since) / (double)n;
		if (ns < least)
			least = ns;
	}
	return least;
}

double bench_pair(const char *what, void (*candidate)(long n), void (*base)(long n), long n,
		  double limit)
{
	double c[BENCH_ROUNDS], b[BENCH_ROUNDS], ratio[BENCH_ROUNDS], median;

	candidate(n / 10 + 1);
	for (int i = 0; i < BENCH_ROUNDS; i++) {
		b[i] = bench_time(base, n);
		c[i] = bench_time(candidate, n);
		ratio[i] = c[i] / b[i];
	}
	median = bench_median(ratio, BENCH_ROUNDS);
	bench_row(what, bench_median(c, BENCH_ROUNDS), bench_median(b, BENCH_ROUNDS), "ns", median,
		  limit);
	return median;
}

pid_t bench_agent(enum tlobctl_engine engine, const char *socket)
{
	struct tlobctl_opts opts = {.size = sizeof(opts), .engine = engine, .socket = socket};

	return bench_agent_opts(&opts);
}

pid_t bench_agent_opts(const struct tlobctl_opts *opts)
{
	int ready[2];
	char byte;
	pid_t pid;

	fflush(stdout);
	if (pipe(ready))
		exit(1);
	pid = fork();
	if (!pid) {
		struct tlobctl *ctl;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (tlobctl_open(opts, &ctl) < 0) {
			fprintf(stderr, "bench: %s\n", tlobctl_error());
			_exit(1);
		}
		if (write(ready[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			tlobctl_poll(ctl, 1000, NULL, NULL);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		exit(1);
	close(ready[0]);
	return pid;
}

void bench_agent_end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int bench_again(const char *socket, const char *const *argv, void *out, size_t bytes)
{
	int back[2], status;
	size_t got = 0;
	ssize_t n;
	pid_t pid;

	fflush(stdout);
	if (pipe2(back, O_CLOEXEC))
		exit(1);
	pid = fork();
	if (!pid) {
		if (dup2(back[1], 3) < 0)
			_exit(1);
		if (socket)
			setenv("TLOB_AGENT", socket, 1);
		else
			setenv("TLOB", "0", 1);
		execv("/proc/self/exe", (char *const *)argv);
		_exit(126);
	}
	close(back[1]);
	while (got < bytes && (n = read(back[0], (char *)out + got, bytes - got)) > 0)
		got += (size_t)n;
	close(back[0]);
	waitpid(pid, &status, 0);
	if (bytes && got != bytes)
		exit(1);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}
