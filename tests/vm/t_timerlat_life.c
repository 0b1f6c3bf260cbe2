// SPDX-License-Identifier: GPL-2.0-or-later
/* How the holding of a timerlat_fd ends: close, exit, another thread, migration, disabling, hotplug, unloading; and all at once. */
#include "timerlat.h"

#define ONLINE "/sys/devices/system/cpu/cpu1/online"

/* What processes tell each other. */
static struct {
	volatile int ready;
	volatile pid_t pid;
} * shared;

static bool become_ready(void)
{
	for (int i = 0; i < 500 && !shared->ready; i++)
		sleep_ns(10 * MS);
	return shared->ready;
}

static int open_here(void *arg)
{
	int fd;

	(void)arg;
	pin_thread(0, CPU);
	fd = timerlat_open(CPU);
	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

/* ---- other threads ---- */

static int read_here(void *arg)
{
	pin_thread(0, CPU);
	return timerlat_read(*(int *)arg);
}

static int sample_here(void *arg)
{
	struct tlob_timerlat_sample s;

	pin_thread(0, CPU);
	return timerlat_sample(*(int *)arg, &s);
}

static void only_the_holder_reads(void) /* I3 */
{
	struct tlob_timerlat_sample s;
	int fd;

	timerlat_begin();
	fd = timerlat_open_pinned();
	check(timerlat_read(fd) == 0);
	check(in_thread(read_here, &fd) == -EPERM && in_thread(sample_here, &fd) == -EPERM);
	check(in_child(read_here, &fd) == EPERM && in_child(sample_here, &fd) == EPERM);
	/* the child's copy is closed; the holder's place is not free */
	check(in_thread(open_here, NULL) == -EBUSY);
	check(timerlat_read(fd) == 0 && timerlat_sample(fd, &s) == 0 && s.seq == 2);
	close(fd);
}

static int open_and_leave(void *arg)
{
	*(int *)arg = timerlat_open_pinned();
	return timerlat_read(*(int *)arg);
}

/* The thread is gone, its descriptor is not. */
static void holder_exits_and_leaves_its_descriptor(void)
{
	int left = -1, fd;

	timerlat_begin();
	check(in_thread(open_and_leave, &left) == 0);
	check(timerlat_read(left) == -EPERM);
	fd = timerlat_open_pinned();
	check(timerlat_read(fd) == 0);
	close(left);
	check(in_thread(open_here, NULL) == -EBUSY,
	      "a descriptor left behind took another's place");
	check(timerlat_read(fd) == 0);
	close(fd);
	/* nor is anybody killed for it */
	check(in_thread(open_and_leave, &left) == 0);
	timerlat_set("enable", "0");
	sleep_ns(10 * MS);
	close(left);
}

static int hold_asleep(void *arg)
{
	int fd = timerlat_open_pinned();

	(void)arg;
	timerlat_read(fd);
	shared->ready = 1;
	while (shared->ready)
		timerlat_read(fd);
	return 0;
}

static int hold_running(void *arg)
{
	(void)arg;
	timerlat_read(timerlat_open_pinned());
	shared->ready = 1;
	while (shared->ready)
		;
	return 0;
}

static pid_t child(int (*call)(void *))
{
	pid_t pid;

	fflush(stdout);
	shared->ready = 0;
	pid = fork();
	if (pid == 0)
		_exit(call(NULL) != 0);
	check(become_ready());
	return pid;
}

static void holder_is_killed(void)
{
	timerlat_begin();
	timerlat_set("timerlat_period_us", "1000000");
	for (int i = 0; i < 3; i++) {
		pid_t pid = child(hold_asleep);

		kill(pid, SIGKILL);
		check(wait_for(pid) == -SIGKILL);
		check(in_thread(open_here, NULL) == 0);
	}
}

/* ---- migration ---- */

static void moved_there_and_back(void) /* I8, I9 */
{
	struct tlob_timerlat_sample s;
	char expected[64];
	int fd, next;

	timerlat_begin();
	fd = timerlat_open_pinned();
	check(timerlat_read(fd) == 0);
	check(timerlat_get("stopped")[0] == '\0');
	pin(0);
	/* told at once, not at the next read */
	snprintf(expected, sizeof(expected), " pid=%d comm=t_timerlat_life", gettid());
	check(strstr(timerlat_get("stopped"), "cpu=1 context=migrated ") &&
		      strstr(timerlat_get("stopped"), expected),
	      "%s", timerlat_get("stopped"));
	check(*read_file(TRACE_DIR "tracing_on", expected, sizeof(expected)) == '0');
	pin(CPU);
	check(timerlat_read(fd) == -EINVAL && timerlat_read(fd) == -EINVAL);
	check(timerlat_sample(fd, &s) == -EINVAL);
	/* it holds nothing any more */
	next = timerlat_open_pinned();
	close(fd);
	timerlat_set("stopped", "");
	check(timerlat_read(next) == 0);
	check(in_thread(open_here, NULL) == -EBUSY);
	close(next);
}

static void *move_soon(void *arg)
{
	sleep_ns(50 * MS);
	check(pin_thread(*(pid_t *)arg, 0) == 0);
	return NULL;
}

static void moved_in_its_sleep(void)
{
	pid_t tid = gettid();
	pthread_t thread;
	int fd;

	timerlat_begin();
	timerlat_set("timerlat_period_us", "200000");
	fd = timerlat_open_pinned();
	pthread_create(&thread, NULL, move_soon, &tid);
	check(timerlat_read(fd) == -EINVAL);
	pthread_join(thread, NULL);
	check(strstr(timerlat_get("stopped"), "context=migrated "));
	close(fd);
	write_file(TRACE_DIR "tracing_on", "1");
}

/* Others move as they like, and so may those that hold nothing any more. */
static void others_may_move(void)
{
	int fd;

	timerlat_begin();
	close(timerlat_open_pinned());
	for (int i = 0; i < 20; i++)
		pin(i % 2);
	fd = timerlat_open_pinned();
	check(timerlat_read(fd) == 0 && timerlat_get("stopped")[0] == '\0');
	close(fd);
}

/* ---- disabling ---- */

static void disabling_kills_holders(void) /* I10 */
{
	static int (*const calls[])(void *) = {hold_asleep, hold_running};

	timerlat_begin();
	for (int i = 0; i < 2; i++) {
		pid_t pid = child(calls[i]);

		check(timerlat_set("enable", "0") == 0);
		check(timerlat_set("enable", "1") == 0);
		/* the place is free, whatever the one killed still does */
		check(in_thread(open_here, NULL) == 0);
		check(wait_for(pid) == -SIGKILL);
	}
}

static int hold_and_share(void *arg)
{
	int fd = timerlat_open_pinned();
	pid_t pid = fork();

	(void)arg;
	if (pid == 0)
		for (;;)
			pause();
	shared->pid = pid;
	timerlat_read(fd);
	shared->ready = 1;
	while (shared->ready)
		timerlat_read(fd);
	return 0;
}

static void disabling_spares_who_merely_has_the_descriptor(void)
{
	pid_t pid;

	timerlat_begin();
	pid = child(hold_and_share);
	check(timerlat_set("enable", "0") == 0);
	check(wait_for(pid) == -SIGKILL);
	check(kill(shared->pid, 0) == 0);
	kill(shared->pid, SIGKILL);
}

/* ---- hotplug ---- */

static void *offline_soon(void *arg)
{
	(void)arg;
	sleep_ns(100 * MS);
	check(write_file(ONLINE, "0") == 0);
	return NULL;
}

static void cpu_goes_offline(void)
{
	struct tlob_timerlat_sample s;
	pthread_t thread;
	int fd;

	if (access(ONLINE, W_OK) != 0) {
		tap_skip = "this CPU cannot go offline";
		return;
	}
	timerlat_begin();
	timerlat_set("timerlat_period_us", "1000000");
	fd = timerlat_open_pinned();
	pthread_create(&thread, NULL, offline_soon, NULL);
	check(timerlat_read(fd) == -ENODEV);
	pthread_join(thread, NULL);
	check(timerlat_read(fd) == -ENODEV && timerlat_sample(fd, &s) == -ENODEV);
	check(timerlat_open(CPU) == -EPERM);
	/* nobody's fault: nothing is stopped */
	check(timerlat_get("stopped")[0] == '\0', "%s", timerlat_get("stopped"));
	check(write_file(ONLINE, "1") == 0);
	check(timerlat_read(fd) == -ENODEV);
	check(in_thread(open_here, NULL) == 0);
	close(fd);
	/* one that is in user space when it happens */
	timerlat_set("timerlat_period_us", "1000");
	fd = timerlat_open_pinned();
	check(timerlat_read(fd) == 0);
	check(write_file(ONLINE, "0") == 0);
	check(timerlat_read(fd) == -ENODEV);
	check(write_file(ONLINE, "1") == 0);
	close(fd);
}

/* ---- unloading ---- */

static void unload_waits_for_the_last_descriptor(void)
{
	int fd, ret;

	timerlat_begin();
	fd = timerlat_open_pinned();
	ret = module_unload();
	check(ret == -EAGAIN || ret == -EBUSY, "%d", ret);
	check(timerlat_read(fd) == 0);
	close(fd);
	check(module_unload() == 0 && module_load() == 0);
}

static void unload_while_enabled(void)
{
	timerlat_begin();
	check(module_unload() == 0 && module_load() == 0);
	check(strcmp(timerlat_get("enable"), "0") == 0);
}

int main(void)
{
	static const struct tap_test tests[] = {
		T(only_the_holder_reads),   T(holder_exits_and_leaves_its_descriptor),
		T(holder_is_killed),	    T(moved_there_and_back),
		T(moved_in_its_sleep),	    T(others_may_move),
		T(disabling_kills_holders), T(disabling_spares_who_merely_has_the_descriptor),
		T(cpu_goes_offline),	    T(unload_waits_for_the_last_descriptor),
		T(unload_while_enabled),
	};

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
