// SPDX-License-Identifier: GPL-2.0-or-later
// A thread's own three clocks, without any region: where did the last step's time go?
// Try: tlob run -- build/examples/clock
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <tlob/tlob.h>

static volatile unsigned long sink;

static void compute(void)
{
	for (unsigned long i = 0; i < 20000000; i++)
		sink += i;
}

static void doze(void)
{
	usleep(20000);
}

static void step(const char *name, void (*work)(void))
{
	struct tlob_times before, after;
	int r = tlob_thread_clock(&before);

	work();
	r = r ? r : tlob_thread_clock(&after);
	if (r) {
		printf("%-8s no clock: %s\n", name, strerror(-r));
		return;
	}
	printf("%-8s running %6.2f ms, waiting %6.2f ms, sleeping %6.2f ms, %u switches%s\n", name,
	       (double)(after.running_ns - before.running_ns) / 1e6,
	       (double)(after.waiting_ns - before.waiting_ns) / 1e6,
	       (double)(after.sleeping_ns - before.sleeping_ns) / 1e6,
	       after.switches - before.switches,
	       after.flags & TLOB_F_ESTIMATED ? " (estimated)" : "");
}

int main(void)
{
	step("compute", compute);
	step("doze", doze);
	printf("engine: %s\n", tlob_engine());
	return 0;
}
