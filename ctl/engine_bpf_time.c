// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Keeping the time for programs that may not: real-time kernels refuse them timers. One thread, of real-time
 * priority where that is allowed, sleeps until somebody asks for a wake-up or the earliest one is due. The
 * interrupt of its timer is seen by the program that looks for deadlines in hard interrupt, so that most have been
 * found when the thread itself gets to run.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "engine_bpf.h"
#include "error.h"
#include "now.h"
#include "tlob.skel.h"

#define PRIORITY 1 /* the lowest real-time one: programs that are measured come first */
#define EVENTS 3

struct tlobctl_bpf_time {
	struct tlobctl_bpf *bpf;
	pthread_t thread;
	bool running;
	int epoll, timer, quit;
	struct ring_buffer *asked;
	uint32_t arenas; /* pieces of arena 0 included */
	uint64_t due[]; /* by arena; TLOB_NEVER */
};

static int on_asked(void *arg, void *data, size_t size)
{
	struct tlobctl_bpf_time *t = arg;
	const struct tlob_bpf_wakeup *w = data;

	if (size == sizeof(*w) && w->arena < t->arenas && w->deadline_ns < t->due[w->arena])
		t->due[w->arena] = w->deadline_ns;
	return 0;
}

static void wake_due(struct tlobctl_bpf_time *t)
{
	uint64_t now = tlobctl_now_ns();

	for (uint32_t i = 1; i < t->arenas; i++) {
		struct tlob_bpf_agent call = {.op = TLOB_BPF_WAKE, .arena = i};

		if (t->due[i] > now)
			continue;
		/* what it is to be next is asked for through the ring, too */
		t->due[i] = TLOB_NEVER;
		tlobctl_bpf_call(t->bpf, &call);
	}
}

static void set_timer(struct tlobctl_bpf_time *t)
{
	struct tlob_bpf_agent expect = {.op = TLOB_BPF_EXPECT};
	struct itimerspec when = {{0, 0}, {0, 0}};
	uint64_t first = TLOB_NEVER;

	for (uint32_t i = 1; i < t->arenas; i++) {
		if (t->due[i] >= first)
			continue;
		first = t->due[i];
		expect.arena = i;
	}
	if (first != TLOB_NEVER) {
		expect.deadline_ns = first;
		tlobctl_bpf_call(t->bpf, &expect);
		when.it_value.tv_sec = (time_t)(first / TLOBCTL_NS_PER_S);
		when.it_value.tv_nsec = (long)(first % TLOBCTL_NS_PER_S) |
					1; /* 0 would disarm it */
	}
	timerfd_settime(t->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void *keep_time(void *arg)
{
	const struct sched_param fifo = {.sched_priority = PRIORITY};
	struct tlobctl_bpf_time *t = arg;
	struct epoll_event events[EVENTS];
	uint64_t count;

	pthread_setschedparam(pthread_self(), SCHED_FIFO,
			      &fifo); /* or not, then it is later under load */
	for (;;) {
		int n = epoll_wait(t->epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++)
			if (events[i].data.fd == t->quit)
				return NULL;
		(void)!read(t->timer, &count, sizeof(count));
		ring_buffer__consume(t->asked);
		wake_due(t);
		ring_buffer__consume(t->asked);
		set_timer(t);
	}
}

static int watch(struct tlobctl_bpf_time *t, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return fd < 0 || epoll_ctl(t->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

/* Signals are for the threads of whoever uses this library. */
static int start_thread(struct tlobctl_bpf_time *t)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = -pthread_create(&t->thread, NULL, keep_time, t);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

static int start(struct tlobctl_bpf_time *t)
{
	int r;

	t->epoll = epoll_create1(EPOLL_CLOEXEC);
	t->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	t->quit = eventfd(0, EFD_CLOEXEC);
	t->asked = ring_buffer__new(bpf_map__fd(t->bpf->skel->maps.wakeups), on_asked, t, NULL);
	if (!t->asked)
		return -errno;
	r = watch(t, t->timer);
	if (!r)
		r = watch(t, t->quit);
	if (!r)
		r = watch(t, ring_buffer__epoll_fd(t->asked));
	if (!r)
		r = start_thread(t);
	t->running = !r;
	return r;
}

int tlobctl_bpf_time_start(struct tlobctl_bpf *bpf)
{
	uint32_t arenas = TLOB_BPF_ARENAS + bpf->pieces;
	struct tlobctl_bpf_time *t = calloc(1, sizeof(*t) + arenas * sizeof(t->due[0]));
	int r;

	if (!t)
		return tlobctl_fail(-ENOMEM, "out of memory for engine bpf");
	t->bpf = bpf;
	t->arenas = arenas;
	for (uint32_t i = 0; i < arenas; i++)
		t->due[i] = TLOB_NEVER;
	bpf->time = t;
	r = start(t);
	return r ? tlobctl_fail(r, "engine bpf cannot start the thread that keeps the time: %s",
				strerror(-r)) :
		   0;
}

void tlobctl_bpf_time_stop(struct tlobctl_bpf *bpf)
{
	struct tlobctl_bpf_time *t = bpf->time;

	if (!t)
		return;
	if (t->running) {
		eventfd_write(t->quit, 1);
		pthread_join(t->thread, NULL);
	}
	ring_buffer__free(t->asked);
	for (int i = 0; i < EVENTS; i++) {
		int fd = (const int[]){t->epoll, t->timer, t->quit}[i];

		if (fd >= 0)
			close(fd);
	}
	free(t);
	bpf->time = NULL;
}
