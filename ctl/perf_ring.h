/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One perf event with its mapped ring, which the kernel fills and this process empties. */
#ifndef TLOBCTL_PERF_RING_H
#define TLOBCTL_PERF_RING_H

#include <linux/perf_event.h>
#include <stddef.h>
#include <stdint.h>

struct tlobctl_perf_ring {
	int fd; /* -1: not open */
	struct perf_event_mmap_page *head;
	unsigned char *data;
	size_t bytes; /* of the data, power of two */
	struct perf_event_header *record; /* aligned copy of the one that is being read */
};

/* @attr on @cpu for all threads there. Returns 0 or a negative errno; -ENODEV: that CPU is offline. */
int tlobctl_perf_ring_open(struct tlobctl_perf_ring *ring, struct perf_event_attr *attr, int cpu,
			   size_t bytes);
void tlobctl_perf_ring_close(struct tlobctl_perf_ring *ring);

/* Each record is in one piece and valid during the call. */
typedef void tlobctl_perf_record_fn(const struct perf_event_header *record, void *arg);
/* Everything up to what is the end now. */
void tlobctl_perf_ring_read(struct tlobctl_perf_ring *ring, tlobctl_perf_record_fn *fn, void *arg);

#endif
