// SPDX-License-Identifier: GPL-2.0-or-later
/* Not under ThreadSanitizer, which ends a process that forks with threads. */
/*
 * libtlob across fork, vfork, and a bare clone: a child has nothing of its parent's, and makes its
 * own.
 */
#include <signal.h>

#include "lib_fake.h"

TLOB_REGION(roomy, "roomy", TLOB_S(100));
TLOB_REGION(tight, "tight", TLOB_US(20));
TLOB_REGION(child_only, "child-only", TLOB_S(1));

/* fork() without libc's knowledge: no handler runs. */
static pid_t bare_fork(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static void over(uint64_t tag)
{
	tlob_window_t w = tlob_start(&tight, tag);

	spin_ns(100000);
	CHECK_IS(tlob_stop(w), -EOVERFLOW);
}

static void child_of(tlob_window_t parents, int depth)
{
	tlob_window_t w;

	errno = 0;
	CHECK_IS(tlob_stop(parents), -ECANCELED);
	CHECK_IS(errno, ECANCELED);
	w = tlob_start(&roomy, 2);
	CHECK(w && w != parents);
	CHECK_IS(tlob_stop(parents), -ECANCELED);
	CHECK_IS(tlob_stop(w), 0);
	CHECK_IS(tlob_stop(w), -EINVAL);
	CHECK_IS(tlob_stop(tlob_start(&child_only, 3)), 0);
	over(100 + (uint64_t)depth);
	CHECK_IS(strcmp(tlob_engine(), "user"), 0);
}

static void forks(pid_t (*how)(void))
{
	tlob_window_t w = tlob_start(&roomy, 1), v;

	CHECK(w);
	over(99);
	for (int i = 0; i < 3; i++) {
		pid_t child = how();

		CHECK(child >= 0);
		if (!child) {
			child_of(w, i);
			v = tlob_start(&roomy, 1);
			child = how(); /* a grandchild */
			CHECK(child >= 0);
			if (!child) {
				child_of(v, 10 + i);
				CHECK_IS(tlob_stop(w), -ECANCELED);
				_exit(0);
			}
			CHECK_IS(subject_wait(child), 0);
			CHECK_IS(tlob_stop(v), 0);
			_exit(0);
		}
		CHECK_IS(subject_wait(child), 0);
		over(90 + (uint64_t)i);
	}
	CHECK_IS(tlob_stop(w), 0);
}

static void subject_fork(void)
{
	forks(fork);
}

static void subject_bare_fork(void)
{
	forks(bare_fork);
}

/* The library's descriptors. */
static int high_fds(void)
{
	int n = 0;

	for (int fd = 200; fd < 4096; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/*
 * Nothing of the parent's stays open in a child that never measures; and what is open goes with an
 * exec.
 */
static void subject_descriptors(void)
{
	pid_t child;
	int here;

	for (int i = 0; i < 100; i++) { /* so often that the books are kept open, too */
		over(1);
		sleep_ns(200000);
	}
	here = open_fds();
	CHECK(high_fds() > 0);
	child = fork();
	if (!child)
		_exit(high_fds() == (getenv("TLOB_LOG") ? 1 : 0) ?
			      0 :
			      1); /* the log is the child's too */
	CHECK_IS(subject_wait(child), 0);
	CHECK_IS(open_fds(), here);
	over(2);
	child = bare_fork();
	if (!child) {
		CHECK_IS(tlob_stop(tlob_start(&roomy, 1)), 0);
		_exit(open_fds() <= here ? 0 : 1);
	}
	CHECK_IS(subject_wait(child), 0);
	for (int fd = 200; fd < 4096; fd++) {
		int flags = fcntl(fd, F_GETFD);

		CHECK(flags < 0 || (flags & FD_CLOEXEC));
	}
}

/* A child that borrows its parent's thread and memory. */
static void subject_vfork(void)
{
	tlob_window_t w = tlob_start(&roomy, 1);

	for (int i = 0; i < 20; i++) {
		pid_t child = vfork();

		if (!child) {
			tlob_window_t v = tlob_start(&roomy, 2);

			(void)tlob_stop(v);
			(void)tlob_stop(tlob_start(&child_only, 2));
			execl("/bin/true", "true", NULL);
			_exit(1);
		}
		CHECK_IS(subject_wait(child), 0);
		CHECK_IS(tlob_stop(tlob_start(&roomy, 3)), 0);
	}
	CHECK_IS(tlob_stop(w), 0);
	over(1);
}

/* The process's very first use is in such a child: what it would open is not its parent's. */
static void subject_vfork_first(void)
{
	pid_t child = vfork();

	if (!child) {
		tlob_window_t v = tlob_start(&roomy, 2);

		(void)tlob_stop(v);
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	CHECK_IS(subject_wait(child), 0);
	CHECK_IS(tlob_stop(tlob_start(&roomy, 3)), 0);
	over(1);
}

/* Other threads measure all the time while this one forks: a child must not meet their locks. */
static int done;

static void *measure(void *arg)
{
	while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE)) {
		struct tlob_region *fresh = calloc(1, sizeof(*fresh));
		tlob_window_t w = tlob_start(&tight, 1);

		spin_ns(30000);
		(void)tlob_stop(w);
		free(fresh);
	}
	return NULL;
}

static void subject_busy(void)
{
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		CHECK(!pthread_create(&t[i], NULL, measure, NULL));
	for (int i = 0; i < 100; i++) {
		pid_t child = i % 2 ? fork() : bare_fork();

		if (!child) {
			CHECK_IS(tlob_stop(tlob_start(&roomy, 1)), 0);
			_exit(0);
		}
		CHECK_IS(subject_wait(child), 0);
	}
	__atomic_store_n(&done, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}

static const struct subject subjects[] = {
	{"fork", subject_fork},
	{"bare-fork", subject_bare_fork},
	{"descriptors", subject_descriptors},
	{"vfork", subject_vfork},
	{"vfork-first", subject_vfork_first},
	{"busy", subject_busy},
	{NULL, NULL},
};

/* ---- the agent's side */

static int hellos(struct fake *f)
{
	return __atomic_load_n(&f->hellos, __ATOMIC_SEQ_CST);
}

static void run_with_agent(const char *name, int want_hellos)
{
	struct fake f = {0};

	fake_open(&f, FAKE_HONEST, NULL);
	assert_int_equal(subject_run(name, f.name, NULL), 0);
	if (want_hellos)
		assert_int_equal(hellos(&f), want_hellos);
	fake_close(&f);
}

static void test_fork(void **state)
{
	assert_int_equal(subject_run("fork", NOBODY, NULL), 0);
	run_with_agent("fork", 7); /* itself, three children, three grandchildren */
}

static void test_bare_fork(void **state)
{
	assert_int_equal(subject_run("bare-fork", NOBODY, NULL), 0);
	run_with_agent("bare-fork", 7);
}

static void test_descriptors(void **state)
{
	run_with_agent("descriptors", 2);
	assert_int_equal(subject_run("descriptors", NOBODY, "TLOB_LOG=/dev/null"), 0);
}

static void test_vfork(void **state)
{
	assert_int_equal(subject_run("vfork", NOBODY, NULL), 0);
	run_with_agent("vfork", 1);
	assert_int_equal(subject_run("vfork-first", NOBODY, NULL), 0);
	run_with_agent("vfork-first", 1);
}

static void test_vfork_bpf(void **state)
{
	struct fake f = {0};

	if (!fake_make_bpf(&f))
		skip();
	fake_open(&f, FAKE_BPF, NULL);
	assert_int_equal(subject_run("vfork-first", f.name, NULL), 0);
	assert_int_equal(hellos(&f), 1);
	fake_close(&f);
}

static void test_busy(void **state)
{
	assert_int_equal(subject_run("busy", NOBODY, NULL), 0);
	run_with_agent("busy", 101);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fork),	    cmocka_unit_test(test_bare_fork),
		cmocka_unit_test(test_descriptors), cmocka_unit_test(test_vfork),
		cmocka_unit_test(test_vfork_bpf),   cmocka_unit_test(test_busy),
	};

	subject_main(argc, argv, subjects);
#ifdef __SANITIZE_THREAD__
	puts("# ThreadSanitizer does not follow a fork of threads"); /* and all here is about that */
	return 0;
#endif
	return cmocka_run_group_tests(tests, NULL, NULL);
}
