// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the kernel does with a probed instruction: arch/x86/kernel/uprobes.c and
 * arch/arm64/kernel/probes/decode-insn.c, as of Linux 6.18. Where kernels differ, the newest is meant; an
 * older one single-steps what a newer one emulates, which is dearer and not wrong.
 */
#include <elf.h>
#include <string.h>

#include "insn.h"
#include "x86.h"

#define PAGE 4096 /* of x86 */

/* ---- x86 */

/* The nops that assemblers pad with; index is their length. Longer ones carry prefixes the kernel refuses. */
static const uint8_t nops[][8] = {
	{0},
	{0x90},
	{0x66, 0x90},
	{0x0f, 0x1f, 0x00},
	{0x0f, 0x1f, 0x40, 0x00},
	{0x0f, 0x1f, 0x44, 0x00, 0x00},
	{0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00},
	{0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00},
	{0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
};
#define LONGEST_NOP (sizeof(nops) / sizeof(nops[0]) - 1)

/*
 * Opcodes the kernel will not single-step: port and privileged instructions, software interrupts, and what
 * is invalid anyway. It looks up VEX and EVEX opcodes in the same table, so vmovdqu (6f) and vpxor (ef)
 * share the fate of outs and out.
 */
static const uint8_t refused_64[] = {0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27, 0x2f, 0x37,
				     0x3f, 0x60, 0x61, 0x62, 0x6c, 0x6d, 0x6e, 0x6f, 0x82, 0x9a,
				     0xcc, 0xcd, 0xce, 0xcf, 0xd4, 0xd5, 0xd6, 0xe4, 0xe5, 0xe6,
				     0xe7, 0xea, 0xec, 0xed, 0xee, 0xef, 0xf1, 0xf4, 0xfa, 0xfb};
static const uint8_t refused_32[] = {0x07, 0x17, 0x1f, 0x6c, 0x6d, 0x6e, 0x6f, 0xcc,
				     0xcd, 0xce, 0xcf, 0xe4, 0xe5, 0xe6, 0xe7, 0xec,
				     0xed, 0xee, 0xef, 0xf1, 0xf4, 0xfa, 0xfb};

static bool x86_refused(bool mode64, const struct tlobctl_x86 *x)
{
	uint8_t opcode = x->form == TLOBCTL_X86_PLAIN && x->map ? 0x0f : x->opcode;

	if (x->prefixes & (TLOBCTL_X86_LOCK | TLOBCTL_X86_SEGMENT))
		return true;
	if (x->form == TLOBCTL_X86_XOP) /* the kernel's decoder takes it for a pop */
		return true;
	if (x->form == TLOBCTL_X86_PLAIN && x->map == 0) {
		if (opcode == 0x8e && (x->modrm & 0x38) == 0x10) /* mov to ss holds off the trap */
			return true;
		if (opcode == 0x90 &&
		    x->rex & 1) /* xchg %rax,%r8, which the kernel takes for a nop */
			return true;
	}
	return mode64 ? memchr(refused_64, opcode, sizeof(refused_64)) :
			memchr(refused_32, opcode, sizeof(refused_32));
}

static bool x86_is_branch(const struct tlobctl_x86 *x)
{
	if (x->form != TLOBCTL_X86_PLAIN)
		return false;
	if (x->map == 1)
		return (x->opcode & 0xf0) == 0x80;
	return x->map == 0 && ((x->opcode & 0xf0) == 0x70 || x->opcode == 0xe8 ||
			       x->opcode == 0xe9 || x->opcode == 0xeb);
}

static bool x86_is_nop(const struct tlobctl_x86 *x, const uint8_t *code)
{
	if (x->form == TLOBCTL_X86_PLAIN && x->map == 0 && x->opcode == 0x90)
		return true;
	return x->length <= LONGEST_NOP && !memcmp(code, nops[x->length], x->length);
}

static bool x86_is_push(const struct tlobctl_x86 *x)
{
	if (x->form != TLOBCTL_X86_PLAIN || x->map || (x->opcode & 0xf8) != 0x50)
		return false;
	return x->length == 1 || (x->length == 2 && x->rex == 0x41);
}

static enum tlobctl_probe_kind x86_kind(bool mode64, uint64_t address, const uint8_t *code,
					size_t size)
{
	struct tlobctl_x86 x;

	if (!tlobctl_x86_decode(mode64, code, size, &x) || x86_refused(mode64, &x))
		return TLOBCTL_PROBE_NONE;
	if (x86_is_branch(&x)) /* 66 before a branch means different things to Intel and AMD */
		return x.prefixes & TLOBCTL_X86_OPSIZE ? TLOBCTL_PROBE_NONE :
							 TLOBCTL_PROBE_EMULATED;
	if (mode64 && x.length == 5 && !memcmp(code, nops[5], 5) && address % PAGE <= PAGE - 5)
		return TLOBCTL_PROBE_NOP5;
	if (x86_is_nop(&x, code) || x86_is_push(&x))
		return TLOBCTL_PROBE_EMULATED;
	return TLOBCTL_PROBE_STEPPED;
}

/* ---- arm64 */

struct pattern {
	uint32_t mask;
	uint32_t value;
	enum tlobctl_probe_kind kind;
};

/* First match wins. */
static const struct pattern arm64[] = {
	{0x7c000000, 0x14000000, TLOBCTL_PROBE_EMULATED}, /* b, bl */
	{0xff000010, 0x54000000, TLOBCTL_PROBE_EMULATED}, /* b.cond */
	{0x7e000000, 0x34000000, TLOBCTL_PROBE_EMULATED}, /* cbz, cbnz */
	{0x7e000000, 0x36000000, TLOBCTL_PROBE_EMULATED}, /* tbz, tbnz */
	{0xff9ffc1f, 0xd61f0000, TLOBCTL_PROBE_EMULATED}, /* br, blr, ret */
	{0xfe000000, 0xd6000000, TLOBCTL_PROBE_NONE}, /* eret, and branches that authenticate */
	{0x1f000000, 0x10000000, TLOBCTL_PROBE_EMULATED}, /* adr, adrp */
	{0x3b000000, 0x18000000, TLOBCTL_PROBE_NONE}, /* loads and prefetches relative to pc */
	{0x3f000000, 0x08000000, TLOBCTL_PROBE_NONE}, /* exclusive loads and stores */
	{0xff000000, 0xd4000000, TLOBCTL_PROBE_NONE}, /* svc, hvc, smc, brk, hlt */
	{0xfff8f01f, 0xd500401f, TLOBCTL_PROBE_NONE}, /* msr immediate */
	{0xfff00000, 0xd5100000, TLOBCTL_PROBE_NONE}, /* msr */
	{0xffffffff, 0xd503201f, TLOBCTL_PROBE_EMULATED}, /* nop */
	/* hints that may be stepped: xpaclri, pacia1716 to autib1716, pac and aut, bti */
	{0xffffffff, 0xd50320ff, TLOBCTL_PROBE_STEPPED},
	{0xffffff3f, 0xd503211f, TLOBCTL_PROBE_STEPPED},
	{0xffffff1f, 0xd503231f, TLOBCTL_PROBE_STEPPED},
	{0xffffff3f, 0xd503241f, TLOBCTL_PROBE_STEPPED},
	{0xfffff01f, 0xd503201f, TLOBCTL_PROBE_NONE}, /* other hints: wfe, yield, ... */
};

static enum tlobctl_probe_kind arm64_kind(uint64_t address, const uint8_t *code, size_t size)
{
	uint32_t insn;

	if (size < 4 || address % 4)
		return TLOBCTL_PROBE_NONE;
	insn = code[0] | code[1] << 8 | code[2] << 16 | (uint32_t)code[3] << 24;
	for (size_t i = 0; i < sizeof(arm64) / sizeof(arm64[0]); i++)
		if ((insn & arm64[i].mask) == arm64[i].value)
			return arm64[i].kind;
	return TLOBCTL_PROBE_STEPPED;
}

/* ---- both */

enum tlobctl_probe_kind tlobctl_insn_kind(uint16_t machine, uint64_t address, const uint8_t *code,
					  size_t size)
{
	switch (machine) {
	case EM_X86_64:
	case EM_386:
		return x86_kind(machine == EM_X86_64, address, code, size);
	case EM_AARCH64:
		return arm64_kind(address, code, size);
	}
	return TLOBCTL_PROBE_STEPPED;
}

size_t tlobctl_insn_length(uint16_t machine, const uint8_t *code, size_t size)
{
	struct tlobctl_x86 x;

	switch (machine) {
	case EM_X86_64:
	case EM_386:
		return tlobctl_x86_decode(machine == EM_X86_64, code, size, &x) ? x.length : 0;
	case EM_AARCH64:
		return size >= 4 ? 4 : 0;
	}
	return 0;
}

enum tlobctl_boundary tlobctl_insn_boundary(uint16_t machine, const uint8_t *code, size_t size,
					    size_t offset, size_t *before, size_t *after)
{
	size_t at = 0;

	while (at < offset) {
		size_t length = at < size ? tlobctl_insn_length(machine, code + at, size - at) : 0;

		if (!length)
			return TLOBCTL_BOUNDARY_UNKNOWN;
		*before = at;
		at += length;
	}
	*after = at;
	return at == offset ? TLOBCTL_BOUNDARY_YES : TLOBCTL_BOUNDARY_NO;
}
