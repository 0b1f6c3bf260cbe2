/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * timerlat_fd of the kernel module: how late this CPU's timer interrupt, the thread that it wakes, and that thread's return to the
 * kernel are. As the kernel's own tracefs osnoise/per_cpu/cpuN/timerlat_fd, for kernels built without the timerlat tracer, with the
 * names of its control files, in debugfs:
 *
 *	rv/timerlat/enable                 1: the files below may be opened. 0: those who hold one are killed (SIGKILL).
 *	rv/timerlat/timerlat_period_us     100 to 1,000,000; 1000
 *	rv/timerlat/stop_tracing_us        an interrupt this late stops (0: never)
 *	rv/timerlat/stop_tracing_total_us  a thread, or its return, this late stops (0: never)
 *	rv/timerlat/max_latency_ns         the largest sample; writing a number sets it. poll(): POLLIN when it has grown since the last read
 *	rv/timerlat/stopped                "" or why it stopped, see below. poll(): POLLIN when it has; writing anything makes it go on
 *	rv/timerlat/per_cpu/cpuN/timerlat_fd
 *
 * A thread that is pinned to CPU N opens the file, and reads:
 *
 *	for (;;) {
 *		if (read(fd, NULL, 0) != 0)	// sleeps until the timer of the next period
 *			...
 *		work();
 *		ioctl(fd, TLOB_TIMERLAT_SAMPLE, &sample);	// optional
 *	}
 *
 * open(): EINVAL: not enabled; EBUSY: the CPU's file has a holder already; EPERM: the caller is not pinned to this one CPU. In this
 * order. The holder is the thread that opened it, until the last descriptor is closed or the thread exits. From any other
 * thread, which may have been given the descriptor, read() and ioctl() fail with EPERM.
 *
 * read(): takes the return sample of the cycle before (none at the first read, nor after TLOB_TIMERLAT_SAMPLE), sleeps until
 * the next multiple of the period since the first read, skipping those that have gone by, and returns 0; it never gives
 * data, whatever the buffer. O_NONBLOCK changes nothing. EINTR: a signal handler ran meanwhile (without SA_RESTART); the next read
 * goes on waiting for the same period. EINVAL: disabled, or the thread was on another CPU since it opened the file, be it for a
 * moment, which also stops (below). ENODEV: the CPU went offline. After both the descriptor is of no use but to be closed.
 *
 * Samples are trace events, rv_timerlat:tlob_timerlat_sample, and what the ioctl gives: that needs no tracing.
 *
 * Stopping: the first sample over a threshold, or a holder that was migrated, writes the event rv_timerlat:tlob_timerlat_stop, turns
 * tracing_on of the kernel's main trace buffer off, so that it keeps what led there, and is told by the file "stopped", one line:
 *
 *	cpu=1 context=irq latency_ns=131072 limit_ns=100000 expected_ns=81299604001 time_ns=81299735073 pid=77 comm=hog
 *
 * context: irq, thread, user-ret or migrated (latency_ns and limit_ns are 0 then); expected_ns: when the timer was due, time_ns: now,
 * both of CLOCK_MONOTONIC; pid and comm: what the timer interrupt found running on the CPU (migrated: the holder). Reads go on as
 * before, but nothing is recorded, and no second stop overwrites the first, until "stopped" is written to or it is enabled afresh.
 */
#ifndef TLOB_TIMERLAT_H
#define TLOB_TIMERLAT_H

#include <tlob/abi.h>
#include <linux/ioctl.h>

#define TLOB_TIMERLAT_PERIOD_MIN_US 100
#define TLOB_TIMERLAT_PERIOD_MAX_US 1000000
#define TLOB_TIMERLAT_PERIOD_DEFAULT_US 1000

/*
 * The cycle of the last read(). The first call of a cycle is the thread's return: it takes the return sample, and the next
 * read() does not, so that the call and what is done with its result are not measured. ENODATA: no timer has fired yet; EPERM,
 * EINVAL, ENODEV: as read(); EFAULT.
 */
#define TLOB_TIMERLAT_SAMPLE _IOR(0xB9, 0x20, struct tlob_timerlat_sample)

enum tlob_timerlat_context {
	TLOB_TIMERLAT_IRQ = 0, /* the timer's interrupt handler */
	TLOB_TIMERLAT_THREAD = 1, /* the thread, in the kernel */
	TLOB_TIMERLAT_USER = 2, /* it is back: the response time of what it did */
	TLOB_TIMERLAT_MIGRATED = 3, /* not a sample: see stopping */
};

#define TLOB_TIMERLAT_STOPPED (1u << 0) /* nothing is recorded any more: see the file "stopped" */

struct tlob_timerlat_sample {
	__u64 seq; /* cycles since open, from 1; the events' seqnum */
	__u64 missed; /* periods since open that were skipped, a cycle having taken too long */
	__u64 expected_ns; /* when the timer was due, CLOCK_MONOTONIC */
	__u64 irq_ns; /* all three since then */
	__u64 thread_ns;
	__u64 user_ns;
	__u32 flags;
	__s32 pid; /* of the thread that the interrupt found running; 0: the CPU was idle */
	char comm[TLOB_COMM_BYTES];
};
TLOB_ASSERT(sizeof(struct tlob_timerlat_sample) == 72, "timerlat sample");

#endif
