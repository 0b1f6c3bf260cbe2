/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file that the platform's floor is kept in: from and to text. */
#ifndef TLOBCTL_FLOOR_H
#define TLOBCTL_FLOOR_H

#include <stddef.h>

#include <tlob/ctl.h>

#define TLOBCTL_FLOOR_BYTES 2048 /* of the text */

/* Returns the length. */
size_t tlobctl_floor_format(char text[TLOBCTL_FLOOR_BYTES], const struct tlobctl_floor *floor);
/* False: that is no such text. Lines that it does not know are left out. */
bool tlobctl_floor_parse(const char *text, struct tlobctl_floor *floor);
/* Of the machine as it runs now: kernel and boot. */
void tlobctl_floor_here(struct tlobctl_floor *floor);

#endif
