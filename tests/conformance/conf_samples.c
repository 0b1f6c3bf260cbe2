/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPU samples: those of late windows name what made them late, those of good ones what they do else, and nothing is lost when
 * the code has gone by the time anybody asks: closed libraries, other programs by exec, processes that have ended.
 */
#include "harness.h"

#include <dirent.h>
#include <dlfcn.h>
#include <limits.h>
#include <spawn.h>
#include <sys/wait.h>

#define MS 1000000ULL
#define BUDGET_MS 40
#define SLOW_MS 60
#define FAST_MS 5
#define CHUNK 20000u

TLOB_REGION(work, "work", TLOB_MS(BUDGET_MS));
TLOB_REGION(inner, "inner", TLOB_MS(BUDGET_MS));

extern char **environ;
static volatile unsigned int sink;

/* ---- subjects */

#define BURN(name) \
	__attribute__((noinline)) static unsigned int name(unsigned int n) \
	{ \
		unsigned int x = n; \
\
		for (unsigned int i = 0; i < n; i++) { \
			x = x * 1664525u + 1013904223u; \
			__asm__ volatile("" : "+r"(x)); \
		} \
		return x; \
	}
BURN(slow_path)
BURN(fast_path)

/* Until the thread has run for @ns: others on this machine take the CPU too. */
static void burn(unsigned int (*fn)(unsigned int), uint64_t ns)
{
	struct timespec t;
	uint64_t end = 0, now;

	do {
		sink += fn(CHUNK);
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
		now = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
		if (!end)
			end = now + ns;
	} while (now < end);
}

static void one(uint64_t tag, unsigned int (*fn)(unsigned int), uint64_t ns)
{
	tlob_window_t w = tlob_start(&work, tag);

	burn(fn, ns);
	tlob_stop(w);
}

static int subject_paths(void)
{
	for (uint64_t i = 0; i < 40; i++) {
		bool slow = i % 5 == 4;

		one(i + 1, slow ? slow_path : fast_path, (slow ? SLOW_MS : FAST_MS) * MS);
		burn(slow_path, MS); /* outside of windows nobody looks */
	}
	return 0;
}

/* The outer window spends its time in both, the inner one only in one of them. */
static int subject_nested(void)
{
	for (uint64_t i = 1; i <= 4; i++) {
		tlob_window_t outer = tlob_start(&work, i), w;

		burn(fast_path, 50 * MS);
		w = tlob_start(&inner, i);
		burn(slow_path, 50 * MS);
		tlob_stop(w);
		tlob_stop(outer);
	}
	return 0;
}

static void visit(uint64_t tag)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 16);
	unsigned int (*fn)(unsigned int);
	tlob_window_t w;
	void *library;

	if (n < 0)
		exit(90);
	path[n] = '\0';
	strcpy(strrchr(path, '/') + 1, "visitor.so");
	library = dlopen(path, RTLD_NOW);
	if (!library)
		exit(91);
	*(void **)&fn = dlsym(library, "visitor_work");
	w = tlob_start(&work, tag);
	burn(fn, SLOW_MS * MS);
	dlclose(library);
	tlob_stop(w);
}

/* Each visit ends with the library closed; the process ends, or becomes another program, right after the last one. */
static int subject_visits(void)
{
	for (uint64_t i = 1; i <= 6; i++)
		visit(i);
	if (conf_argument && !strcmp(conf_argument, "exec"))
		execl("/bin/true", "true", NULL);
	_exit(0);
}

/* Processes that come and go all the time, so that the buffers of all CPUs have plenty of changes in them. */
static int subject_crowd(void)
{
	char *const args[] = {"true", NULL};
	uint64_t end = now_ns() + 1000 * MS;
	pid_t pid, visitor = fork();
	int status;

	if (!visitor)
		_exit(subject_visits());
	while (now_ns() < end)
		if (!posix_spawn(&pid, "/bin/true", NULL, NULL, args, environ))
			waitpid(pid, &status, 0);
	waitpid(visitor, &status, 0);
	return WEXITSTATUS(status);
}

const struct conf_subject conf_subjects[] = {{"paths", subject_paths},
					     {"nested", subject_nested},
					     {"visits", subject_visits},
					     {"crowd", subject_crowd},
					     {NULL, NULL}};

/* ---- what was said */

struct tally {
	const char *region; /* only this one; NULL: all */
	uint64_t every; /* only tags divisible by this, the others are late by the doing of others; 0: all */
	uint64_t others; /* late ones among those */
	uint64_t windows, all, slow, fast, visitor;
	uint64_t promised, promised_others; /* what the closing records say there is */
	uint64_t to_main; /* whose callers lead there; this is compiled without frame pointers */
	bool has_file, has_id;
};

static void add_up(struct tally *t, const struct tlobctl_samples *s)
{
	const struct tlobctl_frame *f = s->stack.frames;

	t->all += s->count;
	for (size_t i = 0; i < s->stack.nframes; i++)
		if (!strcmp(f[i].function, "main"))
			t->to_main += s->count;
	for (size_t i = 0; i < s->stack.nframes; i++) {
		if (!strcmp(f[i].function, "slow_path")) {
			t->slow += s->count;
			t->has_file |= !!strstr(f[i].file, "conf_samples.c") && f[i].line;
			t->has_id |= strlen(f[i].build_id) == 40;
			return;
		}
		if (!strcmp(f[i].function, "fast_path")) {
			t->fast += s->count;
			return;
		}
		if (!strcmp(f[i].function, "visitor_work")) {
			t->visitor += s->count;
			return;
		}
	}
}

static void hook(const struct tlobctl_event *e, void *arg)
{
	struct tally *t = arg;

	if (e->record->type != TLOB_REC_CLOSE || !e->why ||
	    (t->region && strcmp(t->region, e->region)))
		return;
	if (t->every && e->record->tag % t->every) {
		t->others++;
		t->promised_others += e->why->sampled;
		return;
	}
	t->windows++;
	t->promised += e->why->sampled;
	for (size_t i = 0; i < e->why->nsamples; i++)
		add_up(t, &e->why->samples[i]);
}

static int add_profile(const struct tlobctl_profile *p, void *arg)
{
	struct tally *t = arg;

	if (t->region && strcmp(t->region, p->region))
		return 0;
	t->windows += p->windows;
	t->promised += p->sampled;
	for (size_t i = 0; i < p->nsamples; i++)
		add_up(t, &p->samples[i]);
	return 0;
}

static struct tally late(struct conf *c, const char *region, uint64_t every,
			 const char *const *argv)
{
	struct tally t = {.region = region, .every = every};

	c->hook = hook;
	c->hook_arg = &t;
	conf_run(c, argv);
	c->hook = NULL;
	tap_note("%lu late windows, %lu samples: slow_path %lu, fast_path %lu, visitor_work %lu",
		 (unsigned long)t.windows, (unsigned long)t.all, (unsigned long)t.slow,
		 (unsigned long)t.fast, (unsigned long)t.visitor);
	return t;
}
#define LATE(c, region, every, ...) late(c, region, every, (const char *const[]){__VA_ARGS__, NULL})

/* ---- checks */

static void check_paths(struct conf *c)
{
	struct tally t = LATE(c, NULL, 5, "paths"), good = {0};
	struct tlobctl_sample_stat stat;

	tap_ok(t.windows == 8 && t.slow * 10 >= t.all * 8 && t.all >= 8 * SLOW_MS / 4,
	       "samples of late windows name the slow path");
	tap_ok(t.fast == 0, "and not what other windows do");
	tap_ok(t.has_file && t.has_id, "with source line and build-id");
	tap_ok(t.promised == t.all, "all samples are handed out");
	tap_ok(t.to_main * 10 >= t.all * 9, "and their callers, up to main()");
	tlobctl_profiles(c->ctl, add_profile, &good);
	tap_note("%lu good windows, %lu samples: slow_path %lu, fast_path %lu",
		 (unsigned long)good.windows, (unsigned long)good.all, (unsigned long)good.slow,
		 (unsigned long)good.fast);
	tap_ok(good.windows && good.windows + t.others == 32 && good.fast * 10 >= good.all * 8 &&
		       good.slow == 0,
	       "the profile of good windows is of those, and names the fast path");
	tlobctl_sample_stats(c->ctl, &stat);
	tap_note("%s at %u Hz: %lu taken, %lu late, %lu good", stat.clock, stat.hz,
		 (unsigned long)stat.taken, (unsigned long)stat.late, (unsigned long)stat.good);
	tap_ok(stat.taken == stat.late + stat.good && stat.late == t.promised + t.promised_others &&
		       stat.good == good.all,
	       "every sample is in one or the other, none from outside of windows");
}

static void check_nested(struct conf *c)
{
	struct tally t = LATE(c, "inner", 0, "nested");

	tap_ok(t.windows == 4 && t.fast == 0 && t.slow * 10 >= t.all * 8,
	       "the inner window has its own samples");
	t = LATE(c, "work", 0, "nested");
	tap_ok(t.windows == 4 && t.fast * 10 >= t.all * 3 && t.slow * 10 >= t.all * 3,
	       "the outer one those of the inner one too");
}

/* Of six; on a crowded machine finding out why takes long, and then some are only counted. */
static void check_visits(const char *what, struct tally t)
{
	tap_ok(t.windows >= 3 && t.visitor * 10 >= t.all * 8 && t.all >= t.windows * SLOW_MS / 4,
	       "%s", what);
}

static uint64_t full(struct conf *c)
{
	struct tlobctl_sample_stat s;

	tlobctl_sample_stats(c->ctl, &s);
	return s.full;
}

static void check_losses(struct conf *c, uint64_t expected)
{
	struct tlobctl_sample_stat s;

	tlobctl_sample_stats(c->ctl, &s);
	tap_note("lost: %lu without mapping, %lu without process, %lu backtraces, %lu full, %lu "
		 "crowded",
		 (unsigned long)s.no_mapping, (unsigned long)s.no_process,
		 (unsigned long)s.no_backtrace, (unsigned long)s.full, (unsigned long)s.crowded);
	tap_ok(!s.no_mapping && !s.no_process && !s.no_backtrace && s.full == expected &&
		       !s.crowded,
	       "nothing was lost");
}

/* Where others keep this process from its buffers for a second they do overflow: then once more. */
static uint64_t check_crowd(struct conf *c)
{
	struct tally t;
	uint64_t before;
	int attempts = 0;

	do {
		before = full(c);
		t = LATE(c, NULL, 0, "crowd");
	} while (full(c) != before && ++attempts < 4);
	check_visits("while processes come and go", t);
	return before;
}

/* Events of the kernel's that this process holds, by what /proc says. */
static int perf_events(void)
{
	DIR *folder = opendir("/proc/self/fd");
	struct dirent *entry;
	int n = 0;

	while (folder && (entry = readdir(folder))) {
		char path[300], target[64] = "";

		snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
		if (readlink(path, target, sizeof(target) - 1) > 0)
			n += !strcmp(target, "anon_inode:[perf_event]");
	}
	closedir(folder);
	return n;
}

static void check_off(struct conf *c)
{
	int cpus = (int)sysconf(_SC_NPROCESSORS_ONLN), n;
	struct tlobctl_sample_stat s;

	c->why = TLOBCTL_WHY_CULPRIT;
	conf_open(c);
	tap_ok(perf_events() == 0, "not asked for: no event is there");
	conf_close(c);
	c->why = TLOBCTL_WHY_STACKS;
	conf_open(c);
	tlobctl_sample_stats(c->ctl, &s);
	n = perf_events();
	tap_ok(n == cpus && !s.clock, "stacks only: %d events on %d CPUs tell what is mapped", n,
	       cpus);
	conf_close(c);
	c->why = TLOBCTL_WHY_SAMPLES;
	conf_open(c);
	n = perf_events();
	tap_ok(n == 2 * cpus, "samples: %d events", n);
	conf_close(c);
	tap_ok(perf_events() == 0, "and none is left");
}

static void check_rates(void)
{
	struct tlobctl_opts opts = {
		.size = sizeof(opts), .engine = TLOBCTL_ENGINE_BPF, .sample_hz = 5};
	struct tlobctl *ctl;

	tap_ok(tlobctl_open(&opts, &ctl) == -EINVAL &&
		       strstr(tlobctl_error(), "10 to 20000 times a second, not 5"),
	       "a rate that makes no sense is refused");
}

int conf_main(struct conf *c)
{
	tap_plan(18);
	check_off(c);
	check_rates();
	c->why = TLOBCTL_WHY_SAMPLES;
	c->good_share = 1;
	conf_open(c);
	check_paths(c);
	check_nested(c);
	check_visits("a library closed before the window ends", LATE(c, NULL, 0, "visits"));
	check_visits("and another program by exec", LATE(c, NULL, 0, "visits", "exec"));
	check_losses(c, check_crowd(c));
	conf_close(c);
	return tap_done();
}
