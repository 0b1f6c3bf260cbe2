// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A probe sits on an inode. After an upgrade the path leads to a new file while running processes keep the
 * old one: /proc/PID/map_files is then the only way to it, and the kernel takes a probe there.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "maps.h"
#include "root.h"

static const char deleted[] = " (deleted)";

struct mapping {
	char link[64]; /* in map_files; leads to the very file, needs CAP_SYS_ADMIN or _CHECKPOINT_RESTORE */
	unsigned long inode;
	char *path; /* as the kernel prints it, into the line it came in */
	bool deleted;
};

/* False for a mapping without a file. */
static bool parse(char *line, pid_t pid, struct mapping *m)
{
	uint64_t start, end;
	size_t length;
	int at = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %*x %*x:%*x %lu %n", &start, &end, &m->inode,
		   &at) < 3 ||
	    !at || line[at] != '/')
		return false;
	m->path = line + at;
	m->path[strcspn(m->path, "\n")] = '\0';
	length = strlen(m->path);
	m->deleted = length > strlen(deleted) &&
		     !strcmp(m->path + length - strlen(deleted), deleted);
	if (m->deleted)
		m->path[length - strlen(deleted)] = '\0';
	snprintf(m->link, sizeof(m->link), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, pid, start,
		 end);
	return true;
}

static bool leads_there(const char *path, const struct mapping *m, const struct stat *file)
{
	struct stat st;

	if (stat(path, &st))
		return false;
	if (!file) /* no right to map_files; maps prints a device that stat() need not agree with */
		return st.st_ino == m->inode;
	return st.st_dev == file->st_dev && st.st_ino == file->st_ino;
}

static void hit(struct tlobctl_search *s, const struct mapping *m, const char *name)
{
	char inside[PATH_MAX + TLOBCTL_ROOT_BYTES];
	const struct stat *file = NULL;
	struct stat st;

	if (!stat(m->link, &st))
		file = &st;
	snprintf(inside, sizeof(inside), "%s%s", s->root, m->path);
	if (!m->deleted && leads_there(inside, m, file))
		tlobctl_search_hit(s, name, inside);
	else if (!m->deleted && leads_there(m->path, m, file))
		tlobctl_search_hit(s, name, m->path);
	else if (file)
		tlobctl_search_hit(s, name, m->link);
	else
		s->lost = true;
}

int tlobctl_maps_search(struct tlobctl_search *s, pid_t pid, const char *path)
{
	char file[32], *line = NULL;
	unsigned long last = 0;
	size_t size = 0;
	FILE *f;

	snprintf(file, sizeof(file), "/proc/%d/maps", pid);
	f = fopen(file, "re");
	if (!f)
		return -errno;
	while (getline(&line, &size, f) > 0) {
		const char *name;
		struct mapping m;

		if (!parse(line, pid, &m) || m.inode == last)
			continue;
		last = m.inode;
		name = strrchr(m.path, '/') + 1;
		if (path ? !strcmp(m.path, path) : tlobctl_search_matches(s, name))
			hit(s, &m, name);
		else if (!path)
			tlobctl_search_suggest(s, name);
	}
	free(line);
	fclose(f);
	return 0;
}
