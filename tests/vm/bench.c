// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What things cost, by the median of single operations: run in a VM that counts instructions (scripts/vm/bench), where a tick
 * is one instruction and the median is the same in each run.
 */
#include <sched.h>
#include <pthread.h>
#include <x86intrin.h>

#include "arena.h"
#include "bench_origin.h"
#include "bench_pagering.h"
#include "uprobe.h"

#define ROUNDS 2000

static int fd;
static union tlob_arena_entry *arena;

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static uint64_t median(void (*operation)(void))
{
	static uint64_t ticks[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t began = __rdtsc();

		operation();
		ticks[i] = __rdtsc() - began;
	}
	qsort(ticks, ROUNDS, sizeof(ticks[0]), by_value);
	return ticks[ROUNDS / 2];
}

static void nothing(void)
{
}

static void two_getppid(void)
{
	syscall(SYS_getppid);
	syscall(SYS_getppid);
}

static void two_clock_reads(void)
{
	now_ns();
	now_ns();
}

static void ioctl_pair(void)
{
	static const struct tlob_start_args args = {.threshold_ns = 10000 * MS, .notify_fd = -1};

	ioctl(fd, TLOB_IOCTL_TRACE_START, &args);
	ioctl(fd, TLOB_IOCTL_TRACE_STOP, 0);
}

static void mapped_pair(void)
{
	arena_stop(fd, arena, 1, 0, arena_start(fd, arena, 1, 0, 10000 * MS, 0));
}

static void uprobe_pair(void)
{
	mark_start();
	mark_stop();
}

static void switch_and_back(void)
{
	sched_yield();
}

static void *yield_too(void *arg)
{
	for (;;)
		sched_yield();
	return arg;
}

static void print(const char *name, uint64_t ticks, uint64_t base)
{
	printf("%-44s %8lu %8.2f\n", name, ticks, base ? (double)ticks / base : 0);
}

static int window_begin(void)
{
	return rv_start(fd, TLOB_BUDGET_MAX_NS, -1, 0);
}

static int (*begin)(void) = window_begin; /* have the calling thread monitored */

static void *hold(void *arg)
{
	check(begin() == 0);
	pthread_barrier_wait(arg);
	for (;;)
		pause();
	return NULL;
}

/* Have @n more threads monitored, asleep. */
static void hold_windows(unsigned int n)
{
	pthread_barrier_t barrier;
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 32768);
	while (n-- > 0) {
		pthread_barrier_init(&barrier, NULL, 2);
		if (pthread_create(&thread, &attr, hold, &barrier) != 0)
			return;
		pthread_barrier_wait(&barrier);
	}
}

static void with_monitored(unsigned int more, uint64_t base)
{
	char name[64];

	hold_windows(more);
	snprintf(name, sizeof(name), "two switches, %u tasks monitored", rv_tasks());
	print(name, median(switch_and_back), base);
}

/* The rows of with_monitored(), of the model. */
static void with_origin(const char *what, const char *parameters, uint64_t base)
{
	static const unsigned int more[] = {0, 1, ORIGIN_MOST - 2, 1};
	char name[64];

	origin_load(parameters);
	begin = origin_add;
	for (int i = 0; i < 4; i++) {
		if (i == 3)
			check(origin_add() == 0);
		else
			hold_windows(more[i]);
		snprintf(name, sizeof(name), "%s, %u tasks%s", what, origin_tasks(),
			 i == 3 ? ", one switches" : "");
		print(name, median(switch_and_back), base);
	}
	check(origin_tasks() == ORIGIN_MOST && origin_add() == -ENOSPC, "%u", origin_tasks());
	begin = window_begin;
	origin_unload();
}

/* Nobody reads: the oldest are overwritten. */
static void with_ring_open(uint64_t base)
{
	struct pagering r = pagering_open(0, "pages=64 order=0 mode=overwrite", "switch");

	print("two switches, page ring open", median(switch_and_back), base);
	close(r.fd);
}

int main(void)
{
	unsigned long at_start = file_offset(mark_start), at_stop = file_offset(mark_stop);
	struct sched_param p = {10};
	uint64_t base;
	pthread_t other;

	tlob_set_enabled(true);
	fd = rv_open();
	arena = arena_map(fd);
	sched_setscheduler(0, SCHED_FIFO, &p);
	printf("%-44s %8s %8s\n", "", "ticks", "ratio");
	print("nothing", median(nothing), 0);
	base = median(two_getppid);
	print("two getppid calls", base, base);
	print("ioctl START + STOP", median(ioctl_pair), base);
	check(arena_kick(fd, TLOB_KICK_REGISTER, 1, 0, 0) == 0);
	base = median(two_clock_reads);
	print("two clock reads", base, base);
	print("mapped start + stop", median(mapped_pair), base);
	bench_pagering();

	check(bind_ns(self(), at_start, at_stop, 10000 * MS) == 0);
	tlob_set_enabled(false);
	check(bind_ns(self(), at_start, at_stop, 10000 * MS) == 0);
	base = median(uprobe_pair);
	print("uprobe pair that does nothing", base, base);
	tlob_set_enabled(true);
	print("uprobe pair of tlob", median(uprobe_pair), base);
	check(unbind(self(), at_start) == 0);

	pthread_create(&other, NULL, yield_too, NULL);
	tlob_set_enabled(false);
	base = median(switch_and_back);
	print("two switches, monitor disabled", base, base);
	with_ring_open(base);
	with_origin("origin's way", "", base);
	with_origin("one global lock", "global=1", base);
	tlob_set_enabled(true);
	with_monitored(0, base);
	with_monitored(1, base);
	with_monitored(63, base);
	with_monitored(936, base);
	with_monitored(9000, base);
	check(window_begin() == 0);
	with_monitored(0, base);
	fflush(stdout);
	return 0;
}
