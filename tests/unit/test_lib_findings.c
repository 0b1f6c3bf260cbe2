// SPDX-License-Identifier: GPL-2.0-or-later
/* Not under ThreadSanitizer: it looks at what a fake agent writes behind its back, and forks with threads. */
/* libtlob: mistakes that were found by reading it, each with the case that showed it. */
#include <sched.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "lib_fake.h"
#include "lib/vdso.h"

TLOB_REGION(roomy, "roomy", TLOB_S(100));
TLOB_REGION(tight, "tight", TLOB_US(30));

/* ---- a window that expires between its start and the call that finds the engine gone */

#define TAG_RACE 2

static void subject_race(void)
{
	tlob_window_t w = tlob_start(&roomy, 1);

	CHECK_IS(strcmp(tlob_engine(), "bpf"), 0);
	CHECK_IS(tlob_stop(w), 0);
	sleep_ns(20000000); /* the agent makes ready */
	w = tlob_start(&roomy, TAG_RACE);
	CHECK(w != TLOB_NO_WINDOW);
	_exit(tlob_stop(w) == -EOVERFLOW ? 10 : 11);
}

/* Plays the expiry: the first window with the tag that is seen open. True if it was taken. */
static bool expire_one(struct fake *f, pid_t pid)
{
	struct tlob_window *w = &f->arenas[0][1].slot.windows[0];
	uint64_t state;
	siginfo_t info = {0};

	for (int i = 0;; i++) {
		state = __atomic_load_n(&w->state, __ATOMIC_ACQUIRE);
		if (TLOB_WINDOW_STATE(state) == TLOB_ARMED && w->tag == TAG_RACE)
			return __atomic_compare_exchange_n(&w->state, &state,
							   (state & ~3ULL) | TLOB_EXPIRED, false,
							   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
		if (i % 10000 == 0 &&
		    !waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | WNOHANG) && info.si_pid)
			return false;
	}
}

static void test_expired_before_kick(void **state)
{
	int taken = 0;

	for (int i = 0; i < 100 && taken < 3; i++) {
		struct fake f = {0};
		bool took;
		pid_t pid;

		if (!fake_make_bpf(&f))
			skip();
		fake_open(&f, FAKE_BPF, NULL);
		pid = subject_spawn("race", f.name, NULL);
		for (int ms = 0; ms < 5000 && !fake_windows(&f, "roomy"); ms++)
			usleep(1000);
		if (fake_windows(&f, "roomy") != 1) { /* too late for this one */
			(void)subject_wait(pid);
			fake_close(&f);
			continue;
		}
		f.arenas[0][0].head.next_wake_ns = TLOB_NEVER;
		fake_verdict(&f, ESHUTDOWN);
		took = expire_one(&f, pid);
		taken += took;
		assert_int_equal(subject_wait(pid), took ? 10 : 11);
		fake_close(&f);
	}
	if (!taken)
		skip(); /* it never came in between: the machine is busy */
}

/* ---- late, its stop wins, and the engine has gone: nobody is told, so it is no overrun either */

static int calls;

static void on_overrun(const struct tlob_record *record, const struct tlob_region *region,
		       void *arg)
{
	__atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
}

static void subject_late_and_alone(void)
{
	tlob_window_t w;

	CHECK_IS(tlob_on_overrun(on_overrun, NULL), 0);
	CHECK_IS(tlob_stop(tlob_start(&roomy, 1)), 0);
	CHECK_IS(strcmp(tlob_engine(), "bpf"), 0);
	w = tlob_start(&tight, 2);
	sleep_ns(50000000); /* until every kick fails */
	CHECK_IS(tlob_stop(w), -ECANCELED);
	CHECK_IS(calls, 0);
	CHECK_IS(strcmp(tlob_engine(), "user"), 0);
	w = tlob_start(&tight, 3);
	sleep_ns(5000000);
	CHECK_IS(tlob_stop(w), -EOVERFLOW);
	CHECK_IS(calls, 2);
}

static void test_report_to_nobody(void **state)
{
	struct fake f = {0};
	pid_t pid;
	int region;

	if (!fake_make_bpf(&f))
		skip();
	fake_open(&f, FAKE_BPF, NULL);
	pid = subject_spawn("late-and-alone", f.name, NULL);
	for (int ms = 0; ms < 5000 && fake_region(&f, "tight") < 0; ms++)
		usleep(1000);
	usleep(5000);
	fake_verdict(&f, ESHUTDOWN);
	assert_int_equal(subject_wait(pid), 0);
	region = fake_region(&f, "tight");
	assert_int_equal(f.ledger->regions[region].cancelled, 1);
	assert_int_equal(f.ledger->regions[region].overruns, 0);
	assert_int_equal(fake_windows(&f, "tight"), 0);
	fake_close(&f);
}

/* ---- a stop at the very deadline is late, as it is to every engine */

static uint64_t fixed_ns;

static int fixed_clock(clockid_t clock, struct timespec *t)
{
	*t = (struct timespec){.tv_sec = (time_t)(fixed_ns / 1000000000u),
			       .tv_nsec = (long)(fixed_ns % 1000000000u)};
	return 0;
}

static void subject_deadline(void)
{
	tlob_clock_fn *real = tlob_vdso_clock;
	static const int want[] = {0, -EOVERFLOW, -EOVERFLOW};

	CHECK_IS(tlob_stop(tlob_start(&tight, 0)), 0);
	for (int i = 0; i < 3; i++) {
		tlob_window_t w;

		fixed_ns = now_ns();
		tlob_vdso_clock = fixed_clock;
		w = tlob_start(&tight, 1);
		fixed_ns += TLOB_US(30) - 1 + (uint64_t)i;
		CHECK_IS(tlob_stop(w), want[i]);
		tlob_vdso_clock = real;
	}
}

static void test_deadline(void **state)
{
	assert_int_equal(subject_run("deadline", NOBODY, NULL), 0);
}

/* ---- descriptors that share their inode with a stranger's */

static void subject_close_anonymous(void)
{
	int fd[600], n = 0;

	CHECK_IS(tlob_stop(tlob_start(&roomy, 1)), 0);
	CHECK_IS(strcmp(tlob_engine(), "bpf"), 0);
	for (int i = 3; i < 1024; i++) /* not by close(): a sanitizer would take it for a mistake */
		syscall(SYS_close, i);
	while (n < 600) {
		fd[n++] = eventfd(0, 0);
		CHECK(fd[n - 1] >= 0);
	}
	for (int i = 0; i < 130; i++) { /* past the second after which it looks for its agent */
		tlob_window_t w = tlob_start(&tight, 1);

		sleep_ns(10000000);
		(void)tlob_stop(w);
	}
	while (n)
		CHECK_IS(fcntl(fd[--n], F_GETFD) >= 0 ? 0 : fd[n], 0);
}

static int open_programs(void)
{
	char path[32], target[64];
	int n = 0;

	for (int fd = 0; fd < 1024; fd++) {
		ssize_t got;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		got = readlink(path, target, sizeof(target) - 1);
		target[got > 0 ? got : 0] = '\0';
		n += strstr(target, "bpf-prog") != NULL;
	}
	return n;
}

/* And the other way round: what is still its own is closed, a second later, when no thread can be about to use it. By
 * then it may have joined the same agent anew. */
static void subject_close_own(void)
{
	int kept = 2;

	CHECK_IS(strcmp(tlob_engine(), "bpf"), 0);
	CHECK_IS(open_programs(), 1);
	sleep_ns(50000000); /* until every kick fails */
	(void)tlob_start(&roomy, 2);
	CHECK_IS(strcmp(tlob_engine(), "user"), 0);
	for (int ms = 0; ms < 5000 && kept; ms += 10) {
		sleep_ns(10000000);
		(void)tlob_stop(tlob_start(&tight, 2));
		kept = open_programs() - !strcmp(tlob_engine(), "bpf");
	}
	CHECK_IS(kept, 0);
}

static void test_anonymous_descriptors(void **state)
{
	struct fake f = {0}, g = {0};
	pid_t pid;

	if (!fake_make_bpf(&f) || !fake_make_bpf(&g))
		skip();
	fake_open(&f, FAKE_BPF, NULL);
	assert_int_equal(subject_run("close-anonymous", f.name, NULL), 0);
	fake_close(&f);
	fake_open(&g, FAKE_BPF, NULL);
	pid = subject_spawn("close-own", g.name, NULL);
	for (int ms = 0; ms < 5000 && !__atomic_load_n(&g.narenas, __ATOMIC_SEQ_CST); ms++)
		usleep(1000);
	usleep(20000);
	fake_verdict(&g, ESHUTDOWN);
	assert_int_equal(subject_wait(pid), 0);
	fake_close(&g);
}

/* ---- more regions than there is room for */

#define MORE 44
#define MORE_STARTS 1000

static void subject_many_regions(void)
{
	static struct tlob_region regions[TLOB_MAX_REGIONS + MORE];
	uint64_t begin, took = UINT64_MAX;

	for (int i = 0; i < TLOB_MAX_REGIONS + MORE; i++) {
		regions[i].name = "one of many";
		regions[i].budget_ns = TLOB_S(1);
		CHECK_IS(tlob_stop(tlob_start(&regions[i], 0)),
			 i < TLOB_MAX_REGIONS ? 0 : -ECANCELED);
	}
	for (int i = 0; i < MORE_STARTS - MORE; i++) {
		begin = now_ns();
		CHECK_IS(tlob_start(&regions[TLOB_MAX_REGIONS + i % MORE], 0), TLOB_NO_WINDOW);
		begin = now_ns() - begin;
		took = begin < took ? begin : took;
	}
	CHECK(took < 500); /* with two reads of the time, and a sanitizer perhaps */
}

static void test_many_regions(void **state)
{
	struct fake f = {0};

	fake_open(&f, FAKE_HONEST, NULL);
	assert_int_equal(subject_run("many-regions", f.name, NULL), 0);
	assert_int_equal(f.ledger->turned_away, MORE);
	assert_int_equal(f.ledger->unmeasured, MORE_STARTS);
	fake_close(&f);
}

/* ---- the watcher must run beside the most urgent thread there is */

static void *spin_urgently(void *arg)
{
	struct sched_param param = {.sched_priority = 50};
	tlob_window_t w;
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	CHECK(!sched_setaffinity(0, sizeof(here), &here));
	if (sched_setscheduler(0, SCHED_FIFO, &param))
		_exit(77);
	CHECK_IS(tlob_on_overrun(on_overrun, NULL), 0); /* creates the watcher */
	w = tlob_start(&tight, 1);
	spin_ns(100000000);
	CHECK_IS(__atomic_load_n(&calls, __ATOMIC_SEQ_CST), 1);
	CHECK_IS(tlob_stop(w), -EOVERFLOW);
	CHECK_IS(__atomic_load_n(&calls, __ATOMIC_SEQ_CST), 2);
	return NULL;
}

static void subject_urgent(void)
{
	pthread_t t;

	CHECK(!pthread_create(&t, NULL, spin_urgently, NULL));
	pthread_join(t, NULL);
}

static void test_watcher_beside_urgent(void **state)
{
	int r = subject_run("urgent", NOBODY, NULL);

	if (r == 77)
		skip(); /* no real-time priority here */
	assert_int_equal(r, 0);
}

/* ---- a child of a program that keeps a signal blocked has a watcher too */

static void subject_blocking(void)
{
	sigset_t some;
	tlob_window_t w;
	pid_t child;

	CHECK_IS(tlob_on_overrun(on_overrun, NULL), 0);
	sigemptyset(&some);
	sigaddset(&some, SIGCHLD);
	sigaddset(&some, SIGRTMIN + 3);
	CHECK(!sigprocmask(SIG_BLOCK, &some, NULL));
	child = fork();
	if (child) {
		CHECK_IS(subject_wait(child), 0);
		return;
	}
	alarm(20);
	w = tlob_start(&tight, 1);
	sleep_ns(200000000);
	CHECK_IS(__atomic_load_n(&calls, __ATOMIC_SEQ_CST), 1);
	CHECK_IS(tlob_stop(w), -EOVERFLOW);
	_exit(0);
}

static void test_child_of_blocking(void **state)
{
	assert_int_equal(subject_run("blocking", NOBODY, NULL), 0);
}

/* ---- an agent of another user's, at the name in TLOB_AGENT */

static void subject_stays_alone(void)
{
	CHECK_IS(strcmp(tlob_engine(), "user"), 0);
	CHECK_IS(tlob_stop(tlob_start(&roomy, 1)), 0);
}

static void test_agent_of_another(void **state)
{
	struct fake f = {0};

	if (getuid() || seteuid(65534)) /* a listener's is who is told to those who connect */
		skip();
	fake_open(&f, FAKE_HONEST, NULL);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(subject_run("stays-alone", f.name, NULL), 0);
	assert_int_equal(f.hellos, 0);
	assert_int_equal(fake_windows(&f, "roomy"), 0);
	fake_close(&f);
}

/* ---- an agent that does not answer holds nothing up once main() has begun */

static void subject_forks_often(void)
{
	CHECK_IS(tlob_stop(tlob_start(&roomy, 1)), 0);
	for (int i = 0; i < 5; i++) {
		pid_t child = fork();
		uint64_t begin = now_ns();

		if (child) {
			CHECK_IS(subject_wait(child), 0);
			continue;
		}
		CHECK_IS(tlob_stop(tlob_start(&roomy, 1)), 0);
		_exit(now_ns() - begin < TLOB_MS(100) ? 0 : 1);
	}
}

static void test_silent_agent(void **state)
{
	struct fake f = {0};

	fake_open(&f, FAKE_SILENT, NULL);
	assert_int_equal(subject_run("forks-often", f.name, NULL), 0);
	fake_close(&f);
}

/* ---- in a chroot without /proc */

#define EMPTY_ROOT "/tmp/tlob-root-%d"

static struct tlob_record first;

static void on_first(const struct tlob_record *record, const struct tlob_region *region, void *arg)
{
	if (!first.type)
		first = *record;
}

static void enter_empty_root(void)
{
	char path[64];

	snprintf(path, sizeof(path), EMPTY_ROOT, getppid());
	if (chroot(path) || chdir("/"))
		_exit(77);
}

static void subject_no_proc(void)
{
	tlob_window_t w;

	CHECK_IS(tlob_on_overrun(on_first, NULL), 0);
	CHECK_IS(tlob_stop(tlob_start(&roomy, 1)), 0);
	enter_empty_root();
	w = tlob_start(&tight, 1);
	sleep_ns(20000000);
	CHECK_IS(tlob_stop(w), -EOVERFLOW);
	CHECK_IS(first.type, TLOB_REC_OVERRUN);
	if (!(first.flags & TLOB_F_AT_STOP))
		CHECK_IS(first.state, TLOB_SLEEPING);
	CHECK_IS(first.running_ns + first.waiting_ns + first.sleeping_ns, first.elapsed_ns);
}

static void subject_no_proc_child(void)
{
	pid_t child;

	CHECK_IS(tlob_stop(tlob_start(&roomy, 1)), 0);
	enter_empty_root();
	child = fork();
	if (child) {
		CHECK_IS(subject_wait(child), 0);
		return;
	}
	for (int i = 0; i < 50; i++) { /* in case that the agent takes its time */
		CHECK_IS(tlob_stop(tlob_start(&roomy, 1)), 0);
		(void)tlob_engine();
		sleep_ns(2000000);
	}
	_exit(0);
}

static void test_without_proc(void **state)
{
	struct fake f = {0};
	char path[64];
	int r;

	snprintf(path, sizeof(path), EMPTY_ROOT, getpid());
	assert_int_equal(mkdir(path, 0755), 0);
	r = subject_run("no-proc", NOBODY, NULL);
	if (r == 77) {
		rmdir(path);
		skip();
	}
	assert_int_equal(r, 0);
	fake_open(&f, FAKE_HONEST, NULL);
	assert_int_equal(subject_run("no-proc-child", f.name, NULL), 0);
	assert_int_equal(f.hellos, 2);
	assert_true(fake_windows(&f, "roomy") > 1);
	fake_close(&f);
	rmdir(path);
}

/* ---- a program that forbids itself the system calls it has no use for */

static void forbid_bpf(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_bpf, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(filter) / sizeof(*filter), filter};

	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHECK(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}

static void *measure_there(void *arg)
{
	CHECK_IS(tlob_stop(tlob_start(&roomy, 1)), 0);
	return arg;
}

static void subject_filtered(void)
{
	tlob_window_t w;
	pthread_t t;

	CHECK_IS(strcmp(tlob_engine(), "bpf"), 0);
	CHECK_IS(tlob_stop(tlob_start(&roomy, 1)), 0);
	forbid_bpf();
	for (int i = 0; i < 25; i++) { /* past the second after which it looks for its agent */
		w = tlob_start(&tight, 2);
		sleep_ns(50000000);
		CHECK(tlob_stop(w) < 0);
		CHECK(!pthread_create(&t, NULL, measure_there, NULL));
		pthread_join(t, NULL);
	}
	CHECK_IS(strcmp(tlob_engine(), "user"), 0);
}

static void test_filtered(void **state)
{
	struct fake f = {0};

	if (!fake_make_bpf(&f))
		skip();
	fake_open(&f, FAKE_BPF, NULL);
	assert_int_equal(subject_run("filtered", f.name, NULL), 0);
	fake_close(&f);
}

/* ---- a program that locks its memory */

static void subject_locked(void)
{
	tlob_window_t w;
	char line[128];
	long kib = -1;
	FILE *f;

	CHECK_IS(tlob_stop(tlob_start(&roomy, 1)), 0);
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		_exit(77);
	w = tlob_start(&tight, 1);
	spin_ns(100000);
	CHECK_IS(tlob_stop(w), -EOVERFLOW);
	f = fopen("/proc/self/status", "r");
	while (f && fgets(line, sizeof(line), f))
		(void)sscanf(line, "RssShmem: %ld", &kib);
	CHECK(kib > 0 && kib < 1024);
}

static void test_locked_memory(void **state)
{
	struct fake f = {0};
	int r;

	fake_open(&f, FAKE_HONEST, NULL);
	r = subject_run("locked", f.name, NULL);
	if (r == 77)
		skip();
	assert_int_equal(r, 0);
	assert_int_equal(fake_windows(&f, "tight"), 1);
	assert_int_equal(fake_windows(&f, "roomy"), 1);
	fake_close(&f);
}

/* ---- exit() inside a window that is over */

static void subject_exits_inside(void)
{
	(void)tlob_start(&roomy, 1);
	(void)tlob_start(&tight, 2);
	sleep_ns(50000000);
	exit(0);
}

static void test_exit_inside(void **state)
{
	struct fake f = {0};
	struct tlob_record r = {0};

	fake_open(&f, FAKE_HONEST, NULL);
	assert_int_equal(subject_run("exits-inside", f.name, NULL), 0);
	assert_true(fake_pop(&f, &r));
	assert_int_equal(r.type, TLOB_REC_OVERRUN);
	assert_int_equal(r.tag, 2);
	assert_true(fake_pop(&f, &r));
	assert_int_equal(r.type, TLOB_REC_CLOSE);
	assert_int_equal(r.tag, 2);
	assert_true(r.flags & TLOB_F_ABANDONED);
	assert_false(fake_pop(&f, &r));
	assert_int_equal(f.ledger->regions[fake_region(&f, "roomy")].abandoned, 1);
	fake_close(&f);
}

static const struct subject subjects[] = {
	{"race", subject_race},
	{"late-and-alone", subject_late_and_alone},
	{"deadline", subject_deadline},
	{"close-anonymous", subject_close_anonymous},
	{"close-own", subject_close_own},
	{"many-regions", subject_many_regions},
	{"urgent", subject_urgent},
	{"blocking", subject_blocking},
	{"stays-alone", subject_stays_alone},
	{"forks-often", subject_forks_often},
	{"no-proc", subject_no_proc},
	{"no-proc-child", subject_no_proc_child},
	{"filtered", subject_filtered},
	{"locked", subject_locked},
	{"exits-inside", subject_exits_inside},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expired_before_kick),
		cmocka_unit_test(test_report_to_nobody),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_anonymous_descriptors),
		cmocka_unit_test(test_many_regions),
		cmocka_unit_test(test_watcher_beside_urgent),
		cmocka_unit_test(test_child_of_blocking),
		cmocka_unit_test(test_agent_of_another),
		cmocka_unit_test(test_silent_agent),
		cmocka_unit_test(test_without_proc),
		cmocka_unit_test(test_filtered),
		cmocka_unit_test(test_locked_memory),
		cmocka_unit_test(test_exit_inside),
	};

	subject_main(argc, argv, subjects);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
