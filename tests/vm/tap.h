/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TAP for the programs that run in a VM: static, no library. */
#ifndef TESTS_VM_TAP_H
#define TESTS_VM_TAP_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <tlob/rv.h>

#define RV_DIR "/sys/kernel/debug/rv/"
#define TLOB_DIR RV_DIR "monitors/tlob/"
#define TRACE_DIR "/sys/kernel/tracing/"
#define MS 1000000ULL

static int tap_failed;
static const char *tap_case;
static const char *tap_skip; /* set by a case that cannot run here: why */

/* Within a case: note what went wrong; the case goes on. */
#define check(condition, ...) \
	do { \
		if (!(condition)) { \
			tap_failed = 1; \
			printf("# %s:%d: %s (errno %d) ", __FILE__, __LINE__, #condition, errno); \
			printf(" " __VA_ARGS__); \
			printf("\n"); \
		} \
	} while (0)

struct tap_test {
	const char *name;
	void (*run)(void);
};

/* clang-format off */
#define T(name) {#name, name}
/* a case that has other names in the origin */
#define ALSO(name, names) {#name " (" names ")", name}
/* clang-format on */

/* Read what the kernel has logged since the last call; a splat fails the case. */
static inline void tap_read_kernel_log(int kmsg)
{
	static const char *const bad[] = {
		"BUG:",
		"WARNING:",
		"Oops",
		"general protection",
		"detected!",
		"possible circular",
		"possible recursive",
		"Invalid wait context",
		"suspicious RCU",
		"ODEBUG",
		"UBSAN",
		"blocked for more than",
		"scheduling while atomic",
		"sleeping function",
		"refcount_t:",
		"Objects remaining",
		"unreferenced object",
		"self-detected stall",
		"detected stall",
		"soft lockup",
		"bad unlock balance",
		"inconsistent lock state",
	};
	char line[2048];
	ssize_t n;

	while ((n = read(kmsg, line, sizeof(line) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		if (n < 0)
			continue;
		line[n] = '\0';
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			if (!strstr(line, bad[i]))
				continue;
			tap_failed = 1;
			printf("# kernel log: %s\n", line);
		}
	}
}

static inline int tap_run(const struct tap_test *tests, size_t n)
{
	int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int bad = 0;

	if (kmsg >= 0)
		lseek(kmsg, 0, SEEK_END);
	printf("1..%zu\n", n);
	for (size_t i = 0; i < n; i++) {
		tap_failed = 0;
		tap_skip = NULL;
		tap_case = tests[i].name;
		tests[i].run();
		if (kmsg < 0 && geteuid() == 0)
			check(kmsg >= 0, "no kernel log");
		tap_read_kernel_log(kmsg);
		printf("%sok %zu - %s%s%s\n", tap_failed ? "not " : "", i + 1, tests[i].name,
		       tap_skip ? " # SKIP " : "", tap_skip ? tap_skip : "");
		fflush(stdout);
		bad += tap_failed;
	}
	return bad != 0;
}

static inline uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static inline void spin_ns(uint64_t ns)
{
	uint64_t end = now_ns() + ns;

	while (now_ns() < end)
		;
}

static inline void sleep_ns(uint64_t ns)
{
	struct timespec ts = {ns / 1000000000, ns % 1000000000};

	while (nanosleep(&ts, &ts) != 0)
		;
}

/* 0 or a negative errno. */
static inline int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	if (n < 0)
		n = -errno;
	close(fd);
	return n < 0 ? n : 0;
}

/* The module under test, loaded before the first test. 0 or a negative errno. */
static inline int module_unload(void)
{
	return syscall(SYS_delete_module, "tlob", O_NONBLOCK) == 0 ? 0 : -errno;
}

static inline int module_load(void)
{
	int fd = open("/tlob.ko", O_RDONLY | O_CLOEXEC);
	int ret = syscall(SYS_finit_module, fd, "", 0) == 0 ? 0 : -errno;

	close(fd);
	return ret;
}

static inline char *read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n, got = 0;

	while (fd >= 0 && (n = read(fd, buf + got, size - 1 - got)) > 0)
		got += n;
	if (fd >= 0)
		close(fd);
	buf[got] = '\0';
	return buf;
}

static inline void tlob_set_enabled(bool on)
{
	int ret = write_file(TLOB_DIR "enable", on ? "1" : "0");

	check(ret == 0, "enable %d: %d", on, ret);
}

static inline int rv_open(void)
{
	int fd = open("/dev/rv", O_RDWR | O_CLOEXEC);

	check(fd >= 0, "/dev/rv");
	return fd;
}

/* 0 or a negative errno. */
static inline int rv_start(int fd, uint64_t ns, int notify, uint64_t tag)
{
	struct tlob_start_args args = {.threshold_ns = ns, .tag = tag, .notify_fd = notify};

	return ioctl(fd, TLOB_IOCTL_TRACE_START, &args) == 0 ? 0 : -errno;
}

static inline int rv_start_closing(int fd, uint64_t ns, int notify, uint64_t tag)
{
	struct tlob_start_args args = {
		.threshold_ns = ns, .tag = tag, .notify_fd = notify, .flags = TLOB_START_CLOSE};

	return ioctl(fd, TLOB_IOCTL_TRACE_START, &args) == 0 ? 0 : -errno;
}

static inline int rv_stop(int fd)
{
	return ioctl(fd, TLOB_IOCTL_TRACE_STOP, 0) == 0 ? 0 : -errno;
}

/* One record, or none within a moment. */
static inline bool rv_read(int fd, struct tlob_record *r)
{
	struct pollfd p = {fd, POLLIN, 0};

	return poll(&p, 1, 200) == 1 && read(fd, r, sizeof(*r)) == sizeof(*r);
}

static inline bool rv_empty(int fd)
{
	struct pollfd p = {fd, POLLIN, 0};

	return poll(&p, 1, 20) == 0;
}

static inline unsigned int rv_tasks(void)
{
	char buf[32];

	return strtoul(read_file(TLOB_DIR "tasks", buf, sizeof(buf)), NULL, 10);
}

/* Objects are freed a grace period after their end; the count falls at once. */
static inline bool rv_tasks_become(unsigned int n)
{
	for (int i = 0; i < 100; i++) {
		if (rv_tasks() == n)
			return true;
		sleep_ns(10 * MS);
	}
	return false;
}

static inline bool sum_holds(const struct tlob_record *r)
{
	return r->running_ns + r->waiting_ns + r->sleeping_ns == r->elapsed_ns;
}

#endif
