/* SPDX-License-Identifier: GPL-2.0-only */
/* The maps, and the way from a task or a number to what belongs to it. */
#ifndef TLOB_BPF_MAPS_H
#define TLOB_BPF_MAPS_H

#include "kernel.h"
#include "shared.h"

#include <hist.h>
#include <window.h>

/* Where a thread's slots are. Zero: none. */
struct tlob_thread {
	__u32 arena; /* of its process */
	__u32 slot;
	__u32 generation; /* of the arena when the thread registered */
	__u32 probe; /* entry in arena 0 */
	__u64 slept_ns,
		slept_since_ns; /* where wake-ups are followed: its last sleep, until it runs */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct tlob_thread);
} threads SEC(".maps");

struct tlob_inner_arena {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	__uint(max_entries, TLOB_ARENA_SLOTS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(union tlob_arena_entry));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, TLOB_BPF_ARENAS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
	__array(values, struct tlob_inner_arena);
} arenas SEC(".maps");

/* What is private about an arena: nothing of it can be reached from a program that is measured. */
struct tlob_keeper {
	__u64 cookie; /* 0: nobody may register */
	__u32 client;
	__u32 tgid; /* of the first thread that registered: all others must be of the same process */
	__u32 transit; /* its slots belong to no thread, see transit.h */
	__u32 shared; /* how many of its windows any process may end, see shared_kick.h */
	__u64 exec; /* transit: which program that process was, see kernel_exec_of() */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TLOB_BPF_ARENAS); /* and the pieces of arena 0; set by the loader */
	__type(key, __u32);
	__type(value, struct tlob_keeper);
} keepers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TLOB_BPF_ARENAS *TLOB_ARENA_SLOTS); /* set by the loader */
	__type(key, __u32);
	__type(value, struct tlob_bpf_owner);
} owners SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20); /* set by the loader */
} records SEC(".maps");

/* Slots of arena 0 that nobody sits in: by piece, one bit each. Not a queue: sleepable programs may have those only late. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* set by the loader */
	__type(key, __u32);
	__type(value, __u64);
} vacant SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TLOB_BPF_BINDINGS);
	__type(key, __u32);
	__type(value, struct tlob_bpf_binding);
} bindings SEC(".maps");

const volatile __u32 probe_pieces; /* of threads; those of passages come after */
__u32 vacant_hint; /* the piece where one was found last */

/* Changes when an arena gets a new owner, so that a thread of the old one is not taken for one of the new. */
__u32 arena_generation[TLOB_BPF_ARENAS];

__u64 records_dropped;

/* Where @slot of @arena is in its map. */
static __always_inline __u32 entry_of(__u32 arena, __u32 slot)
{
	return arena < TLOB_BPF_ARENAS ? slot : (arena - TLOB_BPF_ARENAS) * TLOB_ARENA_SLOTS + slot;
}

static __always_inline struct tlob_slot *slot_at(__u32 arena, __u32 slot)
{
	__u32 outer = arena < TLOB_BPF_ARENAS ? arena : 0;
	__u32 inner = entry_of(arena, slot);
	void *map = bpf_map_lookup_elem(&arenas, &outer);

	return map ? bpf_map_lookup_elem(map, &inner) : NULL;
}

static __always_inline struct tlob_arena_head *head_of(__u32 arena)
{
	return (struct tlob_arena_head *)slot_at(arena, 0);
}

static __always_inline struct tlob_bpf_owner *owner_of(__u32 arena, __u32 slot)
{
	__u32 key = arena * TLOB_ARENA_SLOTS + slot;

	return bpf_map_lookup_elem(&owners, &key);
}

static __always_inline struct tlob_keeper *keeper_of(__u32 arena)
{
	return bpf_map_lookup_elem(&keepers, &arena);
}

/* The slot that @thread registered, if the arena is still the one it registered in. */
static __always_inline struct tlob_slot *thread_slot(struct tlob_thread *thread)
{
	__u32 arena = thread->arena;

	if (arena == 0 || arena >= TLOB_BPF_ARENAS || arena_generation[arena] != thread->generation)
		return NULL;
	return slot_at(arena, thread->slot);
}

/* The piece of arena 0 that @entry of it belongs to. */
static __always_inline __u32 probe_arena_of(__u32 entry)
{
	return TLOB_BPF_PIECE(entry / TLOB_ARENA_SLOTS);
}

static __always_inline struct tlob_slot *probe_slot(struct tlob_thread *thread)
{
	__u32 zero = 0, entry = thread->probe;
	void *map;

	if (!entry)
		return NULL;
	map = bpf_map_lookup_elem(&arenas, &zero);
	return map ? bpf_map_lookup_elem(map, &entry) : NULL;
}

struct tlob_search {
	__u32 first; /* piece */
	__u32 entry; /* found; 0: none */
};

#define VACANT_ATTEMPTS 8

static long search_piece(__u32 i, struct tlob_search *search)
{
	__u32 piece = (search->first + i) % (probe_pieces ? probe_pieces : 1);
	__u64 *mask = bpf_map_lookup_elem(&vacant, &piece), free, was;

	if (!mask)
		return 1;
	free = tlob_load(mask);
	for (int n = 0; n < VACANT_ATTEMPTS && free; n++) {
		__u64 lowest = free & -free;

		was = tlob_cmpxchg(mask, free, free & ~lowest);
		if (was == free) {
			search->entry = piece * TLOB_ARENA_SLOTS + tlob_log2(lowest);
			tlob_store(&vacant_hint, piece);
			return 1;
		}
		free = was;
	}
	return 0;
}

/* An entry of arena 0 for a thread to sit in; 0 if there is none. */
static __always_inline __u32 take_vacant(void)
{
	struct tlob_search search = {.first = tlob_load(&vacant_hint)};

	bpf_loop(probe_pieces, search_piece, &search, 0);
	return search.entry;
}

static __always_inline void give_vacant(__u32 entry)
{
	__u32 piece = entry / TLOB_ARENA_SLOTS;
	__u64 *mask = bpf_map_lookup_elem(&vacant, &piece);

	if (mask)
		__sync_fetch_and_or(mask, 1ULL << entry % TLOB_ARENA_SLOTS);
}

#endif
