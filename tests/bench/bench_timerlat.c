/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Timer latency: what tlob timerlat measures, beside cyclictest of rt-tests, in turns. Both have SCHED_FIFO 95, locked memory,
 * a period of 1 ms, all CPUs and /dev/cpu_dma_latency at 0.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS 7
#define SECONDS 2
#define MOST_US 10000

static void cannot(const char *what)
{
	fprintf(stderr, "bench_timerlat: %s\n", what);
	exit(1);
}

static int take_all(const struct tlobctl_timerlat_stat *stat, void *arg)
{
	if (stat->cpu < 0)
		*(double *)arg = (double)tlobctl_hist_percentile(
					 stat->parts[TLOBCTL_TIMERLAT_TOTAL].hist, 50) /
				 1000;
	return 0;
}

/* Median of the total, in us. */
static double timerlat(enum tlobctl_timerlat_backend backend)
{
	const struct tlobctl_timerlat_opts opts = {.size = sizeof(opts), .backend = backend};
	const struct timespec while_it_runs = {.tv_sec = SECONDS};
	struct tlobctl_timerlat *t;
	double us = 0;

	if (tlobctl_timerlat_open(&opts, &t))
		cannot(tlobctl_error());
	nanosleep(&while_it_runs, NULL);
	if (tlobctl_timerlat_stop(t) || tlobctl_timerlat_stats(t, take_all, &us))
		cannot(tlobctl_error());
	tlobctl_timerlat_close(t);
	return us;
}

/* "000012 000345 000402": so many of 12 us, by CPU. */
static void add_line(const char *line, uint64_t counts[MOST_US], uint64_t *all)
{
	char *at;
	unsigned long us = strtoul(line, &at, 10);

	if (at == line || us >= MOST_US)
		return;
	for (;;) {
		char *end;
		uint64_t n = strtoull(at, &end, 10);

		if (end == at)
			break;
		counts[us] += n;
		*all += n;
		at = end;
	}
}

/* The same of cyclictest, whose buckets are of 1 us: as if what is in one were spread over it. */
static double cyclictest(void)
{
	static uint64_t counts[MOST_US];
	uint64_t all = 0, below = 0;
	char line[65536];
	FILE *out;

	memset(counts, 0, sizeof(counts));
	snprintf(line, sizeof(line), "cyclictest -q -m -S -p95 -i1000 -d0 -D%d -h%d 2>&1", SECONDS,
		 MOST_US);
	out = popen(line, "r");
	while (out && fgets(line, sizeof(line), out))
		if (*line >= '0' && *line <= '9')
			add_line(line, counts, &all);
	if (!out || pclose(out) || !all)
		cannot("cyclictest (package rt-tests) did not run");
	for (unsigned int us = 0; us < MOST_US; us++) {
		if (2 * (below + counts[us]) >= all)
			return us + ((double)all / 2 - (double)below) / (double)counts[us];
		below += counts[us];
	}
	return MOST_US;
}

int main(void)
{
	double bpf[ROUNDS], plain[ROUNDS], other[ROUNDS], to_bpf[ROUNDS], from_bpf[ROUNDS],
		to_plain[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		other[i] = cyclictest();
		bpf[i] = timerlat(TLOBCTL_TIMERLAT_BPF);
		plain[i] = timerlat(TLOBCTL_TIMERLAT_PLAIN);
		to_bpf[i] = bpf[i] / other[i];
		from_bpf[i] = other[i] / bpf[i];
		to_plain[i] = plain[i] / other[i];
	}
	bench_row("timerlat bpf, total p50 : cyclictest", bench_median(bpf, ROUNDS),
		  bench_median(other, ROUNDS), "us", bench_median(to_bpf, ROUNDS), 1.20);
	bench_row("cyclictest, p50 : timerlat bpf, total", bench_median(other, ROUNDS),
		  bench_median(bpf, ROUNDS), "us", bench_median(from_bpf, ROUNDS), 1.20);
	bench_row("timerlat plain, total p50 : cyclictest", bench_median(plain, ROUNDS),
		  bench_median(other, ROUNDS), "us", bench_median(to_plain, ROUNDS), 0);
	return bench_status();
}
