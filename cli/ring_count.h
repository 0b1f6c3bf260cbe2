/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How many events of which kind on which CPU. */
#ifndef TLOB_CLI_RING_COUNT_H
#define TLOB_CLI_RING_COUNT_H

#include <tlob/ctl.h>

struct ring_count_row {
	char *name;
	uint32_t cpu;
	uint64_t count;
};

struct ring_count {
	struct ring_count_row *rows;
	size_t nrows;
	size_t last; /* the row last counted: the next event's, most often */
};

/* 0, or -1: no memory. */
int ring_count_add(struct ring_count *c, const struct tlobctl_ring_event *event);
/* On standard output, with what was lost. 0, or -1, which has been said. */
int ring_count_print(const struct ring_count *c, struct tlobctl_ring *ring);
void ring_count_deinit(struct ring_count *c);

#endif
