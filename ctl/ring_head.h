/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The head of a recording of rings, a text: what has to be known to read the pages, which are in a file for each CPU. A line each:
 *
 *	tlob-ring 1               the format of this file
 *	source module 1           or kernel; the layout of its pages
 *	machine little 8 4096     order of bytes, bytes of a long, bytes of a page of memory
 *	kernel RELEASE NAME       uname(2): release and machine
 *	clock NS NS               Unix time of the recording's end, and what CLOCK_MONOTONIC has to have added to be Unix time
 *	cpu N PAGE PAGES READ LOST	bytes of a page, how many there are; events in them, and lost
 *	format SYSTEM BYTES       and so many bytes: the format file of an event
 *	ended                     missing: whoever recorded was killed, and the counts are not right
 *	crc32 HEX                 of all lines before
 */
#ifndef TLOBCTL_RING_HEAD_H
#define TLOBCTL_RING_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define TLOBCTL_RING_HEAD_MAGIC "tlob-ring "
#define TLOBCTL_RING_HEAD_FORMAT 1u
#define TLOBCTL_RING_LAYOUT 1u
#define TLOBCTL_RING_PAGE_MAX (1u << 20)

struct tlobctl_ring_head_cpu {
	uint32_t cpu, page_bytes;
	uint64_t pages, read, lost;
};

struct tlobctl_ring_format {
	char *system;
	char *text;
	size_t bytes;
};

struct tlobctl_ring_head {
	bool kernel; /* else the module's */
	bool big_endian;
	uint32_t long_bytes, memory_page_bytes;
	char release[65], machine[65];
	uint64_t unix_ns;
	int64_t unix_offset_ns;
	struct tlobctl_ring_head_cpu *cpus; /* in order of their numbers */
	size_t ncpus;
	struct tlobctl_ring_format *formats;
	size_t nformats;
	bool ended;
};

/* Frees what it holds. */
void tlobctl_ring_head_deinit(struct tlobctl_ring_head *head);
/* 0 or -ENOMEM; copies. */
int tlobctl_ring_head_add_format(struct tlobctl_ring_head *head, const char *system,
				 const char *text, size_t bytes);
int tlobctl_ring_head_add_cpu(struct tlobctl_ring_head *head,
			      const struct tlobctl_ring_head_cpu *cpu);
/* The text, to be freed; NULL: no memory. */
char *tlobctl_ring_head_print(const struct tlobctl_ring_head *head, size_t *bytes);
/*
 * Fills @head, which is empty on failure: -EINVAL, and @why is what is wrong with it, as in "it WHY"; or -ENOMEM. Whatever is in
 * there is within bounds then.
 */
int tlobctl_ring_head_parse(const char *text, size_t bytes, struct tlobctl_ring_head *head,
			    const char **why);

#endif
