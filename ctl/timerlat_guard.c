// SPDX-License-Identifier: GPL-2.0-or-later
/* See timerlat_guard.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "timerlat_guard.h"

#define REMOVE_ATTEMPTS 50 /* the folder is busy until the last who reads there has gone */
#define LOCK_ATTEMPTS 25
#define PAUSE_US 20000

int timerlat_guard_lock(struct timerlat_guard *guard, int fd)
{
	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB); i++) {
		if (errno != EWOULDBLOCK)
			return -errno;
		if (i == LOCK_ATTEMPTS)
			return -EBUSY;
		usleep(PAUSE_US);
	}
	guard->lock = fd;
	return 0;
}

void timerlat_guard_add(struct timerlat_guard *guard, const char *path, const char *value)
{
	if (guard->n == TIMERLAT_GUARD_SETTINGS)
		return;
	snprintf(guard->settings[guard->n].path, TIMERLAT_GUARD_PATH, "%s", path);
	snprintf(guard->settings[guard->n].value, sizeof(guard->settings[0].value), "%s", value);
	guard->n++;
}

static void write_setting(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, value, strlen(value)) < 0)
		perror(path); /* there is nobody else left to tell */
	close(fd);
}

static void put_back(const struct timerlat_guard *guard)
{
	for (size_t i = guard->n; i--;)
		write_setting(guard->settings[i].path, guard->settings[i].value);
	for (int i = 0; *guard->folder && rmdir(guard->folder) && errno == EBUSY; i++) {
		if (i == REMOVE_ATTEMPTS)
			break;
		usleep(PAUSE_US);
	}
}

static void __attribute__((noreturn))
be_guard(const struct timerlat_guard *guard, const int ends[2])
{
	int kept = STDERR_FILENO + 1;
	sigset_t all;
	char byte;

	sigfillset(&all); /* Ctrl-C is meant for the other one */
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	prctl(PR_SET_NAME, "tlob-restore");
	/* whatever else is open would stay open longer than its owner; messages may still go out */
	close(ends[1]);
	dup2(ends[0], STDIN_FILENO);
	if (guard->lock >= 0)
		dup2(guard->lock, kept++);
	syscall(SYS_close_range, kept, ~0U, 0);
	close(STDOUT_FILENO);
	while (read(STDIN_FILENO, &byte, 1) < 0 && errno == EINTR)
		;
	put_back(guard);
	_exit(0);
}

int timerlat_guard_start(struct timerlat_guard *guard)
{
	int ends[2], err;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	guard->pid = fork();
	err = guard->pid < 0 ? -errno : 0;
	if (!guard->pid)
		be_guard(guard, ends);
	close(ends[0]);
	guard->fd = ends[1];
	if (!err)
		return 0;
	guard->pid = 0;
	close(ends[1]);
	guard->fd = -1;
	return err;
}

void timerlat_guard_end(struct timerlat_guard *guard)
{
	if (!guard->pid)
		return;
	close(guard->fd);
	while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
		;
	guard->pid = 0;
}
