/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /etc/ld.so.cache: which library of which name lies where. */
#ifndef TLOBCTL_LDCACHE_H
#define TLOBCTL_LDCACHE_H

#include <stddef.h>

typedef void tlobctl_ldcache_fn(const char *name, const char *path, void *arg);

/* Calls @fn for each entry of the cache file in @data. Returns how many, or -EINVAL if it is not one. */
int tlobctl_ldcache_each(const void *data, size_t size, tlobctl_ldcache_fn *fn, void *arg);

#endif
