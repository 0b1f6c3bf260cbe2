/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An ELF file to be probed: its symbols from wherever they are kept, and which file offsets are code.
 */
#ifndef TLOBCTL_ELF_H
#define TLOBCTL_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct tlobctl_elf;

struct tlobctl_symbol {
	const char *name; /* ends after name_length bytes, not always with a NUL */
	const char *version; /* NULL: none */
	uint64_t address; /* as the file has it, before it is loaded anywhere */
	uint64_t size; /* 0: not known */
	uint32_t name_length;
	uint8_t type; /* STT_FUNC, ... */
	uint8_t binding; /* STB_LOCAL, ... */
	bool defined; /* here; else it is only used here */
	bool hidden; /* an old version, which only programs linked long ago get */
};

/*
 * @root as of tlobctl_root_of(): where the file's debug file may be too. Returns 0 or a negative errno with
 * tlobctl_error() saying what @path is instead, if it is not a program or library of this machine.
 */
int tlobctl_elf_open(const char *path, const char *root, struct tlobctl_elf **out);
void tlobctl_elf_free(struct tlobctl_elf *elf);

/* Quiet: can this machine run @path? */
bool tlobctl_elf_is_native(const char *path);

const char *tlobctl_elf_path(const struct tlobctl_elf *elf);
uint16_t tlobctl_elf_machine(const struct tlobctl_elf *elf);
uint64_t tlobctl_elf_entry(const struct tlobctl_elf *elf);
bool tlobctl_elf_is_go(const struct tlobctl_elf *elf);
/* False: stripped and no debug file, only exported symbols are known. */
bool tlobctl_elf_has_symtab(const struct tlobctl_elf *elf);
/* Where its debug file was looked for first; "" if it has no build-id. */
const char *tlobctl_elf_debug_path(const struct tlobctl_elf *elf);

/* Functions, code labels and data objects, in no order, some more than once. */
const struct tlobctl_symbol *tlobctl_elf_symbols(const struct tlobctl_elf *elf, size_t *count);

/* Between address and file offset; false where there is no code. */
bool tlobctl_elf_offset(const struct tlobctl_elf *elf, uint64_t address, uint64_t *offset);
bool tlobctl_elf_address(const struct tlobctl_elf *elf, uint64_t offset, uint64_t *address);
/* "0x1000-0x1fff, ..." of the file offsets that are code. */
const char *tlobctl_elf_code_text(const struct tlobctl_elf *elf, char *buf, size_t size);

/* Bytes of code at @offset, up to @size but not past the segment. Returns how many; 0 outside of code. */
size_t tlobctl_elf_read(const struct tlobctl_elf *elf, uint64_t offset, void *buf, size_t size);

/* Calls @fn for each library it names as needed, until that returns non-zero; returns that or 0. */
typedef int tlobctl_elf_needed_fn(const char *library, void *arg);
int tlobctl_elf_needed(const struct tlobctl_elf *elf, tlobctl_elf_needed_fn *fn, void *arg);

#endif
