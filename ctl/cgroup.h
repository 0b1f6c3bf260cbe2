/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TLOBCTL_CGROUP_H
#define TLOBCTL_CGROUP_H

#include <stdint.h>

/* A descriptor of the cgroup (v2) with that id; negative errno with tlobctl_error() set. */
int tlobctl_cgroup_open(uint64_t id);

#endif
