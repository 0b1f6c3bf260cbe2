// SPDX-License-Identifier: GPL-2.0-or-later
/* See cgroup.h. */
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#include "cgroup.h"
#include "cli.h"

/* Undo mountinfo's \040 for blanks and the like. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++, to++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
			*to = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*to = *s;
		}
	}
	*to = '\0';
}

/* Where cgroup2 is mounted: /sys/fs/cgroup, or .../unified where version 1 is in use beside it. */
static bool find_mount(char *path, size_t size)
{
	FILE *in = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t bytes = 0;
	bool found = false;

	while (in && !found && getline(&line, &bytes, in) > 0) {
		char *type = strstr(line, " - cgroup2 ");
		char *point = line;

		for (int field = 0; type && point && field < 4; field++) {
			point = strchr(point, ' ');
			point = point ? point + 1 : NULL;
		}
		if (!type || !point)
			continue;
		snprintf(path, size, "%.*s", (int)strcspn(point, " "), point);
		unescape(path);
		found = true;
	}
	free(line);
	if (in)
		fclose(in);
	return found;
}

static int read_id(const char *path, uint64_t *id)
{
	union {
		struct file_handle handle;
		char space[sizeof(struct file_handle) + sizeof(uint64_t)];
	} u = {.handle.handle_bytes = sizeof(uint64_t)};
	int mount;

	if (name_to_handle_at(AT_FDCWD, path, &u.handle, &mount, 0))
		return cli_error(CLI_ERROR, "cannot identify control group '%s': %m", path);
	memcpy(id, u.space + offsetof(struct file_handle, f_handle), sizeof(*id));
	return 0;
}

int cli_cgroup_id(const char *name, uint64_t *id)
{
	char mount[2048], path[4096];
	struct statfs fs;

	if (!find_mount(mount, sizeof(mount)))
		return cli_error(
			CLI_ERROR,
			"cannot find control group '%s': cgroup2 is not mounted; try: mount -t "
			"cgroup2 none /sys/fs/cgroup/unified",
			name);
	if (!strncmp(name, mount, strlen(mount)))
		snprintf(path, sizeof(path), "%s", name);
	else
		snprintf(path, sizeof(path), "%s/%s", mount, name + strspn(name, "/"));
	if (statfs(path, &fs))
		return cli_error(CLI_ERROR, "no control group '%s': %s: %m", name, path);
	if (fs.f_type != CGROUP2_SUPER_MAGIC)
		return cli_error(CLI_ERROR,
				 "'%s' is not a control group of version 2; those are below %s",
				 path, mount);
	return read_id(path, id);
}
