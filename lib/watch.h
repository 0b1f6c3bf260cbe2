/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The watcher: one thread of the process that notices expiry for engine user, and without an agent
 * hears of it for engine kernel, if there is anybody to tell. For the first it sleeps without a
 * timer while no window is open, and lets the earliest deadline stand when that window ends in
 * time, as every engine does; for the second it waits for the kernel's records, and looks for an
 * agent now and then.
 */
#ifndef TLOB_LIB_WATCH_H
#define TLOB_LIB_WATCH_H

#include "home.h"

/*
 * Start it if it does not run. Creating a thread takes locks that a signal handler may have
 * interrupted, so: not from a start, but where a callback is set or before main().
 */
void tlob_watch_start(void);
/* What is blocked now is not so because of a handler: before main(), and in a forked child. */
void tlob_watch_note_signals(void);
/* Stop it, and wait for that a little: the library is being unloaded, or the process exits. */
void tlob_watch_stop(void);
/* Let it look at everything anew. */
void tlob_watch_call(void);
/* Does it have anything to do for @home? */
bool tlob_watch_serves(const struct tlob_home *home);
/* From a start in @home: if it is to run and does not, and may be started here, it is. */
void tlob_watch_ensure(struct tlob_home *home);
/* A window of @home with this deadline is open in the arena of @head. */
void tlob_watch_arm(struct tlob_home *home, struct tlob_arena_head *head, __u64 deadline_ns);
/*
 * The caller's window @w has expired: wait until that is told, so that the closing record follows
 * it. Bounded.
 */
void tlob_watch_settle(const struct tlob_window *w);

#endif
