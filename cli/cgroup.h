/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control groups (version 2) by name. */
#ifndef TLOB_CLI_CGROUP_H
#define TLOB_CLI_CGROUP_H

#include <stdint.h>

/*
 * Number by which the kernel knows the group @name: an absolute path below the place where cgroup2
 * is mounted, or a path from there. Returns 0, or an exit status having said why.
 */
int cli_cgroup_id(const char *name, uint64_t *id);

#endif
