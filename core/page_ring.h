/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Page ring: writers that never wait, one reader that owns the page it reads. In the kernel the writers of a ring are one
 * CPU's, and one may be interrupted anywhere by another; the algorithm allows for any number at once.
 *
 * Pages are numbered in the order in which they are written: page number n stands in slot n % slots until the reader takes
 * it. Every shared word carries a page number, so that a compare-and-swap by somebody who is late fails.
 *
 *	tail          number, id, bytes: where the next event goes. Moving it reserves.
 *	slots[i]      number, id: the page that has or will have this number.
 *	page.commit   number, bytes, events that writers have finished. Equal to what was reserved, all of it is complete,
 *	page.readable and is published here: an event never before one that was reserved earlier.
 *
 * Next page: number n's slot has n, with an empty page that the reader put there, or n - slots, whose page is full of
 * old events. To overwrite it the writer swaps the number in the slot for n, which fails if the reader was faster, and resets
 * page.commit, which fails if somebody has done so; then it moves the tail, and whoever moved it fills up the old page.
 * Old events that are not complete belong to a writer that is interrupted right now: then the new event is dropped.
 *
 * Reader: number r is in slot r % slots, and not beyond the tail's number; it swaps its own page, which is full and
 * read, for that one, as number r + slots. Should the tail still be in the page taken, the writers go on in it.
 *
 * Time stamps are in order: the clock is read between loading the tail and moving it.
 *
 * Source: own. The idea of a reader's page that is swapped with the oldest is S. Rostedt's, Linux' kernel/trace/ring_buffer.c,
 * which keeps flag bits in list pointers where this has page numbers; that of publishing when the counts of reserved and finished
 * bytes agree is M. Desnoyers', LTTng. The protocol is explored in model/page_ring.pml.
 *
 * Whoever includes this defines TLOB_PAGE_CLOCK(), and may define TLOB_PAGE_STEP(), called between any two steps.
 */
#ifndef TLOB_CORE_PAGE_RING_H
#define TLOB_CORE_PAGE_RING_H

#include <tlob/page_ring.h>
#include "atomic.h"
#ifndef __KERNEL__
#include <stdbool.h>
#endif

#ifndef TLOB_PAGE_STEP
#define TLOB_PAGE_STEP() ((void)0)
#endif

/* Words that only writers change. In the kernel these are one CPU's, so that no other has to be kept out. */
#ifdef __KERNEL__
#include <asm/local64.h>
#define tlob_page_cmpxchg(p, old, new) ((__u64)local64_cmpxchg((local64_t *)(p), old, new))
#define tlob_page_add(p, v) ((__u64)local64_add_return(v, (local64_t *)(p)))
#else
#define tlob_page_cmpxchg(p, old, new) tlob_cmpxchg(p, old, new)
#define tlob_page_add(p, v) __atomic_add_fetch(p, v, __ATOMIC_SEQ_CST)
#endif

#define TLOB_PAGE_MAX_BYTES 0x40000u /* of a page */
#define TLOB_PAGE_MAX_SLOTS 0x8000u
#define TLOB_PAGE_HEAD_EIGHTS ((__u32)(sizeof(struct tlob_page_head) / 8))

struct tlob_page_ring {
	/* writers */
	__u64 tail __attribute__((aligned(64)));
	__u64 written; /* events reserved */
	__u64 overrun; /* events overwritten unread */
	__u64 dropped; /* events that found no room */
	__u64 pages_lost;
	/* nobody, once it is set up */
	__u64 *slots __attribute__((aligned(64)));
	void **pages; /* by id; one more than slots */
	__u32 nslots; /* power of two, at least 2 */
	__u32 page_eights; /* page size / 8 */
	bool overwrite;
	/* the reader; who serves several takes one at a time */
	struct {
		__u64 events; /* read in all */
		__u64 reported; /* of overrun and dropped, what the last call told */
		__u32 id;
		__u32 number;
		__u32 eights; /* of the page, that are read */
		__u32 page_events; /* of the page, that are read */
	} reader __attribute__((aligned(64)));
};

/* An event under way. */
struct tlob_page_reserved {
	struct tlob_page_head *head;
	void *payload;
	__u32 eights;
	__u32 number; /* of the page */
};

/* What a reader may look at. */
struct tlob_page_range {
	__u32 id;
	__u32 begin, end; /* bytes of the page */
	__u32 events;
};

tlob_inline __u64 tlob_page_word(__u32 number, __u32 high, __u32 low)
{
	return (__u64)number << 32 | (__u64)high << 16 | low;
}

/* Fields of the tail, a slot; commit and readable have macros of their own. */
tlob_inline __u32 tlob_page_id(__u64 word)
{
	return (__u32)word >> 16;
}

tlob_inline __u32 tlob_page_low(__u64 word)
{
	return (__u32)word & 0xffff;
}

tlob_inline struct tlob_page_head *tlob_page_of(const struct tlob_page_ring *ring, __u32 id)
{
	return (struct tlob_page_head *)ring->pages[id];
}

/* @pages: zeroed, one more than @nslots, a power of two, at least 2 and at most TLOB_PAGE_MAX_SLOTS. @page_bytes at most TLOB_PAGE_MAX_BYTES. */
tlob_inline void tlob_page_ring_init(struct tlob_page_ring *ring, __u64 *slots, void **pages,
				     __u32 nslots, __u32 page_bytes, bool overwrite)
{
	__u32 i;

	ring->slots = slots;
	ring->pages = pages;
	ring->nslots = nslots;
	ring->page_eights = page_bytes / 8;
	ring->overwrite = overwrite;
	ring->written = ring->overrun = ring->dropped = ring->pages_lost = 0;
	for (i = 0; i < nslots; i++) {
		slots[i] = tlob_page_word(i, i + 1, 0);
		tlob_page_of(ring, i + 1)->commit = tlob_page_word(i, TLOB_PAGE_HEAD_EIGHTS, 0);
		tlob_page_of(ring, i + 1)->readable = tlob_page_word(i, TLOB_PAGE_HEAD_EIGHTS, 0);
	}
	/* the reader's page is full and read, of no event */
	ring->reader.id = 0;
	ring->reader.number = 0u - 1;
	ring->reader.eights = ring->page_eights;
	ring->reader.page_events = 0;
	ring->reader.events = ring->reader.reported = 0;
	tlob_page_of(ring, 0)->readable = tlob_page_word(0u - 1, ring->page_eights, 0);
	tlob_store_release(&ring->tail, tlob_page_word(0, 1, TLOB_PAGE_HEAD_EIGHTS));
}

/* ---- writers ---- */

/* @events of @eights in all are finished; what is complete now may be read. */
tlob_inline void tlob_page_finish(struct tlob_page_ring *ring, struct tlob_page_head *head,
				  __u32 number, __u32 eights, __u32 events)
{
	__u64 finished, tail, was;
	__u32 reserved;

	TLOB_PAGE_STEP();
	tlob_fence_release();
	finished = tlob_page_add(&head->commit, (__u64)eights << 16 | events);
	TLOB_PAGE_STEP();
	tail = tlob_load(&ring->tail);
	reserved = TLOB_PAGE_NUMBER(tail) == number ? tlob_page_low(tail) : ring->page_eights;
	if (((__u32)finished >> 16) != reserved)
		return; /* whoever finishes last will find them equal */
	for (was = tlob_load(&head->readable); (__s64)(finished - was) > 0;) {
		__u64 seen;

		TLOB_PAGE_STEP();
		seen = tlob_page_cmpxchg(&head->readable, was, finished);
		if (seen == was)
			break;
		was = seen; /* an interrupt has published, more than this perhaps */
	}
}

/* Fill up page @id from @eights on: nobody else may write there. */
tlob_inline void tlob_page_pad(struct tlob_page_ring *ring, __u32 id, __u32 number, __u32 eights)
{
	struct tlob_page_head *head = tlob_page_of(ring, id);
	struct tlob_page_event *event = (struct tlob_page_event *)((__u64 *)head + eights);

	if (eights == ring->page_eights)
		return;
	event->bytes = (ring->page_eights - eights) * 8;
	event->type = TLOB_PAGE_PADDING;
	event->reserved = 0;
	tlob_page_finish(ring, head, number, ring->page_eights - eights, 0);
}

/* Make slot @slot the place of page @number, over the old events there. False: they have to stay. */
tlob_inline bool tlob_page_claim(struct tlob_page_ring *ring, __u64 *slot, __u64 was, __u32 number)
{
	struct tlob_page_head *head = tlob_page_of(ring, tlob_page_id(was));
	__u64 old;

	if (!ring->overwrite)
		return false;
	old = tlob_load(&head->commit);
	if (TLOB_PAGE_NUMBER(old) == TLOB_PAGE_NUMBER(was) &&
	    ((__u32)old >> 16) != ring->page_eights)
		return false;
	TLOB_PAGE_STEP();
	if (TLOB_PAGE_NUMBER(old) == TLOB_PAGE_NUMBER(was) &&
	    tlob_cmpxchg(slot, was, tlob_page_word(number, tlob_page_id(was), 0)) == was) {
		tlob_page_add(&ring->overrun, TLOB_PAGE_EVENTS(old));
		tlob_page_add(&ring->pages_lost, 1);
	}
	return true; /* or somebody else was faster: look again */
}

/* Move the tail, seen as @tail, to the next page. False: there is none; true: it has moved, or look again. */
tlob_inline bool tlob_page_next(struct tlob_page_ring *ring, __u64 tail)
{
	__u32 number = TLOB_PAGE_NUMBER(tail) + 1;
	__u64 *slot = &ring->slots[number & (ring->nslots - 1)];
	__u64 was = tlob_load_acquire(slot), commit;
	struct tlob_page_head *head = tlob_page_of(ring, tlob_page_id(was));

	TLOB_PAGE_STEP();
	if (TLOB_PAGE_NUMBER(was) == number - ring->nslots)
		return tlob_page_claim(ring, slot, was, number);
	if (TLOB_PAGE_NUMBER(was) != number)
		return true; /* long past */
	commit = tlob_load(&head->commit);
	TLOB_PAGE_STEP();
	if (TLOB_PAGE_NUMBER(commit) ==
	    number - ring->nslots) /* not one CPU's: it may be the reader's long since */
		tlob_cmpxchg(&head->commit, commit,
			     tlob_page_word(number, TLOB_PAGE_HEAD_EIGHTS, 0));
	TLOB_PAGE_STEP();
	if (tlob_page_cmpxchg(&ring->tail, tail,
			      tlob_page_word(number, tlob_page_id(was), TLOB_PAGE_HEAD_EIGHTS)) ==
	    tail)
		tlob_page_pad(ring, tlob_page_id(tail), number - 1, tlob_page_low(tail));
	return true;
}

/*
 * Room for an event with @bytes of payload, which must fit a page; its head is filled in. False: it was dropped and counted. Any
 * context, also between a reserve and its commit; whoever may be moved to another CPU's ring in between must not be.
 */
tlob_inline bool tlob_page_reserve(struct tlob_page_ring *ring, __u16 type, __u32 bytes,
				   struct tlob_page_reserved *r)
{
	__u32 eights = (__u32)(sizeof(struct tlob_page_event) + bytes + 7) / 8;
	struct tlob_page_event *event;
	__u64 tail, now;

	for (;;) {
		tail = tlob_load_acquire(&ring->tail);
		TLOB_PAGE_STEP();
		if (tlob_page_low(tail) + eights > ring->page_eights) {
			if (tlob_page_next(ring, tail))
				continue;
			tlob_page_add(&ring->dropped, 1);
			return false;
		}
		now = TLOB_PAGE_CLOCK();
		TLOB_PAGE_STEP();
		if (tlob_page_cmpxchg(&ring->tail, tail, tail + eights) == tail)
			break;
	}
	TLOB_PAGE_STEP();
	tlob_page_add(&ring->written, 1);
	r->head = tlob_page_of(ring, tlob_page_id(tail));
	r->number = TLOB_PAGE_NUMBER(tail);
	r->eights = eights;
	event = (struct tlob_page_event *)((__u64 *)r->head + tlob_page_low(tail));
	event->bytes = eights * 8;
	event->type = type;
	event->reserved = 0;
	event->time_ns = now;
	r->payload = event + 1;
	return true;
}

tlob_inline void tlob_page_commit(struct tlob_page_ring *ring, const struct tlob_page_reserved *r)
{
	tlob_page_finish(ring, r->head, r->number, r->eights, 1);
}

/* ---- the reader ---- */

/* Swap the reader's page, all of it read, for the oldest one with something in it. False: there is none. */
tlob_inline bool tlob_page_take(struct tlob_page_ring *ring)
{
	struct tlob_page_head *spare = tlob_page_of(ring, ring->reader.id);
	__u32 number = ring->reader.number + 1;

	for (;;) {
		__u32 newest = TLOB_PAGE_NUMBER(tlob_load_acquire(&ring->tail));
		__u64 *slot, was, readable;

		if ((__s32)(newest - number) < 0)
			return false;
		if (newest - number >= ring->nslots)
			number = newest - ring->nslots + 1; /* what was before is overwritten */
		TLOB_PAGE_STEP();
		slot = &ring->slots[number & (ring->nslots - 1)];
		was = tlob_load_acquire(slot);
		TLOB_PAGE_STEP();
		if (TLOB_PAGE_NUMBER(was) != number) {
			number++; /* as this one is now */
			continue;
		}
		readable = tlob_load_acquire(&tlob_page_of(ring, tlob_page_id(was))->readable);
		TLOB_PAGE_STEP();
		if (TLOB_PAGE_NUMBER(readable) != number ||
		    TLOB_PAGE_BYTES(readable) <= sizeof(struct tlob_page_head)) {
			if (tlob_load_acquire(slot) == was)
				return false; /* nothing complete in it yet */
			continue;
		}
		tlob_store(&spare->commit,
			   tlob_page_word(number + ring->nslots, TLOB_PAGE_HEAD_EIGHTS, 0));
		TLOB_PAGE_STEP();
		if (tlob_cmpxchg(slot, was,
				 tlob_page_word(number + ring->nslots, ring->reader.id, 0)) != was)
			continue;
		ring->reader.id = tlob_page_id(was);
		ring->reader.number = number;
		ring->reader.eights = TLOB_PAGE_HEAD_EIGHTS;
		ring->reader.page_events = 0;
		return true;
	}
}

/* What there is to read next, oldest first; the page stays the reader's until it asks for more than it holds. */
tlob_inline bool tlob_page_look(struct tlob_page_ring *ring, struct tlob_page_range *range)
{
	do {
		struct tlob_page_head *head = tlob_page_of(ring, ring->reader.id);
		__u64 readable = tlob_load_acquire(&head->readable);

		TLOB_PAGE_STEP();
		if (TLOB_PAGE_EVENTS(readable) != ring->reader.page_events) {
			range->id = ring->reader.id;
			range->begin = ring->reader.eights * 8;
			range->end = TLOB_PAGE_BYTES(readable);
			range->events = TLOB_PAGE_EVENTS(readable) - ring->reader.page_events;
			return true;
		}
		if (TLOB_PAGE_BYTES(readable) / 8 != ring->page_eights)
			return false; /* the writers are still in it */
	} while (tlob_page_take(ring));
	return false;
}

/* @events were read, up to byte @end of the page. */
tlob_inline void tlob_page_consume(struct tlob_page_ring *ring, __u32 end, __u32 events)
{
	ring->reader.eights = end / 8;
	ring->reader.page_events += events;
	ring->reader.events += events;
}

/* Events lost since the last call, wherever: the two counts are exact, which page they were before is not. */
tlob_inline __u64 tlob_page_lost_since(struct tlob_page_ring *ring)
{
	__u64 lost = tlob_load(&ring->overrun) + tlob_load(&ring->dropped);
	__u64 more = lost - ring->reader.reported;

	ring->reader.reported = lost;
	return more;
}

#endif
