/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The few atomic operations the protocol needs, for user space, BPF and kernel. Words are naturally aligned
 * and shared between them, so each form must be the same machine operation in the end.
 *
 * tlob_xchg() is a full barrier everywhere.
 *
 * BPF has no barrier instructions before 6.12: there a store-release and a load-acquire are plain where the machine
 * keeps stores and loads in order (x86), and an exchange and an addition of 0, which are barriers, elsewhere.
 */
#ifndef TLOB_CORE_ATOMIC_H
#define TLOB_CORE_ATOMIC_H

#include <tlob/abi.h>

#define tlob_once(x) (*(volatile __typeof__(x) *)&(x))

#if defined(__bpf__)

#define tlob_load(p) tlob_once(*(p))
#define tlob_store(p, v) (tlob_once(*(p)) = (v))
#ifdef __TARGET_ARCH_x86
#define tlob_load_acquire(p) tlob_once(*(p))
#define tlob_store_release(p, v) (tlob_once(*(p)) = (v))
#else
#define tlob_load_acquire(p) \
	__sync_fetch_and_add((__typeof__((__typeof__(*(p)))0) *)(p), 0) /* without const */
#define tlob_store_release(p, v) ((void)__sync_lock_test_and_set((p), (v)))
#endif
#define tlob_xchg(p, v) __sync_lock_test_and_set((p), (v))
#define tlob_cmpxchg(p, old, new) __sync_val_compare_and_swap((p), (old), (new))
#define tlob_add(p, v) ((void)__sync_fetch_and_add((p), (v)))
#define tlob_fence_acquire() __asm__ volatile("" ::: "memory")
#define tlob_fence_release() __asm__ volatile("" ::: "memory")

#elif defined(__KERNEL__)

#include <linux/atomic.h>
#define tlob_load(p) READ_ONCE(*(p))
#define tlob_load_acquire(p) smp_load_acquire(p)
#define tlob_store(p, v) WRITE_ONCE(*(p), (v))
#define tlob_store_release(p, v) smp_store_release(p, v)
#define tlob_xchg(p, v) xchg(p, v)
#define tlob_cmpxchg(p, old, new) cmpxchg(p, old, new)
/* The compiler's own may be a call of libgcc, which the kernel has not. */
#define tlob_add(p, v) \
	(sizeof(*(p)) == sizeof(s64) ? atomic64_add((v), (atomic64_t *)(p)) : \
				       atomic_add((v), (atomic_t *)(p)))
#define tlob_fence_acquire() smp_rmb()
#define tlob_fence_release() smp_wmb()

#else

#define tlob_load(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define tlob_load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define tlob_store(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define tlob_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#if defined(__x86_64__) || defined(__i386__)
#define tlob_xchg(p, v) __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
#else /* C orders it only against other SEQ_CST operations, so a load behind it could still be early */
#define tlob_xchg(p, v) \
	({ \
		__typeof__(*(p)) tlob_was_ = __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST); \
		__atomic_thread_fence(__ATOMIC_SEQ_CST); \
		tlob_was_; \
	})
#endif
#define tlob_cmpxchg(p, old, new) \
	({ \
		__typeof__(*(p)) tlob_old_ = (old); \
		__atomic_compare_exchange_n((p), &tlob_old_, (new), 0, __ATOMIC_SEQ_CST, \
					    __ATOMIC_SEQ_CST); \
		tlob_old_; \
	})
#define tlob_add(p, v) ((void)__atomic_fetch_add((p), (v), __ATOMIC_RELAXED))
#define tlob_fence_acquire() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define tlob_fence_release() __atomic_thread_fence(__ATOMIC_RELEASE)

#endif

#if defined(__bpf__)
#define tlob_inline static __attribute__((always_inline, unused)) inline
#else
#define tlob_inline static inline __attribute__((unused))
#endif

#endif
