/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The socket where programs find a session: made, taken over when stale, removed. */
#ifndef TLOBCTL_LISTENER_H
#define TLOBCTL_LISTENER_H

#include <sys/types.h>
#include <sys/un.h>

struct tlobctl_listener {
	int fd; /* -1: none */
	char path[sizeof(
		((struct sockaddr_un *)NULL)->sun_path)]; /* "": abstract, nothing to remove */
	dev_t dev;
	ino_t ino;
};

/*
 * Listen at @where: a path, or "@name" for an abstract one. A socket file that nobody listens on is replaced; one
 * that somebody does is left alone: -EADDRINUSE. 0 or negative errno, with tlobctl_error() set.
 */
int tlobctl_listener_open(struct tlobctl_listener *listener, const char *where);
void tlobctl_listener_close(struct tlobctl_listener *listener);

#endif
