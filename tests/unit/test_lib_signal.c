// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libtlob in signal handlers: inside a start, inside a stop, inside the process's first use; and
 * errno, and cancellation.
 */
#include <signal.h>
#include <sys/time.h>

#include "lib_fake.h"

TLOB_REGION(outer, "outer", TLOB_S(100));
TLOB_REGION(inner, "inner", TLOB_S(100));
TLOB_REGION(left, "left", TLOB_S(100));
TLOB_REGION(late, "late", TLOB_US(1));

static int storms, starts, refused, bad, late_over;
static tlob_window_t left_open;

static void count(int *what, int n)
{
	__atomic_add_fetch(what, n, __ATOMIC_RELAXED);
}

/* Whole windows, one that the next handler ends, one that is over: 3 deep at most. */
static void on_alarm(int sig)
{
	tlob_window_t a, b, c;
	int error = errno, r;

	errno = 4711;
	a = tlob_start(&inner, 1);
	b = tlob_start(&late, 2);
	count(&storms, 1);
	count(&bad, errno != 4711);
	r = tlob_stop(b);
	count(&late_over, b && r == -EOVERFLOW);
	count(&bad, b ? r != 0 && r != -EOVERFLOW : r != -ECANCELED);
	count(&bad, tlob_stop(a) != (a ? 0 : -ECANCELED));
	c = __atomic_exchange_n(&left_open, 0, __ATOMIC_RELAXED);
	if (c) {
		count(&bad, tlob_stop(c) != 0);
	} else {
		c = tlob_start(&left, 3);
		count(&starts, c != 0);
		count(&refused, !c);
		c = __atomic_exchange_n(&left_open, c, __ATOMIC_RELAXED);
		count(&bad, c && tlob_stop(c) != 0);
	}
	count(&starts, (a != 0) + (b != 0));
	count(&refused, !a + !b);
	errno = error;
}

static void storm(long us)
{
	struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
	struct itimerval every = {.it_interval = {.tv_usec = us}, .it_value = {.tv_usec = us}};

	sigemptyset(&action.sa_mask);
	CHECK(!sigaction(SIGALRM, &action, NULL));
	CHECK(!setitimer(ITIMER_REAL, &every, NULL));
}

static void calm(void)
{
	struct itimerval never = {0};

	CHECK(!setitimer(ITIMER_REAL, &never, NULL));
}

#define ROUNDS 6000000

/*
 * The timer hits starts and stops at every instruction in the end. Every window has its outcome,
 * and all are counted; the sums are passed on as the windows of one region that the parent can
 * read.
 */
static void subject_storm(void)
{
	uint64_t own = 0, end = now_ns() + TLOB_S(2);

	storm(37);
	for (int i = 0; i < ROUNDS && now_ns() < end; i++) {
		tlob_window_t a = tlob_start(&outer, 0), b = tlob_start(&outer, 0);

		CHECK(a && b);
		CHECK_IS(tlob_stop(a), 0);
		CHECK_IS(tlob_stop(b), 0);
		own += 2;
	}
	calm();
	if (left_open)
		CHECK_IS(tlob_stop(left_open), 0);
	CHECK(__atomic_load_n(&storms, __ATOMIC_RELAXED) > 1000);
	CHECK_IS(bad, 0);
	CHECK_IS(refused, 0);
	/* told through the file of the parent's, see there */
	CHECK(dprintf(1, "%llu %d %d\n", (unsigned long long)own, starts, late_over) > 0);
}

/* The same with the thread's own signals, sent by another one as fast as it can. */
static volatile int done;

static void *shower(void *arg)
{
	pthread_t target = *(pthread_t *)arg;

	while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE)) {
		pthread_kill(target, SIGALRM);
		usleep(20);
	}
	return NULL;
}

static void subject_first_use(void)
{
	struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
	pthread_t self = pthread_self(), t;

	sigemptyset(&action.sa_mask);
	CHECK(!sigaction(SIGALRM, &action, NULL));
	CHECK(!pthread_create(&t, NULL, shower, &self));
	for (int i = 0; i < 200; i++) {
		/*
		 * a region's first use, and, the first time, the process's, while the agent takes
		 * its time
		 */
		struct tlob_region *fresh = calloc(1, sizeof(*fresh));
		tlob_window_t w;

		fresh->name = "fresh";
		fresh->budget_ns = TLOB_S(100);
		w = tlob_start(fresh, 0);
		CHECK(w);
		CHECK_IS(tlob_stop(w), 0);
		usleep(100);
	}
	__atomic_store_n(&done, 1, __ATOMIC_RELEASE);
	pthread_join(t, NULL);
	CHECK_IS(bad, 0);
	CHECK(__atomic_load_n(&storms, __ATOMIC_RELAXED) > 0);
}

/* Threads that begin in the storm. */
static void *newcomer(void *arg)
{
	for (int i = 0; i < 50; i++) {
		tlob_window_t w = tlob_start(&outer, 0);

		CHECK(w);
		CHECK_IS(tlob_stop(w), 0);
	}
	/* what the handler has left open in this thread goes with it */
	return NULL;
}

static void on_alarm_of_newcomer(int sig)
{
	int error = errno;
	tlob_window_t w = tlob_start(&inner, 1);

	count(&storms, 1);
	count(&bad, w ? tlob_stop(w) != 0 : 0);
	errno = error;
}

static void subject_newcomers(void)
{
	struct sigaction action = {.sa_handler = on_alarm_of_newcomer, .sa_flags = SA_RESTART};
	struct itimerval every = {.it_interval = {.tv_usec = 50}, .it_value = {.tv_usec = 50}};

	sigemptyset(&action.sa_mask);
	CHECK(!sigaction(SIGALRM, &action, NULL));
	CHECK(!setitimer(ITIMER_REAL, &every, NULL));
	for (int i = 0; i < 2000; i++) {
		pthread_t t;

		CHECK(!pthread_create(&t, NULL, newcomer, NULL));
		pthread_join(t, NULL);
	}
	calm();
	CHECK_IS(bad, 0);
}

/* ---- cancellation: a pending one must not strike inside a start */
static void *cancelled(void *arg)
{
	bool *reached = arg;
	tlob_window_t w;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	pthread_cancel(pthread_self());
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	w = tlob_start(&outer, 0); /* first use: opens, reads, waits */
	CHECK(w);
	CHECK_IS(tlob_stop(w), 0);
	w = tlob_start(&late, 0);
	CHECK(w);
	spin_ns(100000);
	CHECK_IS(tlob_stop(w), -EOVERFLOW);
	*reached = true;
	pthread_testcancel();
	CHECK(false);
	return NULL;
}

static void subject_cancelled(void)
{
	bool reached = false;
	pthread_t t;
	void *result;

	CHECK(!pthread_create(&t, NULL, cancelled, &reached));
	CHECK(!pthread_join(t, &result));
	CHECK(result == PTHREAD_CANCELED);
	CHECK(reached);
}

static const struct subject subjects[] = {
	{"storm", subject_storm},
	{"first-use", subject_first_use},
	{"newcomers", subject_newcomers},
	{"cancelled", subject_cancelled},
	{NULL, NULL},
};

/* ---- the agent's side */

/* Runs the subject with its standard output in a pipe. */
static int run_told(const char *name, const char *agent, unsigned long long told[3])
{
	int out[2], saved = dup(1), status;
	char text[256] = "";
	pid_t pid;

	assert_int_equal(pipe(out), 0);
	dup2(out[1], 1);
	pid = subject_spawn(name, agent, NULL);
	dup2(saved, 1);
	close(saved);
	close(out[1]);
	status = subject_wait(pid);
	(void)!read(out[0], text, sizeof(text) - 1);
	close(out[0]);
	assert_int_equal(status, 0);
	assert_int_equal(sscanf(text, "%llu %llu %llu", &told[0], &told[1], &told[2]), 3);
	return status;
}

static void test_storm(void **state)
{
	unsigned long long told[3];

	for (int bpf = 0; bpf < 2; bpf++) {
		struct fake f = {0};

		if (bpf && !fake_make_bpf(&f))
			break;
		fake_open(&f, bpf ? FAKE_BPF : FAKE_HONEST, NULL);
		run_told("storm", f.name, told);
		printf("[          ] %llu windows, %llu in handlers, %llu of them late\n", told[0],
		       told[1], told[2]);
		assert_int_equal(fake_windows(&f, "outer"), told[0]);
		assert_int_equal(fake_windows(&f, "inner") + fake_windows(&f, "late") +
					 fake_windows(&f, "left"),
				 told[1]);
		assert_int_equal(f.ledger->regions[fake_region(&f, "late")].overruns, told[2]);
		fake_close(&f);
	}
}

static void test_first_use(void **state)
{
	struct fake f = {0};

	fake_open(&f, FAKE_SLOW, NULL);
	assert_int_equal(subject_run("first-use", NOBODY, NULL), 0);
	assert_int_equal(subject_run("first-use", f.name, NULL), 0);
	fake_close(&f);
}

static void test_newcomers(void **state)
{
	struct fake f = {0};

	fake_open(&f, FAKE_HONEST, NULL);
	assert_int_equal(subject_run("newcomers", f.name, NULL), 0);
	fake_close(&f);
}

static void test_cancelled(void **state)
{
	struct fake f = {0};

	fake_open(&f, FAKE_SLOW, NULL);
	assert_int_equal(subject_run("cancelled", NOBODY, NULL), 0);
	assert_int_equal(subject_run("cancelled", f.name, NULL), 0);
	fake_close(&f);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_storm),
		cmocka_unit_test(test_first_use),
		cmocka_unit_test(test_newcomers),
		cmocka_unit_test(test_cancelled),
	};

	subject_main(argc, argv, subjects);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
