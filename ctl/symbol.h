/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looking up symbols of an ELF file, and saying why one is not what can be probed. */
#ifndef TLOBCTL_SYMBOL_H
#define TLOBCTL_SYMBOL_H

#include "elf.h"

#define TLOBCTL_SYMBOL_TEXT 300

/*
 * The code that @name is, "name@VERSION" included. Returns 0, or with tlobctl_error() set: -ENOENT unknown,
 * -EEXIST several, -ENOTSUP chosen at load time, -EINVAL data. -ENOLINK, with nothing said: only used here.
 */
int tlobctl_symbol_find(const struct tlobctl_elf *elf, const char *name,
			const struct tlobctl_symbol **out);

/* Quiet: is @name code that is defined here? */
bool tlobctl_symbol_exists(const struct tlobctl_elf *elf, const char *name);

/*
 * All functions whose names match @pattern as in glob(7), one symbol an address, by name. Returns how many
 * and an array to free, or a negative errno with tlobctl_error() set.
 */
int tlobctl_symbol_glob(const struct tlobctl_elf *elf, const char *pattern,
			const struct tlobctl_symbol ***out);

/* The function that @address lies in; NULL: not known. */
const struct tlobctl_symbol *tlobctl_symbol_at(const struct tlobctl_elf *elf, uint64_t address);

/* Behind its last byte; where its size is not recorded, the next symbol or the segment ends it. */
uint64_t tlobctl_symbol_end(const struct tlobctl_elf *elf, const struct tlobctl_symbol *symbol);

/* Its name without the version. Returns @buf. */
const char *tlobctl_symbol_name(const struct tlobctl_symbol *symbol, char buf[TLOBCTL_SYMBOL_TEXT]);

/* Why a return probe on it would break the program; NULL: it would not. A sentence fragment. */
const char *tlobctl_symbol_no_return(const struct tlobctl_symbol *symbol);

#endif
