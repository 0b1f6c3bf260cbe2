// SPDX-License-Identifier: GPL-2.0-or-later
/* See listener.h. */
#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "error.h"

#define BACKLOG 128
#define LOCK_NAP_NS 20000000
#define LOCK_TRIES 150

static int address_of(const char *where, struct sockaddr_un *address, socklen_t *bytes)
{
	size_t length = strlen(where);

	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	if (length < 2 || length >= sizeof(address->sun_path))
		return tlobctl_fail(
			-ENAMETOOLONG,
			"cannot listen at '%s': a socket's name has 2 to %zu characters", where,
			sizeof(address->sun_path) - 1);
	memcpy(address->sun_path, where, length);
	*bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
	if (*where == '@') {
		address->sun_path[0] = '\0';
		--*bytes;
	}
	return 0;
}

static int fail_in_use(const char *where, int probe)
{
	struct ucred peer = {0};
	socklen_t bytes = sizeof(peer);

	if (probe >= 0 && !getsockopt(probe, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) &&
	    peer.pid > 0)
		return tlobctl_fail(
			-EADDRINUSE,
			"cannot listen at '%s': process %d does already; stop it, or choose another socket",
			where, (int)peer.pid);
	return tlobctl_fail(
		-EADDRINUSE,
		"cannot listen at '%s': another process does already; choose another socket",
		where);
}

/* 0 if nothing is at @address, or a socket that nobody listens on. */
static int check_stale(const char *where, const struct sockaddr_un *address, socklen_t bytes)
{
	struct stat st;
	int probe, err;

	if (lstat(where, &st))
		return errno == ENOENT ? 0 :
					 tlobctl_fail(-errno, "cannot listen at '%s': %m", where);
	if (!S_ISSOCK(st.st_mode)) /* connect() would say the same of it as of a stale socket */
		return tlobctl_fail(-EEXIST, "cannot listen at '%s': it exists and is no socket",
				    where);
	probe = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (probe < 0)
		return tlobctl_fail(-errno, "cannot make a socket: %m");
	if (!connect(probe, (const struct sockaddr *)address, bytes) || errno == EAGAIN)
		err = fail_in_use(where, probe);
	else if (errno == ECONNREFUSED || errno == ENOENT)
		err = 0;
	else
		err = tlobctl_fail(-errno,
				   "cannot listen at '%s': it is a socket of something else (%m)",
				   where);
	close(probe);
	return err;
}

/* Of @path, if only that is missing. */
static int make_folder(const char *path)
{
	char folder[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	char *slash;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (!slash || slash == folder)
		return 0;
	*slash = '\0';
	if (mkdir(folder, 0755) && errno != EEXIST)
		return tlobctl_fail(-errno, "cannot make folder '%s' for the socket: %m", folder);
	return 0;
}

struct lock {
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path) + sizeof(".lock")];
	int fd;
};

/* Whoever had the lock takes its file away: is this one still there? */
static bool is_current(const struct lock *lock)
{
	struct stat here, there;

	return !fstat(lock->fd, &here) && !lstat(lock->path, &there) &&
	       here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

/* 1: got it; 0: not now. */
static int try_lock(struct lock *lock)
{
	struct stat st;
	int got;

	lock->fd = open(lock->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (lock->fd < 0)
		return tlobctl_fail(-errno, "cannot make '%s', the lock of the socket: %m",
				    lock->path);
	if (!fstat(lock->fd, &st) && st.st_uid != geteuid())
		got = tlobctl_fail(-EPERM,
				   "cannot lock the socket: '%s' belongs to user %u; remove it",
				   lock->path, (unsigned int)st.st_uid);
	else if (!flock(lock->fd, LOCK_EX | LOCK_NB))
		got = is_current(lock);
	else if (errno == EWOULDBLOCK || errno == EINTR)
		got = 0;
	else
		got = tlobctl_fail(-errno, "cannot lock '%s': %m", lock->path);
	if (got != 1)
		close(lock->fd);
	return got;
}

static void unlock(struct lock *lock)
{
	unlink(lock->path);
	close(lock->fd);
}

/*
 * Agents that start at the same time take turns. The lock is a file that only their user can open: a folder could be
 * locked by anybody who may read it, and would be for ever.
 */
static int take_turn(const char *path, struct lock *lock)
{
	const struct timespec nap = {.tv_nsec = LOCK_NAP_NS};
	int got = 0;

	snprintf(lock->path, sizeof(lock->path), "%s.lock", path);
	for (int i = 0; i < LOCK_TRIES && !got; i++) {
		if (i)
			nanosleep(&nap, NULL);
		got = try_lock(lock);
	}
	if (!got)
		return tlobctl_fail(
			-EBUSY,
			"cannot listen at '%s': a process has held '%s' for %d s; end it, or choose another socket",
			path, lock->path, LOCK_TRIES / (1000000000 / LOCK_NAP_NS));
	return got < 0 ? got : 0;
}

static int bind_path(struct tlobctl_listener *l, const char *where,
		     const struct sockaddr_un *address, socklen_t bytes)
{
	struct lock lock;
	struct stat st;
	int err = make_folder(where);

	if (!err)
		err = take_turn(where, &lock);
	if (err)
		return err;
	err = check_stale(where, address, bytes);
	if (err)
		goto out;
	if (unlink(where) && errno != ENOENT)
		err = tlobctl_fail(-errno, "cannot replace the stale socket '%s': %m", where);
	else if (bind(l->fd, (const struct sockaddr *)address, bytes) || listen(l->fd, BACKLOG))
		err = tlobctl_fail(-errno, "cannot listen at '%s': %m", where);
	else if (chmod(where, 0666) || lstat(where, &st))
		err = tlobctl_fail(-errno, "cannot let everybody connect to '%s': %m", where);
	if (err)
		goto out;
	snprintf(l->path, sizeof(l->path), "%s", where);
	l->dev = st.st_dev;
	l->ino = st.st_ino;
out:
	unlock(&lock);
	return err;
}

static int bind_abstract(struct tlobctl_listener *l, const char *where,
			 const struct sockaddr_un *address, socklen_t bytes)
{
	if (!bind(l->fd, (const struct sockaddr *)address, bytes) && !listen(l->fd, BACKLOG))
		return 0;
	if (errno == EADDRINUSE)
		return fail_in_use(where, -1);
	return tlobctl_fail(-errno, "cannot listen at '%s': %m", where);
}

int tlobctl_listener_open(struct tlobctl_listener *listener, const char *where)
{
	struct tlobctl_listener l = {.fd = -1};
	struct sockaddr_un address;
	socklen_t bytes = 0;
	int err = address_of(where, &address, &bytes);

	if (err)
		return err;
	l.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l.fd < 0)
		return tlobctl_fail(-errno, "cannot make a socket: %m");
	if (*where == '@')
		err = bind_abstract(&l, where, &address, bytes);
	else
		err = bind_path(&l, where, &address, bytes);
	if (err) {
		close(l.fd);
		return err;
	}
	*listener = l;
	return 0;
}

void tlobctl_listener_close(struct tlobctl_listener *listener)
{
	struct stat st;

	if (listener->fd < 0)
		return;
	if (*listener->path && !lstat(listener->path, &st) && st.st_dev == listener->dev &&
	    st.st_ino == listener->ino)
		unlink(listener->path);
	close(listener->fd);
	listener->fd = -1;
}
