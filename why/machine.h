/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What unwinding has to know of the machine: where registers are, and what calls and signals do. */
#ifndef TLOB_WHY_MACHINE_H
#define TLOB_WHY_MACHINE_H

#include <signal.h>
#include <stddef.h>
#include <ucontext.h>

#include "unwind.h"

#if defined(__x86_64__)

/* Where in struct pt_regs each register is, by DWARF's number. */
static const unsigned char place_of[] = {10, 12, 11, 5, 13, 14, 4, 19, 9, 8, 7, 6, 3, 2, 1, 0};
#define PC_PLACE 16
#define SP 7
#define FP 6
#define PC 16
#define CALL_TAKES 8 /* of the stack, so that a caller's frame is always above */
#define BARE_STUBS false

/* Where a call returns to, as it is kept. */
static inline uint64_t address_of(uint64_t kept)
{
	return kept;
}

/* What a function that has just been called returns to. */
static inline bool just_called(const struct why_regs *regs, const struct why_copy *copy,
			       uint64_t *pc)
{
	uint64_t sp;

	return why_regs_get(regs, SP, &sp) && why_copy_word(copy, sp, pc);
}

/* The stack pointer of a caller whose frame pointer is @fp, when that of the function it called was @callee_fp. */
static inline uint64_t above_frame(uint64_t callee_fp, uint64_t fp)
{
	(void)fp;
	return callee_fp + 16;
}

static inline bool is_understood(const unsigned long long *raw)
{
	return (uint16_t)raw[17] != 0x23; /* 32 bits */
}

/* Signals leave by code that has frame information. */
static inline bool by_signal(const struct why_regs *regs, const struct why_copy *copy,
			     struct why_regs *caller)
{
	(void)regs;
	(void)copy;
	(void)caller;
	return false;
}

#elif defined(__aarch64__)

static const unsigned char place_of[] = {0,  1,	 2,  3,	 4,  5,	 6,  7,	 8,  9,	 10,
					 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
					 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
#define PC_PLACE 32
#define SP 31
#define FP 29
#define LR 30
#define PC 0 /* has no number */
#define CALL_TAKES 0
#define BARE_STUBS true /* linkers write no frame information for procedure linkage tables */
#define ADDRESS_BITS 48 /* of user space, unless a program asks for more */

/* Signed by the function that kept it: the signature is above the address. */
static inline uint64_t address_of(uint64_t kept)
{
	return kept & ((1ULL << ADDRESS_BITS) - 1);
}

static inline bool just_called(const struct why_regs *regs, const struct why_copy *copy,
			       uint64_t *pc)
{
	(void)copy;
	return why_regs_get(regs, LR, pc);
}

/* What was interrupted by a signal, from the frame that the kernel made on the stack. */
static inline bool by_signal(const struct why_regs *regs, const struct why_copy *copy,
			     struct why_regs *caller)
{
	uint64_t sp, at, value;

	if (!why_regs_get(regs, SP, &sp))
		return false;
	at = sp + sizeof(siginfo_t) + offsetof(ucontext_t, uc_mcontext.regs);
	*caller = (struct why_regs){0};
	for (unsigned int n = 0; n <= SP; n++, at += sizeof(value)) {
		if (!why_copy_word(copy, at, &value))
			return false;
		caller->value[n] = value;
		caller->known |= 1ULL << n;
	}
	return why_copy_word(copy, at, &caller->pc);
}

/* The record is the lowest of the frame with GCC. Others put it on top, and do not count from the stack pointer then. */
static inline uint64_t above_frame(uint64_t callee_fp, uint64_t fp)
{
	return fp > callee_fp + 16 ? fp : callee_fp + 16;
}

static inline bool is_understood(const unsigned long long *raw)
{
	return !(raw[33] & 0x10);
}

#else

static const unsigned char place_of[] = {0};
#define PC_PLACE 0
#define SP 0
#define FP 0
#define PC 0
#define CALL_TAKES 0
#define BARE_STUBS false

static inline uint64_t address_of(uint64_t kept)
{
	return kept;
}

static inline bool just_called(const struct why_regs *regs, const struct why_copy *copy,
			       uint64_t *pc)
{
	(void)regs;
	(void)copy;
	(void)pc;
	return false;
}

static inline uint64_t above_frame(uint64_t callee_fp, uint64_t fp)
{
	(void)fp;
	return callee_fp + 16;
}

static inline bool is_understood(const unsigned long long *raw)
{
	(void)raw;
	return false;
}

static inline bool by_signal(const struct why_regs *regs, const struct why_copy *copy,
			     struct why_regs *caller)
{
	(void)regs;
	(void)copy;
	(void)caller;
	return false;
}

#endif

#endif
