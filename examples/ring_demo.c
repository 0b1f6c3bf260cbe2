// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Events straight from mapped memory, of one CPU: no library, no copy, one system call for a page of them.
 *
 *	ring_demo /sys/kernel/debug/rv/ring/per_cpu/cpu0/raw                   of the module (see tlob/page_ring.h)
 *	ring_demo /sys/kernel/tracing/instances/NAME/per_cpu/cpu0/trace_pipe_raw    of Linux 6.10 and later
 *
 * Prints what is there: time, bytes, and of the module's events the type. "tlob ring" does this for all CPUs and says what
 * the events mean.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <tlob/page_ring.h>

/* The first page of the kernel's file: what is used here of linux/trace_mmap.h. */
struct kernel_meta {
	__u32 meta_bytes, struct_bytes, page_bytes, pages;
	__u64 lost;
	__u32 id, read;
};

static int module_event(const char *at)
{
	const struct tlob_page_event *e = (const void *)at;

	if (e->type != TLOB_PAGE_PADDING)
		printf("%llu type %u, %u bytes\n", (unsigned long long)e->time_ns, e->type,
		       e->bytes);
	return (int)e->bytes;
}

/* Five bits of type or length, 27 of time since the event before; what does not fit them follows. */
static int kernel_event(const char *at, unsigned long long *time)
{
	const __u32 *w = (const void *)at;
	__u32 type = w[0] & 31, delta = w[0] >> 5, bytes;

	switch (type) {
	case 29: /* padding */
		return delta ? (int)w[1] + 4 : 0;
	case 30: /* a long time */
		*time += delta + ((unsigned long long)w[1] << 27);
		return 8;
	case 31: /* the time itself */
		*time = delta + ((unsigned long long)w[1] << 27);
		return 8;
	default:
		bytes = type ? 4 + type * 4 :
			       4 + w[1]; /* its length may stand in front of the data */
		*time += delta;
		printf("%llu %u bytes\n", *time, bytes);
		return (int)bytes;
	}
}

static void read_module(int fd, const struct tlob_page_meta *meta, const char *pages)
{
	__u32 id = meta->reader.id, read = meta->reader.read;

	while (ioctl(fd, TLOB_RING_GET_READER) == 0 &&
	       (meta->reader.id != id || meta->reader.read != read)) {
		id = meta->reader.id;
		read = meta->reader.read;
		for (__u32 at = meta->reader.begin; at < read;)
			at += (__u32)module_event(pages + (size_t)id * meta->page_bytes + at);
	}
}

static void read_kernel(int fd, const struct kernel_meta *meta, const char *pages)
{
	__u32 id = meta->id, read = meta->read;

	while (ioctl(fd, _IO('R', 0x20)) == 0 && (meta->id != id || meta->read != read)) {
		const char *page = pages + (size_t)meta->id * meta->page_bytes;
		__u32 begin = meta->id == id ? read : 0; /* before that it was read already */
		unsigned long long time;
		int bytes = 1;

		id = meta->id;
		read = meta->read;
		memcpy(&time, page, sizeof(time));
		for (__u32 at = begin; at < read && bytes > 0; at += (__u32)bytes)
			bytes = kernel_event(page + 16 + at, &time);
	}
}

int main(int argc, char **argv)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes;
	int fd = argc == 2 ? open(argv[1], O_RDONLY | O_NONBLOCK) : -1;
	const void *meta, *pages = MAP_FAILED;
	int module;

	if (argc != 2)
		return fprintf(stderr, "usage: %s FILE\n", argv[0]), 64;
	meta = fd < 0 ? MAP_FAILED : mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0);
	module = ioctl(fd, TLOB_RING_UPDATE_META) == 0; /* nobody else knows this call */
	if (meta != MAP_FAILED) {
		const struct tlob_page_meta *m = meta;
		const struct kernel_meta *k = meta;

		bytes = module ? (size_t)m->pages * m->page_bytes :
				 (size_t)k->pages * k->page_bytes;
		pages = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, k->meta_bytes);
	}
	if (pages == MAP_FAILED)
		return fprintf(stderr, "%s: %s: cannot be mapped\n", argv[0], argv[1]), 1;
	if (module)
		read_module(fd, meta, pages);
	else
		read_kernel(fd, meta, pages);
	return 0;
}
