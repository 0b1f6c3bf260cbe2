/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The page ring, one per CPU (core/page_ring.h), and the files it is read through (tlob/page_ring.h):
 *	buffer.c   pages and counts, made, resized and swapped
 *	view.c     one way to look at a buffer: of a CPU, the one written, and the snapshot; waiting, reading
 *	map.c      the mapping
 *	control.c  the files in debugfs, rv/ring/
 *	event.c    what writes: switches, wake-ups, overruns, marks
 */
#ifndef RING_RING_H
#define RING_RING_H

#include <linux/irq_work.h>
#include <linux/mutex.h>
#include <linux/timekeeping.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#define TLOB_PAGE_CLOCK() ktime_get_mono_fast_ns()
#include "page_ring.h"

struct dentry;
struct tlob_record;

#define PRING_DEFAULT_PAGES 64u /* slots: of 4 KiB, 4,000 switches */
#define PRING_MAX_ORDER 6u

struct pring_config {
	u32 slots; /* power of two, at least 2 */
	u32 order; /* of a page */
	bool overwrite;
};

struct pring_buffer {
	struct tlob_page_ring ring;
	struct pring_config config;
	struct tlob_page_meta *meta; /* a page */
	/* storage of ring.slots and ring.pages */
	u64 *slots;
	void **pages;
};

/*
 * What a file shows. Locks: a view's read_mutex is taken outside mmap_lock, as copying to the reader may fault; its map_mutex
 * inside. The buffer stays the view's while one of them is held.
 */
struct pring_view {
	struct pring_buffer __rcu *buffer; /* NULL until somebody opens it */
	struct mutex read_mutex; /* who reads */
	struct mutex map_mutex; /* mapped */
	unsigned int mapped;
	unsigned int open; /* descriptors; under the cpu's mutex */
	wait_queue_head_t wait;
	u64 woken; /* times that waiters were told to look again */
	u32 last_page; /* number of the page last written to, as a hint */
	struct irq_work wake;
	struct delayed_work tick;
	int cpu;
	bool live; /* else the snapshot */
};

struct pring_cpu {
	struct mutex mutex; /* opening, configuring, swapping; outside the views' */
	struct pring_view live, snapshot;
	struct pring_buffer __rcu *target; /* of the writers on this CPU; NULL: nobody has it open */
	struct pring_config config;
};

struct pring_cpu *pring_cpu_of(int cpu);

/* ---- buffer.c ---- */

struct pring_buffer *pring_buffer_new(int cpu, const struct pring_config *config);
void pring_buffer_free(struct pring_buffer *buffer);
/* New sizes for @cpu's buffers, which are empty then. -EBUSY while one is mapped. */
int pring_configure(struct pring_cpu *cpu, const struct pring_config *config);
/* What was written becomes the snapshot, and the other way round. -EBUSY while one is mapped; -ENODATA: nothing ever was. */
int pring_swap(struct pring_cpu *cpu);

/* ---- view.c ---- */

void pring_view_init(struct pring_view *view, int cpu, bool live);
void pring_view_deinit(struct pring_view *view);
extern const struct file_operations pring_view_fops;
/* Any context: whoever waits shall look. */
void pring_view_wake(struct pring_view *view);

/* ---- map.c ---- */

int pring_mmap(struct file *file, struct vm_area_struct *vma);

/* ---- event.c ---- */

extern const char *const pring_type_names[TLOB_PAGE_TYPES];
/* Which are written: bit of enum tlob_page_event_type. */
u32 pring_types(void);
int pring_types_set(u32 types);
/* The first and the last who has a ring open; attaches to the scheduler. Sleep. */
int pring_record_start(void);
void pring_record_stop(void);
/* Text on the ring of the CPU it happens to run on. -ENODEV: nobody has that open; -ENOSPC: it was dropped. */
int pring_mark(const char *text, size_t bytes);
/* An overrun, or its closing record. Any context. */
void pring_record(const struct tlob_record *record);

/* ---- control.c ---- */

int pring_init(void);
void pring_exit(void);

#endif
