/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The time, and the odd bits of user space that atomic.h has no need to know. */
#ifndef TLOB_LIB_NOW_H
#define TLOB_LIB_NOW_H

#include <stdbool.h>

#include "atomic.h"
#include "vdso.h"

#define tlob_likely(x) __builtin_expect(!!(x), 1)
#define tlob_unlikely(x) __builtin_expect(!!(x), 0)
#define tlob_hot static inline __attribute__((always_inline)) /* one copy per caller */
#define tlob_cold __attribute__((noinline, cold))

#define TLOB_NS_PER_S 1000000000ULL
#define TLOB_NS_PER_MS 1000000ULL
#define TLOB_NS_PER_US 1000ULL

/* CLOCK_MONOTONIC. */
tlob_inline __u64 tlob_now(void)
{
	struct timespec t;

	tlob_load (&tlob_vdso_clock)(CLOCK_MONOTONIC, &t);
	return (__u64)t.tv_sec * TLOB_NS_PER_S + (__u64)t.tv_nsec;
}

tlob_inline struct timespec tlob_timespec(__u64 ns)
{
	return (struct timespec){.tv_sec = (time_t)(ns / TLOB_NS_PER_S),
				 .tv_nsec = (long)(ns % TLOB_NS_PER_S)};
}

/*
 * Words that only their own thread and its signal handlers write. One machine instruction cannot be
 * interrupted half-way, so these need no lock prefix, which is what makes them cost next to
 * nothing.
 */
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)

/* *@word: @old -> @new; false if a handler was faster. */
tlob_inline bool tlob_own_swap(__u32 *word, __u32 old, __u32 new)
{
	bool done;

	__asm__ volatile("cmpxchgl %3, %1"
			 : "=@ccz"(done), "+m"(*word), "+a"(old)
			 : "r"(new)
			 : "memory");
	return done;
}

tlob_inline void tlob_own_clear(__u32 *word, __u32 bits)
{
	__asm__ volatile("andl %1, %0" : "+m"(*word) : "r"(~bits) : "memory", "cc");
}

tlob_inline void tlob_own_increment(__u64 *word)
{
	__asm__ volatile("incq %0" : "+m"(*word) : : "cc");
}

#else

tlob_inline bool tlob_own_swap(__u32 *word, __u32 old, __u32 new)
{
	return __atomic_compare_exchange_n(word, &old, new, false, __ATOMIC_RELAXED,
					   __ATOMIC_RELAXED);
}

tlob_inline void tlob_own_clear(__u32 *word, __u32 bits)
{
	__atomic_fetch_and(word, ~bits, __ATOMIC_RELEASE);
}

tlob_inline void tlob_own_increment(__u64 *word)
{
	tlob_add(word, 1);
}

#endif
#endif
