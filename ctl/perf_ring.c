// SPDX-License-Identifier: GPL-2.0-or-later
/* See perf_ring.h. */
#include "perf_ring.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../why/sync.h"

#define RECORD_BYTES 65536 /* a record's size has 16 bits */

int tlobctl_perf_ring_open(struct tlobctl_perf_ring *ring, struct perf_event_attr *attr, int cpu,
			   size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int fd = (int)syscall(SYS_perf_event_open, attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	struct perf_event_header *record;
	unsigned char *map;
	int err;

	if (fd < 0)
		return -errno;
	record = malloc(RECORD_BYTES);
	if (!record) {
		close(fd);
		return -ENOMEM;
	}
	map = mmap(NULL, page + bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		err = -errno;
		free(record);
		close(fd);
		return err;
	}
	*ring = (struct tlobctl_perf_ring){
		.fd = fd, .head = (void *)map, .bytes = bytes, .record = record};
	ring->data = map + page;
	return 0;
}

void tlobctl_perf_ring_close(struct tlobctl_perf_ring *ring)
{
	if (ring->head)
		munmap(ring->head,
		       (size_t)(ring->data - (unsigned char *)ring->head) + ring->bytes);
	if (ring->fd >= 0)
		close(ring->fd);
	free(ring->record);
	*ring = (struct tlobctl_perf_ring){.fd = -1};
}

void tlobctl_perf_ring_read(struct tlobctl_perf_ring *ring, tlobctl_perf_record_fn *fn, void *arg)
{
	/* one record at a time: those that are in one piece in the ring are copied too, they are few */
	struct perf_event_header *record = ring->record;
	uint64_t at, end;

	if (ring->fd < 0)
		return;
	end = __atomic_load_n(&ring->head->data_head, __ATOMIC_ACQUIRE);
	at = ring->head->data_tail;
	while (at + sizeof(*record) <= end) {
		why_cyclic_copy(record, ring->data, ring->bytes, at, at + sizeof(*record));
		if (record->size < sizeof(*record) || record->size > end - at)
			break;
		why_cyclic_copy(record, ring->data, ring->bytes, at, at + record->size);
		at += record->size;
		fn(record, arg);
	}
	__atomic_store_n(&ring->head->data_tail, end, __ATOMIC_RELEASE);
}
