// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libtlob: what start and stop return, what is counted, and the records of engine user, as an agent
 * sees them.
 */
#include <dirent.h>
#include <sched.h>

#include "lib_fake.h"

TLOB_REGION(roomy, "roomy", TLOB_S(100));
TLOB_REGION(tight, "tight", TLOB_US(30));
TLOB_REGION(zero, "zero", 0);
TLOB_REGION(endless, "endless", UINT64_MAX);
TLOB_REGION(named, "named", TLOB_S(1));

/* ---- what the calls return */

static void *stop_it(void *window)
{
	/* of this thread, first window of the same generation in the same place */
	tlob_window_t own = tlob_start(&roomy, 0);

	CHECK_IS(tlob_stop((tlob_window_t)(uintptr_t)window), -EINVAL);
	CHECK_IS(tlob_stop(own), 0);
	return NULL;
}

static void *stop_only(void *window)
{
	CHECK_IS(tlob_stop((tlob_window_t)(uintptr_t)window), -EINVAL);
	return NULL;
}

static void subject_returns(void)
{
	tlob_window_t w, first;
	pthread_t t;

	errno = 1234;
	first = w = tlob_start(&roomy, 7);
	CHECK(w != TLOB_NO_WINDOW);
	CHECK_IS(tlob_stop(w), 0);
	CHECK_IS(errno, 1234);
	CHECK_IS(tlob_stop(w), -EINVAL);
	CHECK_IS(errno, EINVAL);
	w = tlob_start(&roomy, 7);
	CHECK(w != first);
	CHECK_IS(tlob_stop(first), -EINVAL);
	CHECK_IS(tlob_stop(TLOB_NO_WINDOW), -ECANCELED);
	CHECK_IS(errno, ECANCELED);
	for (uint64_t i = 0; i < 5000; i++) {
		tlob_window_t nonsense = i * 0x9e3779b97f4a7c15u;

		if (nonsense != w)
			CHECK(tlob_stop(nonsense) < 0);
	}
	CHECK_IS(tlob_stop(0xdeadbeefdeadbeefu), -EINVAL);
	CHECK(!pthread_create(&t, NULL, stop_it, (void *)(uintptr_t)w));
	pthread_join(t, NULL);
	CHECK(!pthread_create(&t, NULL, stop_only, (void *)(uintptr_t)w));
	pthread_join(t, NULL);
	CHECK_IS(tlob_stop(w), 0);
	w = tlob_start(&tight, 1);
	spin_ns(100000);
	CHECK_IS(tlob_stop(w), -EOVERFLOW);
	CHECK_IS(errno, EOVERFLOW);
}

/* 8 at once, stopped in an order of their own, and again; a ninth is refused. */
static void subject_nested(void)
{
	static const int order[8] = {3, 0, 7, 1, 6, 2, 5, 4};
	tlob_window_t w[8];

	for (int round = 0; round < 1000; round++) {
		for (int i = 0; i < 8; i++)
			w[i] = tlob_start(i % 2 ? &roomy : &named, (uint64_t)i);
		CHECK_IS(tlob_start(&roomy, 9), TLOB_NO_WINDOW);
		for (int i = 0; i < 8; i++)
			CHECK_IS(tlob_stop(w[order[i]]), 0);
	}
}

static void subject_budgets(void)
{
	CHECK_IS(tlob_stop(tlob_start(&endless, 0)), 0);
	(void)tlob_stop(tlob_start(&zero, 0));
	CHECK_IS(tlob_stop(tlob_start(&named, 0)), 0);
}

/* One more than fit, some with names that are too long, none, or hold control characters. */
static void subject_regions(void)
{
	static struct tlob_region regions[TLOB_MAX_REGIONS + 44];
	static char names[TLOB_MAX_REGIONS + 44][100];

	for (int i = 0; i < TLOB_MAX_REGIONS + 44; i++) {
		snprintf(names[i], sizeof(names[i]), "%0*d", i % 3 ? 90 : 3, i);
		regions[i].name = i == 5 ? NULL : i == 6 ? "" : names[i];
		regions[i].file =
			i == 7 ?
				NULL :
				"/a/path/that/is/much/longer/than/the/sixty/four/bytes/that/are/kept/of/it.c";
		regions[i].budget_ns = TLOB_S(1);
	}
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < TLOB_MAX_REGIONS + 44; i++) {
			tlob_window_t w = tlob_start(&regions[i], 0);

			CHECK_IS(w != TLOB_NO_WINDOW, i < TLOB_MAX_REGIONS);
			CHECK_IS(tlob_stop(w), i < TLOB_MAX_REGIONS ? 0 : -ECANCELED);
		}
	}
}

/* ---- what is counted */

#define COUNT_THREADS 10
#define COUNT_WINDOWS 20000

static void *count_windows(void *arg)
{
	for (int i = 0; i < COUNT_WINDOWS; i++)
		CHECK_IS(tlob_stop(tlob_start(i % 2 ? &roomy : &named, 0)), 0);
	return NULL;
}

/* More threads than there are shards, so that some have one of their own and others share. */
static void subject_count(void)
{
	pthread_t t[COUNT_THREADS];

	for (int i = 0; i < COUNT_THREADS; i++)
		CHECK(!pthread_create(&t[i], NULL, count_windows, NULL));
	for (int i = 0; i < COUNT_THREADS; i++)
		pthread_join(t[i], NULL);
}

#define LATE_WINDOWS 400

/* Around the budget: some are noticed by the watcher, some only by their stop, some are in time. */
static void subject_late(void)
{
	for (uint64_t i = 1; i <= LATE_WINDOWS; i++) {
		tlob_window_t w = tlob_start(&tight, i);
		int r;

		spin_ns(25000 + i % 16 * 1000 + (i % 8 ? 0 : 200000));
		r = tlob_stop(w);
		CHECK(r == 0 || r == -EOVERFLOW);
	}
}

static void keep_watcher_here(void)
{
	DIR *dir = opendir("/proc/self/task");
	char path[64], comm[16];
	struct dirent *e;
	cpu_set_t here;

	CHECK(dir && !sched_getaffinity(0, sizeof(here), &here));
	while ((e = readdir(dir))) {
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%.16s/comm", e->d_name);
		f = fopen(path, "r");
		if (f && fscanf(f, "%15s", comm) == 1 && !strcmp(comm, "tlob-watch"))
			CHECK(!sched_setaffinity(atoi(e->d_name), sizeof(here), &here));
		if (f)
			fclose(f);
	}
	closedir(dir);
}

/*
 * More urgent than the watcher, on the only CPU there is: it cannot notice anything before the stop
 * does.
 */
static void subject_at_stop(void)
{
	struct sched_param param = {.sched_priority = 50};

	keep_watcher_here();
	if (sched_setscheduler(0, SCHED_FIFO, &param))
		_exit(77);
	for (uint64_t i = 1; i <= LATE_WINDOWS; i++) {
		tlob_window_t w = tlob_start(&tight, i);

		spin_ns(100000);
		CHECK_IS(tlob_stop(w), -EOVERFLOW);
		if (i % 100 == 0)
			sleep_ns(1000000);
	}
}

static const struct subject subjects[] = {
	{"returns", subject_returns}, {"nested", subject_nested},
	{"budgets", subject_budgets}, {"regions", subject_regions},
	{"count", subject_count},     {"late", subject_late},
	{"at-stop", subject_at_stop}, {NULL, NULL},
};

/* ---- the agent's side */

static void test_returns(void **state)
{
	struct fake f = {0};

	assert_int_equal(subject_run("returns", NOBODY, NULL), 0);
	fake_open(&f, FAKE_HONEST, NULL);
	assert_int_equal(subject_run("returns", f.name, NULL), 0);
	fake_close(&f);
}

static void test_nested(void **state)
{
	struct fake f = {0};
	int region;

	fake_open(&f, FAKE_HONEST, NULL);
	assert_int_equal(subject_run("nested", f.name, NULL), 0);
	region = fake_region(&f, "roomy");
	assert_true(region >= 0);
	assert_int_equal(f.ledger->regions[region].refused, 1000);
	assert_int_equal(fake_windows(&f, "roomy"), 4000);
	assert_int_equal(fake_windows(&f, "named"), 4000);
	fake_close(&f);
}

static void test_budgets(void **state)
{
	struct fake f = {.overrides = {{"named", TLOB_MS(123)}, {"roomy", 1}}};

	fake_open(&f, FAKE_HONEST, NULL);
	assert_int_equal(subject_run("budgets", f.name, NULL), 0);
	assert_int_equal(f.ledger->regions[fake_region(&f, "zero")].budget_ns, TLOB_BUDGET_MIN_NS);
	assert_int_equal(f.ledger->regions[fake_region(&f, "endless")].budget_ns,
			 TLOB_BUDGET_MAX_NS);
	assert_int_equal(f.ledger->regions[fake_region(&f, "named")].budget_ns, TLOB_MS(123));
	fake_close(&f);
}

static void test_regions(void **state)
{
	struct fake f = {0};
	int ready = 0;

	fake_open(&f, FAKE_HONEST, NULL);
	assert_int_equal(subject_run("regions", f.name, NULL), 0);
	for (int i = 0; i < TLOB_MAX_REGIONS; i++) {
		const struct tlob_ledger_region *r = &f.ledger->regions[i];

		ready += r->ready == 1;
		assert_true(strnlen(r->name, sizeof(r->name)) < sizeof(r->name));
		assert_true(strnlen(r->file, sizeof(r->file)) < sizeof(r->file));
		if (i != 7)
			assert_string_equal(r->file + strlen(r->file) - 8, "/of/it.c");
	}
	assert_int_equal(ready, TLOB_MAX_REGIONS);
	assert_int_equal(f.ledger->nregions, TLOB_MAX_REGIONS);
	fake_close(&f);
}

static void test_count(void **state)
{
	struct fake f = {0};

	fake_open(&f, FAKE_HONEST, NULL);
	assert_int_equal(subject_run("count", f.name, NULL), 0);
	assert_int_equal(fake_windows(&f, "roomy") + fake_windows(&f, "named"),
			 COUNT_THREADS * COUNT_WINDOWS);
	assert_int_equal(f.ledger->regions[fake_region(&f, "roomy")].overruns, 0);
	fake_close(&f);
}

/* Each window that was over has its two records, in this order, which agree; no other has any. */
static void check_records(struct fake *f, int *noticed, int *at_stop)
{
	struct tlob_record open[LATE_WINDOWS + 1] = {0}, r;
	int overruns = 0, closes = 0;

	while (fake_pop(f, &r)) {
		assert_in_range(r.tag, 1, LATE_WINDOWS);
		assert_int_equal(r.running_ns + r.waiting_ns + r.sleeping_ns, r.elapsed_ns);
		assert_int_equal(r.budget_ns, TLOB_US(30));
		assert_int_equal(r.time_ns - r.start_ns, r.elapsed_ns);
		assert_true(r.elapsed_ns >= r.budget_ns);
		if (r.type == TLOB_REC_OVERRUN) {
			assert_int_equal(open[r.tag].type, 0);
			open[r.tag] = r;
			overruns++;
			*at_stop += !!(r.flags & TLOB_F_AT_STOP);
			*noticed += !(r.flags & TLOB_F_AT_STOP);
		} else {
			assert_int_equal(r.type, TLOB_REC_CLOSE);
			assert_int_equal(open[r.tag].type, TLOB_REC_OVERRUN);
			assert_int_equal(open[r.tag].window, r.window);
			assert_int_equal(open[r.tag].tid, r.tid);
			assert_true(open[r.tag].time_ns <= r.time_ns);
			open[r.tag].type = TLOB_REC_CLOSE;
			closes++;
		}
	}
	assert_int_equal(overruns, closes);
	assert_int_equal(overruns, f->ledger->regions[fake_region(f, "tight")].overruns);
}

static void test_late(void **state)
{
	int noticed = 0, at_stop = 0;
	struct fake f = {0};

	fake_open(&f, FAKE_HONEST, NULL);
	assert_int_equal(subject_run("late", f.name, NULL), 0);
	assert_int_equal(fake_windows(&f, "tight"), LATE_WINDOWS);
	check_records(&f, &noticed, &at_stop);
	assert_true(noticed > 0);
	fake_close(&f);
}

static void test_at_stop(void **state)
{
	int noticed = 0, at_stop = 0, r;
	cpu_set_t all, one;
	struct fake f = {0};

	fake_open(&f, FAKE_HONEST, NULL);
	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&one);
	for (int cpu = 0; !CPU_COUNT(&one); cpu++)
		if (CPU_ISSET(cpu, &all))
			CPU_SET(cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	r = subject_run("at-stop", f.name, NULL);
	sched_setaffinity(0, sizeof(all), &all);
	if (r != 77) {
		assert_int_equal(r, 0);
		check_records(&f, &noticed, &at_stop);
		assert_int_equal(at_stop, LATE_WINDOWS);
		assert_int_equal(noticed, 0);
	}
	fake_close(&f);
	if (r == 77)
		skip(); /* no real-time priority here */
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_returns), cmocka_unit_test(test_nested),
		cmocka_unit_test(test_budgets), cmocka_unit_test(test_regions),
		cmocka_unit_test(test_count),	cmocka_unit_test(test_late),
		cmocka_unit_test(test_at_stop),
	};

	subject_main(argc, argv, subjects);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
