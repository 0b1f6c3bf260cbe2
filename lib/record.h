/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records that the library itself writes, and who is told of them. */
#ifndef TLOB_LIB_RECORD_H
#define TLOB_LIB_RECORD_H

#include "engine.h"

struct tlob_region;

/*
 * Everything but the split, type and flags. @w may be a copy, @word is its state while it was open.
 */
void tlob_record_begin(struct tlob_record *r, const struct tlob_slot *slot,
		       const struct tlob_window *w, __u64 word, __u32 index, __u64 now_ns);
/* The same for the calling thread's window that has just ended; also cpu, comm and state. */
void tlob_record_begin_own(struct tlob_record *r, const struct tlob_ending *end);

/*
 * A window of no thread: everything but type and flags. @w may be a copy, @word is its state while
 * it was open.
 */
void tlob_record_begin_transit(struct tlob_record *r, const struct tlob_window *w,
			       const struct tlob_place *place, __u64 word, __u64 now_ns);
/* A window that perhaps another process began, as its engine left it in @k; all but region and type. */
void tlob_record_of_ended(struct tlob_record *r, const struct tlob_kick *k, __u64 tag);
/* To the agent, if @home still has one, else to the program itself. */
void tlob_record_deliver(struct tlob_home *home, const struct tlob_record *r);
/* What goes before such a record of a window of no thread, if that is a chain's: only to an agent. */
void tlob_record_deliver_stages(struct tlob_home *home, const struct tlob_record *r,
				const struct tlob_window *w, const struct tlob_place *place);
/* To the program itself: its callback and its log. */
void tlob_record_tell(const struct tlob_home *home, const struct tlob_record *r);
/* What came before @close if that is the first that is heard of its window. */
struct tlob_record tlob_record_overrun_of(const struct tlob_record *close);
/* Both records of a late window, @close being the second but for its type: to the callback only. */
void tlob_record_call_both(struct tlob_record *close, const struct tlob_region *region);
/* The same, or as tlob_record_tell() does. */
void tlob_record_tell_both(const struct tlob_home *home, struct tlob_record *close,
			   bool callback_only);
/* Is there a callback, or a log? */
bool tlob_record_heard(void);
bool tlob_record_has_callback(void);

#endif
