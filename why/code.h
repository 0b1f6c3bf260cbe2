/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The call frame information of files, by copies that have nothing else (image.h). They are got when a process has just been found
 * in them, and kept, so that stacks can be unwound when it has gone.
 */
#ifndef TLOB_WHY_CODE_H
#define TLOB_WHY_CODE_H

#include <stdbool.h>
#include <stdint.h>

#include "symbolize.h"
#include "unwind.h"

#define WHY_CODES 128 /* files at once, */
#define WHY_CODES_BYTES \
	((size_t)256 << 20) /* and so much of all of them, unless the last one alone has more */

struct why_file {
	const struct why_object *object;
	Elf *elf; /* NULL: cannot be had */
	Dwarf_CFI *cfi; /* NULL: has none */
	int fd;
	size_t bytes;
	uint64_t used; /* when */
};

struct why_codes {
	struct why_file *files[WHY_CODES]; /* NULL: free */
	uint64_t clock;
	size_t bytes;
};

void why_codes_deinit(struct why_codes *codes);

/* What unwinding takes at @offset of @object, which is at @address in a process. False: there is nothing, or it is not known. */
bool why_code_of(struct why_codes *codes, const struct why_object *object, uint64_t offset,
		 uint64_t address, struct why_code *out);
/* It is known, or that there is nothing. */
bool why_code_is_known(const struct why_codes *codes, const struct why_object *object);
/* Takes over @fd, which why_image_make() has made of @object; -1: there is nothing. */
void why_code_add(struct why_codes *codes, const struct why_object *object, int fd);

#endif
