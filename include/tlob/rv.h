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

/*
 * Windows of programs that know nothing of it, for who may watch others (CAP_PERFMON or CAP_SYS_ADMIN, else EPERM): from one
 * instruction of a file to another, in each task that executes them. Bindings belong to the descriptor: their
 * records, closing ones too, come to its ring with TLOB_F_PROBE set, and when it is closed, however that happens, they go.
 */

/*
 * @nstops of 0: until the function that begins at @start returns. With TLOB_BIND_EXITS @stops are all the instructions by which
 * that function is left, and else where the window ends, of which there is one. A window of a function whose frame was left in another way,
 * by an exception or a jump, is abandoned. EFAULT; EINVAL: unknown flag, bad offset, not a regular file, no or too many stops;
 * EBADF; ERANGE: budget; EEXIST: @id is taken; ENOMEM; what the kernel's uprobes say.
 */
#define TLOB_IOCTL_BIND _IOW(RV_IOC_MAGIC, 0x06, struct tlob_bind_args)

#define TLOB_BIND_EXITS (1u << 0)
#define TLOB_BIND_SELF (1u << 1) /* only hits of the calling process, whatever the filter says */
#define TLOB_BIND_MAX_STOPS 4096

struct tlob_bind_args {
	__u64 budget_ns;
	__u64 tag; /* echoed in records */
	__u64 start; /* offset in the file */
	__u64 stops; /* pointer to @nstops offsets, __u64 */
	__u32 nstops;
	__u32 id; /* the region in records */
	__s32 file; /* descriptor of the program or library */
	__u32 flags;
};
TLOB_ASSERT(sizeof(struct tlob_bind_args) == 48, "bind arguments");

/* Take binding *arg away; its open windows end without a report. EFAULT, ENOENT. */
#define TLOB_IOCTL_UNBIND _IOW(RV_IOC_MAGIC, 0x07, __u32)

/* What has been counted for a binding. EFAULT, ENOENT, ENOMEM. */
#define TLOB_IOCTL_TALLY _IOWR(RV_IOC_MAGIC, 0x08, struct tlob_tally_args)

struct tlob_tally_args {
	__u64 hist; /* in: pointer to a struct tlob_hist, which is written: of windows that a stop has ended */
	__u64 overruns; /* of those */
	__u64 refused; /* starts beyond TLOB_MAX_DEPTH, or with too many threads */
	__u64 abandoned; /* windows in time that no stop has ended */
	__u32 id; /* in */
	__u32 reserved;
};
TLOB_ASSERT(sizeof(struct tlob_tally_args) == 40, "tally arguments");

/*
 * Whose hits open windows; all that is given must hold. Once, before the first binding, else EBUSY. EFAULT, EINVAL, ENOMEM;
 * ESRCH: there is no such process.
 */
#define TLOB_IOCTL_FILTER _IOW(RV_IOC_MAGIC, 0x09, struct tlob_filter_args)

#define TLOB_FILTER_CHILDREN \
	(1u << 0) /* with pid: and what that process starts from now on, and so on */

struct tlob_filter_args {
	__u64 cgroup; /* id of a control group (version 2); its descendants too; 0: any */
	__s32 pid; /* of a process; 0: any */
	__u32 flags;
};
TLOB_ASSERT(sizeof(struct tlob_filter_args) == 16, "filter arguments");

/*
 * Keep the monitor enabled as long as the descriptor is open: enables it unless it is. Who disables it by its control
 * file overrules this. EPERM; what enabling may fail with.
 */
#define TLOB_IOCTL_HOLD _IO(RV_IOC_MAGIC, 0x0a)

/*
 * Who waits in poll() or its like for POLLPRI on this descriptor, now or next, gets that, once. So that a thread that
 * waits for records can be told to do something else. The device does so itself when the monitor is disabled.
 */
#define TLOB_IOCTL_NUDGE _IO(RV_IOC_MAGIC, 0x0b)

#endif
