/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What engine bpf costs everybody else: a pipe ping-pong of two threads on one CPU, engine off, on, and measuring them. */
#include "bench.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ROUNDS 31
#define TRIPS 4000

TLOB_REGION(here, "here", TLOB_S(1));

static int there[2], back[2];

static void join_engine(void)
{
	(void)tlob_stop(tlob_start(&here, 0));
}

static void *echo(void *arg)
{
	char byte;

	bench_pin(1);
	join_engine();
	bench_fifo(5);
	while (read(there[0], &byte, 1) == 1 && byte != 'q')
		if (write(back[1], &byte, 1) != 1)
			break;
	return NULL;
}

static void trips(long n)
{
	char byte = 'x';

	while (n--)
		if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
			exit(1);
}

/* Tells the least ns per round trip over descriptor 3. */
static int pingpong(void)
{
	pthread_t t;
	double ns;

	if (pipe(there) || pipe(back))
		return 1;
	bench_pin(1);
	join_engine();
	if (pthread_create(&t, NULL, echo, NULL))
		return 1;
	bench_fifo(5);
	trips(200);
	ns = bench_time(trips, TRIPS / 5);
	if (write(there[1], "q", 1) != 1 || write(3, &ns, sizeof(ns)) != sizeof(ns))
		return 1;
	pthread_join(t, NULL);
	return 0;
}

static double once(const char *socket)
{
	double ns;

	if (bench_again(socket, (const char *[]){"bench_switch", "measured", NULL}, &ns,
			sizeof(ns)))
		exit(1);
	return ns;
}

int main(int argc, char **argv)
{
	double off[ROUNDS], on[ROUNDS], in[ROUNDS], why[ROUNDS], where[ROUNDS], both[ROUNDS];
	double r_on[ROUNDS], r_in[ROUNDS], r_why[ROUNDS], r_where[ROUNDS], r_both[ROUNDS], base;
	double counted[ROUNDS], r_counted[ROUNDS];
	char socket[64];
	const struct tlobctl_opts history = {.size = sizeof(history),
					     .engine = TLOBCTL_ENGINE_BPF,
					     .socket = socket,
					     .why = TLOBCTL_WHY_CULPRIT};
	const struct tlobctl_opts interrupts = {.size = sizeof(interrupts),
						.engine = TLOBCTL_ENGINE_BPF,
						.socket = socket,
						.why = TLOBCTL_WHY_CULPRIT,
						.interrupts = true};
	const struct tlobctl_opts stacks = {.size = sizeof(stacks),
					    .engine = TLOBCTL_ENGINE_BPF,
					    .socket = socket,
					    .why = TLOBCTL_WHY_STACKS};

	if (argc > 1)
		return pingpong();
	snprintf(socket, sizeof(socket), "@tlob-bench-switch-%d", getpid());
	once(NULL);
	for (int i = 0; i < ROUNDS; i++) {
		pid_t agent;

		off[i] = once(NULL);
		agent = bench_agent(TLOBCTL_ENGINE_BPF, socket);
		on[i] = once(NULL);
		in[i] = once(socket);
		bench_agent_end(agent);
		agent = bench_agent_opts(&history);
		why[i] = once(NULL);
		bench_agent_end(agent);
		agent = bench_agent_opts(&interrupts);
		counted[i] = once(NULL);
		bench_agent_end(agent);
		agent = bench_agent_opts(&stacks);
		where[i] = once(NULL);
		both[i] = once(socket);
		bench_agent_end(agent);
		r_counted[i] = counted[i] / off[i];
		r_where[i] = where[i] / off[i];
		r_both[i] = both[i] / off[i];
		r_why[i] = why[i] / off[i];
		r_on[i] = on[i] / off[i];
		r_in[i] = in[i] / off[i];
	}
	base = bench_median(off, ROUNDS);
	bench_row("bpf: pipe round trip, threads not registered : engine off",
		  bench_median(on, ROUNDS), base, "ns", bench_median(r_on, ROUNDS), 1.06);
	bench_row("bpf: pipe round trip, both threads registered : engine off",
		  bench_median(in, ROUNDS), base, "ns", bench_median(r_in, ROUNDS), 1.10);
	bench_row("bpf: pipe round trip, with switch history : engine off",
		  bench_median(why, ROUNDS), base, "ns", bench_median(r_why, ROUNDS), 1.15);
	bench_row("bpf: pipe round trip, with history and interrupts : engine off",
		  bench_median(counted, ROUNDS), base, "ns", bench_median(r_counted, ROUNDS), 1.20);
	bench_row("bpf: pipe round trip, with history and stacks : engine off",
		  bench_median(where, ROUNDS), base, "ns", bench_median(r_where, ROUNDS), 1.15);
	bench_row("bpf: pipe round trip, history, stacks, both threads registered : engine off",
		  bench_median(both, ROUNDS), base, "ns", bench_median(r_both, ROUNDS), 1.25);
	return bench_status();
}
