// SPDX-License-Identifier: LGPL-2.1-or-later
#include "descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* First choice, and what is left under a tight limit: never one of the three standard streams. */
#define FLOOR 200
#define FLOOR_TIGHT 3

int tlob_descriptor_adopt(int fd, struct tlob_descriptor *out)
{
	struct stat st;
	int up, error;

	if (fd < 0)
		return -EBADF;
	up = fcntl(fd, F_DUPFD_CLOEXEC, FLOOR);
	if (up < 0)
		up = fcntl(fd, F_DUPFD_CLOEXEC, FLOOR_TIGHT);
	error = -errno;
	close(fd);
	if (up < 0)
		return error;
	if (fstat(up, &st)) {
		error = -errno;
		close(up);
		return error;
	}
	*out = (struct tlob_descriptor){.fd = up, .dev = st.st_dev, .ino = st.st_ino};
	return 0;
}

bool tlob_descriptor_ours(const struct tlob_descriptor *d)
{
	struct stat st;

	return d->fd >= 0 && !fstat(d->fd, &st) && st.st_dev == d->dev && st.st_ino == d->ino;
}

void tlob_descriptor_drop(struct tlob_descriptor *d)
{
	if (tlob_descriptor_ours(d))
		close(d->fd);
	*d = TLOB_NO_DESCRIPTOR;
}
