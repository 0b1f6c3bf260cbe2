/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Captures: where a thread was at one moment, raw: its registers, the upper part of its stack, and the kernel's own
 * call chain. The engine writes them into a fixed number of entries, overwriting the oldest; the agent maps these read-only
 * and takes those that belong to a window that was late.
 *
 * Writers take the next entry each, and pass over it while another is still at it. seq is odd while an entry is written.
 */
#ifndef TLOB_CORE_CAPTURE_H
#define TLOB_CORE_CAPTURE_H

#include "atomic.h"

#define TLOB_CAPTURE_KERNEL 64 /* frames */
#define TLOB_CAPTURE_REGS 34
#define TLOB_CAPTURE_CHUNK 1024 /* bytes, power of two: what of a stack is copied at once */
#define TLOB_CAPTURE_CHUNKS 16
#define TLOB_CAPTURE_BYTES (TLOB_CAPTURE_CHUNK * TLOB_CAPTURE_CHUNKS)
#define TLOB_CAPTURE_BELOW \
	128 /* bytes below the stack pointer that may be in use: x86-64's red zone */
#define TLOB_CAPTURE_RETURNS 8
#define TLOB_CAPTURES 64 /* power of two */

enum tlob_capture_kind { /* bits */
	TLOB_CAPTURE_EXPIRY = 1, /* the budget of @window expired */
	TLOB_CAPTURE_SLEEP = 2, /* a sleep that has ended */
};

/* What a function returns to, where a probe on its return has put another address. */
struct tlob_capture_return {
	__u64 at; /* the stack pointer at its first instruction */
	__u64 address;
};

struct tlob_capture {
	__u64 seq;
	__u64 time_ns; /* when it was there; of a sleep: when that began */
	__u64 ns; /* of a sleep: how long */
	__u32 tid; /* of the initial pid namespace */
	__u32 tgid; /* as the agent sees it; 0: it does not */
	__u64 window; /* of an expiry: as in its records */
	__u32 client; /* likewise */
	__u32 kind; /* enum tlob_capture_kind */
	__u32 kernel_bytes; /* of kernel[] */
	__u32 stack_bytes; /* of stack[]; 0: none */
	__u64 stack_start; /* address of its first byte */
	struct tlob_capture_return returns[TLOB_CAPTURE_RETURNS]; /* innermost first; 0, 0: no more */
	__u64 regs[TLOB_CAPTURE_REGS]; /* struct pt_regs on x86, struct user_pt_regs on arm64, ... */
	__u64 kernel[TLOB_CAPTURE_KERNEL]; /* addresses, innermost first */
	__u8 stack[TLOB_CAPTURE_BYTES];
};

#endif
