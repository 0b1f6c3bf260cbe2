// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The platform's floor: what tlob timerlat found on this machine is kept in a small file, so that budgets can be held
 * against it later. It is lines of a word and a value, the first of them "tlob-floor 1".
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "error.h"
#include "floor.h"
#include "privilege.h"

#define HEAD "tlob-floor 1\n"
#define MACHINE_FOLDER "/var/lib/tlob"

/* ---- text */

enum type {
	WORDS,
	NUMBER
};

#define FIELD(name, kind) \
	{ \
#name, kind, offsetof(struct tlobctl_floor, name), \
			sizeof(((struct tlobctl_floor *)0)->name) \
	}

static const struct field {
	const char *name;
	enum type type;
	size_t offset, size;
} fields[] = {
	FIELD(kernel, WORDS),  FIELD(boot_id, WORDS),	 FIELD(cpus, WORDS),
	FIELD(backend, WORDS), FIELD(scheduling, WORDS), FIELD(time_unix_ns, NUMBER),
	FIELD(cycles, NUMBER), FIELD(p50_ns, NUMBER),	 FIELD(p99_9_ns, NUMBER),
	FIELD(max_ns, NUMBER),
};
#define FIELDS (sizeof(fields) / sizeof(*fields))

size_t tlobctl_floor_format(char text[TLOBCTL_FLOOR_BYTES], const struct tlobctl_floor *floor)
{
	size_t n = (size_t)snprintf(text, TLOBCTL_FLOOR_BYTES, HEAD);

	for (size_t i = 0; i < FIELDS; i++) {
		const char *at = (const char *)floor + fields[i].offset;

		n += (size_t)(fields[i].type == WORDS ? snprintf(text + n, TLOBCTL_FLOOR_BYTES - n,
								 "%s %s\n", fields[i].name, at) :
							snprintf(text + n, TLOBCTL_FLOOR_BYTES - n,
								 "%s %" PRIu64 "\n", fields[i].name,
								 *(const uint64_t *)at));
	}
	return n;
}

/* "name value", up to @end. */
static bool take_line(const char *line, const char *end, struct tlobctl_floor *floor,
		      unsigned int *seen)
{
	for (size_t i = 0; i < FIELDS; i++) {
		size_t length = strlen(fields[i].name);
		char *at = (char *)floor + fields[i].offset, *after;

		if ((size_t)(end - line) <= length || line[length] != ' ' ||
		    strncmp(line, fields[i].name, length))
			continue;
		line += length + 1;
		*seen |= 1u << i;
		if (fields[i].type == WORDS) {
			if ((size_t)(end - line) >= fields[i].size)
				return false;
			snprintf(at, fields[i].size, "%.*s", (int)(end - line), line);
			return true;
		}
		errno = 0;
		*(uint64_t *)at = strtoull(line, &after, 10);
		return after == end && after > line && *line >= '0' && *line <= '9' && !errno;
	}
	return true;
}

bool tlobctl_floor_parse(const char *text, struct tlobctl_floor *out)
{
	struct tlobctl_floor floor = {.p50_ns = 0};
	unsigned int seen = 0;

	if (strncmp(text, HEAD, strlen(HEAD)))
		return false;
	for (text += strlen(HEAD); *text;) {
		const char *end = strchr(text, '\n');

		if (!end || !take_line(text, end, &floor, &seen))
			return false;
		text = end + 1;
	}
	if (seen != (1u << FIELDS) - 1)
		return false;
	*out = floor;
	return true;
}

/* ---- place */

/* Where it is kept. False: there is no such place. */
static bool floor_path(char *path, size_t size)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (state && *state == '/')
		snprintf(path, size, "%s/tlob/floor", state);
	else if (!geteuid())
		snprintf(path, size, MACHINE_FOLDER "/floor");
	else if (home && *home == '/')
		snprintf(path, size, "%s/.local/state/tlob/floor", home);
	else
		return false;
	return true;
}

/* Each folder on the way. */
static int make_folders(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		int r;

		*slash = '\0';
		r = mkdir(path, 0755) && errno != EEXIST ? -errno : 0;
		*slash = '/';
		if (r)
			return r;
	}
	return 0;
}

/* Whoever reads @path meanwhile sees the old or the new one, whole. */
static int replace(const char *path, const char *text, size_t bytes)
{
	char fresh[4200];
	int fd, r = 0;

	snprintf(fresh, sizeof(fresh), "%s.XXXXXX", path);
	fd = mkostemp(fresh, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fchmod(fd, 0644) || write(fd, text, bytes) != (ssize_t)bytes || fsync(fd) ||
	    rename(fresh, path)) {
		r = errno ? -errno : -EIO;
		unlink(fresh);
	}
	close(fd);
	return r;
}

static bool read_file(const char *path, struct tlobctl_floor *floor)
{
	char text[TLOBCTL_FLOOR_BYTES];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	return tlobctl_floor_parse(text, floor);
}

/* ---- the calls */

void tlobctl_floor_here(struct tlobctl_floor *floor)
{
	struct utsname u;

	uname(&u);
	snprintf(floor->kernel, sizeof(floor->kernel), "%s %s", u.release, u.version);
	if (!tlobctl_read_line("/proc/sys/kernel/random/boot_id", floor->boot_id,
			       sizeof(floor->boot_id)))
		snprintf(floor->boot_id, sizeof(floor->boot_id), "unknown");
}

int tlobctl_floor_write(const struct tlobctl_floor *floor)
{
	struct tlobctl_floor full = *floor;
	char path[4096], text[TLOBCTL_FLOOR_BYTES];
	size_t n;
	int r;

	if (!floor_path(path, sizeof(path)))
		return tlobctl_fail(
			-ENOENT,
			"there is no place for this machine's floor: neither XDG_STATE_HOME nor HOME is set");
	tlobctl_floor_here(&full);
	n = tlobctl_floor_format(text, &full);
	r = make_folders(path);
	if (!r)
		r = replace(path, text, n);
	return r ? tlobctl_fail(r, "cannot write this machine's floor to %s: %s", path,
				strerror(-r)) :
		   0;
}

int tlobctl_floor_read(struct tlobctl_floor *out)
{
	struct tlobctl_floor floor, here;
	char path[4096];
	bool own = floor_path(path, sizeof(path)) && read_file(path, &floor);

	/* who has none goes by the machine's, unless sent elsewhere */
	if (!own && (getenv("XDG_STATE_HOME") || !read_file(MACHINE_FOLDER "/floor", &floor)))
		return tlobctl_fail(-ENOENT,
				    "the floor of this machine is not known: run tlob timerlat");
	tlobctl_floor_here(&here);
	if (strcmp(floor.kernel, here.kernel) || strcmp(floor.boot_id, here.boot_id))
		return tlobctl_fail(
			-ESTALE,
			"the floor of this machine is of another kernel or another boot: run tlob timerlat "
			"again");
	*out = floor;
	return 0;
}
