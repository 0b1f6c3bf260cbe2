// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Delays of known length on a machine whose clock counts instructions (QEMU's icount, one CPU): what timerlat_fd makes of them must
 * be right to the microsecond. Not one of t_*: elsewhere no figure is.
 */
#include "timerlat.h"

#define CYCLES 200
#define US 1000ULL
#define ONLY_CPU 0

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t median(uint64_t *ns)
{
	qsort(ns, CYCLES, sizeof(*ns), compare);
	return ns[CYCLES / 2];
}

static void become(int priority)
{
	struct sched_param param = {.sched_priority = priority};

	check(sched_setscheduler(0, SCHED_FIFO, &param) == 0);
}

static void sleep_until(uint64_t ns)
{
	struct timespec ts = {.tv_sec = (time_t)(ns / 1000000000),
			      .tv_nsec = (long)(ns % 1000000000)};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

struct medians {
	uint64_t irq, thread, user;
};

/* A cycle each 2 ms, at whose end the thread works for @work_ns. @first, if not NULL, is told when the first timer was due. */
static struct medians measure(uint64_t work_ns, volatile uint64_t *first)
{
	static uint64_t irq[CYCLES], thread[CYCLES], user[CYCLES];
	struct tlob_timerlat_sample s;
	struct medians m;
	int fd;

	timerlat_begin();
	timerlat_set("timerlat_period_us", "2000");
	become(10);
	fd = timerlat_open(ONLY_CPU);
	check(fd >= 0 && timerlat_read(fd) == 0 && timerlat_sample(fd, &s) == 0);
	if (first)
		*first = s.expected_ns;
	for (int i = 0; i < 5; i++)
		check(timerlat_read(fd) == 0);
	for (int i = 0; i < CYCLES; i++) {
		check(timerlat_read(fd) == 0);
		if (work_ns)
			spin_ns(work_ns);
		check(timerlat_sample(fd, &s) == 0);
		irq[i] = s.irq_ns;
		thread[i] = s.thread_ns;
		user[i] = s.user_ns;
	}
	close(fd);
	m = (struct medians){median(irq), median(thread), median(user)};
	printf("# irq %lu, thread %lu, user-ret %lu ns\n", (long)m.irq, (long)m.thread,
	       (long)m.user);
	return m;
}

static struct medians idle;

static void nothing_in_the_way(void)
{
	measure(0, NULL); /* what the kernel still has to do after boot */
	idle = measure(0, NULL);
	check(idle.irq < 5 * US && idle.thread < 20 * US && idle.user < 30 * US);
	check(idle.irq < idle.thread && idle.thread < idle.user);
}

static bool is_about(uint64_t ns, uint64_t wanted, uint64_t margin)
{
	return ns + margin >= wanted && ns <= wanted + margin;
}

static void work_is_response_time(void)
{
	struct medians m = measure(300 * US, NULL);

	check(is_about(m.irq, idle.irq, US) && is_about(m.thread, idle.thread, 2 * US));
	check(is_about(m.user - m.thread, idle.user - idle.thread + 300 * US, 2 * US));
}

/* Has the CPU from 100 us before each timer to 400 us after it. */
static void *hog(void *arg)
{
	volatile uint64_t *first = arg;
	uint64_t due;

	become(20);
	while (*first == 0)
		sleep_ns(100 * US);
	/* the first timers are gone; those to come are on the same grid */
	for (due = *first + 10 * MS; *first; due += 2 * MS) {
		sleep_until(due - 100 * US);
		while (now_ns() < due + 400 * US)
			;
	}
	return NULL;
}

static void a_hog_delays_the_thread_alone(void)
{
	volatile uint64_t first = 0;
	pthread_t thread;
	struct medians m;

	pthread_create(&thread, NULL, hog, (void *)&first);
	m = measure(0, &first);
	first = 0;
	pthread_join(thread, NULL);
	check(is_about(m.irq, idle.irq, US));
	check(is_about(m.thread, 400 * US + idle.thread - idle.irq, 5 * US));
	check(is_about(m.user - m.thread, idle.user - idle.thread, 2 * US));
}

int main(void)
{
	static const struct tap_test tests[] = {T(nothing_in_the_way), T(work_is_response_time),
						T(a_hog_delays_the_thread_alone)};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
