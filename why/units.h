/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Functions, those inlined into them and source lines, by the debug information (DWARF) of a file. */
#ifndef TLOB_WHY_UNITS_H
#define TLOB_WHY_UNITS_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>

/* Strings belong to the debug information. */
struct why_place {
	const char *function; /* as the linker knows it; NULL unknown */
	size_t function_bytes; /* without a NUL, which may not be there */
	const char *file; /* NULL unknown */
	unsigned int line;
	bool inlined;
};

struct why_units;

/*
 * NULL: no debug information, or no memory. @trusted: files may be opened that @dwarf names, where functions are in files
 * of their own (.dwo); otherwise only lines are known of those.
 */
struct why_units *why_units_new(Dwarf *dwarf, bool trusted);
void why_units_free(struct why_units *u);

/* Innermost first; at most @room. 0: nothing known. The outermost one may be without a name. */
size_t why_units_find(struct why_units *u, Dwarf_Addr pc, struct why_place *places, size_t room);

#endif
