// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where the dynamic loader would find a library, less what only the program knows (its run path). The usual
 * folders are looked through only where there is no cache, as with musl, or the cache is out of date.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ldcache.h"
#include "library.h"
#include "root.h"

#define CACHE_MAX_BYTES (16 << 20)

static void offer(const char *name, const char *path, void *arg)
{
	if (path[0] == '/')
		tlobctl_search_offer(arg, name, path);
}

static void search_cache(struct tlobctl_search *s)
{
	char *path = NULL, *data = NULL;
	struct stat st;
	ssize_t n = -1;
	int fd;

	if (tlobctl_root_resolve(s->root, "/etc/ld.so.cache", &path))
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	free(path);
	if (fd < 0)
		return;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size <= CACHE_MAX_BYTES)
		data = malloc((size_t)st.st_size + 1);
	if (data)
		n = read(fd, data, (size_t)st.st_size);
	close(fd);
	if (n > 0)
		tlobctl_ldcache_each(data, (size_t)n, offer, s);
	free(data);
}

static void search_folder(struct tlobctl_search *s, const char *folder)
{
	char *ours, path[PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	if (folder[0] != '/' || tlobctl_root_resolve(s->root, folder, &ours))
		return;
	dir = opendir(ours);
	free(ours);
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (!strstr(entry->d_name, ".so"))
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) < PATH_MAX)
			tlobctl_search_offer(s, entry->d_name, path);
	}
	closedir(dir);
}

void tlobctl_library_search(struct tlobctl_search *s)
{
	static const char *const folders[] = {
		"/usr/local/lib",
#if defined(__x86_64__)
		"/lib/x86_64-linux-gnu",
		"/usr/lib/x86_64-linux-gnu",
#elif defined(__aarch64__)
		"/lib/aarch64-linux-gnu",
		"/usr/lib/aarch64-linux-gnu",
#endif
		"/lib64",
		"/usr/lib64",
		"/lib",
		"/usr/lib",
	};
	const char *preset = *s->root ? NULL : getenv("LD_LIBRARY_PATH");
	char *copy = preset ? strdup(preset) : NULL;
	char *rest = copy;

	for (char *folder; (folder = strsep(&rest, ":;"));)
		search_folder(s, folder);
	free(copy);
	if (!s->count)
		search_cache(s);
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]) && !s->count; i++)
		search_folder(s, folders[i]);
}
