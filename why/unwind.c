// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See unwind.h. The copy comes from a process that may have put anything there: every step must lead to code and further
 * up the stack, else that was the last one.
 */
#include "unwind.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)

/* Where in struct pt_regs each register is, by DWARF's number. */
static const unsigned char place_of[] = {10, 12, 11, 5, 13, 14, 4, 19, 9, 8, 7, 6, 3, 2, 1, 0};
#define PC_PLACE 16
#define SP 7
#define FP 6
#define PC 16
#define LEAVES_STACK true /* a call takes space, so that a caller's frame is always above */

static bool is_understood(const unsigned long long *raw)
{
	return (uint16_t)raw[17] != 0x23; /* 32 bits */
}

#elif defined(__aarch64__)

static const unsigned char place_of[] = {0,  1,	 2,  3,	 4,  5,	 6,  7,	 8,  9,	 10,
					 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
					 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
#define PC_PLACE 32
#define SP 31
#define FP 29
#define PC 0 /* has no number */
#define LEAVES_STACK false

static bool is_understood(const unsigned long long *raw)
{
	return !(raw[33] & 0x10);
}

#else

static const unsigned char place_of[] = {0};
#define PC_PLACE 0
#define SP 0
#define FP 0
#define PC 0
#define LEAVES_STACK true

static bool is_understood(const unsigned long long *raw)
{
	(void)raw;
	return false;
}

#endif

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
	set_pc(&s->next, value);
	s->call = !signal;
	s->last = !value;
	set(&s->next, SP, frame->cfa);
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
	set_pc(&s->next, pc);
	set(&s->next, FP, caller_fp);
	set(&s->next, SP, fp + 16);
	s->call = true;
	s->last = !pc;
	return true;
}

/* A jump into nowhere: whoever called it is known all the same. */
static bool by_top_of_stack(const struct why_regs *regs, const struct why_copy *copy,
			    struct step *s)
{
	uint64_t sp, pc;

	if (!LEAVES_STACK || !why_regs_get(regs, SP, &sp) || !why_copy_word(copy, sp, &pc))
		return false;
	s->next = *regs;
	set_pc(&s->next, pc);
	set(&s->next, SP, sp + 8);
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
	else /* code made at run time, often without frame pointers; if it has called nobody, its caller is on top */
		known = by_frame_pointer(regs, copy, s) ||
			(!call && by_top_of_stack(regs, copy, s));
	free(info);
	return known;
}

/* Only upwards; the innermost function may have no frame yet where calls do not make one. */
static bool is_above(const struct why_regs *caller, const struct why_regs *regs, bool innermost)
{
	uint64_t above, sp;

	if (!why_regs_get(caller, SP, &above) || !why_regs_get(regs, SP, &sp))
		return false;
	return above > sp || (above == sp && innermost && !LEAVES_STACK);
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
		if (!(found ? step_out(&here, call, copy, &where, &s) :
			      by_top_of_stack(&here, copy, &s)))
			return n;
		if (s.last) {
			*cut = false;
			return n;
		}
		if (!is_above(&s.next, &here, n == 1))
			return n;
		here = s.next;
		call = s.call;
	}
	return n;
}
