// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel takes a probe's file as a path, so there must be one that we can open. "/proc/PID/root/..." is
 * one, but an absolute symbolic link behind it leads back into our own root: links are resolved by openat2()
 * first, and every path handed out is checked to lead to the file that call found.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "error.h"
#include "root.h"

static bool same_file(const char *a, const char *b)
{
	struct stat x, y;

	return !stat(a, &x) && !stat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

int tlobctl_root_of(pid_t pid, char root[TLOBCTL_ROOT_BYTES])
{
	char path[TLOBCTL_ROOT_BYTES], mounts[TLOBCTL_ROOT_BYTES];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d", pid);
	if (stat(path, &st))
		return tlobctl_fail(-ESRCH, "there is no process %d", pid);
	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	if (stat(path, &st)) {
		int err = errno;

		if (err == EACCES || err == EPERM)
			return tlobctl_fail(
				-err,
				"cannot look into the root directory of process %d (%s): "
				"run as root or as the user of that process",
				pid, strerror(err));
		return tlobctl_fail(-ESRCH, "process %d has ended", pid);
	}
	snprintf(mounts, sizeof(mounts), "/proc/%d/ns/mnt", pid);
	if (same_file(path, "/") && same_file(mounts, "/proc/self/ns/mnt"))
		path[0] = '\0';
	strcpy(root, path);
	return 0;
}

/* Open without access: the file @path leads to when @root is "/". */
static int open_inside(const char *root, const char *path)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
	int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd, err;

	if (dir < 0)
		return -errno;
	fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
	err = fd < 0 ? -errno : fd;
	close(dir);
	return err;
}

static void read_link(const char *path, char text[PATH_MAX])
{
	ssize_t n = readlink(path, text, PATH_MAX - 1);

	text[n < 0 ? 0 : n] = '\0';
}

int tlobctl_root_resolve(const char *root, const char *path, char **out)
{
	char link[64], top[PATH_MAX], inner[PATH_MAX], candidate[3][2 * PATH_MAX];
	int fd, found = -1;
	size_t n;

	if (!*root) {
		struct stat st;

		if (stat(path, &st))
			return -errno;
		*out = strdup(path);
		return *out ? 0 : -ENOMEM;
	}
	fd = open_inside(root, path);
	if (fd < 0)
		return fd;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	read_link(link, inner);
	read_link(root, top);

	/* Both texts start at the root of the mount namespace, which need not be the process's root. */
	n = strcmp(top, "/") ? strlen(top) : 0;
	snprintf(candidate[0], sizeof(candidate[0]), "%s%s", root,
		 strncmp(inner, top, n) ? "" : inner + n);
	snprintf(candidate[1], sizeof(candidate[1]), "%s", inner);
	snprintf(candidate[2], sizeof(candidate[2]), "%s%s", root, path);
	for (int i = 0; i < 3 && found < 0; i++)
		if (same_file(candidate[i], link))
			found = i;
	close(fd);
	if (found < 0)
		return -EXDEV;
	*out = strdup(candidate[found]);
	return *out ? 0 : -ENOMEM;
}
