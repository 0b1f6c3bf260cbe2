/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One link for many addresses of one binary: Linux 6.6. Debian 12's libbpf does not know of it yet. */
#ifndef TLOBCTL_UPROBES_H
#define TLOBCTL_UPROBES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct tlobctl_uprobes {
	int program; /* loaded for @attach_type */
	int attach_type;
	const char *path;
	const uint64_t *offsets, *cookies; /* @n each */
	uint32_t n;
	bool returns;
	pid_t pid; /* -1: all */
};

/* Returns the link's descriptor, or negative errno. */
int tlobctl_uprobes_attach(const struct tlobctl_uprobes *u);

#endif
