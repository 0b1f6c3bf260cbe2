/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Engine kernel: the module tlob, through /dev/rv. */
#ifndef TLOB_LIB_ENGINE_KERNEL_H
#define TLOB_LIB_ENGINE_KERNEL_H

#include "home.h"

/* A descriptor of /dev/rv whose monitor is enabled, or negative errno. */
int tlob_kernel_open(void);
/* Map arena @number of @home from its descriptor, unless somebody else just has. */
int tlob_kernel_grow(struct tlob_home *home, __u32 number);

#endif
