// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libdwfl's own search would do, but that asks a debuginfod server if the environment names one, and a
 * command that attaches a probe must not stall for a download nobody asked for.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "debugfile.h"

#define CHUNK 65536

/* Does the file have the checksum that .gnu_debuglink asks for? */
static bool has_crc(int fd, GElf_Word crc)
{
	unsigned char *chunk = malloc(CHUNK);
	uLong sum = crc32(0, NULL, 0);
	off_t at = 0;
	ssize_t n = -1;

	while (chunk && (n = pread(fd, chunk, CHUNK, at)) > 0) {
		sum = crc32(sum, chunk, (uInt)n);
		at += n;
	}
	free(chunk);
	return n == 0 && sum == crc;
}

static int try(const char *path, const char *file, GElf_Word crc)
{
	struct stat st, own;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -1;
	/* a link may name its own file */
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) &&
	    (stat(file, &own) || st.st_dev != own.st_dev || st.st_ino != own.st_ino) &&
	    has_crc(fd, crc))
		return fd;
	close(fd);
	return -1;
}

static int find_by_link(const char *root, const char *file, const char *link, GElf_Word crc,
			char **found)
{
	size_t length = strlen(root);
	const char *inside = strncmp(file, root, length) ? file : file + length;
	const char *slash = strrchr(inside, '/');
	int folder = slash ? (int)(slash - inside) : 0;
	static const struct {
		const char *before, *behind;
	} folders[] = {{"", ""}, {"", "/.debug"}, {TLOBCTL_DEBUG_DIR, ""}};

	if (strchr(link, '/'))
		return -1;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		char path[2 * PATH_MAX];
		int fd;

		snprintf(path, sizeof(path), "%s%s%.*s%s/%s", root, folders[i].before, folder,
			 inside, folders[i].behind, link);
		fd = try(path, file, crc);
		if (fd >= 0) {
			*found = strdup(path);
			return fd;
		}
	}
	return -1;
}

int tlobctl_debugfile_find(Dwfl_Module *module, void **userdata, const char *module_name,
			   Dwarf_Addr base, const char *file, const char *link, GElf_Word crc,
			   char **found)
{
	int fd = dwfl_build_id_find_debuginfo(module, userdata, module_name, base, file, link, crc,
					      found);

	if (fd >= 0 || !file || !link)
		return fd;
	return find_by_link(*userdata ? *userdata : "", file, link, crc, found);
}
