// SPDX-License-Identifier: GPL-2.0-or-later
/* From the id of a cgroup to a descriptor: the id is all there is in the handle of its folder. */
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "error.h"

#define FILEID_KERNFS 0xfe /* type of a handle; linux/exportfs.h does not leave the kernel */

/* The root of the cgroup v2 hierarchy, wherever it is mounted. */
static int open_root(void)
{
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	struct mntent *m;
	int fd = -1;

	if (!mounts)
		return -1;
	while (fd < 0 && (m = getmntent(mounts)))
		if (!strcmp(m->mnt_type, "cgroup2"))
			fd = open(m->mnt_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	endmntent(mounts);
	return fd;
}

int tlobctl_cgroup_open(uint64_t id)
{
	union {
		struct file_handle handle;
		char bytes[sizeof(struct file_handle) + sizeof(id)];
	} h = {.handle = {.handle_bytes = sizeof(id), .handle_type = FILEID_KERNFS}};
	int root = open_root(), fd, err;

	if (root < 0)
		return tlobctl_fail(-ENOENT,
				    "cannot watch a cgroup: no cgroup v2 hierarchy is mounted");
	memcpy(h.handle.f_handle, &id, sizeof(id));
	fd = open_by_handle_at(root, &h.handle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err = errno;
	close(root);
	if (fd < 0)
		return tlobctl_fail(-err, "cannot find the cgroup with id %llu: %s",
				    (unsigned long long)id, strerror(err));
	return fd;
}
