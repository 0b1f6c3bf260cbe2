/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page ring as a program sees it. */
#ifndef TESTS_VM_PAGERING_H
#define TESTS_VM_PAGERING_H

#include <sched.h>
#include <sys/mman.h>

#include <tlob/page_ring.h>

#include "tap.h"

#define PAGE_RING_DIR RV_DIR "ring/"
#define PAGE 4096
#define SMALL "pages=4 order=0 mode=overwrite"

struct pagering {
	int fd;
	int cpu;
	struct tlob_page_meta *meta;
	char *pages;
	size_t bytes; /* of pages */
};

static inline const char *pagering_path(int cpu, const char *file)
{
	static char path[128];

	snprintf(path, sizeof(path), PAGE_RING_DIR "per_cpu/cpu%d/%s", cpu, file);
	return path;
}

static inline void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	check(sched_setaffinity(0, sizeof(set), &set) == 0, "cpu %d", cpu);
}

static inline bool pagering_map(struct pagering *r)
{
	r->meta = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, r->fd, 0);
	check(r->meta != MAP_FAILED, "meta page");
	if (r->meta == MAP_FAILED)
		return false;
	r->bytes = (size_t)r->meta->pages * r->meta->page_bytes;
	r->pages = mmap(NULL, r->bytes, PROT_READ, MAP_SHARED, r->fd, r->meta->meta_bytes);
	check(r->pages != MAP_FAILED, "%zu bytes of data pages", r->bytes);
	return r->pages != MAP_FAILED;
}

static inline void pagering_unmap(struct pagering *r)
{
	check(munmap(r->meta, PAGE) == 0, " ");
	check(munmap(r->pages, r->bytes) == 0, " ");
}

/* Cpu's ring, empty and of that layout, and not mapped. Only @events are written. */
static inline struct pagering pagering_open(int cpu, const char *config, const char *events)
{
	struct pagering r = {.cpu = cpu};

	check(write_file(PAGE_RING_DIR "events", events) == 0, "%s", events);
	check(write_file(pagering_path(cpu, "config"), config) == 0, "%s", config);
	r.fd = open(pagering_path(cpu, "raw"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	check(r.fd >= 0, "%s", pagering_path(cpu, "raw"));
	pin(cpu);
	return r;
}

/* Number of events handed out; 0: nothing new. */
static inline uint32_t pagering_get(const struct pagering *r)
{
	uint32_t was_id = r->meta->reader.id, was = r->meta->reader.read;

	check(ioctl(r->fd, TLOB_RING_GET_READER) == 0, " ");
	if (r->meta->reader.id == was_id && r->meta->reader.read == was)
		return 0;
	return r->meta->reader.events;
}

static inline const struct tlob_page_event *pagering_at(const struct pagering *r, uint32_t at)
{
	return (const void *)(r->pages + (size_t)r->meta->reader.id * r->meta->page_bytes + at);
}

/* Each event of what was handed out. */
#define pagering_for_each(r, event, at) \
	for ((at) = (r)->meta->reader.begin; \
	     (at) < (r)->meta->reader.read && ((event) = pagering_at((r), (at)))->bytes > 0; \
	     (at) += (event)->bytes) \
		if ((event)->type != TLOB_PAGE_PADDING)

static inline int mark_open(void)
{
	int fd = open(PAGE_RING_DIR "mark", O_WRONLY | O_CLOEXEC);

	check(fd >= 0, "mark");
	return fd;
}

/* 0 or a negative errno. */
static inline int mark_number(int fd, unsigned long number)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%lu", number);

	return write(fd, text, n) == n ? 0 : -errno;
}

static inline void marks(unsigned long from, unsigned long to)
{
	int fd = mark_open();

	for (; from < to; from++)
		check(mark_number(fd, from) == 0, "mark %lu", from);
	close(fd);
}

#endif
