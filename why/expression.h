/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The expressions of DWARF's call frame information: where the caller's registers are. */
#ifndef TLOB_WHY_EXPRESSION_H
#define TLOB_WHY_EXPRESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <elfutils/libdw.h>

#include "capture.h"

#define WHY_REGS 33 /* numbers of DWARF, those that are saved across calls at least */

struct why_regs {
	uint64_t value[WHY_REGS];
	uint64_t known; /* bit n: value[n] is */
	uint64_t pc;
};

/* A part of a stack as it was. Nothing in it is to be believed. */
struct why_copy {
	uint64_t start; /* address of the first byte */
	const unsigned char *bytes;
	size_t size;
	const struct tlob_capture_return *returns; /* TLOB_CAPTURE_RETURNS of them; NULL: none */
};

struct why_frame {
	const struct why_regs *regs;
	const struct why_copy *copy;
	uint64_t cfa;
	bool has_cfa;
};

/* The word at @address of the stack. False: it was not copied. */
bool why_copy_word(const struct why_copy *copy, uint64_t address, uint64_t *word);
static inline bool why_regs_get(const struct why_regs *regs, unsigned int n, uint64_t *value)
{
	if (n >= WHY_REGS || !(regs->known >> n & 1))
		return false;
	*value = regs->value[n];
	return true;
}

/* The value of @ops; *@is_value: not an address where the value is, but the value itself. False: cannot be told. */
bool why_evaluate(const struct why_frame *frame, const Dwarf_Op *ops, size_t nops, uint64_t *result,
		  bool *is_value);

#endif
