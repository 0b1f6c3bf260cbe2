/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How late an overrun record is behind its deadline, spinning and sleeping, p50 and p99. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WINDOWS 1000

TLOB_REGION(short_one, "short", TLOB_US(500));

static int measured(const char *how)
{
	struct timespec nap = {.tv_nsec = 1000000};

	bench_pin(1);
	for (int i = 0; i < WINDOWS; i++) {
		tlob_window_t w = tlob_start(&short_one, (uint64_t)i);
		uint64_t end = bench_now_ns() + 800000;

		if (!strcmp(how, "sleeping"))
			nanosleep(&nap, NULL);
		else
			while (bench_now_ns() < end)
				;
		(void)tlob_stop(w);
	}
	return 0;
}

struct late {
	double us[2 * WINDOWS], seen_us[2 * WINDOWS];
	int n, at_stop;
};

static void on_event(const struct tlobctl_event *event, void *arg)
{
	const struct tlob_record *r = event->record;
	uint64_t deadline = r->start_ns + r->budget_ns;
	struct late *l = arg;

	if (r->type != TLOB_REC_OVERRUN || l->n >= 2 * WINDOWS)
		return;
	l->at_stop += !!(r->flags & TLOB_F_AT_STOP);
	l->us[l->n] = (double)(r->time_ns - deadline) / 1000;
	l->seen_us[l->n++] = (double)(bench_now_ns() - deadline) / 1000;
}

static void one(enum tlobctl_engine engine, const char *name, const char *how, double p50,
		double p99)
{
	struct tlobctl_opts opts = {.size = sizeof(opts), .engine = engine};
	struct tlobctl *ctl;
	char socket[64], what[80];
	struct late l = {.n = 0};
	pid_t pid;

	snprintf(socket, sizeof(socket), "@tlob-bench-late-%s-%s-%d", name, how, getpid());
	opts.socket = socket;
	if (tlobctl_open(&opts, &ctl) < 0) {
		fprintf(stderr, "bench: %s\n", tlobctl_error());
		exit(1);
	}
	fflush(stdout);
	pid = fork();
	if (!pid) {
		setenv("TLOB_AGENT", socket, 1);
		execl("/proc/self/exe", "bench_late", how, NULL);
		_exit(126);
	}
	bench_pin(0);
	while (waitpid(pid, NULL, WNOHANG) == 0)
		tlobctl_poll(ctl, 50, on_event, &l);
	tlobctl_poll(ctl, 50, on_event, &l);
	tlobctl_close(ctl);
	qsort(l.us, (size_t)l.n, sizeof(double), bench_compare_double);
	qsort(l.seen_us, (size_t)l.n, sizeof(double), bench_compare_double);
	if (l.n < WINDOWS * 9 / 10) {
		fprintf(stderr, "bench: only %d records of %d windows\n", l.n, WINDOWS);
		exit(1);
	}
	snprintf(what, sizeof(what), "%s, %s: record behind deadline, p50 : %.0f us", name, how,
		 p50);
	bench_row(what, bench_percentile(l.us, l.n, 50), p50, "us",
		  bench_percentile(l.us, l.n, 50) / p50, 1);
	snprintf(what, sizeof(what), "%s, %s: record behind deadline, p99 : %.0f us", name, how,
		 p99);
	bench_row(what, bench_percentile(l.us, l.n, 99), p99, "us",
		  bench_percentile(l.us, l.n, 99) / p99, 1);
	bench_note(
		"    max %.0f us; in the reader's hands p50 %.0f us, p99 %.0f us; %d records, %d by the stop",
		l.us[l.n - 1], bench_percentile(l.seen_us, l.n, 50),
		bench_percentile(l.seen_us, l.n, 99), l.n, l.at_stop);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return measured(argv[1]);
	one(TLOBCTL_ENGINE_BPF, "bpf", "spinning", 15, 50);
	one(TLOBCTL_ENGINE_BPF, "bpf", "sleeping", 15, 50);
	one(TLOBCTL_ENGINE_USER, "user", "spinning", 30, 100);
	one(TLOBCTL_ENGINE_USER, "user", "sleeping", 30, 100);
	return bench_status();
}
