/* SPDX-License-Identifier: GPL-2.0-only */
/* What the timer latency programs and the threads that measure have in common. */
#ifndef TLOB_BPF_TIMERLAT_H
#define TLOB_BPF_TIMERLAT_H

#include <tlob/abi.h>

#define TLOB_TIMERLAT_STACK 32 /* frames */

/* When the stack is taken of what a timer interrupts. */
enum tlob_timerlat_stacks {
	TLOB_TIMERLAT_STACKS_NONE,
	TLOB_TIMERLAT_STACKS_LATE, /* if the thread is past its limit by then, and still has no CPU */
	TLOB_TIMERLAT_STACKS_ALL, /* whenever it is not the idle thread: some microseconds each */
};

/*
 * One for each CPU, mapped by the process that measures. The thread of that CPU clears wake_ns before it sleeps; the
 * programs fill in what happens then, wake_ns last but for cpu_ns.
 */
struct tlob_timerlat_slot {
	__u32 tid; /* of that thread, as the initial pid namespace has it; 0: none */
	__s32 stack_bytes; /* below or at 0: no stack */
	__u64 deadline_ns; /* the time it is to wake up, by itself */
	__u64 irq_ns; /* its timer's interrupt */
	__u64 wake_ns; /* and wake-up in it */
	__u64 cpu_ns; /* it got the CPU; 0: it had not left it */
	__u64 stack_ns; /* when the stack below was taken, in an interrupt of what had the CPU instead */
	__u64 begun_ns; /* of this CPU, whoever's: its last interrupt by a timer */
	__u64 reserved;
	__u64 stack[TLOB_TIMERLAT_STACK]; /* of the kernel; return addresses */
};
TLOB_ASSERT(sizeof(struct tlob_timerlat_slot) % 64 == 0, "slots do not share a cache line");

#endif
