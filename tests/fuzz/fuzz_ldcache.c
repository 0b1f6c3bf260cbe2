// SPDX-License-Identifier: GPL-2.0-or-later
/* The library cache of a container is read as root: any bytes must do. */
#include "ctl/ldcache.c"
#include "fuzz.h"

static void touch(const char *name, const char *path, void *arg)
{
	*(size_t *)arg += strlen(name) + strlen(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t total = 0;

	tlobctl_ldcache_each(data, size, touch, &total);
	return 0;
}
