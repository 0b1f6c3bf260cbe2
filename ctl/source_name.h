/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions by the names that their source has, as ns::type::f or ns::type::f(int), where the symbol table
 * has what a compiler of C++ or Rust made of them.
 */
#ifndef TLOBCTL_SOURCE_NAME_H
#define TLOBCTL_SOURCE_NAME_H

#include <stdbool.h>

#include "elf.h"

#define TLOBCTL_SOURCE_BYTES 512 /* longer names are taken as the symbol table has them */

struct tlobctl_source_name {
	char text[TLOBCTL_SOURCE_BYTES]; /* without blanks, which tools set differently */
	bool glob;
};

/* False: @name is too long for one. */
bool tlobctl_source_name_init(struct tlobctl_source_name *wanted, const char *name, bool glob);

/*
 * Is @symbol called so, with its parameters or without? What a compiler has made of a function besides
 * counts as the function, parts of one do not.
 */
bool tlobctl_source_name_matches(const struct tlobctl_source_name *wanted,
				 const struct tlobctl_symbol *symbol);

/* The name that the source has, with @parameters or without; else that of the symbol. Returns @buf. */
const char *tlobctl_source_name_of(const struct tlobctl_symbol *symbol, bool parameters, char *buf,
				   size_t size);

#endif
