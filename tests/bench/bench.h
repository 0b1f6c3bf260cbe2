/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Benchmarks: each figure is a ratio against a base measured in the same run, in turns, because the machine may be
 * shared: base and candidate alternate, each round gives one ratio, and the median ratio counts.
 *
 * A benchmark hosts an agent in a child and starts itself again as the measured program.
 */
#ifndef TLOB_TESTS_BENCH_H
#define TLOB_TESTS_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <tlob/ctl.h>
#include <tlob/tlob.h>

#define BENCH_ROUNDS 21

uint64_t bench_now_ns(void);
void bench_pin(int cpu);
void bench_fifo(int priority);
int bench_compare_double(const void *a, const void *b);
double bench_median(double *values, int n);
double bench_min(const double *values, int n);
/* @percent of sorted @values. */
double bench_percentile(const double *sorted, int n, double percent);

/* One row: what, candidate and base in @unit, ratio, the most it may be (0: nothing was promised). Counts what misses. */
void bench_row(const char *what, double value, double base, const char *unit, double ratio,
	       double limit);
void bench_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* 0, or 1 if a row missed its limit. */
int bench_status(void);

/* ns per call of @loop(@n), least of a few short runs. */
double bench_time(void (*loop)(long n), long n);
/* Rounds of @base and @candidate in turns; prints the row of the median ratio. */
double bench_pair(const char *what, void (*candidate)(long n), void (*base)(long n), long n,
		  double limit);

/* An agent in a child process, on abstract socket @socket; records are read and thrown away. */
pid_t bench_agent(enum tlobctl_engine engine, const char *socket);
pid_t bench_agent_opts(const struct tlobctl_opts *opts);
void bench_agent_end(pid_t pid);
/* Runs this program again with @argv, joined to @socket (NULL: switched off), and returns its exit status; what it writes to
 * descriptor 3 lands in @out. */
int bench_again(const char *socket, const char *const *argv, void *out, size_t bytes);

#endif
