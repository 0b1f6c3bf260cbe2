/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rings of all CPUs, of one source: what the sources share. A source fetches a CPU's next part of a page, and takes that apart.
 *	ring.c            all CPUs as one stream
 *	ring_module.c     page rings of tlob.ko
 *	ring_kernel.c     the kernel's trace buffers
 *	ring_instance.c   where these are kept
 *	ring_file.c       recordings of either
 *	ring_save.c       makes these
 */
#ifndef TLOBCTL_RINGS_H
#define TLOBCTL_RINGS_H

#include <tlob/ctl.h>

#include "ring_head.h"

struct kbuffer;
struct tep_handle;

struct tlobctl_ring_cpu {
	uint32_t cpu;
	int fd;
	/* mapped: */
	void *meta; /* NULL: it is read */
	size_t meta_bytes;
	char *pages;
	size_t pages_bytes;
	char *copy; /* read: one page, or as much as is read at once */
	uint32_t page_bytes; /* of a page, or of that copy */
	/* the part that was fetched last: bytes of a page with its head */
	const char *page;
	uint32_t begin, end; /* of what is new in it */
	uint32_t id;
	uint64_t page_count;
	uint64_t overrun; /* the kernel's count at that time */
	/* recordings: pages in the file, events found in them; the event in a place of its own, zeros behind it, and its length */
	uint64_t npages;
	uint64_t found;
	char *event_copy;
	size_t event_bytes;
	/* where in it the source is */
	uint32_t at;
	struct kbuffer *kbuffer;
	/* an event that was taken from it and not returned yet */
	bool has;
	struct tlobctl_ring_event event;
	struct tlobctl_ring_counts counts;
};

struct tlobctl_ring {
	const struct tlobctl_ring_ops *ops;
	struct tlobctl_ring_cpu *cpus;
	size_t ncpus;
	uint32_t head_bytes; /* of each page */
	int epoll;
	bool stale; /* some CPU's part is used up: ask all that have none */
	size_t next_part;
	char head[16]; /* of the part last returned */
	char *note;
	/* kernel's */
	char *instance; /* path */
	int reaper; /* pipe whose closing ends the instance */
	struct tep_handle *tep;
	/* what a recording says, or will say; while it is made only the formats are always there */
	struct tlobctl_ring_head file;
	struct tlobctl_ring_saving *saving; /* NULL: it is not recorded */
	char *recording; /* path; NULL: it is none */
	char **wanted; /* events by name, of recordings and of the module; none: all */
	size_t nwanted;
};

/* One of each source. Negative errnos come with tlobctl_error(). */
struct tlobctl_ring_ops {
	const char *name;
	/* Opens and sets up; fills cpus, page_bytes, head_bytes. */
	int (*open)(struct tlobctl_ring *ring, const struct tlobctl_ring_opts *opts);
	/* 1: @cpu's page, begin and end are new; 0: nothing is there; or an errno. */
	int (*fetch)(struct tlobctl_ring *ring, struct tlobctl_ring_cpu *cpu);
	/* The next event of the part, into cpu->event. False: that was all. */
	bool (*next)(struct tlobctl_ring *ring, struct tlobctl_ring_cpu *cpu);
	int (*text)(struct tlobctl_ring *ring, const struct tlobctl_ring_event *event, char *buf,
		    size_t bytes);
	/* A page's head that says that it has the bytes up to cpu->end. */
	void (*head)(const struct tlobctl_ring_cpu *cpu, char head[16]);
	void (*close)(struct tlobctl_ring *ring);
};

extern const struct tlobctl_ring_ops tlobctl_ring_module, tlobctl_ring_kernel;
extern const struct tlobctl_ring_ops tlobctl_ring_module_file, tlobctl_ring_kernel_file;

/* Is the module's there? 0, or a negative errno with tlobctl_error(). */
int tlobctl_ring_module_probe(void);
/* Of its control files; NULL with errno: it is not there. */
const char *tlobctl_ring_module_folder(void);
/* One more CPU, whose ring is the file @path. */
int tlobctl_ring_open_cpu(struct tlobctl_ring *ring, uint32_t cpu, const char *path,
			  struct tlobctl_ring_cpu **out);
/* Calls @fn for each CPU that is online, until it fails. */
int tlobctl_ring_each_cpu(struct tlobctl_ring *ring, const struct tlobctl_ring_opts *opts,
			  int (*fn)(struct tlobctl_ring *ring, uint32_t cpu,
				    const struct tlobctl_ring_opts *opts));
/* Keeps the names of the events that are to be returned. */
int tlobctl_ring_want(struct tlobctl_ring *ring, const struct tlobctl_ring_opts *opts);
/* One more line for tlobctl_ring_note(). */
void tlobctl_ring_noted(struct tlobctl_ring *ring, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Write @text to a control file, whose name is put together. A negative errno without tlobctl_error(). */
int tlobctl_ring_control(const char *text, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- ring_module.c, ring_kernel.c: for recordings, too ---- */

extern const char *const tlobctl_ring_module_names[]; /* by type */
/* To take pages apart that are of memory of this page size. */
int tlobctl_ring_kernel_set_up(struct tlobctl_ring *ring, uint32_t memory_page_bytes);
int tlobctl_ring_kernel_decoder(struct tlobctl_ring_cpu *cpu);
void tlobctl_ring_kernel_learn(struct tlobctl_ring *ring, const struct tlobctl_ring_format *format);
/* cpu->page is another one. */
void tlobctl_ring_kernel_load(struct tlobctl_ring_cpu *cpu);
/* The next event without its name; that, and its system. */
bool tlobctl_ring_kernel_take(struct tlobctl_ring_cpu *cpu);
const char *tlobctl_ring_kernel_name(struct tlobctl_ring *ring, struct tlobctl_ring_event *event);

/* ---- ring_file.c, ring_save.c ---- */

int tlobctl_ring_file_open(struct tlobctl_ring *ring, const struct tlobctl_ring_opts *opts);
void tlobctl_ring_saving_free(struct tlobctl_ring_saving *saving);

/* ---- ring_instance.c ---- */

/* A trace instance of this process' own: ring->instance, ring->reaper. It goes when the process does, or by the one below. */
int tlobctl_ring_instance_make(struct tlobctl_ring *ring);
void tlobctl_ring_instance_remove(struct tlobctl_ring *ring);

#endif
