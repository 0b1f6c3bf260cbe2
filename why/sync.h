/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From what each CPU wrote down by itself to one stream in order of time, in which addresses have become places that still
 * mean the same when the process has gone. Pure: knows no kernel and no clock, so recorded buffers go through it as live
 * ones do.
 *
 * Buffers ("sources") are read in turns, a pass. Whoever writes takes the time first and has its record in the buffer a
 * little later, maybe on a CPU that has been read by then; the next pass finds it. Hence the one rule behind order and
 * release alike: what happened before a source's last pass but one began is all known of that source. Up to the earliest
 * such time of all sources that are online
 *	- records are handed on, in order of time: a sample before the end of the mapping it was in, whichever CPU tells
 *	  either, and however late;
 *	- what has ended is forgotten, as no buffer can name it any more.
 * A source that goes offline is read once more, and then nobody waits for it.
 *
 * What comes out:
 *	CPU_SWITCH	the CPU that what follows happened on
 *	CONTEXT_SWITCH	the thread, its process, and the serial number of its address space (0: none known)
 *	TRACE_BEGIN	a sample: its time and token. Up to its TRACE_END come its places, innermost first:
 *	KERNEL_ENTER, KERNEL_LEAVE	only when it changes
 *	OBJECT_SWITCH	likewise; after a CPU_SWITCH always, before the next place
 *	PLACE		an offset in that object
 *	TRACE_END	cut: there were more places, but they could not be told
 *	TRACE_LOST	instead of all of it, when the first place cannot be told: what called what is not known
 *	THREAD_EXIT	of the thread named in it, which has no part in the context
 */
#ifndef TLOB_WHY_SYNC_H
#define TLOB_WHY_SYNC_H

#include "space.h"

enum why_raw_kind {
	WHY_RAW_FOUND, /* a process that is older than this: its threads, then its mappings; no time */
	WHY_RAW_FOUND_MAP,
	WHY_RAW_FORK,
	WHY_RAW_EXEC,
	WHY_RAW_UNMAP,
	WHY_RAW_MAP,
	WHY_RAW_SAMPLE,
	WHY_RAW_EXIT, /* of a thread */
};

#define WHY_MAX_CHAIN 256

/* At one moment changes come in the order of that enum. */
struct why_raw {
	enum why_raw_kind kind;
	uint64_t time_ns;
	uint32_t cpu;
	uint32_t tid, tgid;
	union {
		struct {
			uint64_t token; /* the caller's */
			const uint64_t *chain; /* addresses, innermost first; copied */
			uint16_t nkernel; /* the first of them; then those of the program */
			uint16_t nuser;
			bool cut;
			const void *
				copy; /* of registers and stack, for unwind(); copied, NULL: none */
			uint32_t copy_bytes;
		} sample;
		struct {
			uint64_t start, length, file_offset;
			const struct why_object *object;
		} map; /* MAP, FOUND_MAP, UNMAP */
		uint32_t parent; /* FORK: process */
		uint32_t threads; /* FOUND; 0: not known */
	};
};

enum why_event_kind {
	WHY_CPU_SWITCH,
	WHY_CONTEXT_SWITCH,
	WHY_TRACE_BEGIN,
	WHY_KERNEL_ENTER,
	WHY_KERNEL_LEAVE,
	WHY_OBJECT_SWITCH,
	WHY_PLACE,
	WHY_TRACE_END,
	WHY_TRACE_LOST,
	WHY_THREAD_EXIT,
};

struct why_event {
	enum why_event_kind kind;
	uint64_t time_ns; /* TRACE_BEGIN, TRACE_LOST, THREAD_EXIT */
	union {
		uint32_t cpu;
		struct {
			uint32_t tid, tgid;
			uint64_t space;
		} context; /* and THREAD_EXIT */
		uint64_t token; /* TRACE_BEGIN, TRACE_LOST */
		const struct why_object *object;
		uint64_t offset;
		bool cut;
	};
};
typedef void why_event_fn(const struct why_event *event, void *arg);

struct why_losses {
	uint64_t no_mapping; /* addresses that were surely running, where nothing was mapped */
	uint64_t no_space; /* the same of processes of which nothing is known */
	uint64_t backtraces; /* whole ones, as their first address was one of those */
	uint64_t cut; /* callers: without frame pointers, their addresses are made of whatever is found on the stack */
	uint64_t buffer; /* records that found a buffer full, here or where they were written */
	uint64_t late; /* records that came after what followed them had been handed on */
};

struct why_source {
	uint64_t began_ns; /* of the pass that is under way; 0: none */
	uint64_t last_ns, before_ns; /* when the last whole pass began, and the one before */
	bool offline;
	bool silent; /* feeds nothing, but names places: only release waits for it */
};

struct why_pending;

/*
 * The callers of the program's part of @raw, by its copy, into @chain, which has @room: innermost first, the address that was
 * running included. What is mapped is known as it was then: @space, which is never NULL. Returns how many; 0: take
 * those that came with the sample.
 */
typedef size_t why_callers_fn(const struct why_raw *raw, const struct why_space *space,
			      uint64_t *chain, size_t room, bool *cut, void *arg);

struct why_sync {
	struct why_spaces spaces;
	struct why_source *sources;
	size_t nsources;
	const struct why_object *kernel;
	uint64_t kernel_base; /* kernel addresses become offsets from here */
	struct why_pending *pending;
	size_t npending, pending_room;
	size_t copied_bytes; /* of stacks */
	why_callers_fn *callers; /* NULL: copies are not made */
	void *callers_arg;
	uint64_t serial; /* of records */
	uint64_t done_ns; /* all before has been handed on */
	struct why_losses losses; /* of the stream */
	struct why_losses asked; /* of why_sync_place() */
	/* what the stream said last */
	struct {
		uint32_t cpu, tid, tgid;
		uint64_t space;
		const struct why_object *object;
		bool cpu_told, context_told, object_told, kernel;
	} said;
};

/* @kernel: the object that kernel addresses belong to. */
int why_sync_init(struct why_sync *sync, size_t nsources, const struct why_object *kernel,
		  uint64_t kernel_base);
void why_sync_deinit(struct why_sync *sync);

/* Source @i is read from @now_ns on, up to its end; what it holds is pushed in between. */
void why_sync_pass_begin(struct why_sync *sync, size_t i, uint64_t now_ns);
void why_sync_pass_end(struct why_sync *sync, size_t i);
/* Offline: call it when it has been read to its end for the last time. */
void why_sync_set_offline(struct why_sync *sync, size_t i, bool offline);
/* Record @raw; one too many is counted as lost. 0 or -ENOSPC, -ENOMEM. */
int why_sync_push(struct why_sync *sync, const struct why_raw *raw);
void why_sync_lost(struct why_sync *sync, uint64_t records);
/* Is every mapping of @tgid known, or will be once what was pushed has been handed on? Else look, and push what is FOUND. */
bool why_sync_knows(const struct why_sync *sync, uint32_t tgid);

/* Before this, everything is known; 0: nothing yet. */
uint64_t why_sync_horizon(const struct why_sync *sync);
/* Before this, nothing is named any more. */
uint64_t why_sync_release_horizon(const struct why_sync *sync);
/* Hand on what is known for sure, then release. */
void why_sync_flush(struct why_sync *sync, why_event_fn *fn, void *arg);

/*
 * What was at @address in @tgid at @time_ns? For what does not come through here, but was written by its time. @call: it is a
 * return address, what matters is the byte before. False: counted as lost.
 */
bool why_sync_place(struct why_sync *sync, uint32_t tgid, uint64_t time_ns, uint64_t address,
		    bool call, const struct why_object **object, uint64_t *offset);

/*
 * Bytes [@start, @stop) of a cyclic buffer of @size bytes, a power of two, out of it in one piece. Positions run freely, so
 * none of them is special; at most @size bytes.
 */
void why_cyclic_copy(void *to, const void *buffer, size_t size, uint64_t start, uint64_t stop);

#endif
