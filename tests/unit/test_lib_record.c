// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libtlob by itself: the callback and the log, in order; what a record of engine user says against
 * what the thread did.
 */
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>

#include "lib_fake.h"

TLOB_REGION(tight, "tight", TLOB_MS(10));
TLOB_REGION(quick, "quick", TLOB_US(50));
TLOB_REGION(noisy, "name\nof two lines", TLOB_MS(1));

struct seen {
	struct tlob_record record;
	const struct tlob_region *region;
	uint64_t at_ns;
	pthread_t by;
};

#define MAX_SEEN 4096
static struct seen seen[MAX_SEEN];
static int nseen, nready;

static void on_overrun(const struct tlob_record *record, const struct tlob_region *region,
		       void *arg)
{
	int i = __atomic_fetch_add(&nseen, 1, __ATOMIC_SEQ_CST);

	CHECK(arg == &nseen);
	CHECK(i < MAX_SEEN);
	seen[i].at_ns = now_ns();
	seen[i].record = *record;
	seen[i].region = region;
	seen[i].by = pthread_self();
	__atomic_fetch_add(&nready, 1, __ATOMIC_SEQ_CST);
}

static int seen_so_far(void)
{
	return __atomic_load_n(&nready, __ATOMIC_SEQ_CST);
}

/* ---- the callback */

static void subject_callback(void)
{
	char comm[16];
	tlob_window_t w;

	prctl(PR_GET_NAME, comm);
	CHECK_IS(tlob_on_overrun(on_overrun, &nseen), 0);
	w = tlob_start(&tight, 77);
	spin_ns(60000000);
	CHECK_IS(seen_so_far(), 1); /* while it happens, by the watcher */
	CHECK(!pthread_equal(seen[0].by, pthread_self()));
	CHECK_IS(seen[0].record.type, TLOB_REC_OVERRUN);
	CHECK_IS(tlob_stop(w), -EOVERFLOW);
	CHECK_IS(seen_so_far(), 2); /* at the stop, by this thread */
	CHECK(pthread_equal(seen[1].by, pthread_self()));
	CHECK_IS(seen[1].record.type, TLOB_REC_CLOSE);
	for (int i = 0; i < 2; i++) {
		const struct tlob_record *r = &seen[i].record;

		CHECK(seen[i].region == &tight);
		CHECK_IS(r->tag, 77);
		CHECK_IS(r->budget_ns, TLOB_MS(10));
		CHECK_IS(r->tgid, getpid());
		CHECK_IS(r->tid, syscall(SYS_gettid));
		CHECK_IS(strcmp(r->comm, comm), 0);
		CHECK_IS(r->running_ns + r->waiting_ns + r->sleeping_ns, r->elapsed_ns);
		CHECK(r->start_ns + r->elapsed_ns == r->time_ns);
	}
	CHECK_IS(seen[0].record.window, seen[1].record.window);
	CHECK_IS(tlob_on_overrun(NULL, NULL), 0);
	w = tlob_start(&quick, 1);
	spin_ns(1000000);
	CHECK_IS(tlob_stop(w), -EOVERFLOW);
	CHECK_IS(seen_so_far(), 2);
}

/* The closing record never comes before the other one, however close the race. */
static void subject_order(void)
{
	int overruns = 0;

	CHECK_IS(tlob_on_overrun(on_overrun, &nseen), 0);
	for (uint64_t tag = 0; tag < 1000; tag++) {
		tlob_window_t w = tlob_start(&quick, tag);
		int before = seen_so_far(), after, r;

		spin_ns(48000 + tag % 40 * 500);
		r = tlob_stop(w);
		after = seen_so_far();
		if (r == -EOVERFLOW) {
			overruns++;
			CHECK(after >= 2 && seen[after - 1].record.type == TLOB_REC_CLOSE);
			CHECK_IS(seen[after - 1].record.tag, tag);
			CHECK_IS(seen[after - 2].record.type, TLOB_REC_OVERRUN);
			CHECK_IS(seen[after - 2].record.tag, tag);
		} else {
			CHECK_IS(r, 0);
			CHECK_IS(after, before);
		}
	}
	CHECK(overruns > 0);
	CHECK_IS(seen_so_far(), 2 * overruns);
}

/* With an agent the program hears of it as well, of both at the stop. */
static void subject_beside_agent(void)
{
	tlob_window_t w;

	CHECK_IS(tlob_on_overrun(on_overrun, &nseen), 0);
	w = tlob_start(&tight, 5);
	spin_ns(40000000);
	CHECK_IS(seen_so_far(), 0);
	CHECK_IS(tlob_stop(w), -EOVERFLOW);
	CHECK_IS(seen_so_far(), 2);
	for (int i = 0; i < 2; i++) {
		CHECK(pthread_equal(seen[i].by, pthread_self()));
		CHECK(seen[i].region == &tight);
		CHECK_IS(seen[i].record.type, i ? TLOB_REC_CLOSE : TLOB_REC_OVERRUN);
		CHECK_IS(!(seen[i].record.flags & TLOB_F_AT_STOP), i);
	}
}

/* ---- the split */

static const struct tlob_record *only(int type)
{
	const struct tlob_record *found = NULL;

	for (int i = 0; i < seen_so_far(); i++) {
		if (seen[i].record.type != type)
			continue;
		CHECK(!found);
		found = &seen[i].record;
	}
	CHECK(found);
	return found;
}

static void show(const char *what, const struct tlob_record *r)
{
	fprintf(stderr,
		"%s: %s at %.1f ms: running %.1f waiting %.1f sleeping %.1f ms, state %u, %u switches, cpu %u%s %.3f ms\n",
		what, r->type == TLOB_REC_OVERRUN ? "overrun" : "close",
		(double)r->elapsed_ns / 1e6, (double)r->running_ns / 1e6,
		(double)r->waiting_ns / 1e6, (double)r->sleeping_ns / 1e6, r->state, r->switches,
		r->cpu, r->flags & TLOB_F_ESTIMATED ? ", give or take" : "",
		(double)r->uncertain_ns / 1e6);
}

#define CHECK_SPLIT(what) \
	do { \
		if (!(what)) { \
			show(#what, o); \
			show(#what, c); \
			CHECK(what); \
		} \
	} while (0)

static bool mostly(uint64_t part, const struct tlob_record *r)
{
	return part >= r->elapsed_ns / 10 * 7;
}

/* Whoever else works on this machine shall not be what is measured. */
static void keep_the_cpu(void)
{
	struct sched_param param = {.sched_priority = 1};

	(void)sched_setscheduler(0, SCHED_FIFO, &param);
}

/* All of these also run on one CPU only, where the watcher itself displaces what it watches. */
static void subject_spin(void)
{
	const struct tlob_record *o, *c;
	tlob_window_t w;

	keep_the_cpu();
	CHECK_IS(tlob_on_overrun(on_overrun, &nseen), 0);
	w = tlob_start(&tight, 1);
	spin_ns(50000000);
	CHECK_IS(tlob_stop(w), -EOVERFLOW);
	o = only(TLOB_REC_OVERRUN);
	c = only(TLOB_REC_CLOSE);
	CHECK_SPLIT(o->flags & TLOB_F_AT_STOP || o->state == TLOB_RUNNING);
	CHECK_SPLIT(c->uncertain_ns < 1000000);
	CHECK_SPLIT(c->sleeping_ns < c->elapsed_ns / 20);
	CHECK_SPLIT(o->sleeping_ns < o->elapsed_ns / 20);
}

static void subject_sleep(void)
{
	const struct tlob_record *o, *c;
	tlob_window_t w;

	keep_the_cpu();
	CHECK_IS(tlob_on_overrun(on_overrun, &nseen), 0);
	w = tlob_start(&tight, 1);
	sleep_ns(50000000);
	CHECK_IS(tlob_stop(w), -EOVERFLOW);
	o = only(TLOB_REC_OVERRUN);
	c = only(TLOB_REC_CLOSE);
	CHECK_SPLIT(o->state == TLOB_SLEEPING && mostly(o->sleeping_ns, o));
	CHECK_SPLIT(mostly(c->sleeping_ns, c));
	CHECK_SPLIT(c->switches >= 1 && o->switches >= 1);
}

/*
 * Sleeps first, then spins past the deadline: displaced by the watcher, it is neither waiting, nor
 * did it wait.
 */
static void subject_sleep_then_spin(void)
{
	const struct tlob_record *o, *c;
	tlob_window_t w;

	keep_the_cpu();
	CHECK_IS(tlob_on_overrun(on_overrun, &nseen), 0);
	w = tlob_start(&tight, 1);
	sleep_ns(8000000);
	spin_ns(20000000);
	CHECK_IS(tlob_stop(w), -EOVERFLOW);
	o = only(TLOB_REC_OVERRUN);
	c = only(TLOB_REC_CLOSE);
	CHECK_SPLIT(o->flags & TLOB_F_AT_STOP || o->state == TLOB_RUNNING ||
		    o->waiting_ns > 1000000);
	CHECK_SPLIT(o->sleeping_ns >= 7000000 && c->sleeping_ns >= 7000000);
}

static pid_t start_hog(void)
{
	pid_t hog = fork();

	if (hog)
		return hog;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		spin_ns(1000000000);
}

/* Beside somebody who takes half of the CPU. */
static void subject_hog(void)
{
	const struct tlob_record *c, *o;
	pid_t hog = start_hog();
	tlob_window_t w;

	CHECK_IS(tlob_on_overrun(on_overrun, &nseen), 0);
	sleep_ns(20000000);
	w = tlob_start(&tight, 1);
	spin_ns(300000000);
	CHECK_IS(tlob_stop(w), -EOVERFLOW);
	kill(hog, SIGKILL);
	o = only(TLOB_REC_OVERRUN);
	c = only(TLOB_REC_CLOSE);
	CHECK_SPLIT(o->state != TLOB_SLEEPING);
	CHECK_SPLIT(c->waiting_ns > c->elapsed_ns / 5);
	CHECK_SPLIT(c->running_ns > c->elapsed_ns / 50);
	CHECK_SPLIT(c->sleeping_ns < c->elapsed_ns / 20);
	CHECK_SPLIT(o->sleeping_ns < o->elapsed_ns / 5);
}

/* Windows in quick succession share a baseline: the record says how old it was. */
static void subject_estimated(void)
{
	const struct tlob_record *c;
	int estimated = 0;

	CHECK_IS(tlob_on_overrun(on_overrun, &nseen), 0);
	for (int i = 0; i < 200; i++) {
		tlob_window_t w;

		for (int k = 0; k < 20; k++)
			CHECK(tlob_stop(tlob_start(&tight, 0)) == 0);
		w = tlob_start(&quick, 1);
		spin_ns(60000);
		if (tlob_stop(w) != -EOVERFLOW)
			continue;
		c = &seen[seen_so_far() - 1].record;
		CHECK_IS(c->running_ns + c->waiting_ns + c->sleeping_ns, c->elapsed_ns);
		if (c->flags & TLOB_F_ESTIMATED) {
			estimated++;
			CHECK(c->uncertain_ns > 0 && c->uncertain_ns <= c->elapsed_ns &&
			      c->uncertain_ns <= TLOB_MS(1));
		} else {
			CHECK_IS(c->uncertain_ns, 0);
		}
	}
	CHECK(estimated > 0);
}

/* ---- the thread's clock */

static void books(uint64_t *run, uint64_t *wait)
{
	struct timespec unused;
	FILE *f;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &unused);
	f = fopen("/proc/thread-self/schedstat", "re");
	CHECK(f && fscanf(f, "%lu %lu", run, wait) == 2);
	fclose(f);
}

static void subject_clock(void)
{
	struct tlob_times before, after;
	uint64_t run[2], wait[2], begin = now_ns(), run_diff, elapsed;

	CHECK_IS(tlob_thread_clock(&before), 0);
	CHECK(before.running_ns < TLOB_MS(50) && before.sleeping_ns < TLOB_MS(50));
	books(&run[0], &wait[0]);
	CHECK_IS(tlob_thread_clock(&before), 0);
	spin_ns(30000000);
	sleep_ns(40000000);
	CHECK_IS(tlob_thread_clock(&after), 0);
	books(&run[1], &wait[1]);
	elapsed = after.running_ns - before.running_ns + after.waiting_ns - before.waiting_ns +
		  after.sleeping_ns - before.sleeping_ns;
	run_diff = after.running_ns - before.running_ns;
	CHECK(elapsed >= 70000000 && elapsed <= now_ns() - begin);
	CHECK(run_diff <= run[1] - run[0] && run_diff + 2000000 >= run[1] - run[0]);
	CHECK(after.sleeping_ns - before.sleeping_ns >= 39000000);
	CHECK(after.switches > before.switches);
}

/* ---- the log */

static void subject_log(void)
{
	tlob_window_t w = tlob_start(&noisy, 31337);

	spin_ns(20000000);
	CHECK_IS(tlob_stop(w), -EOVERFLOW);
}

/* The log is a pipe that nobody reads: nothing waits. */
static void subject_log_full(void)
{
	for (int i = 0; i < 2000; i++) {
		uint64_t before = now_ns();
		tlob_window_t w = tlob_start(&quick, 1);

		spin_ns(60000);
		CHECK_IS(tlob_stop(w), -EOVERFLOW);
		CHECK(now_ns() - before < TLOB_S(1));
	}
}

static const struct subject subjects[] = {
	{"callback", subject_callback},
	{"order", subject_order},
	{"beside-agent", subject_beside_agent},
	{"spin", subject_spin},
	{"sleep", subject_sleep},
	{"sleep-then-spin", subject_sleep_then_spin},
	{"hog", subject_hog},
	{"estimated", subject_estimated},
	{"clock", subject_clock},
	{"log", subject_log},
	{"log-full", subject_log_full},
	{NULL, NULL},
};

/* ---- the parent's side */

static void test_callback(void **state)
{
	struct fake f = {0};

	assert_int_equal(subject_run("callback", NOBODY, NULL), 0);
	assert_int_equal(subject_run("order", NOBODY, NULL), 0);
	fake_open(&f, FAKE_HONEST, NULL);
	assert_int_equal(subject_run("beside-agent", f.name, NULL), 0);
	fake_close(&f);
}

/* On all CPUs, and on one only, which watcher and watched then share. */
static void test_split(void **state)
{
	static const char *const names[] = {"spin", "sleep", "sleep-then-spin"};
	cpu_set_t all, one;

	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&one);
	for (int cpu = 0; !CPU_COUNT(&one); cpu++)
		if (CPU_ISSET(cpu, &all))
			CPU_SET(cpu, &one);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_int_equal(subject_run(names[i], NOBODY, NULL), 0);
	sched_setaffinity(0, sizeof(one), &one);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_int_equal(subject_run(names[i], NOBODY, NULL), 0);
	assert_int_equal(subject_run("hog", NOBODY, NULL), 0);
	sched_setaffinity(0, sizeof(all), &all);
	assert_int_equal(subject_run("estimated", NOBODY, NULL), 0);
}

static void test_clock(void **state)
{
	assert_int_equal(subject_run("clock", NOBODY, NULL), 0);
}

static void test_log(void **state)
{
	char path[] = "/tmp/tlob-log-XXXXXX", more[64], text[4096] = "", number[48];
	int fd = mkstemp(path), lines = 0, pipes[2];

	assert_true(fd >= 0);
	snprintf(more, sizeof(more), "TLOB_LOG=%s", path);
	assert_int_equal(subject_run("log", NOBODY, more), 0);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	printf("%s", text);
	for (const char *p = text; *p; p++)
		lines += *p == '\n';
	assert_int_equal(lines, 2);
	assert_memory_equal(text, "tlob: ", 6);
	assert_non_null(strstr(text, "name?of two lines"));
	assert_non_null(strstr(text, "tag=31337"));
	assert_non_null(strstr(text, "budget=1.00ms"));
	assert_non_null(strstr(text, "test_lib_record.c:"));
	close(fd);
	unlink(path);

	/* a reader that does not read */
	assert_int_equal(pipe(pipes), 0);
	snprintf(number, sizeof(number), "/proc/%d/fd/%d", getpid(), pipes[1]);
	snprintf(more, sizeof(more), "TLOB_LOG=%s", number);
	assert_int_equal(subject_run("log-full", NOBODY, more), 0);
	close(pipes[0]);
	close(pipes[1]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_callback),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_log),
	};

	subject_main(argc, argv, subjects);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
