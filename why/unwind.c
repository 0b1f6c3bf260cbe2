// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See unwind.h. The copy comes from a process that may have put anything there: every step must lead to code and further
 * up the stack, else that was the last one.
 */
#include "unwind.h"

#include <stdlib.h>
#include <string.h>

#include "machine.h"

static void set(struct why_regs *regs, unsigned int n, uint64_t value)
{
	regs->value[n] = value;
	regs->known |= 1ULL << n;
}

static void set_pc(struct why_regs *regs, uint64_t pc)
{
	regs->pc = pc;
	if (PC) /* expressions may ask for it */
		set(regs, PC, pc);
}

bool why_regs_init(struct why_regs *regs, const unsigned long long *raw)
{
	memset(regs, 0, sizeof(*regs));
	if (!is_understood(raw))
		return false;
	for (unsigned int i = 0; i < sizeof(place_of); i++)
		set(regs, i, raw[place_of[i]]);
	set_pc(regs, raw[PC_PLACE]);
	return true;
}

/* One frame under way. */
struct step {
	struct why_regs next;
	bool call; /* next.pc is where a call returns to */
	bool last; /* there is no caller */
};

/* The caller, whose stack pointer was @cfa, gets control back at @kept. */
static void return_to(struct step *s, const struct why_copy *copy, uint64_t cfa, uint64_t kept)
{
	const struct tlob_capture_return *returns = copy->returns;

	for (size_t i = 0; returns && i < TLOB_CAPTURE_RETURNS; i++)
		if (returns[i].address && returns[i].at == cfa - CALL_TAKES)
			kept = returns[i].address;
	kept = address_of(kept);
	set_pc(&s->next, kept);
	set(&s->next, SP, cfa);
	s->last = !kept;
}

/* Register @n of the caller. False: it cannot be told. */
static bool caller_register(Dwarf_Frame *info, const struct why_frame *frame, int n,
			    uint64_t *value, bool *undefined)
{
	Dwarf_Op memory[3], *ops;
	bool is_value = false;
	size_t nops;

	*undefined = false;
	if (dwarf_frame_register(info, n, memory, &ops, &nops))
		return false;
	if (!nops) {
		*undefined = ops == memory;
		return !*undefined && why_regs_get(frame->regs, (unsigned int)n, value);
	}
	if (!why_evaluate(frame, ops, nops, value, &is_value))
		return false;
	return is_value || why_copy_word(frame->copy, *value, value);
}

static bool by_information(Dwarf_Frame *info, struct why_frame *frame, struct step *s)
{
	bool signal = false, undefined, is_value;
	Dwarf_Op *ops;
	size_t nops;
	uint64_t value;
	int ra = dwarf_frame_info(info, NULL, NULL, &signal);

	if (ra < 0 || dwarf_frame_cfa(info, &ops, &nops) || !nops ||
	    !why_evaluate(frame, ops, nops, &frame->cfa, &is_value))
		return false;
	frame->has_cfa = true;
	if (!caller_register(info, frame, ra, &value, &undefined)) {
		s->last = undefined;
		return undefined;
	}
	s->next = (struct why_regs){0};
	return_to(s, frame->copy, frame->cfa, value);
	s->call = !signal;
	for (int n = 0; n < (int)sizeof(place_of); n++)
		if (caller_register(info, frame, n, &value, &undefined))
			set(&s->next, (unsigned int)n, value);
	return true;
}

static bool by_frame_pointer(const struct why_regs *regs, const struct why_copy *copy,
			     struct step *s)
{
	uint64_t fp, sp, caller_fp, pc;

	if (!why_regs_get(regs, FP, &fp) || !why_regs_get(regs, SP, &sp) || fp < sp || fp & 7 ||
	    !why_copy_word(copy, fp, &caller_fp) || !why_copy_word(copy, fp + 8, &pc))
		return false;
	s->next = (struct why_regs){0};
	return_to(s, copy, above_frame(fp, caller_fp), pc);
	set(&s->next, FP, caller_fp);
	s->call = true;
	return true;
}

/* A jump into nowhere: whoever called it is known all the same. */
static bool by_the_call(const struct why_regs *regs, const struct why_copy *copy, struct step *s)
{
	uint64_t sp, pc;

	if (!why_regs_get(regs, SP, &sp) || !just_called(regs, copy, &pc))
		return false;
	s->next = *regs;
	return_to(s, copy, sp + CALL_TAKES, pc);
	s->call = true;
	s->last = false;
	return true;
}

/* @call: it is where a call returns to, not where the thread is. */
static bool step_out(const struct why_regs *regs, bool call, const struct why_copy *copy,
		     const struct why_code *code, struct step *s)
{
	struct why_frame frame = {.regs = regs, .copy = copy};
	Dwarf_Frame *info = NULL;
	bool known = false;

	if (code->cfi && !dwarf_cfi_addrframe(code->cfi, regs->pc - call - code->bias, &info))
		known = by_information(info, &frame, s);
	else if (code->from_signal)
		known = by_signal(regs, copy, &s->next);
	else if (code->cfi && !call && BARE_STUBS)
		known = by_the_call(regs, copy, s);
	else /* code made at run time, often without frame pointers; it may have called nobody */
		known = by_frame_pointer(regs, copy, s) || (!call && by_the_call(regs, copy, s));
	free(info);
	return known;
}

/* Only upwards; what was interrupted may have no frame yet where calls do not make one. */
static bool is_above(const struct why_regs *caller, const struct why_regs *regs, bool call)
{
	uint64_t above, sp;

	if (!why_regs_get(caller, SP, &above) || !why_regs_get(regs, SP, &sp))
		return false;
	return above > sp || (above == sp && !call && !CALL_TAKES);
}

size_t why_unwind(const struct why_regs *regs, const struct why_copy *copy, why_code_fn *code,
		  void *arg, struct why_pc *pcs, size_t room, bool *cut)
{
	struct why_regs here = *regs;
	bool call = false;
	size_t n = 0;

	*cut = true;
	while (n < room) {
		struct why_code where = {0};
		struct step s = {.last = false};
		bool found = code(arg, here.pc - call, &where);

		if (!found && n)
			return n;
		pcs[n++] = (struct why_pc){here.pc, call};
		if (where.later)
			return n;
		if (!(found ? step_out(&here, call, copy, &where, &s) :
			      by_the_call(&here, copy, &s)))
			return n;
		if (s.last) {
			*cut = false;
			return n;
		}
		if (!is_above(&s.next, &here, call))
			return n;
		here = s.next;
		call = s.call;
	}
	return n;
}
