/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files a running process has mapped, among them such as have been deleted or replaced since. */
#ifndef TLOBCTL_MAPS_H
#define TLOBCTL_MAPS_H

#include <stddef.h>
#include <sys/types.h>

#include "search.h"

/* Hits: the mapped files whose names match, or are @path exactly (NULL: names only). 0 or a negative errno. */
int tlobctl_maps_search(struct tlobctl_search *s, pid_t pid, const char *path);

#endif
