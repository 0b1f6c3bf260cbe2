// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libtlob in what is loaded late: the shared library itself, and a plug-in that has it inside and
 * is unloaded again.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>

#include "lib_subject.h"

typedef tlob_window_t start_fn(struct tlob_region *region, uint64_t tag);
typedef int stop_fn(tlob_window_t window);
typedef int callback_fn(tlob_overrun_fn *fn, void *arg);
typedef int measure_fn(void);

static struct tlob_region region = {"loaded", TLOB_MS(1), __FILE__, __LINE__, 0, 0, 0, 0, 0, 0};

/* Of the folder this program was built in. */
static const char *built(const char *name)
{
	static char path[PATH_MAX + 64];
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX);

	for (int up = 0; n > 0 && up < 3; n--)
		up += path[n - 1] == '/';
	path[n] = '\0';
	strcat(path, "/");
	return strcat(path, name);
}

static int threads(void)
{
	DIR *d = opendir("/proc/self/task");
	int n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n - 2;
}

static int calls;

static void on_overrun(const struct tlob_record *record, const struct tlob_region *of, void *arg)
{
	__atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
}

/* ---- libtlob.so: stays once it is loaded, so that threads which have used it may end any time */

static int stage; /* 1: a window has been stopped; 2: the library was closed */

static void at_stage(int n)
{
	while (__atomic_load_n(&stage, __ATOMIC_ACQUIRE) < n)
		sleep_ns(1000000);
}

static void reach_stage(int n)
{
	__atomic_store_n(&stage, n, __ATOMIC_RELEASE);
}

struct calls {
	start_fn *start;
	stop_fn *stop;
};

static void *outlives(void *arg)
{
	const struct calls *c = arg;
	tlob_window_t w = c->start(&region, 1);

	CHECK(w);
	CHECK_IS(c->stop(w), 0);
	reach_stage(1);
	at_stage(2);
	return NULL;
}

static void subject_shared(void)
{
	void *lib = dlopen(built("libtlob.so.0"), RTLD_NOW | RTLD_LOCAL);
	callback_fn *on;
	struct calls c;
	tlob_window_t w;
	pthread_t t;

	if (!lib)
		fprintf(stderr, "%s\n", dlerror());
	CHECK(lib);
	c.start = (start_fn *)dlsym(lib, "tlob_start");
	c.stop = (stop_fn *)dlsym(lib, "tlob_stop");
	on = (callback_fn *)dlsym(lib, "tlob_on_overrun");
	CHECK(c.start && c.stop && on && c.start != tlob_start);
	CHECK_IS(on(on_overrun, NULL), 0);
	CHECK(!pthread_create(&t, NULL, outlives, &c));
	at_stage(1);
	w = c.start(&region, 1);
	spin_ns(5000000);
	CHECK_IS(c.stop(w), -EOVERFLOW);
	CHECK_IS(calls, 2);
	CHECK_IS(dlclose(lib), 0);
	reach_stage(2);
	pthread_join(t, NULL);
	CHECK_IS(c.stop(c.start(&region, 1)), 0);
}

/* ---- a plug-in with the static library inside: nothing of it stays */

static void *outlives_plugin(void *arg)
{
	CHECK_IS(((measure_fn *)arg)(), -EOVERFLOW);
	reach_stage(1);
	at_stage(2);
	return NULL;
}

static void subject_plugin(void)
{
	const char *path = getenv("PLUGIN");
	int fds = open_fds();

	CHECK_IS(threads(), 1);
	for (int i = 0; i < 20; i++) {
		void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
		measure_fn *measure;
		pthread_t t;

		if (!lib)
			fprintf(stderr, "%s\n", dlerror());
		CHECK(lib);
		measure = (measure_fn *)dlsym(lib, "measure");
		CHECK(measure);
		reach_stage(0);
		CHECK(!pthread_create(&t, NULL, outlives_plugin, (void *)measure));
		at_stage(1);
		CHECK_IS(measure(), -EOVERFLOW);
		CHECK_IS(threads(), 3); /* this one, that one, its watcher */
		if (i % 2) { /* the other one leaves first, or last */
			reach_stage(2);
			pthread_join(t, NULL);
		}
		CHECK_IS(dlclose(lib), 0);
		CHECK(!dlopen(path, RTLD_NOW | RTLD_NOLOAD));
		if (!(i % 2)) {
			reach_stage(2);
			pthread_join(t, NULL);
		}
		CHECK_IS(threads(), 1);
		if (i % 2)
			CHECK_IS(open_fds(), fds);
	}
}

static const struct subject subjects[] = {
	{"shared", subject_shared},
	{"plugin", subject_plugin},
	{NULL, NULL},
};

static void test_shared(void **state)
{
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
	skip();
#endif
	if (access(built("libtlob.so.0"), R_OK))
		skip(); /* was not built */
	assert_int_equal(subject_run("shared", NOBODY, NULL), 0);
}

static const char plugin_source[] =
	"#include <tlob/tlob.h>\n"
	"TLOB_REGION(region, \"plugged\", TLOB_MS(1));\n"
	"static void on(const struct tlob_record *r, const struct tlob_region *g, void *arg)\n"
	"{ (void)r; (void)g; ++*(int *)arg; }\n"
	"int measure(void)\n"
	"{\n"
	"	static int calls;\n"
	"	volatile unsigned int i;\n"
	"	tlob_window_t w;\n"
	"	tlob_on_overrun(on, &calls);\n"
	"	w = tlob_start(&region, 1);\n"
	"	for (i = 0; i < 30000000; i++)\n"
	"		;\n"
	"	return tlob_stop(w);\n"
	"}\n";

static void test_plugin(void **state)
{
	char folder[] = "/tmp/tlob-plugin-XXXXXX", command[3 * PATH_MAX], more[PATH_MAX];
	FILE *f;
	int r;

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
	skip();
#endif
	if (system("cc --version >/dev/null 2>&1") || access("include/tlob/tlob.h", R_OK))
		skip(); /* no compiler, or not run from the top of the tree */
	assert_non_null(mkdtemp(folder));
	snprintf(more, sizeof(more), "%s/plugin.c", folder);
	f = fopen(more, "we");
	assert_non_null(f);
	fputs(plugin_source, f);
	fclose(f);
	snprintf(command, sizeof(command),
		 "cc -shared -fPIC -Iinclude %s/plugin.c %s -o %s/plugin.so -lpthread", folder,
		 built("libtlob.a"), folder);
	assert_int_equal(system(command), 0);
	snprintf(more, sizeof(more), "PLUGIN=%s/plugin.so", folder);
	r = subject_run("plugin", NOBODY, more);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	assert_int_equal(system(command), 0);
	assert_int_equal(r, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_plugin),
	};

	subject_main(argc, argv, subjects);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
