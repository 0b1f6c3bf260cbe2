/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What CPU samples cost: a computing thread inside of a window and outside, samples on and off. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS 15
#define PIECES 5
#define WORK \
	16000000L /* some tens of milliseconds: as many samples in each piece, so that the least has its share */

TLOB_REGION(here, "here", TLOB_S(1));

static volatile unsigned int sink;

static void compute(long n)
{
	unsigned int x = (unsigned int)n;

	while (n--) {
		x = x * 1664525u + 1013904223u;
		__asm__ volatile("" : "+r"(x));
	}
	sink = x;
}

/* The least time of a piece, inside of a window if there is an @argument. Told over descriptor 3. */
static int measured(bool inside)
{
	double least = 0;

	bench_pin(1);
	(void)tlob_stop(tlob_start(&here, 0));
	bench_fifo(5);
	compute(WORK / 4);
	for (int i = 0; i < PIECES; i++) {
		uint64_t start = bench_now_ns();
		double ns;

		if (inside) {
			tlob_window_t w = tlob_start(&here, 0);

			compute(WORK);
			tlob_stop(w);
		} else {
			compute(WORK);
		}
		ns = (double)(bench_now_ns() - start);
		if (!least || ns < least)
			least = ns;
	}
	return write(3, &least, sizeof(least)) == sizeof(least) ? 0 : 1;
}

static double once(const char *socket, const char *how)
{
	double ns;

	if (bench_again(socket, (const char *[]){"bench_samples", how, NULL}, &ns, sizeof(ns)))
		exit(1);
	return ns / 1e6;
}

int main(int argc, char **argv)
{
	double off[ROUNDS], in[ROUNDS], out[ROUNDS], r_in[ROUNDS], r_out[ROUNDS], base;
	char socket[64];
	struct tlobctl_opts opts = {
		.size = sizeof(opts), .engine = TLOBCTL_ENGINE_BPF, .socket = socket};

	if (argc > 1)
		return measured(!strcmp(argv[1], "inside"));
	snprintf(socket, sizeof(socket), "@tlob-bench-samples-%d", getpid());
	for (int i = 0; i < ROUNDS; i++) {
		pid_t agent;

		opts.why = TLOBCTL_WHY_CULPRIT;
		agent = bench_agent_opts(&opts);
		off[i] = once(socket, "inside");
		bench_agent_end(agent);
		opts.why = TLOBCTL_WHY_SAMPLES;
		agent = bench_agent_opts(&opts);
		in[i] = once(socket, "inside");
		out[i] = once(socket, "outside");
		bench_agent_end(agent);
		r_in[i] = in[i] / off[i];
		r_out[i] = out[i] / off[i];
	}
	base = bench_median(off, ROUNDS);
	bench_row("bpf: computing inside windows, samples on : off", bench_median(in, ROUNDS), base,
		  "ms", bench_median(r_in, ROUNDS), 1.05);
	bench_row("bpf: computing outside of windows, samples on : off", bench_median(out, ROUNDS),
		  base, "ms", bench_median(r_out, ROUNDS), 1.04);
	return bench_status();
}
