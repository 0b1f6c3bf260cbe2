// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libdwfl's own search would do, but that asks a debuginfod server if the environment names one, and a
 * command that attaches a probe must not stall for a download nobody asked for. It would also wait for a FIFO that
 * lies where a debug file should, in a root that others have made.
 */
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "debugfile.h"
#include "../why/file.h"

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

static int try(const char *root, const char *path, const char *file, GElf_Word crc)
{
	struct stat st, own;
	int fd = why_file_open(path);

	if (fd < 0)
		return -1;
	/* a link may name its own file */
	if (!fstat(fd, &st) &&
	    (stat(file, &own) || st.st_dev != own.st_dev || st.st_ino != own.st_ino) &&
	    (why_file_is_trusted(fd, root) || why_file_is_modest(fd)) && has_crc(fd, crc))
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
		fd = try(root, path, file, crc);
		if (fd >= 0) {
			*found = strdup(path);
			return fd;
		}
	}
	return -1;
}

static int open_by_id(const char *root, const unsigned char *id, int bytes, char **found)
{
	char path[2 * PATH_MAX];
	int fd, n;

	n = snprintf(path, sizeof(path), "%s" TLOBCTL_DEBUG_DIR "/.build-id/%02x/", root, id[0]);
	for (int i = 1; i < bytes && n < (int)sizeof(path) - 16; i++)
		n += sprintf(path + n, "%02x", id[i]);
	if (n >= (int)sizeof(path) - 16)
		return -1;
	strcpy(path + n, ".debug");
	fd = why_file_open(path);
	if (fd >= 0)
		*found = strdup(path);
	return fd;
}

static int find_by_id(Dwfl_Module *module, const char *root, char **found)
{
	const unsigned char *id;
	GElf_Addr where;
	int bytes = dwfl_module_build_id(module, &id, &where);
	int fd = bytes < 2 ? -1 : open_by_id(root, id, bytes, found);

	return fd < 0 && bytes >= 2 && *root ? open_by_id("", id, bytes, found) : fd;
}

int tlobctl_debugfile_find(Dwfl_Module *module, void **userdata, const char *module_name,
			   Dwarf_Addr base, const char *file, const char *link, GElf_Word crc,
			   char **found)
{
	const char *root = *userdata ? *userdata : "";
	int fd;

	if (!file) /* what the debug files of several have in common */
		return dwfl_build_id_find_debuginfo(module, userdata, module_name, base, file, link,
						    crc, found);
	fd = find_by_id(module, root, found);
	if (fd >= 0 || !link)
		return fd;
	return find_by_link(root, file, link, crc, found);
}
