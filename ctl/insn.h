/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the instruction at a probed address makes a probe cost, and whether one may stand there at all. Goes
 * by the binary's e_machine, not by the machine this was built on.
 */
#ifndef TLOBCTL_INSN_H
#define TLOBCTL_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tlob/ctl.h>

#define TLOBCTL_INSN_BYTES 16 /* the longest there is, and what the kernel looks at */

/*
 * NONE: the kernel refuses a probe on it, or would spoil the program. Unknown machines: STEPPED. @address
 * matters only modulo the page size: an instruction that straddles two pages is not rewritten.
 */
enum tlobctl_probe_kind tlobctl_insn_kind(uint16_t machine, uint64_t address, const uint8_t *code,
					  size_t size);

/* Bytes of the first instruction of @code; 0 if it cannot be decoded. */
size_t tlobctl_insn_length(uint16_t machine, const uint8_t *code, size_t size);

enum tlobctl_boundary {
	TLOBCTL_BOUNDARY_UNKNOWN, /* something before @offset cannot be decoded */
	TLOBCTL_BOUNDARY_NO,
	TLOBCTL_BOUNDARY_YES,
};

/*
 * Does an instruction start at @offset of @code, which starts with one? If not, *@before and *@after are the
 * nearest two offsets at which one does.
 */
enum tlobctl_boundary tlobctl_insn_boundary(uint16_t machine, const uint8_t *code, size_t size,
					    size_t offset, size_t *before, size_t *after);

#endif
