/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The call frame information of files. They are opened when a process has just been found in them, and kept open, so that
 * stacks can be unwound when it has gone.
 */
#ifndef TLOB_WHY_CODE_H
#define TLOB_WHY_CODE_H

#include <stdbool.h>
#include <stdint.h>

#include "symbolize.h"
#include "unwind.h"

#define WHY_CODES 128 /* files open at once */

struct why_file {
	const struct why_object *object;
	Elf *elf; /* NULL: cannot be had */
	Dwarf_CFI *cfi; /* NULL: has none */
	int fd;
	uint64_t used; /* when */
};

struct why_codes {
	struct why_file *files[WHY_CODES]; /* NULL: free */
	uint64_t clock;
};

void why_codes_deinit(struct why_codes *codes);

/*
 * What unwinding takes at @offset of @object, which is at @address in a process. @link: another path to the file, for when the
 * object's own leads to another one by now; NULL: none. False: there is nothing.
 */
bool why_code_of(struct why_codes *codes, const struct why_object *object, const char *link,
		 uint64_t offset, uint64_t address, struct why_code *out);
/* It has been asked for before. */
bool why_code_is_known(const struct why_codes *codes, const struct why_object *object);

#endif
