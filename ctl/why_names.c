// SPDX-License-Identifier: GPL-2.0-or-later
/* Names in an answer: printable, and looked up where the history has none. See why.h. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cgroup.h"
#include "session.h"

/* ---- control groups */

/* Where version 2 is mounted by itself, or beside version 1; what is elsewhere keeps its whole path. */
static const char *below_mount(const char *path)
{
	static const char *const roots[] = {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"};

	for (size_t i = 0; i < sizeof(roots) / sizeof(*roots); i++) {
		size_t n = strlen(roots[i]);

		if (!strncmp(path, roots[i], n) && (!path[n] || path[n] == '/'))
			return path[n] ? path + n : "/";
	}
	return path;
}

/* False: it has gone, or may not be asked for. */
static bool cgroup_path(uint64_t id, char *buf, size_t size)
{
	char link[32], path[4096];
	int fd = tlobctl_cgroup_open(id);
	ssize_t length;

	if (fd < 0)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof(path) - 1);
	close(fd);
	if (length <= 0)
		return false;
	path[length] = '\0';
	tlobctl_printable(buf, size, below_mount(path), sizeof(path));
	return true;
}

static const char *cgroup_name(struct tlobctl_why_names *n, uint64_t id)
{
	size_t i = 0;

	if (!id)
		return "";
	while (i < TLOBCTL_CGROUP_CACHE && n->cgroups[i].id != id)
		i++;
	if (i < TLOBCTL_CGROUP_CACHE)
		return n->cgroups[i].path;
	i = n->next_cgroup++ % TLOBCTL_CGROUP_CACHE;
	n->cgroups[i].id = id;
	if (!cgroup_path(id, n->cgroups[i].path, sizeof(n->cgroups[i].path)))
		n->cgroups[i].path[0] = '\0';
	return n->cgroups[i].path;
}

/* ---- threads and processes */

static void ask_comm(const struct tlobctl_programs *programs, struct tlobctl_who *who)
{
	char path[40], comm[TLOB_COMM_BYTES + 1];
	ssize_t n;
	int fd;

	if (programs->foreign)
		return;
	snprintf(path, sizeof(path), "/proc/%u/comm", who->tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = read(fd, comm, sizeof(comm) - 1);
	close(fd);
	if (n <= 0)
		return;
	comm[n] = '\0';
	comm[strcspn(comm, "\n")] = '\0';
	memcpy(who->comm, comm, sizeof(who->comm));
}

static void name_thread(struct tlobctl *ctl, struct tlobctl_who *who)
{
	char comm[TLOB_COMM_BYTES];

	if (!who->comm[0] && who->tid)
		ask_comm(&ctl->programs, who);
	tlobctl_printable(comm, sizeof(comm), who->comm, sizeof(who->comm));
	memcpy(who->comm, comm, sizeof(comm));
	who->cgroup = cgroup_name(&ctl->why.names, who->cgroup_id);
}

/* Of a thread of the process, if the process itself cannot be asked. */
static const char *comm_of(const struct why_answer *a, uint64_t tgid)
{
	const char *comm = "";

	for (size_t i = 0; i < a->why.nwho; i++) {
		if (a->who[i].tgid != tgid)
			continue;
		comm = a->who[i].comm;
		if (a->who[i].tid == tgid)
			break;
	}
	return comm;
}

void tlobctl_why_names(struct tlobctl *ctl, struct why_answer *a)
{
	struct tlobctl_why_names *n = &ctl->why.names;

	for (size_t i = 0; i < a->why.nwho; i++)
		name_thread(ctl, &a->who[i]);
	for (size_t i = 0; i < a->why.nprocesses; i++) {
		pid_t tgid = (pid_t)a->processes[i].id;
		char comm[TLOB_COMM_BYTES];

		snprintf(comm, sizeof(comm), "%s", comm_of(a, a->processes[i].id));
		snprintf(n->processes[i], sizeof(n->processes[i]), "%s",
			 tlobctl_program_name(&ctl->programs, tgid, comm));
		a->processes[i].name = n->processes[i];
	}
	for (size_t i = 0; i < a->why.ncgroups; i++)
		a->cgroups[i].name = cgroup_name(n, a->cgroups[i].id);
}
