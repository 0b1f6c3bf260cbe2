/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file system as another process sees it: its mount namespace and root directory, from outside. */
#ifndef TLOBCTL_ROOT_H
#define TLOBCTL_ROOT_H

#include <stddef.h>
#include <sys/types.h>

#define TLOBCTL_ROOT_BYTES 32

/*
 * @root becomes "" if @pid sees what we see, else "/proc/PID/root". Returns 0 or a negative errno with
 * tlobctl_error() set.
 */
int tlobctl_root_of(pid_t pid, char root[TLOBCTL_ROOT_BYTES]);

/*
 * A path for us to the file that a process with @root would open as @path, which is absolute: symbolic links
 * are followed inside the root. Returns 0 and a string to free, or a negative errno.
 */
int tlobctl_root_resolve(const char *root, const char *path, char **out);

#endif
