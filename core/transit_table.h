/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Windows of no thread: begun in one, ended in any other, found by region and tag. Their place is a
 * table without locks in memory that the engine scans like every arena.
 *
 * A key has TLOB_TRANSIT_REACH slots of 8 windows in each arena of the pool where it may be, in an
 * order that all threads agree on. Whoever begins takes a free window first, says in key[] what it
 * is for, and only then looks for others with the same key: of two who do so at once at least one
 * sees the other. An open one wins; of two that are not open yet the one that comes first in that
 * order, which takes the right to open from the other. So a key is never open twice, nobody waits,
 * and the work is bounded. Whoever ends must win the compare-and-swap on the window's state, as in
 * window.h, and then gives the place back.
 */
#ifndef TLOB_CORE_TRANSIT_TABLE_H
#define TLOB_CORE_TRANSIT_TABLE_H

#include "window.h"

#define TLOB_TRANSIT_REACH 4u
#define TLOB_TRANSIT_EEXIST 17
#define TLOB_TRANSIT_ENOSPC 28

/* Low bits of a key. */
enum tlob_transit_key {
	TLOB_KEY_CLAIMED = 1, /* somebody is about to open it */
	TLOB_KEY_OPEN = 2,
	TLOB_KEY_BARRED = 3, /* somebody else has the right to */
};
#define TLOB_KEY_BITS 3ULL

struct tlob_pool {
	union tlob_arena_entry *entries[TLOB_TRANSIT_ARENAS]; /* NULL behind the last */
};

struct tlob_place {
	struct tlob_transit *slot;
	__u32 arena; /* in the pool */
	__u32 number; /* of the slot in its arena */
	__u32 index; /* of the window in its slot */
	__u32 width; /* windows: 1, or 2 for a chain and, behind it, its log */
};

tlob_inline __u64 tlob_transit_hash(__u32 region, __u64 tag)
{
	__u64 h = tag ^ ((__u64)region + 1) * 0x9e3779b97f4a7c15ULL;

	h = (h ^ h >> 32) * 0xd6e8feb86659fd93ULL;
	return h ^ h >> 32;
}

tlob_inline __u64 tlob_transit_key_of(__u64 hash)
{
	return hash & ~TLOB_KEY_BITS;
}

/* Slot number of the @nth choice for @hash. */
tlob_inline __u32 tlob_transit_number(__u64 hash, __u32 nth)
{
	return 1 + ((__u32)(hash >> 32) + nth) % (TLOB_ARENA_SLOTS - 1);
}

tlob_inline union tlob_arena_entry *tlob_pool_at(struct tlob_pool *pool, __u32 arena)
{
	return arena < TLOB_TRANSIT_ARENAS ? tlob_load_acquire(&pool->entries[arena]) : 0;
}

/* Set in the numbers that records give such windows, so that they are not those of a thread's. */
#define TLOB_TRANSIT_WINDOW (1ULL << 52)

/* The same in both records of a window, and of no other one of the process. */
tlob_inline __u64 tlob_transit_window(__u64 word, __u32 arena, __u32 number, __u32 index)
{
	__u64 place = ((__u64)arena * TLOB_ARENA_SLOTS + number) * TLOB_MAX_DEPTH + index;

	return TLOB_TRANSIT_WINDOW | (TLOB_WINDOW_GEN(word) << 22 & (TLOB_TRANSIT_WINDOW - 1)) |
	       place;
}

tlob_inline __u32 tlob_transit_mask(__u32 width)
{
	return (1u << width) - 1;
}

/* Give the place back: its window is not open any more. */
tlob_inline void tlob_transit_release(const struct tlob_place *p)
{
	__u32 used = tlob_load(&p->slot->used), was;

	tlob_store(&p->slot->key[p->index], 0);
	while ((was = tlob_cmpxchg(&p->slot->used, used,
				   used & ~(tlob_transit_mask(p->width) << p->index))) != used)
		used = was;
}

/* @width windows side by side; two begin at an even one. */
tlob_inline int tlob_transit_take_window(struct tlob_transit *slot, __u32 width, __u32 *index)
{
	__u32 used = tlob_load(&slot->used);

	for (;;) {
		__u32 free = ~used & 0xff, i, was;

		if (width == 2)
			free &= free >> 1 & 0x55;
		if (!free)
			return 0;
		i = (__u32)__builtin_ctz(free);
		was = tlob_cmpxchg(&slot->used, used, used | tlob_transit_mask(width) << i);
		if (was == used) {
			*index = i;
			return 1;
		}
		used = was;
	}
}

/* A free window where this key may be, or as many as @p says; 0 if there is none. */
tlob_inline int tlob_transit_take(struct tlob_pool *pool, __u64 hash, struct tlob_place *p)
{
	union tlob_arena_entry *entries;

	for (p->arena = 0; (entries = tlob_pool_at(pool, p->arena)); p->arena++) {
		for (__u32 nth = 0; nth < TLOB_TRANSIT_REACH; nth++) {
			p->number = tlob_transit_number(hash, nth);
			p->slot = &entries[p->number].transit;
			if (tlob_transit_take_window(p->slot, p->width, &p->index))
				return 1;
		}
	}
	return 0;
}

/*
 * Somebody with the same key, in window @i of @slot: true if it has the right to open, and we do
 * not. @before: its place comes before ours.
 */
tlob_inline int tlob_transit_yields(struct tlob_transit *slot, __u32 i, __u64 key, int before)
{
	__u64 claimed = key | TLOB_KEY_CLAIMED;
	__u64 have = tlob_load_acquire(&slot->key[i]);

	if (have == claimed && !before)
		have = tlob_cmpxchg(&slot->key[i], claimed, key | TLOB_KEY_BARRED) == claimed ?
			       0 :
			       tlob_load(&slot->key[i]);
	return have == claimed || have == (key | TLOB_KEY_OPEN);
}

/* Somebody in @slot? @before: as above, until our own place is met. */
tlob_inline int tlob_transit_is_taken_in(struct tlob_transit *slot, const struct tlob_place *own,
					 __u64 key, int *before)
{
	const struct tlob_window *ours = &own->slot->windows[own->index];
	__u32 used = tlob_load_acquire(&slot->used) & 0xff;

	for (; used; used &= used - 1) {
		__u32 i = (__u32)__builtin_ctz(used);
		const struct tlob_window *w = &slot->windows[i];

		if (w == ours) {
			*before = 0;
			continue;
		}
		if ((tlob_load_acquire(&slot->key[i]) & ~TLOB_KEY_BITS) == key &&
		    tlob_load(&w->tag) == ours->tag && tlob_load(&w->region) == ours->region &&
		    tlob_transit_yields(slot, i, key, *before))
			return 1;
	}
	return 0;
}

/* Does anybody else have what is in our place? */
tlob_inline int tlob_transit_is_taken(struct tlob_pool *pool, const struct tlob_place *own,
				      __u64 hash)
{
	__u64 key = tlob_transit_key_of(hash);
	union tlob_arena_entry *entries;
	int before = 1;

	for (__u32 a = 0; (entries = tlob_pool_at(pool, a)); a++)
		for (__u32 nth = 0; nth < TLOB_TRANSIT_REACH; nth++)
			if (tlob_transit_is_taken_in(
				    &entries[tlob_transit_number(hash, nth)].transit, own, key,
				    &before))
				return 1;
	return 0;
}

/*
 * Begin: a place for @region and @tag that is this caller's alone; the window's tag and region are
 * filled in, and it is neither open nor armed yet. 0, -EEXIST or -ENOSPC.
 */
tlob_inline int tlob_transit_claim(struct tlob_pool *pool, __u32 region, __u64 tag, __u32 width,
				   struct tlob_place *p)
{
	__u64 hash = tlob_transit_hash(region, tag), key = tlob_transit_key_of(hash);
	__u64 claimed = key | TLOB_KEY_CLAIMED;
	struct tlob_window *w;

	p->width = width;
	if (!tlob_transit_take(pool, hash, p))
		return -TLOB_TRANSIT_ENOSPC;
	w = &p->slot->windows[p->index];
	tlob_store(&w->tag, tag);
	tlob_store(&w->region, region);
	(void)tlob_xchg(&p->slot->key[p->index], claimed); /* full barrier: seen before we look */
	if (!tlob_transit_is_taken(pool, p, hash) &&
	    tlob_cmpxchg(&p->slot->key[p->index], claimed, key | TLOB_KEY_OPEN) == claimed)
		return 0;
	tlob_transit_release(p);
	return -TLOB_TRANSIT_EEXIST;
}

/*
 * End, first half: the window of @region and @tag, and its state as it was: what is read of it from
 * here on is of this window if a compare-and-swap on that state succeeds. 0: there is none.
 */
tlob_inline int tlob_transit_find(struct tlob_pool *pool, __u32 region, __u64 tag,
				  struct tlob_place *p, __u64 *word)
{
	__u64 hash = tlob_transit_hash(region, tag);
	__u64 open = tlob_transit_key_of(hash) | TLOB_KEY_OPEN;
	union tlob_arena_entry *entries;

	p->width = 1; /* whoever looks for a chain knows better */
	for (p->arena = 0; (entries = tlob_pool_at(pool, p->arena)); p->arena++) {
		for (__u32 nth = 0; nth < TLOB_TRANSIT_REACH; nth++) {
			p->number = tlob_transit_number(hash, nth);
			p->slot = &entries[p->number].transit;
			for (p->index = 0; p->index < TLOB_MAX_DEPTH; p->index++) {
				struct tlob_window *w = &p->slot->windows[p->index];

				if (tlob_load(&p->slot->key[p->index]) != open)
					continue;
				*word = tlob_load_acquire(&w->state);
				if (TLOB_WINDOW_STATE(*word) != TLOB_IDLE &&
				    tlob_load(&p->slot->key[p->index]) == open &&
				    tlob_load(&w->tag) == tag && tlob_load(&w->region) == region)
					return 1;
			}
		}
	}
	return 0;
}

/* End, second half. 0: it has changed meanwhile; look again. */
tlob_inline int tlob_transit_end(const struct tlob_place *p, __u64 word)
{
	return tlob_window_take(&p->slot->windows[p->index], word, TLOB_IDLE);
}

#endif
