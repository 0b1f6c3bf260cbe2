/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A program that knows nothing of tlob, for the probe tests: probee MODE [COUNT] [MS]. Waits for a byte on descriptor 4 first. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROBED __attribute__((noinline, noclone, used, visibility("default")))

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

PROBED void work_spin(unsigned ms)
{
	uint64_t end = now_ns() + ms * 1000000ull;

	while (now_ns() < end)
		;
}

PROBED void work_sleep(unsigned ms)
{
	usleep(ms * 1000);
}

PROBED void mark_a(void)
{
	__asm__ volatile("nop");
}

PROBED void mark_b(void)
{
	__asm__ volatile("nop");
}

PROBED void mark_c(void)
{
	__asm__ volatile("nop");
}

PROBED void inner(unsigned ms)
{
	work_sleep(ms);
	__asm__ volatile("");
}

PROBED void outer(unsigned ms)
{
	inner(ms);
	__asm__ volatile("");
}

PROBED unsigned recursive(unsigned level, unsigned ms)
{
	unsigned r = level > 1 ? recursive(level - 1, ms) : (work_sleep(ms), 0);

	__asm__ volatile("" : "+r"(r));
	return r + 1;
}

PROBED void alpha_one(unsigned ms)
{
	work_sleep(ms);
	__asm__ volatile("");
}

PROBED void alpha_two(unsigned ms)
{
	work_sleep(ms);
	__asm__ volatile("");
}

PROBED void never_returns(void)
{
	work_sleep(30);
	pthread_exit(NULL);
}

static jmp_buf home;

PROBED void leaps(unsigned far, unsigned ms)
{
	work_sleep(ms);
	if (far)
		longjmp(home, 1);
	__asm__ volatile("");
}

static void leap(unsigned times, unsigned ms)
{
	for (volatile unsigned i = 0; i < times; i++)
		if (!setjmp(home))
			leaps(1, 1);
	leaps(0, ms);
	work_sleep(ms);
}

static void *leaver(void *arg)
{
	(void)arg;
	never_returns();
	return NULL;
}

static void marks(unsigned ms)
{
	mark_a();
	work_sleep(ms);
	mark_b();
	work_sleep(ms);
	mark_c();
}

/* Many windows that each want a timer, then one that is over. */
static void hasty(unsigned ms)
{
	uint64_t end = now_ns() + 2000000000ull;

	while (now_ns() < end)
		work_spin(0);
	work_spin(ms);
}

static void leave(unsigned ms)
{
	pthread_t t;

	pthread_create(&t, NULL, leaver, NULL);
	pthread_join(t, NULL);
	work_sleep(ms);
}

static void *exec_again(void *arg)
{
	char **argv = arg;

	execl("/proc/self/exe", argv[0], "now", argv[2], argv[3], NULL);
	_exit(96);
}

/* The process goes on as another program, which a thread that is not its first one has called. */
static void exec_from_thread(char **argv)
{
	pthread_t t;

	pthread_create(&t, NULL, exec_again, argv);
	pthread_join(t, NULL);
}

/*
 * A request goes through three stages, each in a thread of its own, from queue to queue: a pipe holds its address.
 * Before the last stage it lies for a while where nobody works on it.
 */
struct request {
	unsigned number, ms;
};

PROBED void take_in(struct request *r)
{
	__asm__ volatile("" : : "r"(r) : "memory");
}

PROBED void parse_begin(int flags, struct request *r)
{
	__asm__ volatile("" : : "r"(r), "r"(flags) : "memory");
}

PROBED void parse_end(struct request *r)
{
	__asm__ volatile("" : : "r"(r) : "memory");
}

PROBED void answer_begin(struct request *r)
{
	__asm__ volatile("" : : "r"(r) : "memory");
}

PROBED void answer_end(struct request *r)
{
	__asm__ volatile("" : : "r"(r) : "memory");
}

PROBED void done(struct request *r)
{
	__asm__ volatile("" : : "r"(r) : "memory");
}

static int first[2], second[2];
static unsigned requests;

static struct request *next(int from)
{
	struct request *r = NULL;

	return read(from, &r, sizeof(r)) == sizeof(r) ? r : NULL;
}

static void *parser(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < requests; i++) {
		struct request *r = next(first[0]);

		parse_begin(0, r);
		work_spin(1);
		parse_end(r);
		if (write(second[1], &r, sizeof(r)) != sizeof(r))
			_exit(95);
	}
	return NULL;
}

static void *answerer(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < requests; i++) {
		struct request *r = next(second[0]);

		work_sleep(r->ms); /* it does not look at it yet */
		answer_begin(r);
		work_spin(1);
		answer_end(r);
		done(r);
	}
	return NULL;
}

static void serve(unsigned n, unsigned ms)
{
	struct request *all = calloc(n, sizeof(*all));
	pthread_t t[2];

	requests = n;
	if (!all || pipe(first) || pipe(second))
		_exit(94);
	pthread_create(&t[0], NULL, parser, NULL);
	pthread_create(&t[1], NULL, answerer, NULL);
	for (unsigned i = 0; i < n; i++) {
		struct request *r = &all[i];

		*r = (struct request){i, ms};
		take_in(r);
		if (write(first[1], &r, sizeof(r)) != sizeof(r))
			_exit(95);
	}
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	free(all);
}

/* The first half in this process, the other in a child: by number, not by address. */
PROBED void hand_over(unsigned number)
{
	__asm__ volatile("" : : "r"(number) : "memory");
}

PROBED void arrive(unsigned number)
{
	__asm__ volatile("" : : "r"(number) : "memory");
}

static void send_to_child(unsigned ms)
{
	pid_t child;

	hand_over(4711);
	child = fork();
	if (!child) {
		work_sleep(ms);
		arrive(4711);
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	unsigned count = argc > 2 ? (unsigned)atoi(argv[2]) : 1,
		 ms = argc > 3 ? (unsigned)atoi(argv[3]) : 1;
	struct pollfd p = {.fd = 4, .events = POLLIN};
	char byte;

	if (strcmp(mode, "now") && (poll(&p, 1, 20000) != 1 || read(4, &byte, 1) != 1))
		return 99;
	if (!strcmp(mode, "serve")) {
		serve(count, ms);
		return 0;
	}
	for (unsigned i = 0; i < count; i++) {
		if (!strcmp(mode, "spin") || !strcmp(mode, "now"))
			work_spin(ms);
		else if (!strcmp(mode, "sleep"))
			work_sleep(ms);
		else if (!strcmp(mode, "marks"))
			marks(ms);
		else if (!strcmp(mode, "nested"))
			outer(ms);
		else if (!strcmp(mode, "recursive"))
			recursive(4, ms);
		else if (!strcmp(mode, "deep"))
			recursive(12, ms);
		else if (!strcmp(mode, "alpha"))
			alpha_one(ms), alpha_two(ms);
		else if (!strcmp(mode, "leap"))
			leap(20, ms);
		else if (!strcmp(mode, "send"))
			send_to_child(ms);
		else if (!strcmp(mode, "take"))
			hand_over(1), work_sleep(ms);
		else if (!strcmp(mode, "hasty"))
			hasty(ms);
		else if (!strcmp(mode, "restarts"))
			for (int k = 0; k < 20; k++)
				mark_a();
		else if (!strcmp(mode, "exec"))
			exec_from_thread(argv);
		else if (!strcmp(mode, "leave"))
			leave(ms);
		else
			return 98;
	}
	return 0;
}
