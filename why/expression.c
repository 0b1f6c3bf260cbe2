// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See expression.h. Only what compilers and assembler code put into frame information; jumps are not among it, so that an
 * expression takes as many steps as it is long.
 */
#include "expression.h"

#include <dwarf.h>
#include <string.h>

#define DEPTH 16

struct machine {
	const struct why_frame *frame;
	uint64_t stack[DEPTH];
	unsigned int depth;
	bool is_value;
};

bool why_copy_word(const struct why_copy *copy, uint64_t address, uint64_t *word)
{
	if (address < copy->start || copy->size < sizeof(*word) ||
	    address - copy->start > copy->size - sizeof(*word))
		return false;
	memcpy(word, copy->bytes + (address - copy->start), sizeof(*word));
	return true;
}

static bool push(struct machine *m, uint64_t value)
{
	if (m->depth == DEPTH)
		return false;
	m->stack[m->depth++] = value;
	return true;
}

static bool push_register(struct machine *m, unsigned int n, uint64_t add)
{
	uint64_t value;

	return why_regs_get(m->frame->regs, n, &value) && push(m, value + add);
}

static bool binary(struct machine *m, unsigned int atom)
{
	uint64_t a, b, *top;

	if (m->depth < 2)
		return false;
	b = m->stack[--m->depth];
	top = &m->stack[m->depth - 1];
	a = *top;
	switch (atom) {
	case DW_OP_and:
		*top = a & b;
		break;
	case DW_OP_or:
		*top = a | b;
		break;
	case DW_OP_xor:
		*top = a ^ b;
		break;
	case DW_OP_plus:
		*top = a + b;
		break;
	case DW_OP_minus:
		*top = a - b;
		break;
	case DW_OP_mul:
		*top = a * b;
		break;
	case DW_OP_shl:
		*top = b < 64 ? a << b : 0;
		break;
	case DW_OP_shr:
		*top = b < 64 ? a >> b : 0;
		break;
	case DW_OP_eq:
		*top = a == b;
		break;
	case DW_OP_ne:
		*top = a != b;
		break;
	case DW_OP_ge:
		*top = (int64_t)a >= (int64_t)b;
		break;
	case DW_OP_gt:
		*top = (int64_t)a > (int64_t)b;
		break;
	case DW_OP_le:
		*top = (int64_t)a <= (int64_t)b;
		break;
	case DW_OP_lt:
		*top = (int64_t)a < (int64_t)b;
		break;
	default:
		return false;
	}
	return true;
}

static bool on_top(struct machine *m, const Dwarf_Op *op)
{
	uint64_t *top;

	if (!m->depth)
		return false;
	top = &m->stack[m->depth - 1];
	switch (op->atom) {
	case DW_OP_deref:
		return why_copy_word(m->frame->copy, *top, top);
	case DW_OP_plus_uconst:
		*top += op->number;
		return true;
	case DW_OP_neg:
		*top = -*top;
		return true;
	case DW_OP_not:
		*top = ~*top;
		return true;
	case DW_OP_dup:
		return push(m, *top);
	case DW_OP_drop:
		m->depth--;
		return true;
	default:
		return binary(m, op->atom);
	}
}

static bool step(struct machine *m, const Dwarf_Op *op)
{
	unsigned int atom = op->atom;

	if (atom >= DW_OP_breg0 && atom <= DW_OP_breg31)
		return push_register(m, atom - DW_OP_breg0, op->number);
	if (atom >= DW_OP_reg0 && atom <= DW_OP_reg31) {
		m->is_value = true;
		return push_register(m, atom - DW_OP_reg0, 0);
	}
	if (atom >= DW_OP_lit0 && atom <= DW_OP_lit31)
		return push(m, atom - DW_OP_lit0);
	switch (atom) {
	case DW_OP_nop:
		return true;
	case DW_OP_bregx:
		return push_register(m, (unsigned int)op->number, op->number2);
	case DW_OP_regx:
		m->is_value = true;
		return push_register(m, (unsigned int)op->number, 0);
	case DW_OP_call_frame_cfa:
		return m->frame->has_cfa && push(m, m->frame->cfa);
	case DW_OP_stack_value:
		m->is_value = true;
		return m->depth > 0;
	case DW_OP_addr:
	case DW_OP_const1u:
	case DW_OP_const1s:
	case DW_OP_const2u:
	case DW_OP_const2s:
	case DW_OP_const4u:
	case DW_OP_const4s:
	case DW_OP_const8u:
	case DW_OP_const8s:
	case DW_OP_constu:
	case DW_OP_consts:
		return push(m, op->number);
	default:
		return on_top(m, op);
	}
}

bool why_evaluate(const struct why_frame *frame, const Dwarf_Op *ops, size_t nops, uint64_t *result,
		  bool *is_value)
{
	struct machine m = {.frame = frame};

	for (size_t i = 0; i < nops; i++)
		if (!step(&m, &ops[i]))
			return false;
	if (!m.depth)
		return false;
	*result = m.stack[m.depth - 1];
	*is_value = m.is_value;
	return true;
}
