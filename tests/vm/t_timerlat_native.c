// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The same steps on the module's timerlat_fd and, where the kernel has one, on the kernel's: same results. (Where tlob differs by
 * intention, see include/tlob/timerlat.h: a signal, a descriptor handed on, a CPU that goes offline, who is busy.)
 */
#include "timerlat.h"

#define NATIVE_DIR TRACE_DIR "osnoise/"
#define READS 20

struct tree {
	const char *dir;
	bool native;
};

static const struct tree module = {TIMERLAT_DIR, false}, native = {NATIVE_DIR, true};
static char trace_text[1 << 17];

static int set(const struct tree *t, const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "%s%s", t->dir, name);
	return write_file(path, value);
}

static int enable(const struct tree *t, bool on)
{
	write_file(TRACE_DIR "tracing_on", "1");
	if (!t->native)
		return set(t, "enable", on ? "1" : "0");
	if (on)
		set(t, "options", "NO_OSNOISE_WORKLOAD");
	return write_file(TRACE_DIR "current_tracer", on ? "timerlat" : "nop");
}

static int open_from(const struct tree *t, int from, int cpu)
{
	char path[128];
	int fd;

	pin_thread(0, from);
	snprintf(path, sizeof(path), "%sper_cpu/cpu%d/timerlat_fd", t->dir, cpu);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* 0 or a negative errno: whether it can be opened. */
static int try(const struct tree *t, int from, int cpu)
{
	int fd = open_from(t, from, cpu);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

/* ---- steps; each in a process of its own, enabled afresh. What they give is what is compared. ---- */

static int open_unpinned(const struct tree *t)
{
	return try(t, ALL_CPUS, CPU);
}

static int open_from_elsewhere(const struct tree *t)
{
	return try(t, 0, CPU);
}

static int open_disabled(const struct tree *t)
{
	enable(t, false);
	return try(t, CPU, CPU);
}

static int open_disabled_unpinned(const struct tree *t)
{
	enable(t, false);
	return try(t, ALL_CPUS, CPU);
}

static int open_pinned(const struct tree *t)
{
	return try(t, CPU, CPU);
}

static int open_held(const struct tree *t)
{
	open_from(t, CPU, CPU);
	return try(t, CPU, CPU);
}

static int open_after_close(const struct tree *t)
{
	close(open_from(t, CPU, CPU));
	return try(t, CPU, CPU);
}

static int read_gives_nothing(const struct tree *t)
{
	char buf[32] = "untouched";
	int fd = open_from(t, CPU, CPU);
	ssize_t n = read(fd, buf, sizeof(buf));

	return n < 0 ? -errno : n != 0 || strcmp(buf, "untouched") != 0;
}

/* In whole periods: how long the first, and the next 10 reads take. */
static int first_read_takes(const struct tree *t)
{
	uint64_t begin;
	int fd;

	set(t, "timerlat_period_us", "100000");
	fd = open_from(t, CPU, CPU);
	sleep_ns(250 * MS);
	begin = now_ns();
	timerlat_read(fd);
	return (int)((now_ns() - begin) / (100 * MS));
}

static int reads_take(const struct tree *t)
{
	uint64_t begin;
	int fd;

	set(t, "timerlat_period_us", "50000");
	fd = open_from(t, CPU, CPU);
	begin = now_ns();
	for (int i = 0; i < 10; i++)
		timerlat_read(fd);
	return (int)((now_ns() - begin) / (50 * MS));
}

static int read_elsewhere(const struct tree *t)
{
	int fd = open_from(t, CPU, CPU);

	timerlat_read(fd);
	pin_thread(0, 0);
	return timerlat_read(fd);
}

static int read_after_return(const struct tree *t)
{
	int fd = open_from(t, CPU, CPU);

	timerlat_read(fd);
	pin_thread(0, 0);
	pin_thread(0, CPU);
	return timerlat_read(fd);
}

static int tracing_after_migration(const struct tree *t)
{
	char text[8];
	int fd = open_from(t, CPU, CPU);

	timerlat_read(fd);
	pin_thread(0, 0);
	timerlat_read(fd);
	return *read_file(TRACE_DIR "tracing_on", text, sizeof(text)) - '0';
}

static int period_of_99_us(const struct tree *t)
{
	return set(t, "timerlat_period_us", "99");
}

static int period_of_100_us(const struct tree *t)
{
	return set(t, "timerlat_period_us", "100");
}

static int period_over_a_second(const struct tree *t)
{
	return set(t, "timerlat_period_us", "1000001");
}

static int disabled_while_held(const struct tree *t)
{
	timerlat_read(open_from(t, CPU, CPU));
	enable(t, false);
	sleep_ns(1000 * MS);
	return 0;
}

static int count(const char *context)
{
	char key[64];
	int n = 0;

	snprintf(key, sizeof(key), " %s timer_latency ", context);
	for (char *at = trace_text; (at = strstr(at, key)); at += strlen(key))
		n++;
	return n;
}

static void trace(const struct tree *t)
{
	int fd;

	write_file(TRACE_DIR "trace", "");
	if (!t->native)
		write_file(TRACE_DIR "events/rv_timerlat/enable", "1");
	set(t, "timerlat_period_us", "10000");
	fd = open_from(t, CPU, CPU);
	for (int i = 0; i < READS; i++)
		timerlat_read(fd);
	if (!t->native)
		write_file(TRACE_DIR "events/rv_timerlat/enable", "0");
	read_file(TRACE_DIR "trace", trace_text, sizeof(trace_text));
}

static int irq_samples(const struct tree *t)
{
	trace(t);
	return count("irq");
}

static int thread_samples(const struct tree *t)
{
	trace(t);
	return count("thread");
}

static int return_samples(const struct tree *t)
{
	trace(t);
	return count("user-ret");
}

static int stopped_by_irq(const struct tree *t)
{
	char text[8];
	int fd = open_from(t, CPU, CPU), ret;

	set(t, "stop_tracing_us", "1");
	timerlat_read(fd);
	ret = timerlat_read(fd); /* goes on */
	set(t, "stop_tracing_us", "0");
	return ret ? ret : *read_file(TRACE_DIR "tracing_on", text, sizeof(text)) - '0';
}

static int stopped_by_return(const struct tree *t)
{
	char text[8];
	int fd = open_from(t, CPU, CPU);

	set(t, "stop_tracing_total_us", "400000");
	timerlat_read(fd);
	spin_ns(450 * MS);
	timerlat_read(fd);
	set(t, "stop_tracing_total_us", "0");
	return *read_file(TRACE_DIR "tracing_on", text, sizeof(text)) - '0';
}

/* ---- */

#define STEP(name, expected) \
	{ \
#name, name, expected \
	}

static const struct step {
	const char *name;
	int (*run)(const struct tree *t);
	int expected;
} steps[] = {
	STEP(open_disabled, -EINVAL),
	STEP(open_disabled_unpinned, -EINVAL),
	STEP(open_unpinned, -EPERM),
	STEP(open_from_elsewhere, -EPERM),
	STEP(open_pinned, 0),
	STEP(open_held, -EBUSY),
	STEP(open_after_close, 0),
	STEP(read_gives_nothing, 0),
	STEP(first_read_takes, 1),
	STEP(reads_take, 10),
	STEP(read_elsewhere, -EINVAL),
	STEP(read_after_return, -EINVAL),
	STEP(tracing_after_migration, 0),
	STEP(period_of_99_us, -EINVAL),
	STEP(period_of_100_us, 0),
	STEP(period_over_a_second, -EINVAL),
	STEP(disabled_while_held, -1000 - SIGKILL),
	STEP(irq_samples, READS),
	STEP(thread_samples, READS),
	STEP(return_samples, READS - 1),
	STEP(stopped_by_irq, 0),
	STEP(stopped_by_return, 0),
};

/* What it returns, or -1000 less the signal that killed it. */
static int run(const struct step *step, const struct tree *t)
{
	int *ret = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int killed, result;
	pid_t pid;

	enable(t, false);
	check(set(t, "timerlat_period_us", "1000") == 0);
	check(enable(t, true) == 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		*ret = step->run(t);
		_exit(0);
	}
	killed = wait_for(pid);
	enable(t, false);
	result = killed < 0 ? -1000 + killed : *ret;
	munmap(ret, 4096);
	return result;
}

static void run_all(const struct tree *t)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int ret = run(&steps[i], t);

		check(ret == steps[i].expected, "%s: %s gives %d, not %d", t->dir, steps[i].name,
		      ret, steps[i].expected);
	}
}

static void the_module_does_as_listed(void)
{
	run_all(&module);
}

static void so_does_the_kernel(void)
{
	if (access(NATIVE_DIR "per_cpu/cpu1/timerlat_fd", F_OK) != 0)
		tap_skip = "this kernel has no timerlat tracer";
	else
		run_all(&native);
}

static void side_by_side(void)
{
	int ours, theirs;

	if (access(NATIVE_DIR "per_cpu/cpu1/timerlat_fd", F_OK) != 0) {
		tap_skip = "this kernel has no timerlat tracer";
		return;
	}
	check(enable(&native, true) == 0 && enable(&module, true) == 0);
	ours = open_from(&module, CPU, CPU);
	theirs = open_from(&native, CPU, CPU);
	check(ours >= 0 && theirs >= 0, "%d %d", ours, theirs);
	for (int i = 0; i < 10; i++)
		check(timerlat_read(ours) == 0 && timerlat_read(theirs) == 0);
	close(ours);
	close(theirs);
	enable(&native, false);
	enable(&module, false);
}

int main(void)
{
	static const struct tap_test tests[] = {T(the_module_does_as_listed), T(so_does_the_kernel),
						T(side_by_side)};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
