/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this process may do, and what the kernel is: for doing it, for explaining a failure, and for the doctor. */
#ifndef TLOBCTL_PRIVILEGE_H
#define TLOBCTL_PRIVILEGE_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/capability.h>

#ifndef CAP_BPF
#define CAP_PERFMON 38
#define CAP_BPF 39
#endif

/* Is @cap effective? */
bool tlobctl_capable(int cap);
/* In a user namespace below the initial one, where capabilities do not reach the kernel's own things. */
bool tlobctl_in_user_namespace(void);
/* major * 1000 + minor, and the whole text; 0 if unknown. */
int tlobctl_kernel_release(char *text, size_t size);
/* "none", "integrity", "confidentiality"; "" if this kernel has no lockdown. */
void tlobctl_lockdown(char *text, size_t size);
/* First line of a small file, without its end; false if it cannot be read. */
bool tlobctl_read_line(const char *path, char *text, size_t size);

#endif
