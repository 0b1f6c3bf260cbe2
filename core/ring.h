/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Record ring: many producers of one process, one consumer, perhaps in another process. Nobody ever
 * waits: a full ring drops the new record and counts it. Layout and turns: struct tlob_ring in
 * abi.h.
 *
 * The memory is shared with an instrumented program, so neither side reads back what it can know by
 * itself: both bring the capacity (a power of two, not 1), every index is masked, every call does
 * bounded work and copies a record once. Positions that somebody scribbled over lose records of
 * that program, nothing else. A consumer that serves several rings takes at most @capacity records
 * in a row, or one program that writes without end keeps it from the others.
 */
#ifndef TLOB_CORE_RING_H
#define TLOB_CORE_RING_H

#include "atomic.h"

#define TLOB_RING_ENOSPC 28

/* Once, before anybody else sees the ring. */
tlob_inline void tlob_ring_init(struct tlob_ring *ring, struct tlob_ring_cell *cells,
				__u32 capacity)
{
	__u32 i;

	tlob_store(&ring->head, 0);
	tlob_store(&ring->tail, 0);
	tlob_store(&ring->dropped, 0);
	tlob_store(&ring->capacity, capacity);
	for (i = 0; i < capacity; i++)
		tlob_store(&cells[i].turn, i);
}

/*
 * Producer: append a copy of @record; 0, or -ENOSPC when it was dropped. Async-signal-safe: a push
 * that interrupts another takes the next position. Each lost race means that somebody else
 * succeeded, so giving up after @capacity of them is a full ring too, and bounds the work even if
 * the positions make no sense.
 */
tlob_inline int tlob_ring_push(struct tlob_ring *ring, struct tlob_ring_cell *cells, __u32 capacity,
			       const struct tlob_record *record)
{
	__u64 head = tlob_load(&ring->head);
	__u32 tries;

	for (tries = 0; tries < capacity; tries++) {
		struct tlob_ring_cell *cell = &cells[head & (capacity - 1)];
		__u64 turn = tlob_load_acquire(&cell->turn);

		if (turn == head) {
			__u64 was = tlob_cmpxchg(&ring->head, head, head + 1);

			if (was == head) {
				cell->record = *record;
				tlob_store_release(&cell->turn, head + 1);
				return 0;
			}
			head = was;
		} else if ((__s64)(turn - head) < 0) {
			break; /* the record of one round ago is still there */
		} else {
			head = tlob_load(&ring->head);
		}
	}
	tlob_add(&ring->dropped, 1);
	return -TLOB_RING_ENOSPC;
}

/* Consumer: take the oldest record; 1, or 0 if there is none. @record: the caller's own memory. */
tlob_inline int tlob_ring_pop(struct tlob_ring *ring, struct tlob_ring_cell *cells, __u32 capacity,
			      struct tlob_record *record)
{
	__u64 tail = tlob_load(&ring->tail);
	struct tlob_ring_cell *cell = &cells[tail & (capacity - 1)];

	if (tlob_load_acquire(&cell->turn) != tail + 1)
		return 0;
	*record = cell->record;
	tlob_store_release(&cell->turn, tail + capacity);
	tlob_store(&ring->tail, tail + 1);
	return 1;
}

/*
 * Consumer, once every producer is dead and tlob_ring_pop() finds nothing: pass over a position
 * whose producer died before filling it. 1 if there was one, which is then a lost record; more may
 * follow it. 0 at the end.
 */
tlob_inline int tlob_ring_skip(struct tlob_ring *ring, struct tlob_ring_cell *cells, __u32 capacity)
{
	__u64 tail = tlob_load(&ring->tail);
	__u64 claimed = tlob_load(&ring->head) - tail;

	if (claimed == 0 || claimed > capacity)
		return 0;
	tlob_store_release(&cells[tail & (capacity - 1)].turn, tail + capacity);
	tlob_store(&ring->tail, tail + 1);
	return 1;
}

#endif
