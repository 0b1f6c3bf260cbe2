/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where functions begin that no symbol names: what is kept for exceptions says so, in stripped files too. */
#ifndef WHY_STARTS_H
#define WHY_STARTS_H

#include <stdbool.h>
#include <stdint.h>

#include <libelf.h>

/* @start of the function that @address is in, both as @elf has them. False: not known. */
bool why_starts_find(Elf *elf, uint64_t address, uint64_t *start);

/* The section with code that @address is in: its name, and @end. NULL: none, or the file has no sections. */
const char *why_starts_section(Elf *elf, uint64_t address, uint64_t *end);

#endif
