/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files that processes have mapped. Whoever names one may have made it to do harm to the agent, which runs as root: it may
 * be a FIFO that nobody writes to, a device that does something when it is opened, or a gigabyte of nothing; and it may
 * change while it is read.
 */
#ifndef TLOB_WHY_FILE_H
#define TLOB_WHY_FILE_H

#include <gelf.h>
#include <stdbool.h>

/* A descriptor to read from, of a regular file: nothing else is opened. -1: there is none. */
int why_file_open(const char *path);

/*
 * Only root, or who runs this, can change it: it may be mapped, and what it refers to be opened. @root: as in
 * struct why_object; what another root holds is never trusted.
 */
bool why_file_is_trusted(int fd, const char *root);

/* Not too large to be read by the agent, and not mostly holes. */
bool why_file_is_modest(int fd);

/* Its parts do not take more than there is in the file, and do not unfold to much more: may it be given to libdw? */
bool why_file_is_sound(int fd, Elf *elf);

#endif
