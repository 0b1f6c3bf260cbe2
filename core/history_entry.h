/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Switch history: per CPU a ring of the last context switches, wake-ups and migrations. The engine writes it, the agent
 * maps it read-only and reads while it is written. All of it is one array of cache lines: first a head for each
 * CPU, then each CPU's ring. A full ring overwrites its oldest entry.
 *
 * Each CPU has one writer at a time. Position p, from 0 on, stands in entry p % capacity, whose seq is p + 1 once it is
 * complete and 0 while it is written; so whoever copies an entry knows whether it got the one it wanted, whole.
 */
#ifndef TLOB_CORE_HISTORY_ENTRY_H
#define TLOB_CORE_HISTORY_ENTRY_H

#include "atomic.h"

enum tlob_history_kind {
	TLOB_HISTORY_SWITCH = 1, /* prev_tid left the CPU, tid got it */
	TLOB_HISTORY_WAKE = 2, /* prev_tid woke tid */
	TLOB_HISTORY_NEW = 3, /* prev_tid started tid */
	TLOB_HISTORY_MIGRATE = 4, /* tid moved to the queue of other_cpu */
	TLOB_HISTORY_INTERRUPTS =
		5, /* those of @source had the CPU for interrupt_ns since since_ns */
};

/* Who interrupts: a soft interrupt by its number, one of x86's own by the number here, a device by its line's. */
#define TLOB_INTERRUPT_LOCAL_TIMER 10
#define TLOB_INTERRUPT_RESCHEDULE 11
#define TLOB_INTERRUPT_CALL 12
#define TLOB_INTERRUPT_CALL_SINGLE 13
#define TLOB_INTERRUPT_WORK 14
#define TLOB_INTERRUPT_LINE 16 /* line 0, and so on */

/* Switches, of tid. */
#define TLOB_HISTORY_KTHREAD (1 << 0)
/* Wake-ups: not by prev_tid itself, but by an interrupt on its CPU. */
#define TLOB_HISTORY_INTERRUPT (1 << 1)
/* And that by a soft one, in the middle of prev_tid's @syscall: it may have caused it, by sending. */
#define TLOB_HISTORY_SOFT (1 << 4)
/* Switches, of prev_tid. */
#define TLOB_HISTORY_IOWAIT (1 << 2) /* it sleeps until a disk is done */
#define TLOB_HISTORY_THROTTLED (1 << 3) /* runnable, but its control group's CPU time is used up */

#define TLOB_HISTORY_NO_SYSCALL 0xffff

/* The kernel's own numbers for what a thread is doing when it leaves the CPU. */
#define TLOB_HISTORY_RUNNABLE 0x0000
#define TLOB_HISTORY_INTERRUPTIBLE 0x0001
#define TLOB_HISTORY_UNINTERRUPTIBLE 0x0002
#define TLOB_HISTORY_STOPPED 0x0004
#define TLOB_HISTORY_TRACED 0x0008
#define TLOB_HISTORY_DEAD 0x0080

struct tlob_history_entry {
	__u64 seq;
	__u64 time_ns;
	union {
		__u32 prev_tid; /* 0: the idle thread */
		__u32 source; /* interrupts */
	};
	__u32 tid; /* interrupts: that they took the CPU from */
	union {
		__u32 tgid; /* switches: of tid */
		__u32 interrupt_ns;
	};
	__u16 cpu; /* where it happened */
	__u8 kind; /* enum tlob_history_kind */
	__u8 flags;
	/* only of switches, as tgid above: of tid, */
	char comm[TLOB_COMM_BYTES]; /* interrupts: name of the line */
	union {
		__u64 cgroup; /* id (version 2), 0 unknown */
		__u64 since_ns; /* interrupts */
	};
	/* of prev_tid, */
	__u16 prev_state; /* what it left the CPU for; runnable: it was preempted */
	__u16 syscall; /* in which it went to sleep, or woke somebody by a soft interrupt */
	/* of tid again */
	__s16 priority; /* the kernel's: below 0 deadline, below 100 real-time */
	/* only of migrations */
	__u16 other_cpu;
};
TLOB_ASSERT(sizeof(struct tlob_history_entry) == 64, "history entry is one cache line");

/* One for each CPU; its writer's only. */
struct tlob_history_head {
	__u64 position; /* of the next entry: how many were ever begun */
	__u64 reserved[7];
};
TLOB_ASSERT(sizeof(struct tlob_history_head) == sizeof(struct tlob_history_entry),
	    "head is an entry");

union tlob_history_line {
	struct tlob_history_head head;
	struct tlob_history_entry entry;
};

/* Index of a line; @capacity, a power of two, is that of one ring. */
tlob_inline __u32 tlob_history_line_of(__u32 cpus, __u32 capacity, __u32 cpu, __u64 position)
{
	return cpus + cpu * capacity + (__u32)(position & (capacity - 1));
}

/* Begin to write @e. Nobody takes it for whole from here on. */
tlob_inline void tlob_history_begin(struct tlob_history_entry *e)
{
#if defined(__bpf__) && !defined(__TARGET_ARCH_x86)
	(void)tlob_xchg(&e->seq, 0); /* a barrier, which BPF has no other word for */
#else
	tlob_store(&e->seq, 0);
	tlob_fence_release();
#endif
}

/* @e is the entry of @position, and the next one is @position + 1. */
tlob_inline void tlob_history_commit(struct tlob_history_head *head, struct tlob_history_entry *e,
				     __u64 position)
{
	tlob_store_release(&e->seq, position + 1);
	tlob_store_release(&head->position, position + 1);
}

#endif
