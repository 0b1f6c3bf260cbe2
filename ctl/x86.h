/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Enough of the x86 instruction format to know where the next instruction starts. */
#ifndef TLOBCTL_X86_H
#define TLOBCTL_X86_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tlobctl_x86_prefix {
	TLOBCTL_X86_OPSIZE = 1 << 0, /* 66 */
	TLOBCTL_X86_ADDRSIZE = 1 << 1, /* 67 */
	TLOBCTL_X86_REP = 1 << 2, /* f2, f3 */
	TLOBCTL_X86_LOCK = 1 << 3,
	TLOBCTL_X86_SEGMENT = 1 << 4, /* es, cs, ss, ds */
	TLOBCTL_X86_FSGS = 1 << 5,
};

enum tlobctl_x86_form {
	TLOBCTL_X86_PLAIN,
	TLOBCTL_X86_VEX,
	TLOBCTL_X86_EVEX,
	TLOBCTL_X86_XOP,
};

struct tlobctl_x86 {
	uint8_t length;
	uint8_t map; /* 0: one byte, 1: 0f, 2: 0f 38, 3: 0f 3a; VEX, EVEX and XOP have more */
	uint8_t opcode;
	uint8_t modrm; /* 0 if there is none */
	uint8_t rex; /* 0 if there is none */
	uint8_t prefixes; /* set of enum tlobctl_x86_prefix */
	enum tlobctl_x86_form form;
};

/* False: not an instruction, or it does not fit into @size. @mode64: long mode, else 32-bit. */
bool tlobctl_x86_decode(bool mode64, const uint8_t *code, size_t size, struct tlobctl_x86 *out);

#endif
