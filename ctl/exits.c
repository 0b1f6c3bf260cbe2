// SPDX-License-Identifier: GPL-2.0-or-later
/* See exits.h. Follows the code as compilers lay it out, and says so where that is not enough to be certain. */
#include "exits.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "insn.h"
#include "symbol.h"
#include "x86.h"

#define PARTS 4 /* a function and what was split off as rarely executed */
#define PART_BYTES (1u << 20)

struct part {
	uint64_t address, size;
};

struct walk {
	const struct tlobctl_elf *elf;
	const struct tlobctl_symbol *function;
	struct part parts[PARTS];
	size_t nparts;
	struct tlobctl_exits *exits;
};

/* ---- exceptions */

bool tlobctl_exits_needed(const struct tlobctl_elf *elf)
{
	static const char *const names[] = {"__gxx_personality_v0", "__cxa_throw", "_Unwind_Resume",
					    "_Unwind_RaiseException"};
	const struct tlobctl_symbol *all;
	size_t count;

	all = tlobctl_elf_symbols(elf, &count);
	/* used and not defined: the C library has its own, and handlers too, for cancellation only */
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < sizeof(names) / sizeof(*names) && !all[i].defined; k++)
			if (all[i].name_length == strlen(names[k]) &&
			    !memcmp(all[i].name, names[k], all[i].name_length))
				return true;
	return tlobctl_elf_is_static(elf) && tlobctl_elf_has_handlers(elf);
}

/* ---- jumps */

static bool is_inside(const struct walk *w, uint64_t address)
{
	for (size_t i = 0; i < w->nparts; i++)
		if (address - w->parts[i].address < w->parts[i].size)
			return true;
	return false;
}

/* "name.cold", "name.cold.3" */
static bool is_cold_part(const struct walk *w, const struct tlobctl_symbol *s)
{
	static const char suffix[] = ".cold";
	size_t length = w->function->name_length;

	return s->name_length >= length + strlen(suffix) &&
	       !memcmp(s->name, w->function->name, length) &&
	       !memcmp(s->name + length, suffix, strlen(suffix));
}

enum target {
	TARGET_INSIDE,
	TARGET_OUTSIDE,
	TARGET_UNKNOWN
};

static enum target look_at(struct walk *w, uint64_t address)
{
	const struct tlobctl_symbol *s;

	if (is_inside(w, address))
		return TARGET_INSIDE;
	if (tlobctl_elf_is_plt(w->elf, address))
		return TARGET_OUTSIDE;
	s = tlobctl_symbol_at(w->elf, address);
	if (s && is_cold_part(w, s)) {
		if (w->nparts == PARTS)
			return TARGET_UNKNOWN;
		w->parts[w->nparts].address = s->address;
		w->parts[w->nparts++].size = tlobctl_symbol_end(w->elf, s) - s->address;
		return TARGET_INSIDE;
	}
	return s && s->address == address ? TARGET_OUTSIDE : TARGET_UNKNOWN;
}

static const char *add_exit(struct walk *w, uint64_t address)
{
	if (w->exits->n == TLOBCTL_MAX_EXITS)
		return "it has too many exits";
	if (!tlobctl_elf_offset(w->elf, address, &w->exits->offsets[w->exits->n]))
		return "it ends outside of the file";
	w->exits->n++;
	return NULL;
}

/* What the other function takes is no part of this one's window. */
static const char *add_onward(struct walk *w, uint64_t address, uint64_t onward)
{
	if (!w->exits->jumps || !w->exits->onward)
		w->exits->onward = onward;
	w->exits->jumps = true;
	return add_exit(w, address);
}

static const char *add_jump(struct walk *w, uint64_t from, uint64_t to, bool conditional)
{
	switch (look_at(w, to)) {
	case TARGET_INSIDE:
		return NULL;
	case TARGET_OUTSIDE:
		return conditional ? "it is left by a conditional jump" : add_onward(w, from, to);
	case TARGET_UNKNOWN:
		break;
	}
	return "it jumps to a place whose function is not known";
}

/* ---- x86 */

static int64_t read_signed(const uint8_t *at, size_t bytes)
{
	int32_t wide;

	if (bytes == 1)
		return (int8_t)*at;
	memcpy(&wide, at, sizeof(wide));
	return wide;
}

/* add %reg, %*@reg*: how position-independent code computes where a switch goes */
static bool adds_to(const struct tlobctl_x86 *x, unsigned int reg)
{
	unsigned int r = (x->modrm >> 3 & 7) | (x->rex & 4) << 1,
		     rm = (x->modrm & 7) | (x->rex & 1) << 3;

	if (x->form != TLOBCTL_X86_PLAIN || x->map || x->modrm < 0xc0)
		return false;
	return (x->opcode == 0x01 && rm == reg) || (x->opcode == 0x03 && r == reg);
}

/* pop, leave, add to the stack pointer: the end of a function is near */
static bool is_epilogue(const struct tlobctl_x86 *x)
{
	if (x->form != TLOBCTL_X86_PLAIN || x->map)
		return false;
	return (x->opcode & 0xf8) == 0x58 || x->opcode == 0xc9 ||
	       ((x->opcode == 0x81 || x->opcode == 0x83) && x->modrm == 0xc4);
}

/* jmp *: to another function, or to a case of a switch? */
static const char *x86_indirect(struct walk *w, uint64_t address, const struct tlobctl_x86 *x,
				const uint8_t *code, const struct tlobctl_x86 *before)
{
	unsigned int mod = x->modrm >> 6, rm = x->modrm & 7;
	const uint8_t *sib = memchr(code, 0xff, x->length);

	if (x->prefixes & TLOBCTL_X86_SEGMENT) /* notrack: only for switches */
		return NULL;
	if (mod == 3 && adds_to(before, rm | (x->rex & 1) << 3))
		return NULL;
	if (mod == 3 && !is_epilogue(before))
		return "it has a jump to a computed address";
	if (mod != 3 && rm == 4 && sib && ((sib[2] >> 3 & 7) != 4 || x->rex & 2))
		return NULL; /* from a table */
	return add_onward(w, address, 0);
}

static const char *x86_step(struct walk *w, uint64_t address, const uint8_t *code,
			    const struct tlobctl_x86 *x, const struct tlobctl_x86 *before)
{
	uint64_t next = address + x->length;

	if (x->form != TLOBCTL_X86_PLAIN)
		return NULL;
	if (x->map == 1 && (x->opcode & 0xf0) == 0x80)
		return add_jump(w, address, next + (uint64_t)read_signed(code + x->length - 4, 4),
				true);
	if (x->map)
		return NULL;
	if ((x->opcode & 0xf0) == 0x70 || (x->opcode >= 0xe0 && x->opcode <= 0xe3))
		return add_jump(w, address, next + (uint64_t)read_signed(code + x->length - 1, 1),
				true);
	switch (x->opcode) {
	case 0xc2:
	case 0xc3:
		return add_exit(w, address);
	case 0xe9:
		return add_jump(w, address, next + (uint64_t)read_signed(code + x->length - 4, 4),
				false);
	case 0xeb:
		return add_jump(w, address, next + (uint64_t)read_signed(code + x->length - 1, 1),
				false);
	case 0xff:
		if ((x->modrm >> 3 & 7) == 4)
			return x86_indirect(w, address, x, code, before);
		break;
	case 0xca:
	case 0xcb:
	case 0xcf:
		return "it is left in a way that is not known";
	}
	return NULL;
}

static const char *x86_walk(struct walk *w, bool mode64, const struct part *part,
			    const uint8_t *code, size_t size)
{
	struct tlobctl_x86 before = {0}, x;
	const char *why = NULL;

	for (size_t at = 0; at < size && !why; at += x.length) {
		if (!tlobctl_x86_decode(mode64, code + at, size - at, &x))
			return "some of its instructions are not known";
		why = x86_step(w, part->address + at, code + at, &x, &before);
		before = x;
	}
	return why;
}

/* ---- arm64 */

static int64_t arm64_field(uint32_t insn, unsigned int shift, unsigned int bits)
{
	return (int64_t)((uint64_t)(insn >> shift) << (64 - bits)) >> (64 - bits) << 2;
}

static const char *arm64_walk(struct walk *w, const struct part *part, const uint8_t *code,
			      size_t size)
{
	const char *why = NULL;

	for (size_t at = 0; at + 4 <= size && !why; at += 4) {
		uint64_t address = part->address + at;
		uint32_t insn;

		memcpy(&insn, code + at, sizeof(insn));
		if ((insn & 0xfffffc1f) == 0xd65f0000)
			why = add_exit(w, address); /* ret */
		else if ((insn & 0xfc000000) == 0x14000000)
			why = add_jump(w, address, address + (uint64_t)arm64_field(insn, 0, 26),
				       false);
		else if ((insn & 0xff000000) == 0x54000000 || (insn & 0x7e000000) == 0x34000000)
			why = add_jump(w, address, address + (uint64_t)arm64_field(insn, 5, 19),
				       true);
		else if ((insn & 0x7e000000) == 0x36000000)
			why = add_jump(w, address, address + (uint64_t)arm64_field(insn, 5, 14),
				       true);
		else if ((insn & 0xfe000000) == 0xd6000000 && (insn & 0x00600000) != 0x00200000)
			why = "it has a jump to a computed address"; /* br, and those that authenticate */
	}
	return why;
}

/* ---- both */

static const char *walk_part(struct walk *w, const struct part *part)
{
	uint16_t machine = tlobctl_elf_machine(w->elf);
	const char *why = "its code cannot be read";
	uint64_t offset;
	uint8_t *code;
	size_t n;

	if (part->size > PART_BYTES)
		return "where it ends is not known";
	code = malloc(part->size);
	if (!code)
		return "memory is short";
	n = tlobctl_elf_offset(w->elf, part->address, &offset) ?
		    tlobctl_elf_read(w->elf, offset, code, part->size) :
		    0;
	if (n == part->size && (machine == EM_X86_64 || machine == EM_386))
		why = x86_walk(w, machine == EM_X86_64, part, code, n);
	else if (n == part->size && machine == EM_AARCH64)
		why = arm64_walk(w, part, code, n);
	free(code);
	return why;
}

static const char *check_probes(const struct walk *w)
{
	for (size_t i = 0; i < w->exits->n; i++) {
		uint8_t code[TLOBCTL_INSN_BYTES];
		uint64_t offset = w->exits->offsets[i];
		size_t n = tlobctl_elf_read(w->elf, offset, code, sizeof(code));

		if (tlobctl_insn_kind(tlobctl_elf_machine(w->elf), offset, code, n) ==
		    TLOBCTL_PROBE_NONE)
			return "the kernel cannot put a probe where it is left";
	}
	return w->exits->n ? NULL : "it has no exit";
}

const char *tlobctl_exits_find(const struct tlobctl_elf *elf, const struct tlobctl_symbol *function,
			       struct tlobctl_exits *exits)
{
	struct walk w = {.elf = elf, .function = function, .exits = exits};
	const char *why = NULL;

	exits->n = 0;
	exits->jumps = false;
	exits->onward = 0;
	w.parts[w.nparts++] = (struct part){function->address,
					    tlobctl_symbol_end(elf, function) - function->address};
	for (size_t i = 0; i < w.nparts && !why; i++)
		why = walk_part(&w, &w.parts[i]);
	return why ? why : check_probes(&w);
}
