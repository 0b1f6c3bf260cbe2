/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a copy of a thread's registers and of the upper part of its stack to the places it was called from, by the call frame
 * information of the code, as code without frame pointers needs it. Where a piece of code has none, by frame pointer.
 */
#ifndef TLOB_WHY_UNWIND_H
#define TLOB_WHY_UNWIND_H

#include "expression.h"

/* Code that was mapped. */
struct why_code {
	Dwarf_CFI *cfi; /* NULL: none */
	bool later; /* nobody knows yet: go no further */
	uint64_t bias; /* address as it was, less the address in the file's own terms */
	bool from_signal; /* a signal's handler returns here, and there is no information about it */
};
/* False: there was no code at @pc. */
typedef bool why_code_fn(void *arg, uint64_t pc, struct why_code *out);

struct why_pc {
	uint64_t address;
	bool call; /* it is where a call returns to */
};

/* Registers as the kernel keeps them, see struct tlob_capture. False: not those of a program that can be unwound. */
bool why_regs_init(struct why_regs *regs, const unsigned long long *raw);

/*
 * The places, innermost first, into @pcs, which has @room. *@cut: there are more, or it came to an end too early. Returns how
 * many; at least one if there is room.
 */
size_t why_unwind(const struct why_regs *regs, const struct why_copy *copy, why_code_fn *code,
		  void *arg, struct why_pc *pcs, size_t room, bool *cut);

#endif
