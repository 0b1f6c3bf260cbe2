/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Settings of the kernel that are everybody's, changed as long as this process lives: a process of its own, outside of this
 * one's session, puts them back when this one closes the guard or has gone, however it went.
 */
#ifndef TLOBCTL_TIMERLAT_GUARD_H
#define TLOBCTL_TIMERLAT_GUARD_H

#include <stddef.h>
#include <sys/types.h>

#define TIMERLAT_GUARD_SETTINGS 8
#define TIMERLAT_GUARD_PATH 160

struct timerlat_guard {
	struct {
		char path[TIMERLAT_GUARD_PATH], value[64];
	} settings[TIMERLAT_GUARD_SETTINGS]; /* to be written, the last first */
	size_t n;
	char folder[TIMERLAT_GUARD_PATH]; /* then removed; "" none */
	pid_t pid;
	int fd; /* closing it is the sign */
	int lock; /* -1: none; held until all is put back, so that nobody begins in between */
};

/* Lock @fd, which whoever changes these settings does; for a moment it waits for one that is just being put back. 0, -EBUSY or a negative errno. */
int timerlat_guard_lock(struct timerlat_guard *guard, int fd);

/* Remember to write @value to @path. */
void timerlat_guard_add(struct timerlat_guard *guard, const char *path, const char *value);
/* From here on. 0 or a negative errno. */
int timerlat_guard_start(struct timerlat_guard *guard);
/* Put everything back, now. */
void timerlat_guard_end(struct timerlat_guard *guard);

#endif
