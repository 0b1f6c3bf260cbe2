// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libtlob: agents that break the protocol, a program that is short of everything, and one that
 * closes what it finds.
 */
#include <sys/resource.h>

#include "lib_fake.h"

TLOB_REGION(roomy, "roomy", TLOB_S(100));
TLOB_REGION(tight, "tight", TLOB_US(20));

static void measure(int n)
{
	for (int i = 0; i < n; i++) {
		tlob_window_t w = tlob_start(i % 10 ? &roomy : &tight, (uint64_t)i);
		int r;

		if (i % 10 == 0)
			spin_ns(30000);
		r = tlob_stop(w);
		CHECK_IS(r, i % 10 ? 0 : -EOVERFLOW);
	}
}

/* Whatever the agent did, the program measures itself, and keeps nothing of it. */
static void subject_alone(void)
{
	int fds = open_fds();

	CHECK_IS(strcmp(tlob_engine(), "user"), 0);
	measure(500);
	CHECK_IS(open_fds(), fds);
}

/* The agent says nothing for now: the program neither waits long nor gives it up at once. */
static void subject_unanswered(void)
{
	uint64_t begin = now_ns();

	measure(100);
	CHECK(now_ns() - begin < TLOB_MS(400));
	CHECK_IS(strcmp(tlob_engine(), "user"), 0);
	for (int i = 0; i < 300; i++) { /* past the time at which it asks anew */
		measure(1);
		sleep_ns(10000000);
	}
}

static void subject_joined(void)
{
	CHECK_IS(strcmp(tlob_engine(), "user"), 0);
	measure(100);
}

/* For as long as the agent scribbles. */
static void subject_scribbled(void)
{
	uint64_t end = now_ns() + TLOB_MS(500);

	while (now_ns() < end) {
		tlob_window_t w = tlob_start(&tight, 5);
		struct tlob_times times;

		spin_ns(25000);
		(void)tlob_stop(w);
		(void)tlob_stop(tlob_start(&roomy, 5));
		(void)tlob_thread_clock(&times);
	}
}

/* ---- short of things */

static void subject_no_fds(void)
{
	struct rlimit none = {.rlim_cur = 3, .rlim_max = 3};

	CHECK(!setrlimit(RLIMIT_NOFILE, &none));
	measure(1000);
	CHECK_IS(strcmp(tlob_engine(), "user"), 0);
	_exit(0); /* a sanitizer's last checks need descriptors */
}

static void subject_no_memory(void)
{
	struct rlimit none = {.rlim_cur = 1, .rlim_max = RLIM_INFINITY},
		      all = {RLIM_INFINITY, RLIM_INFINITY};
	struct tlob_times times;
	tlob_window_t w;
	pid_t child = fork(); /* which has yet to begin */

	CHECK(child >= 0);
	if (child) {
		CHECK_IS(subject_wait(child), 0);
		return;
	}
	CHECK(!setrlimit(RLIMIT_AS, &none));
	for (int i = 0; i < 1000; i++) {
		w = tlob_start(&roomy, 1);
		CHECK_IS(w, TLOB_NO_WINDOW);
		CHECK_IS(tlob_stop(w), -ECANCELED);
	}
	CHECK_IS(strcmp(tlob_engine(), "off"), 0);
	CHECK_IS(tlob_thread_clock(&times), -ENODATA);
	CHECK(!setrlimit(RLIMIT_AS, &all));
	sleep_ns(1100000000);
	measure(100); /* there is some again */
	CHECK_IS(strcmp(tlob_engine(), "user"), 0);
}

static void *nothing(void *arg)
{
	return arg;
}

static int calls;

static void on_overrun(const struct tlob_record *record, const struct tlob_region *region,
		       void *arg)
{
	__atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
}

/* No thread to be had: overruns are told by the stop. */
static void subject_no_thread(void)
{
	struct rlimit none = {.rlim_cur = 0, .rlim_max = 0};
	tlob_window_t w;
	pthread_t t;

	CHECK(!setrlimit(RLIMIT_NPROC, &none));
	if (setuid(65534))
		_exit(77);
	CHECK(pthread_create(&t, NULL, nothing, NULL));
	CHECK_IS(tlob_on_overrun(on_overrun, NULL), 0);
	w = tlob_start(&tight, 1);
	spin_ns(1000000);
	CHECK_IS(calls, 0);
	CHECK_IS(tlob_stop(w), -EOVERFLOW);
	CHECK_IS(calls, 2);
	_exit(0); /* as above */
}

/*
 * As daemons do: everything is closed, and other files get the numbers. None of those may be
 * touched.
 */
static void subject_close_all(void)
{
	char byte = 'x';
	int fd[600], cancelled = 0;

	measure(200);
	for (int i = 3; i < 1024; i++) /* not by close(): a sanitizer would take it for a mistake */
		syscall(SYS_close, i);
	for (int i = 0; i < 600; i++) {
		fd[i] = memfd_create("mine", 0);
		CHECK(fd[i] >= 0 && write(fd[i], &byte, 1) == 1);
	}
	for (int i = 0; i < 300; i++) {
		tlob_window_t w = tlob_start(&tight, 1);
		int r;

		spin_ns(30000);
		r = tlob_stop(w);
		CHECK(r == -EOVERFLOW || r == -ECANCELED);
		cancelled += r == -ECANCELED;
		(void)tlob_stop(tlob_start(&roomy, 1));
		sleep_ns(5000000);
	}
	CHECK(cancelled <=
	      1); /* the one that was open when the agent was found to be out of reach */
	measure(100);
	for (int i = 0; i < 600; i++) {
		CHECK_IS(lseek(fd[i], 0, SEEK_END), 1);
		CHECK_IS(lseek(fd[i], 0, SEEK_SET), 0);
	}
}

static const struct subject subjects[] = {
	{"alone", subject_alone},
	{"unanswered", subject_unanswered},
	{"joined", subject_joined},
	{"scribbled", subject_scribbled},
	{"no-fds", subject_no_fds},
	{"no-memory", subject_no_memory},
	{"no-thread", subject_no_thread},
	{"close-all", subject_close_all},
	{NULL, NULL},
};

/* ---- the agent's side */

static void run_against(enum fake_manner manner, const char *name, int want_fed)
{
	struct fake f = {0};
	int r;

	if (manner >= FAKE_NO_MAP && manner <= FAKE_WRONG_MAP && !fake_make_bpf(&f))
		return; /* no privilege for maps: then no such agent either */
	fake_open(&f, manner, NULL);
	r = subject_run(name, f.name, NULL);
	if (r)
		fprintf(stderr, "manner %d: status %d\n", manner, r);
	assert_int_equal(r, 0);
	assert_true(__atomic_load_n(&f.hellos, __ATOMIC_SEQ_CST) > 0);
	assert_int_equal(fake_windows(&f, "roomy") > 0, want_fed);
	fake_close(&f);
}

static void test_breaks_the_protocol(void **state)
{
	static const enum fake_manner manners[] = {
		FAKE_CLOSES,	 FAKE_REFUSES,	 FAKE_GARBAGE,	 FAKE_EMPTY,	FAKE_SHORT,
		FAKE_LONG,	 FAKE_MAGIC,	 FAKE_VERSION,	 FAKE_ENGINE,	FAKE_NO_FDS,
		FAKE_TINY,	 FAKE_UNSEALED,	 FAKE_FILE,	 FAKE_HUGE,	FAKE_NO_MAP,
		FAKE_NO_PROGRAM, FAKE_WRONG_MAP, FAKE_DIRECTORY, FAKE_MANY_FDS, FAKE_FD_TOO_MANY,
	};

	for (size_t i = 0; i < sizeof(manners) / sizeof(*manners); i++)
		run_against(manners[i], "alone", 0);
}

static void test_odd_but_fine(void **state)
{
	run_against(FAKE_SLOW, "joined", 1);
	run_against(FAKE_OVERRIDES, "joined", 1);
}

static void test_never_answers(void **state)
{
	run_against(FAKE_SILENT, "unanswered", 0);
}

/* Listens, and never accepts: even connecting would wait. */
static void test_never_accepts(void **state)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), fill[8];
	char name[64];
	socklen_t bytes;

	snprintf(name, sizeof(name), "@tlob-full-%d", getpid());
	bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	memcpy(a.sun_path + 1, name + 1, strlen(name) - 1);
	assert_int_equal(bind(listener, (struct sockaddr *)&a, bytes), 0);
	assert_int_equal(listen(listener, 1), 0);
	for (int i = 0; i < 8; i++) {
		fill[i] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)connect(fill[i], (struct sockaddr *)&a, bytes);
	}
	assert_int_equal(subject_run("unanswered", name, NULL), 0);
	for (int i = 0; i < 8; i++)
		close(fill[i]);
	close(listener);
}

static uint64_t noise(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed & 3 ? *seed : *seed >> 60;
}

static void scribble(struct fake *f, pid_t pid)
{
	uint64_t seed = 88172645463325252u, *words = (uint64_t *)f->ledger;
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		for (size_t i = 0; i < (TLOB_LEDGER_HIST_OFFSET + (1 << 20)) / 8; i++)
			__atomic_store_n(&words[i], noise(&seed), __ATOMIC_RELAXED);
		for (int n = 0; n < __atomic_load_n(&f->narenas, __ATOMIC_ACQUIRE); n++)
			for (size_t i = 0; i < TLOB_ARENA_BYTES / 8; i++)
				__atomic_store_n((uint64_t *)f->arenas[n] + i, noise(&seed),
						 __ATOMIC_RELAXED);
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_scribbles(void **state)
{
	for (int bpf = 0; bpf < 2; bpf++) {
		struct fake f = {0};
		pid_t pid;

		if (bpf && !fake_make_bpf(&f))
			break;
		fake_open(&f, bpf ? FAKE_BPF : FAKE_HONEST, NULL);
		pid = subject_spawn("scribbled", f.name, NULL);
		for (int i = 0; i < 1000 && fake_region(&f, "roomy") < 0; i++)
			usleep(1000);
		assert_true(fake_region(&f, "roomy") >= 0);
		scribble(&f, pid);
		fake_close(&f);
	}
}

static void test_short_of_everything(void **state)
{
	struct fake f = {0};
	int r;

	fake_open(&f, FAKE_HONEST, NULL);
	assert_int_equal(subject_run("no-fds", f.name, NULL), 0);
#if !defined(__SANITIZE_ADDRESS__) && \
	!defined(__SANITIZE_THREAD__) /* which need memory themselves */
	assert_int_equal(subject_run("no-memory", NOBODY, NULL), 0);
#endif
	r = subject_run("no-thread", NOBODY, NULL);
	assert_true(r == 0 || r == 77);
	fake_close(&f);
}

static void test_closes_everything(void **state)
{
	struct fake f = {0}, g = {0};

	fake_open(&f, FAKE_HONEST, NULL);
	assert_int_equal(subject_run("close-all", f.name, NULL), 0);
	fake_close(&f);
	if (!fake_make_bpf(&g))
		return;
	fake_open(&g, FAKE_BPF, NULL);
	assert_int_equal(subject_run("close-all", g.name, NULL), 0);
	fake_close(&g);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_breaks_the_protocol),
		cmocka_unit_test(test_odd_but_fine),
		cmocka_unit_test(test_never_answers),
		cmocka_unit_test(test_never_accepts),
		cmocka_unit_test(test_scribbles),
		cmocka_unit_test(test_short_of_everything),
		cmocka_unit_test(test_closes_everything),
	};

	subject_main(argc, argv, subjects);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
