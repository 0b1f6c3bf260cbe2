/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A lock for slow paths that may be entered from a signal handler inside another slow path: it
 * knows its owner, refuses instead of waiting for itself, and never waits without end. 0 is
 * unlocked.
 */
#ifndef TLOB_LIB_LOCK_H
#define TLOB_LIB_LOCK_H

#include "atomic.h"

struct tlob_lock {
	__u32 owner; /* thread id; a futex */
};

/* 0, -EDEADLK if this thread holds it (a handler interrupted the holder), -ETIMEDOUT. */
int tlob_lock_take(struct tlob_lock *lock, __u64 wait_ns);
void tlob_lock_release(struct tlob_lock *lock);

__u32 tlob_gettid(void);

/*
 * Sleep while *@word is @value, until @until_ns (TLOB_NEVER: without end) or a wake-up; may wake
 * for no reason.
 */
void tlob_futex_wait(__u32 *word, __u32 value, __u64 until_ns);
void tlob_futex_wake(__u32 *word, int how_many);

#endif
