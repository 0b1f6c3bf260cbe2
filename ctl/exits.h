/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a function is left. A probe on its return puts another address on the stack, and an exception that unwinds
 * through that kills the program; probes on the instructions that leave it put nothing there.
 */
#ifndef TLOBCTL_EXITS_H
#define TLOBCTL_EXITS_H

#include "elf.h"

#define TLOBCTL_MAX_EXITS 64 /* of one function */

struct tlobctl_exits {
	uint64_t offsets
		[TLOBCTL_MAX_EXITS]; /* in the file: each ret, and each jump that goes elsewhere */
	size_t n;
	bool jumps; /* by one of them another function goes on in its place, */
	uint64_t onward; /* which is here; 0: not known */
};

/* May exceptions (C++, Rust's panics, cancellation of -fexceptions) unwind through functions of this binary? */
bool tlobctl_exits_needed(const struct tlobctl_elf *elf);

/* All exits of @function, its cold parts included. NULL, or why they are not known: a sentence fragment. */
const char *tlobctl_exits_find(const struct tlobctl_elf *elf, const struct tlobctl_symbol *function,
			       struct tlobctl_exits *exits);

#endif
