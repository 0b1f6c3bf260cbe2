/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The page ring of the kernel module: per CPU a ring of pages of events, mapped read-only by whoever reads it.
 *
 *	int fd = open("/sys/kernel/debug/rv/ring/per_cpu/cpu0/raw", O_RDONLY);
 *	struct tlob_page_meta *meta = mmap(NULL, pagesize, PROT_READ, MAP_SHARED, fd, 0);
 *	char *pages = mmap(NULL, (size_t)meta->pages * meta->page_bytes, PROT_READ, MAP_SHARED, fd, meta->meta_bytes);
 *
 *	while (ioctl(fd, TLOB_RING_GET_READER) == 0 && meta->reader.read > meta->reader.begin)
 *		... the events at pages + meta->reader.id * page_bytes, from begin up to read ...
 *
 * Events are recorded while somebody has the file open. Readers of one CPU compete: each event goes to one of them.
 */
#ifndef TLOB_PAGE_RING_H
#define TLOB_PAGE_RING_H

#include <tlob/abi.h>
#include <linux/ioctl.h>

/*
 * Begins each data page; events follow. Both words: the page's number << 32 | eights of bytes << 16 | events.
 * What lies before the bytes of @readable is complete and is not written again while the reader has the page.
 */
struct tlob_page_head {
	__u64 commit; /* the writers' own */
	__u64 readable;
};
TLOB_ASSERT(sizeof(struct tlob_page_head) == 16, "page head");

#define TLOB_PAGE_NUMBER(word) ((__u32)((__u64)(word) >> 32))
#define TLOB_PAGE_BYTES(word) (((__u32)(word) >> 16) * 8)
#define TLOB_PAGE_EVENTS(word) ((__u32)(word)&0xffff)

/* Aligned to eight bytes; the next one stands @bytes further on. Padding has no time, its first eight bytes only. */
struct tlob_page_event {
	__u32 bytes; /* with this head, a multiple of 8 */
	__u16 type; /* enum tlob_page_event_type */
	__u16 reserved;
	__u64 time_ns; /* never less than that of the event before */
};
TLOB_ASSERT(sizeof(struct tlob_page_event) == 16, "event head");

enum tlob_page_event_type {
	TLOB_PAGE_PADDING = 0, /* the rest of the page: pass over it */
	TLOB_PAGE_SWITCH = 1, /* struct tlob_page_switch */
	TLOB_PAGE_WAKE = 2, /* struct tlob_page_wake */
	TLOB_PAGE_RECORD =
		3, /* struct tlob_record: an overrun, or its closing record; pids are the initial namespace's */
	TLOB_PAGE_MARK = 4, /* text that was written to the mark file; NUL-terminated */
	TLOB_PAGE_MIGRATE = 5, /* struct tlob_page_migrate */
	TLOB_PAGE_TYPES,
};

/* Context switch on this CPU: prev_tid left, tid came. */
struct tlob_page_switch {
	__u32 prev_tid; /* 0: the idle thread */
	__u32 tid;
	__u32 tgid;
	__u16 prev_state; /* what prev_tid left for, as in the kernel: 0 runnable, 1 sleeps, 2 sleeps without signals ... */
	__s16 priority; /* of tid, the kernel's: below 0 deadline, below 100 real-time */
	char comm[TLOB_COMM_BYTES]; /* of tid */
	__u64 cgroup; /* of tid: id (version 2), 0 unknown */
	__u16 syscall; /* that prev_tid sleeps in */
	__u16 flags; /* TLOB_PAGE_SWITCH_... */
	__u32 reserved;
};
TLOB_ASSERT(sizeof(struct tlob_page_switch) == 48, "switch event");

#define TLOB_PAGE_NO_SYSCALL 0xffff /* none, or of a 32-bit program, whose numbers are others */

#define TLOB_PAGE_SWITCH_KTHREAD (1u << 0) /* tid is a thread of the kernel */
#define TLOB_PAGE_SWITCH_IOWAIT (1u << 1) /* prev_tid sleeps until a disk is done */
#define TLOB_PAGE_SWITCH_THROTTLED \
	(1u << 2) /* prev_tid's control group has used up its CPU time; told from Linux 6.18 on */

#define TLOB_PAGE_WAKE_INTERRUPT (1u << 0) /* not waker_tid itself, but an interrupt of its CPU */
#define TLOB_PAGE_WAKE_SOFT \
	(1u << 1) /* and that a soft one, in the middle of waker_tid's @syscall */
#define TLOB_PAGE_WAKE_NEW (1u << 2) /* tid is new: waker_tid started it */

struct tlob_page_wake {
	__u32 waker_tid; /* who had this CPU */
	__u32 tid; /* who was woken */
	__u32 flags;
	__u16 syscall; /* of soft interrupts; else none */
	__u16 reserved;
};
TLOB_ASSERT(sizeof(struct tlob_page_wake) == 16, "wake event");

/* tid goes to the queue of another CPU. */
struct tlob_page_migrate {
	__u32 tid;
	__u16 cpu;
	__u16 reserved;
};
TLOB_ASSERT(sizeof(struct tlob_page_migrate) == 8, "migration event");

#define TLOB_PAGE_META_VERSION 1

/* First page of the file. Fields are only ever added at the end: look at struct_bytes. The kernel never reads it back. */
struct tlob_page_meta {
	__u32 meta_bytes; /* data page i stands at meta_bytes + i * page_bytes */
	__u32 struct_bytes; /* of this struct, as the kernel knows it */
	__u32 version;
	__u32 flags; /* TLOB_PAGE_META_OVERWRITE */
	__u32 page_bytes; /* of one data page: the machine's page << page_order */
	__u32 page_order;
	__u32 pages; /* data pages, the reader's own included: ids 0 .. pages - 1 */
	__u32 cpu;
	/* as of the last TLOB_RING_GET_READER */
	struct {
		__u32 id; /* the reader's page */
		__u32 begin; /* the call handed out the bytes from here */
		__u32 read; /* up to here; the same as begin: there was nothing new */
		__u32 events; /* that many */
		__u64 lost; /* events overwritten or dropped since the call before */
	} reader;
	/* as of the last TLOB_RING_GET_READER or TLOB_RING_UPDATE_META */
	__u64 written;
	__u64 read;
	__u64 overrun; /* overwritten before anybody read them */
	__u64 lost; /* dropped: there was no room */
	/* as of the last TLOB_RING_UPDATE_META */
	__u64 entries; /* complete and not read: written - read - overrun */
	__u64 pages_touched; /* that were ever begun */
	__u64 pages_lost; /* overwritten before anybody read them */
	__u32 head; /* id of the page with the oldest event, the reader's included */
	__u32 reserved;
};
TLOB_ASSERT(sizeof(struct tlob_page_meta) == 120, "meta page");

#define TLOB_PAGE_META_OVERWRITE \
	(1u << 0) /* when full, the oldest events go; else the new ones are dropped */

/*
 * Hand out what is new: the rest of the reader's page, or else the oldest page of the ring, which is swapped for it. Waits
 * until there is something; with O_NONBLOCK, or once woken by ioctl 0, it returns 0 with nothing changed.
 * ENODEV: nobody has mapped it; EINTR.
 */
#define TLOB_RING_GET_READER _IO(0xB9, 0x30)
/* Bring the counts of the meta page up to date. ENODEV: nobody has mapped it. */
#define TLOB_RING_UPDATE_META _IO(0xB9, 0x31)
/* Wakes all who wait. Any other number: ENOTTY. */
#define TLOB_RING_WAKE 0

#endif
