/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TLOBCTL_SYMTAB_H
#define TLOBCTL_SYMTAB_H

#include <stddef.h>

#include <elfutils/libdwfl.h>

#include "elf.h"

struct tlobctl_symtab {
	struct tlobctl_symbol *symbols; /* names lie in the module's memory */
	size_t count;
	size_t room;
};

/*
 * Add what .symtab, the debug file or the compressed table of a stripped file has, and the exported symbols
 * with their versions. A file without symbols is no error. Returns 0 or -ENOMEM.
 */
int tlobctl_symtab_load(struct tlobctl_symtab *table, Dwfl_Module *module);
void tlobctl_symtab_deinit(struct tlobctl_symtab *table);

#endif
