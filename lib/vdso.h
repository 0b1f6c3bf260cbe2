/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's clock_gettime() in user space, called directly: the way through libc costs a
 * nanosecond or two, which is a good part of what a window may cost beyond its two reads of the
 * time.
 */
#ifndef TLOB_LIB_VDSO_H
#define TLOB_LIB_VDSO_H

#include <time.h>

typedef int tlob_clock_fn(clockid_t clock, struct timespec *t);

/* libc's until tlob_vdso_init(), and where there is no vDSO. */
extern tlob_clock_fn *tlob_vdso_clock __attribute__((visibility("hidden")));

void tlob_vdso_init(void);

#endif
