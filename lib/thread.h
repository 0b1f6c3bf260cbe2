/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A thread's seats: taken at its first start, given back when it exits. */
#ifndef TLOB_LIB_THREAD_H
#define TLOB_LIB_THREAD_H

#include "home.h"

/*
 * Initial-exec: reading it is one instruction, and never allocates, not even in a library that was
 * loaded late.
 */
extern __thread struct tlob_seat *tlob_seat
	__attribute__((visibility("hidden"), tls_model("initial-exec")));

/* The calling thread's seat in @home; NULL if there is none to be had. */
struct tlob_seat *tlob_thread_sit(struct tlob_home *home);
/* The calling thread's seat whose handles carry @tag; NULL if it has none. */
struct tlob_seat *tlob_thread_seat_of(__u32 tag);

/* Once per process: notice the exit of threads; while the library is unloaded: no longer. */
void tlob_thread_init(void);
void tlob_thread_deinit(void);
/*
 * The process ends in the calling thread, whose windows, where no engine outside sees that, end
 * here as abandoned.
 */
void tlob_thread_leave_windows(void);
/* The calling thread counts as alive until it exits, seat or not. */
void tlob_thread_hold(void);

#endif
