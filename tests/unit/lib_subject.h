/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What libtlob does depends on the process's environment at its start and lasts as long as the
 * process. So each case is a subject: this program, started once more under another name, which
 * ends with status 0 or says what is wrong.
 */
#ifndef TLOB_TESTS_LIB_SUBJECT_H
#define TLOB_TESTS_LIB_SUBJECT_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <tlob/tlob.h>

#define SUBJECT_SECONDS 120

/* In a subject: go on only if this holds. */
#define CHECK(what) \
	do { \
		if (!(what)) { \
			fprintf(stderr, "%s:%d: %s does not hold (errno %d)\n", __FILE__, \
				__LINE__, #what, errno); \
			_exit(1); \
		} \
	} while (0)

#define CHECK_IS(have, want) \
	do { \
		long long have_ = (long long)(have), want_ = (long long)(want); \
		if (have_ != want_) { \
			fprintf(stderr, "%s:%d: %s is %lld, not %s (%lld)\n", __FILE__, __LINE__, \
				#have, have_, #want, want_); \
			_exit(1); \
		} \
	} while (0)

struct subject {
	const char *name;
	void (*fn)(void);
};

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline void spin_ns(uint64_t ns)
{
	uint64_t end = now_ns() + ns;

	while (now_ns() < end)
		;
}

static inline void sleep_ns(uint64_t ns)
{
	struct timespec t = {.tv_sec = (time_t)(ns / 1000000000u),
			     .tv_nsec = (long)(ns % 1000000000u)};

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

static inline int open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 4096; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* From main(): runs the subject that argv names, if it does; it does not come back then. */
static inline void subject_main(int argc, char **argv, const struct subject *subjects)
{
	if (argc != 3 || strcmp(argv[1], "--subject") != 0)
		return;
	alarm(SUBJECT_SECONDS);
	for (; subjects->name; subjects++) {
		if (!strcmp(subjects->name, argv[2])) {
			subjects->fn();
			exit(0);
		}
	}
	exit(99);
}

/* Start subject @name of @path with TLOB_AGENT=@agent and @more, "NAME=value" or NULL. */
static inline pid_t subject_spawn_path(const char *path, const char *name, const char *agent,
				       const char *more)
{
	char *argv[] = {(char *)path, "--subject", (char *)name, NULL};
	pid_t pid = fork();

	if (pid)
		return pid;
	for (int fd = 3; fd < 4096; fd++) /* whatever this program was started with */
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	unsetenv("TLOB_AGENT");
	unsetenv("TLOB_LOG");
	unsetenv("TLOB");
	if (agent)
		setenv("TLOB_AGENT", agent, 1);
	if (more)
		putenv(strdup(more));
	execv(path, argv);
	_exit(98);
}

static inline pid_t subject_spawn(const char *name, const char *agent, const char *more)
{
	return subject_spawn_path("/proc/self/exe", name, agent, more);
}

/* Its exit status, or 128 + signal. */
static inline int subject_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* An agent that is not there: the engine is in the process. */
#define NOBODY "@tlob-nobody-is-here"

static inline int subject_run(const char *name, const char *agent, const char *more)
{
	return subject_wait(subject_spawn(name, agent, more));
}

#endif
