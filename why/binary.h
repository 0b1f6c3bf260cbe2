/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program or library as code was run from it: found again by path and build-id, with its symbols and debug
 * information from wherever they are.
 */
#ifndef TLOB_WHY_BINARY_H
#define TLOB_WHY_BINARY_H

#include "symbolize.h"
#include "units.h"

struct why_binary;

/*
 * @fd: the file of @object if the caller has it open, which remains the caller's; -1: none. NULL: no file with that
 * build-id is there, or it is damaged.
 */
struct why_binary *why_binary_open(const struct why_object *object, int fd);
void why_binary_close(struct why_binary *b);

/* A descriptor of the file that @object's process would open, or -1. Its build-id is not looked at. */
int why_binary_descriptor(const struct why_object *object);

/*
 * What is at @offset in the file; @call: in front of it. Innermost first, at most @room. 0: that is no code. Strings live
 * until the next call.
 */
size_t why_binary_places(struct why_binary *b, uint64_t offset, bool call, struct why_place *places,
			 size_t room);

#endif
