/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * /dev/rv of the kernel module: windows by system call, and records of anybody's windows in a mapped ring.
 *
 *	int rv = open("/dev/rv", O_RDWR);
 *	struct tlob_start_args args = {.threshold_ns = 5000000, .notify_fd = rv};
 *
 *	ioctl(rv, TLOB_IOCTL_TRACE_START, &args);
 *	...
 *	if (ioctl(rv, TLOB_IOCTL_TRACE_STOP) != 0 && errno == EOVERFLOW)
 *		...
 *
 * A window belongs to the calling thread and to the descriptor: threads may share one, and a thread may have a window
 * open on each of several (TLOB_MAX_DEPTH at most). Both calls act on the caller only, so anybody may use the device.
 */
#ifndef TLOB_RV_H
#define TLOB_RV_H

#include <tlob/abi.h>
#include <linux/ioctl.h>

#define RV_IOC_MAGIC 0xB9 /* 0x01-0x1F tlob, 0x20-0x3F other monitors */

/*
 * Open a window. EFAULT; EINVAL: threshold 0, unknown flag, notify_fd is not a /dev/rv; EBADF: notify_fd is not open;
 * ENODEV: the monitor is disabled; ERANGE: threshold outside TLOB_BUDGET_MIN_NS .. TLOB_BUDGET_MAX_NS; EEXIST: a window
 * is open (or has expired and not been stopped); ENOSPC: too many threads, or windows of this thread; ENOMEM.
 */
#define TLOB_IOCTL_TRACE_START _IOW(RV_IOC_MAGIC, 0x01, struct tlob_start_args)

/* Close it. 0: within budget. EOVERFLOW: over. ECANCELED: the monitor was disabled meanwhile. ESRCH: no window. */
#define TLOB_IOCTL_TRACE_STOP _IO(RV_IOC_MAGIC, 0x02)

#define TLOB_START_CLOSE (1u << 0) /* also put the closing record of an overrun into the ring */

struct tlob_start_args {
	__u64 threshold_ns;
	__u64 tag; /* echoed in records and trace events */
	__s32 notify_fd; /* a /dev/rv, open to whoever shall get the records; negative: nobody */
	__u32 flags;
};
TLOB_ASSERT(sizeof(struct tlob_start_args) == 24, "start arguments");

/*
 * First page of a mapped descriptor; records follow at data_offset. The mapping's length chooses the capacity: the largest
 * power of two of records, 8 to 65,536, that fits behind the first page. The kernel reads back data_tail only.
 * data_head and data_tail run free: record i is at slot i % capacity; full when they differ by capacity, then
 * the new record is dropped. Read up to an acquired data_head, then release data_tail. Do not mix with read().
 */
#define TLOB_RING_VERSION 1
#define TLOB_RING_MIN_CAPACITY 8
#define TLOB_RING_MAX_CAPACITY 65536
#define TLOB_RING_DEFAULT_CAPACITY 64 /* when read() or notify_fd came first */

struct tlob_mmap_page {
	__u32 data_head; /* kernel */
	__u32 data_tail; /* consumer */
	__u32 capacity;
	__u32 version;
	__u32 data_offset;
	__u32 record_size; /* of struct tlob_record */
	__u64 dropped;
};
TLOB_ASSERT(sizeof(struct tlob_mmap_page) == 32, "ring page");

/*
 * Mapped thread slots: an arena (see tlob/abi.h), mapped at this offset with TLOB_ARENA_BYTES. A thread registers for a slot
 * once; from then on the kernel keeps its clock there, and it starts and stops windows without a system call, by
 * the functions of core/window.h. Records go to the ring of the same descriptor, the closing ones too. What a program
 * writes into its arena spoils its own records, and nothing else.
 */
#define TLOB_ARENA_MMAP_OFFSET 0x100000000ULL
#define TLOB_ARENA_STRIDE 0x20000ULL /* more arenas: number n lies n times this further on */
#define TLOB_MAX_FILE_ARENAS 64 /* of one descriptor */

/*
 * See enum tlob_kick_op; arena matters to REGISTER, cookie is not used. ESRCH: the calling thread has no slot in this arena; EBUSY: the slot is
 * taken; EINVAL; ENODEV: the monitor is or was disabled: map another descriptor's; ENOSPC; ENOMEM.
 */
#define TLOB_IOCTL_KICK _IOW(RV_IOC_MAGIC, 0x04, struct tlob_kick)

/*
 * Records of this descriptor's arenas go to the ring of another /dev/rv: whoever watches a program hands it the one and
 * keeps the other to itself. Before the first arena is mapped, else EBUSY. EFAULT, EBADF, EINVAL, ENOMEM.
 */
#define TLOB_IOCTL_NOTIFY _IOW(RV_IOC_MAGIC, 0x05, __s32)

#endif
