/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a window costs: start and stop, the thread clock, more threads, memory; against clock reads and a trace marker. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TLOB_REGION(second, "one second", TLOB_S(1));
TLOB_REGION(milli, "one millisecond", TLOB_MS(1));

static volatile uint64_t sink;
static int marker = -1;

static void one_read(long n)
{
	while (n--)
		sink = bench_now_ns();
}

static void two_reads(long n)
{
	while (n--) {
		sink = bench_now_ns();
		sink = bench_now_ns();
	}
}

static void pairs(long n)
{
	while (n--)
		(void)tlob_stop(tlob_start(&second, 1));
}

static void pairs_milli(long n)
{
	while (n--)
		(void)tlob_stop(tlob_start(&milli, 1));
}

/* Begun and ended by region and tag: a table instead of a slot of the thread's own. */
static void crossings(long n)
{
	for (uint64_t tag = 0; n--; tag++) {
		(void)tlob_begin(&second, tag);
		(void)tlob_end(&second, tag);
	}
}

static void clocks(long n)
{
	struct tlob_times t;

	while (n--) {
		tlob_thread_clock(&t);
		sink = t.running_ns;
	}
}

static void markers(long n)
{
	while (n--)
		if (write(marker, "tlob bench mark", 15) != 15)
			exit(1);
}

/* ---- two threads, and many */

struct worker {
	pthread_t thread;
	pthread_barrier_t *barrier;
	int cpu;
	double ns;
};

static void *run_worker(void *arg)
{
	struct worker *w = arg;

	bench_pin(w->cpu);
	pairs(1000);
	pthread_barrier_wait(w->barrier);
	w->ns = bench_time(pairs, 200000);
	return NULL;
}

/* Least ns per pair among @n threads that measure at the same time, each on its CPU; the slower of the two. */
static double together(int n)
{
	pthread_barrier_t barrier;
	struct worker w[2];
	double ns = 0;

	pthread_barrier_init(&barrier, NULL, (unsigned)n);
	for (int i = 0; i < n; i++) {
		w[i] = (struct worker){.barrier = &barrier, .cpu = i};
		if (pthread_create(&w[i].thread, NULL, run_worker, &w[i]))
			exit(1);
	}
	for (int i = 0; i < n; i++) {
		pthread_join(w[i].thread, NULL);
		if (w[i].ns > ns)
			ns = w[i].ns;
	}
	return ns;
}

static void one_and_two(const char *name)
{
	double one[BENCH_ROUNDS], two[BENCH_ROUNDS], ratio[BENCH_ROUNDS];
	char what[80];

	for (int i = 0; i < BENCH_ROUNDS; i++) {
		one[i] = together(1);
		two[i] = together(2);
		ratio[i] = two[i] / one[i];
	}
	snprintf(what, sizeof(what), "%s: pair, 2 threads on 2 CPUs : 1 thread", name);
	bench_row(what, bench_median(two, BENCH_ROUNDS), bench_median(one, BENCH_ROUNDS), "ns",
		  bench_median(ratio, BENCH_ROUNDS), 1.15);
}

static pthread_barrier_t all_in, all_out;

static void *registered(void *arg)
{
	pairs(1);
	pthread_barrier_wait(&all_in);
	pthread_barrier_wait(&all_out);
	return NULL;
}

/* Resident bytes, the maps that an engine shares with this process included. */
static double resident_bytes(void)
{
	unsigned long all = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f || fscanf(f, "%lu %lu", &all, &resident) != 2)
		exit(1);
	fclose(f);
	return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

#define THREADS 10000

/* @n threads that have each had a window, waiting to be let go. */
static pthread_t *crowd(int n)
{
	pthread_t *threads = calloc((size_t)n, sizeof(*threads));
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	pthread_barrier_init(&all_in, NULL, (unsigned)n + 1);
	pthread_barrier_init(&all_out, NULL, (unsigned)n + 1);
	for (int i = 0; i < n; i++)
		if (pthread_create(&threads[i], &attr, registered, NULL))
			exit(1);
	pthread_barrier_wait(&all_in);
	return threads;
}

static void disperse(pthread_t *threads, int n)
{
	pthread_barrier_wait(&all_out);
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	free(threads);
}

/* Tells how many resident bytes a thread brings. */
static int memory(void)
{
	double before, bytes;
	pthread_t *threads;

	pairs(1);
	before = resident_bytes();
	threads = crowd(THREADS);
	bytes = (resident_bytes() - before) / THREADS;
	disperse(threads, THREADS);
	return write(3, &bytes, sizeof(bytes)) != sizeof(bytes);
}

static void many(const char *name)
{
	double before = bench_time(pairs, 200000), after[BENCH_ROUNDS];
	pthread_t *threads;
	char what[80];

	for (int i = 0; i < 9; i++) {
		double again = bench_time(pairs, 200000);

		if (again < before)
			before = again;
	}
	threads = crowd(THREADS);
	for (int i = 0; i < BENCH_ROUNDS; i++)
		after[i] = bench_time(pairs, 200000);
	disperse(threads, THREADS);
	snprintf(what, sizeof(what), "%s: pair, %d threads registered : 1", name, THREADS);
	bench_row(what, bench_min(after, BENCH_ROUNDS), before, "ns",
		  bench_min(after, BENCH_ROUNDS) / before, 1.15);
}

/* ---- a private tracefs instance, gone afterwards */

#define INSTANCE "/sys/kernel/tracing/instances/tlob-bench-" /* and the process */

static char instance[96];

/* Of benches that were killed: the process they are named after is gone. */
static void remove_stale_instances(void)
{
	glob_t found;

	if (glob(INSTANCE "*", 0, NULL, &found))
		return;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		int pid = atoi(found.gl_pathv[i] + strlen(INSTANCE));

		if (pid > 0 && kill(pid, 0) && errno == ESRCH)
			rmdir(found.gl_pathv[i]);
	}
	globfree(&found);
}

static bool open_marker(void)
{
	char path[160];

	remove_stale_instances();
	snprintf(instance, sizeof(instance), INSTANCE "%d", getpid());
	if (mkdir(instance, 0700))
		return false;
	snprintf(path, sizeof(path), "%s/trace_marker", instance);
	marker = open(path, O_WRONLY | O_CLOEXEC);
	return marker >= 0;
}

static int measured(const char *name, const char *part)
{
	char what[80];

	if (!strcmp(part, "memory"))
		return memory();
	if (strcmp(tlob_engine(), name)) {
		fprintf(stderr, "bench: measured by engine %s, not %s\n", tlob_engine(), name);
		return 1;
	}
	bench_pin(1);
	if (!strcmp(part, "threads")) {
		many(name);
		one_and_two(name);
		return bench_status();
	}
	snprintf(what, sizeof(what), "%s: start + stop, budget 1 s : two clock reads", name);
	bench_pair(what, pairs, two_reads, 100000, 1.4);
	snprintf(what, sizeof(what), "%s: begin + end, budget 1 s : two clock reads", name);
	bench_pair(what, crossings, two_reads, 100000, 4);
	snprintf(what, sizeof(what), "%s: begin + end : start + stop", name);
	bench_pair(what, crossings, pairs, 100000, 0);
	snprintf(what, sizeof(what), "%s: start + stop, budget 1 ms : two clock reads", name);
	bench_pair(what, pairs_milli, two_reads, 100000, 0);
	if (!strcmp(name, "bpf")) {
		snprintf(what, sizeof(what), "%s: tlob_thread_clock() : one clock read", name);
		bench_pair(what, clocks, one_read, 100000, 2.0);
	} else {
		snprintf(what, sizeof(what),
			 "%s: tlob_thread_clock(), by system calls : one clock read", name);
		bench_pair(what, clocks, one_read, 20000, 0);
	}
	if (open_marker()) {
		snprintf(what, sizeof(what), "%s: start + stop : write to a trace_marker", name);
		bench_pair(what, pairs, markers, 20000, 1);
		close(marker);
	} else {
		bench_note("%s: no tracefs here: trace_marker not compared", name);
	}
	rmdir(instance);
	return bench_status();
}

static int both(enum tlobctl_engine engine, const char *name)
{
	const char *const memory_of[] = {"bench_pair", name, "memory", NULL};
	char socket[64], what[80];
	double with, without;
	pid_t agent;
	int status;

	snprintf(socket, sizeof(socket), "@tlob-bench-%s-%d", name, getpid());
	agent = bench_agent(engine, socket);
	status = bench_again(socket, (const char *[]){"bench_pair", name, "cost", NULL}, NULL, 0);
	status |=
		bench_again(socket, (const char *[]){"bench_pair", name, "threads", NULL}, NULL, 0);
	if (bench_again(socket, memory_of, &with, sizeof(with)) ||
	    bench_again(NULL, memory_of, &without, sizeof(without)))
		exit(1);
	bench_agent_end(agent);
	snprintf(what, sizeof(what), "%s: bytes per registered thread : 1 KiB", name);
	bench_row(what, with - without, 1024, "B", (with - without) / 1024, 1);
	return status | bench_status();
}

int main(int argc, char **argv)
{
	if (argc == 3)
		return measured(argv[1], argv[2]);
	return both(TLOBCTL_ENGINE_BPF, "bpf") | both(TLOBCTL_ENGINE_USER, "user");
}
