/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A copy of a file that has nothing but its call frame information, at the places where that was; the rest is holes. It is
 * made by whoever may be held up by the file (reader.h), and cannot be changed, so that the agent can map it. In copies
 * of files that others can change every entry is of modest length: there is no end to what one can have the reader do.
 */
#ifndef TLOB_WHY_IMAGE_H
#define TLOB_WHY_IMAGE_H

#include "symbolize.h"

/*
 * A descriptor; -1: there is none, or it is too large. @link: another path to the file, for when the object's own leads to another
 * one by now; NULL: none.
 */
int why_image_make(const struct why_object *object, const char *link);
/* The bytes that it takes, if @fd is one that nobody can change; else 0. */
size_t why_image_bytes(int fd);

#endif
