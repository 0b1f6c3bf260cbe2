// SPDX-License-Identifier: LGPL-2.1-or-later
/* See descriptor.h. */
#include "descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "atomic.h"

/* First choice, and what is left under a tight limit: never one of the three standard streams. */
#define FLOOR 200
#define FLOOR_TIGHT 3

bool tlob_is_filtered(void)
{
	return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 0;
}

/*
 * The number of the BPF program behind @fd; 0: none, or not to be asked for where a filter may kill
 * whoever calls bpf(). Eventfds, epolls, timers and BPF objects share one inode.
 */
static __u32 program_of(int fd)
{
	struct bpf_prog_info info = {0};
	union bpf_attr attr = {0};

	if (tlob_is_filtered())
		return 0;
	attr.info.bpf_fd = (__u32)fd;
	attr.info.info_len = sizeof(info);
	attr.info.info = (__u64)(uintptr_t)&info;
	return syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)) ? 0 : info.id;
}

static bool is_anonymous(const struct stat *st)
{
	return !(st->st_mode & S_IFMT);
}

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
	if (is_anonymous(&st))
		out->program = program_of(up);
	return 0;
}

bool tlob_descriptor_ours(const struct tlob_descriptor *d)
{
	int fd = tlob_load(&d->fd);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) || st.st_dev != d->dev || st.st_ino != d->ino)
		return false;
	return !is_anonymous(&st) || (d->program && program_of(fd) == d->program);
}

void tlob_descriptor_drop(struct tlob_descriptor *d)
{
	struct tlob_descriptor was = {.dev = d->dev, .ino = d->ino, .program = d->program};

	was.fd = tlob_xchg(&d->fd, -1);
	if (tlob_descriptor_ours(&was))
		close(was.fd);
}
