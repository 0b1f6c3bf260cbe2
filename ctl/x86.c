// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * x86 instruction lengths, from the opcode maps of the architecture manuals. Knows the format only: an
 * instruction with a valid form and no meaning passes. tests/unit/test_insn.c compares it with objdump.
 */
#include <string.h>

#include "x86.h"

#define MAX_LENGTH 15

/*
 * What follows the opcode byte:
 *	-	nothing			b	imm8			w	imm16
 *	z	imm16/32		j	rel16/32		v	imm16/32/64
 *	e	imm16 and imm8		f	far pointer		a	address
 *	M	modrm			B	modrm, imm8		Z	modrm, imm16/32
 *	3	modrm, imm8 if /0 /1	4	modrm, imm16/32 if /0 /1
 *	x	no such instruction; also prefixes and escapes, which never get here
 */
static const char one_byte[] = "MMMMbz--MMMMbz-x" /* 00 */
			       "MMMMbz--MMMMbz--"
			       "MMMMbzx-MMMMbzx-"
			       "MMMMbzx-MMMMbzx-"
			       "----------------" /* 40 */
			       "----------------"
			       "--MMxxxxzZbB----"
			       "bbbbbbbbbbbbbbbb"
			       "BZBBMMMMMMMMMMMM" /* 80 */
			       "----------f-----"
			       "aaaa----bz------"
			       "bbbbbbbbvvvvvvvv"
			       "BBw-MMBZe-w--b--" /* c0 */
			       "MMMMbb--MMMMMMMM"
			       "bbbbbbbbjjfb----"
			       "x-xx--34------MM";

static const char two_byte[] = "MMMMx-----x-xM-B" /* 00 */
			       "MMMMMMMMMMMMMMMM"
			       "MMMMxxxxMMMMMMMM"
			       "------x-xxxxxxxx"
			       "MMMMMMMMMMMMMMMM" /* 40 */
			       "MMMMMMMMMMMMMMMM"
			       "MMMMMMMMMMMMMMMM"
			       "BBBBMMM-MMMMMMMM"
			       "jjjjjjjjjjjjjjjj" /* 80 */
			       "MMMMMMMMMMMMMMMM"
			       "---MBMMM---MBMMM"
			       "MMMMMMMMMMBMMMMM"
			       "MMBMBBBM--------" /* c0 */
			       "MMMMMMMMMMMMMMMM"
			       "MMMMMMMMMMMMMMMM"
			       "MMMMMMMMMMMMMMMM";

/* One-byte opcodes that long mode took away. */
static const uint8_t not_in_64[] = {0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27,
				    0x2f, 0x37, 0x3f, 0x60, 0x61, 0x62, 0x82, 0x9a,
				    0xc4, 0xc5, 0xce, 0xd4, 0xd5, 0xd6, 0xea};

struct cursor {
	const uint8_t *code;
	size_t size; /* at most MAX_LENGTH */
	size_t at;
	bool mode64;
	bool short_of; /* ran past the end */
};

static uint8_t next(struct cursor *c)
{
	if (c->at < c->size)
		return c->code[c->at++];
	c->short_of = true;
	return 0;
}

static uint8_t peek(const struct cursor *c)
{
	return c->at < c->size ? c->code[c->at] : 0;
}

static void skip(struct cursor *c, size_t bytes)
{
	if (c->size - c->at < bytes)
		c->short_of = true;
	else
		c->at += bytes;
}

static uint8_t prefix(uint8_t byte)
{
	switch (byte) {
	case 0x66:
		return TLOBCTL_X86_OPSIZE;
	case 0x67:
		return TLOBCTL_X86_ADDRSIZE;
	case 0xf2:
	case 0xf3:
		return TLOBCTL_X86_REP;
	case 0xf0:
		return TLOBCTL_X86_LOCK;
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
		return TLOBCTL_X86_SEGMENT;
	case 0x64:
	case 0x65:
		return TLOBCTL_X86_FSGS;
	}
	return 0;
}

static void read_prefixes(struct cursor *c, struct tlobctl_x86 *x)
{
	for (;;) {
		uint8_t byte = peek(c);

		if (c->mode64 && (byte & 0xf0) == 0x40) {
			x->rex = byte;
		} else if (prefix(byte)) {
			x->prefixes |= prefix(byte);
			x->rex = 0; /* counts only right before the opcode */
		} else {
			return;
		}
		next(c);
		if (c->at == c->size)
			return;
	}
}

/* VEX, EVEX and XOP share their first bytes with 32-bit instructions that need a memory operand. */
static bool is_vector(const struct cursor *c, uint8_t byte)
{
	return c->mode64 || (byte & 0xc0) == 0xc0;
}

/* Up to and with the opcode byte. */
static void read_opcode(struct cursor *c, struct tlobctl_x86 *x)
{
	uint8_t byte = next(c);

	if (byte == 0xc5 && is_vector(c, peek(c))) {
		x->form = TLOBCTL_X86_VEX;
		skip(c, 1);
		x->map = 1;
	} else if (byte == 0xc4 && is_vector(c, peek(c))) {
		x->form = TLOBCTL_X86_VEX;
		x->map = next(c) & 0x1f;
		skip(c, 1);
	} else if (byte == 0x62 && is_vector(c, peek(c))) {
		x->form = TLOBCTL_X86_EVEX;
		x->map = next(c) & 0x7;
		skip(c, 2);
	} else if (byte == 0x8f && (peek(c) & 0x1f) >= 8) {
		x->form = TLOBCTL_X86_XOP;
		x->map = next(c) & 0x1f;
		skip(c, 1);
	} else if (byte != 0x0f) {
		x->opcode = byte;
		return;
	} else {
		byte = peek(c);
		x->map = byte == 0x38 ? 2 : byte == 0x3a ? 3 : 1;
		if (x->map > 1)
			skip(c, 1);
	}
	x->opcode = next(c);
}

/* Letter of the tables above, for the longer encodings too. */
static char operands(const struct cursor *c, const struct tlobctl_x86 *x)
{
	if (x->form == TLOBCTL_X86_XOP)
		return x->map == 8 ? 'B' : x->map == 9 ? 'M' : x->map == 10 ? 'D' : 'x';
	if (x->form == TLOBCTL_X86_EVEX && (x->map == 5 || x->map == 6))
		return 'M';
	switch (x->map) {
	case 0:
		if (x->form != TLOBCTL_X86_PLAIN)
			return 'x';
		if (c->mode64 && memchr(not_in_64, x->opcode, sizeof(not_in_64)))
			return 'x';
		return one_byte[x->opcode];
	case 1:
		/* SSE4a: extrq and insertq with two immediate bytes, in the place of vmread */
		if (x->opcode == 0x78 && x->form == TLOBCTL_X86_PLAIN &&
		    x->prefixes & (TLOBCTL_X86_OPSIZE | TLOBCTL_X86_REP))
			return 'W';
		return two_byte[x->opcode];
	case 2:
		return 'M';
	case 3:
		return 'B';
	}
	return 'x';
}

static void skip_modrm(struct cursor *c, struct tlobctl_x86 *x)
{
	uint8_t mod, rm, base;

	x->modrm = next(c);
	mod = x->modrm >> 6;
	rm = x->modrm & 7;
	if (mod == 3)
		return;
	if (!c->mode64 && x->prefixes & TLOBCTL_X86_ADDRSIZE) {
		if (mod == 1)
			skip(c, 1);
		else if (mod == 2 || rm == 6)
			skip(c, 2);
		return;
	}
	base = rm;
	if (rm == 4)
		base = next(c) & 7;
	if (mod == 1)
		skip(c, 1);
	else if (mod == 2 || base == 5)
		skip(c, 4);
}

static size_t immediate(const struct cursor *c, const struct tlobctl_x86 *x, char what)
{
	bool narrow = x->prefixes & TLOBCTL_X86_OPSIZE && !(x->rex & 8);
	bool first_two = (x->modrm & 0x30) == 0;

	switch (what) {
	case 'b':
	case 'B':
		return 1;
	case 'w':
	case 'W':
		return 2;
	case 'e':
		return 3;
	case 'D':
		return 4;
	case 'z':
	case 'Z':
		return narrow ? 2 : 4;
	case 'j': /* long mode: taken to ignore 66, as Intel does; the kernel refuses these anyway */
		return narrow && !c->mode64 ? 2 : 4;
	case 'v':
		return x->rex & 8 ? 8 : narrow ? 2 : 4;
	case 'f':
		return narrow ? 4 : 6;
	case 'a':
		if (c->mode64)
			return x->prefixes & TLOBCTL_X86_ADDRSIZE ? 4 : 8;
		return x->prefixes & TLOBCTL_X86_ADDRSIZE ? 2 : 4;
	case '3':
		return first_two ? 1 : 0;
	case '4':
		return !first_two ? 0 : narrow ? 2 : 4;
	}
	return 0;
}

bool tlobctl_x86_decode(bool mode64, const uint8_t *code, size_t size, struct tlobctl_x86 *out)
{
	struct cursor c = {
		.code = code, .size = size < MAX_LENGTH ? size : MAX_LENGTH, .mode64 = mode64};
	struct tlobctl_x86 x = {0};
	char what;

	read_prefixes(&c, &x);
	read_opcode(&c, &x);
	what = operands(&c, &x);
	if (c.short_of || what == 'x')
		return false;
	if (strchr("MBZDW34", what))
		skip_modrm(&c, &x);
	skip(&c, immediate(&c, &x, what));
	if (c.short_of)
		return false;
	x.length = (uint8_t)c.at;
	*out = x;
	return true;
}
