// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A trace instance of one's own, so that nobody's tracing is disturbed. It is removed when the process ends, whatever ends it: a
 * child that does nothing else waits for the end of a pipe. Should that be killed too (a whole control group, say), the
 * next who makes an instance removes those whose makers are gone.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "error.h"
#include "rings.h"

#define PREFIX "tlob-ring-"
#define TRACEFS_MAGIC_ 0x74726163

static const char *const mounts[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};

/* When @pid was started, in ticks since boot; 0: there is none. */
static unsigned long long started(long pid)
{
	unsigned long long start = 0;
	char path[64], line[1024];
	const char *at;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	/* the name is in parentheses and may hold anything; field 22 is the 20th after it */
	if (fgets(line, sizeof(line), f) && (at = strrchr(line, ')')))
		sscanf(at + 1,
		       " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
		       &start);
	fclose(f);
	return start;
}

/* Of processes that are gone, or of others that have their number now. */
static void remove_stale(const char *instances)
{
	DIR *dir = opendir(instances);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		unsigned long long start;
		long pid;

		if (sscanf(entry->d_name, PREFIX "%ld-%llu-", &pid, &start) != 2)
			continue;
		if (started(pid) != start)
			unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
	}
	if (dir)
		closedir(dir);
}

/* In the child: only calls that are allowed after fork() of a program with threads. */
static void reap(int pipe_end, const char *path)
{
	static const struct timespec moment = {0, 20000000};
	sigset_t all;
	char byte;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	setsid();
	if (pipe_end != 3)
		dup2(pipe_end, 3);
	syscall(SYS_close_range, 4u, ~0u, 0u);
	close(0);
	close(1);
	close(2);
	while (read(3, &byte, 1) < 0 && errno == EINTR)
		;
	/* the maker's descriptors are closed one after the other, the mappings before */
	for (int i = 0; i < 250 && rmdir(path) && errno == EBUSY; i++)
		nanosleep(&moment, NULL);
	_exit(0);
}

/* The reaper is nobody's child, so that whoever uses this waits for none that it does not know. */
static int start_reaper(struct tlobctl_ring *ring)
{
	int ends[2], status;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return tlobctl_fail(-errno, "cannot make a pipe: %s", strerror(errno));
	pid = fork();
	if (pid == 0) {
		close(ends[1]);
		if (fork() == 0)
			reap(ends[0], ring->instance);
		_exit(0);
	}
	close(ends[0]);
	if (pid < 0) {
		close(ends[1]);
		return tlobctl_fail(-errno, "cannot fork: %s", strerror(errno));
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	ring->reaper = ends[1];
	return 0;
}

static const char *mount_point(void)
{
	struct statfs fs;

	for (size_t i = 0; i < sizeof(mounts) / sizeof(*mounts); i++)
		if (statfs(mounts[i], &fs) == 0 && fs.f_type == TRACEFS_MAGIC_)
			return mounts[i];
	return NULL;
}

int tlobctl_ring_instance_make(struct tlobctl_ring *ring)
{
	static unsigned int made;
	const char *at = mount_point();
	char instances[128];
	int r;

	if (!at)
		return tlobctl_fail(-ENOENT,
				    "there is no tracefs at %s; mount -t tracefs none %s, as root",
				    mounts[0], mounts[0]);
	snprintf(instances, sizeof(instances), "%s/instances", at);
	remove_stale(instances);
	if (asprintf(&ring->instance, "%s/" PREFIX "%ld-%llu-%u", instances, (long)getpid(),
		     started(getpid()), made++) < 0) {
		ring->instance = NULL;
		return tlobctl_fail(-ENOMEM, "out of memory");
	}
	r = start_reaper(
		ring); /* first: from its making on the instance has somebody to remove it */
	if (r)
		return r;
	if (mkdir(ring->instance, 0700)) {
		r = tlobctl_fail(-errno, "cannot make the trace instance %s: %s%s", ring->instance,
				 strerror(errno), errno == EACCES ? "; run as root" : "");
		free(ring->instance);
		ring->instance = NULL;
		return r;
	}
	return 0;
}

void tlobctl_ring_instance_remove(struct tlobctl_ring *ring)
{
	if (ring->instance)
		rmdir(ring->instance);
	if (ring->reaper >= 0)
		close(ring->reaper);
	free(ring->instance);
	ring->instance = NULL;
	ring->reaper = -1;
}
