/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The functions of the running kernel, of its modules and of BPF programs, by /proc/kallsyms. */
#ifndef TLOB_WHY_KALLSYMS_H
#define TLOB_WHY_KALLSYMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct why_kallsyms;

/* Reads @path when it is first needed, and again when an address is not known that a new module may have. */
int why_kallsyms_new(const char *path, struct why_kallsyms **out);
void why_kallsyms_free(struct why_kallsyms *k);

/* The address of _stext, which kernel addresses are counted from; 0: the kernel does not tell. */
uint64_t why_kallsyms_start(struct why_kallsyms *k);

/*
 * The function that @address is in; its name and that of its module ("" the kernel itself) are valid until the next
 * call. False: unknown.
 */
bool why_kallsyms_find(struct why_kallsyms *k, uint64_t address, const char **name,
		       const char **module);

/* Why there are no names, and what to do; "" if there are, or nobody asked yet. */
const char *why_kallsyms_note(const struct why_kallsyms *k);

#endif
