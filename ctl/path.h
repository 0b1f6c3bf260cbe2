/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which file a BINARY of a region specification is. */
#ifndef TLOBCTL_PATH_H
#define TLOBCTL_PATH_H

#include <sys/types.h>

#include "root.h"

struct tlobctl_file {
	char *path; /* for us to open */
	char root[TLOBCTL_ROOT_BYTES]; /* in front of other paths of the same world, debug files for one */
};

/*
 * @binary is absolute, or a bare name: of a program in PATH, or of a library, its version left out if one
 * likes. With @pid > 0 it is looked for as that process sees it, first among what it has mapped. Returns 0
 * or a negative errno with tlobctl_error() set.
 */
int tlobctl_path_find(const char *binary, pid_t pid, struct tlobctl_file *out);
void tlobctl_file_deinit(struct tlobctl_file *file);

#endif
