// SPDX-License-Identifier: GPL-2.0-or-later
/* See uprobes.h. */
#include "uprobes.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/bpf.h>

#include "privilege.h"

#define UPROBE_MULTI_RETURN 1 /* BPF_F_UPROBE_MULTI_RETURN */

/* The part of union bpf_attr that BPF_LINK_CREATE reads for this type of link. */
struct link_create {
	uint32_t prog_fd;
	uint32_t target_fd;
	uint32_t attach_type;
	uint32_t flags;
	uint64_t path;
	uint64_t offsets;
	uint64_t ref_ctr_offsets;
	uint64_t cookies;
	uint32_t cnt;
	uint32_t multi_flags;
	uint32_t pid;
	uint32_t pad;
};

/* Before 6.11 the filter took one thread for its process; our programs filter by themselves too. */
static pid_t usable_pid(pid_t pid)
{
	char release[64];

	return pid > 0 && tlobctl_kernel_release(release, sizeof(release)) >= 6011 ? pid : 0;
}

int tlobctl_uprobes_attach(const struct tlobctl_uprobes *u)
{
	struct link_create attr = {.prog_fd = (uint32_t)u->program,
				   .attach_type = (uint32_t)u->attach_type,
				   .path = (uintptr_t)u->path,
				   .offsets = (uintptr_t)u->offsets,
				   .cookies = (uintptr_t)u->cookies,
				   .cnt = u->n,
				   .multi_flags = u->returns ? UPROBE_MULTI_RETURN : 0,
				   .pid = (uint32_t)usable_pid(u->pid)};
	int fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

	return fd < 0 ? -errno : fd;
}
