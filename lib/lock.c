// SPDX-License-Identifier: LGPL-2.1-or-later
/* See lock.h. */
#include "lock.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "now.h"

__u32 tlob_gettid(void)
{
	return (__u32)syscall(SYS_gettid);
}

void tlob_futex_wait(__u32 *word, __u32 value, __u64 until_ns)
{
	struct timespec until = tlob_timespec(until_ns);

	syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, value,
		until_ns == TLOB_NEVER ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
}

void tlob_futex_wake(__u32 *word, int how_many)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, how_many, NULL, NULL, 0);
}

int tlob_lock_take(struct tlob_lock *lock, __u64 wait_ns)
{
	__u32 me = tlob_gettid();
	__u64 until = 0;

	for (;;) {
		__u32 owner = tlob_cmpxchg(&lock->owner, 0u, me);

		if (!owner)
			return 0;
		if (owner == me)
			return -EDEADLK;
		if (!until)
			until = tlob_now() + wait_ns;
		else if (tlob_now() >= until)
			return -ETIMEDOUT;
		if (wait_ns)
			tlob_futex_wait(&lock->owner, owner, until);
	}
}

void tlob_lock_release(struct tlob_lock *lock)
{
	tlob_xchg(&lock->owner, 0u);
	tlob_futex_wake(&lock->owner, INT_MAX);
}
