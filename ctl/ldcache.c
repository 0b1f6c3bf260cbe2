// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The cache that ldconfig writes, in glibc's format of 1999: a header, entries, and strings found by offsets
 * from that header. Caches of before 2.32 have an older one in front. The file may come from a container, so
 * nothing in it is trusted.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "ldcache.h"

static const char magic[] = "glibc-ld.so.cache1.1";

struct header {
	char magic[20];
	uint32_t count;
	uint32_t string_bytes;
	uint32_t reserved[5];
};

struct entry {
	int32_t flags;
	uint32_t name; /* offset of a string, as is path */
	uint32_t path;
	uint32_t os_version;
	uint64_t hwcap;
};
_Static_assert(sizeof(struct header) == 48, "as written by ldconfig");
_Static_assert(sizeof(struct entry) == 24, "as written by ldconfig");

static const char *string_at(const char *data, size_t size, uint32_t offset)
{
	if (offset >= size || !memchr(data + offset, '\0', size - offset))
		return NULL;
	return data + offset;
}

int tlobctl_ldcache_each(const void *data, size_t size, tlobctl_ldcache_fn *fn, void *arg)
{
	const char *start = size ? memmem(data, size, magic, sizeof(magic) - 1) : NULL;
	struct header head;
	int seen = 0;

	if (!start)
		return -EINVAL;
	size -= (size_t)(start - (const char *)data);
	if (size < sizeof(head))
		return -EINVAL;
	memcpy(&head, start, sizeof(head));
	if (head.count > (size - sizeof(head)) / sizeof(struct entry))
		return -EINVAL;
	for (uint32_t i = 0; i < head.count; i++) {
		const char *name, *path;
		struct entry e;

		memcpy(&e, start + sizeof(head) + i * sizeof(e), sizeof(e));
		name = string_at(start, size, e.name);
		path = string_at(start, size, e.path);
		if (!name || !path)
			continue;
		fn(name, path, arg);
		seen++;
	}
	return seen;
}
