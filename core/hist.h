/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Log-linear histogram: below 64 ns each value has its bucket, above it each power of two is cut
 * into 64. A bucket's mid-point is within 0.8 % of every value in it. What lies past the last
 * bucket (73 min) is counted there; max_ns stays exact.
 *
 * Adding is lock-free and may happen in several threads at once. Everything else is for a histogram
 * that nobody writes any more: merge live ones into a private one first.
 */
#ifndef TLOB_CORE_HIST_H
#define TLOB_CORE_HIST_H

#include "atomic.h"

/* Position of the highest set bit of @v, not 0, where the machine has no instruction for it. */
tlob_inline __u32 tlob_log2_by_halves(__u64 v)
{
	__u32 n = 0;

	if (v >> 32) {
		v >>= 32;
		n += 32;
	}
	if (v >> 16) {
		v >>= 16;
		n += 16;
	}
	if (v >> 8) {
		v >>= 8;
		n += 8;
	}
	if (v >> 4) {
		v >>= 4;
		n += 4;
	}
	if (v >> 2) {
		v >>= 2;
		n += 2;
	}
	return n + (__u32)(v >> 1);
}

#if defined(__bpf__)
#define tlob_log2(v) tlob_log2_by_halves(v)
#else
#define tlob_log2(v) (63 - (__u32)__builtin_clzll(v))
#endif

/* Bucket of @ns, below TLOB_HIST_BUCKETS for any value. */
tlob_inline __u32 tlob_hist_index(__u64 ns)
{
	__u32 shift, index;

	if (ns >> TLOB_HIST_SUB_BITS == 0)
		return (__u32)ns;
	if (ns >> TLOB_HIST_MAX_BITS)
		return TLOB_HIST_BUCKETS - 1;
	shift = tlob_log2(ns) - TLOB_HIST_SUB_BITS;
	index = (shift << TLOB_HIST_SUB_BITS) + (__u32)(ns >> shift);
#if defined(__bpf__) /* the verifier must see what the compiler can prove */
	__asm__ volatile("" : "+r"(index));
	if (index >= TLOB_HIST_BUCKETS)
		index = TLOB_HIST_BUCKETS - 1;
#endif
	return index;
}

/* Mid-point of a bucket, in ns. */
tlob_inline __u64 tlob_hist_value(__u32 index)
{
	__u32 shift;

	if (index < 2u << TLOB_HIST_SUB_BITS)
		return index;
	if (index >= TLOB_HIST_BUCKETS)
		index = TLOB_HIST_BUCKETS - 1;
	shift = (index >> TLOB_HIST_SUB_BITS) - 1;
	return (((__u64)index - (shift << TLOB_HIST_SUB_BITS)) << shift) + (1ULL << (shift - 1));
}

#if !defined(__bpf__)

tlob_inline void tlob_hist_raise(struct tlob_hist *h, __u64 ns)
{
	__u64 max = tlob_load(&h->max_ns);

	while (ns > max) {
		__u64 was = tlob_cmpxchg(&h->max_ns, max, ns);

		if (was == max)
			break;
		max = was;
	}
}

/* The maximum first, so that whoever sees the count sees a maximum that covers it. */
tlob_inline void tlob_hist_add(struct tlob_hist *h, __u64 ns)
{
	tlob_hist_raise(h, ns);
	tlob_add(&h->count[tlob_hist_index(ns)], 1);
}

/* Add @from, which may be live, to the private @into. */
void tlob_hist_merge(struct tlob_hist *into, const struct tlob_hist *from);

/* Values counted; saturates far beyond what can be counted honestly, so sums cannot wrap. */
__u64 tlob_hist_count(const struct tlob_hist *h);

#define TLOB_HIST_PPB 1000000000ULL

/*
 * Smallest value such that at least @ppb parts per billion of all are at or below it: mid-point of
 * its bucket, never above max_ns; from TLOB_HIST_PPB on max_ns itself. 0 when empty.
 */
__u64 tlob_hist_quantile(const struct tlob_hist *h, __u64 ppb);

#if !defined(__KERNEL__)

/* @percent 0..100; what lies outside, or is not a number, counts as the nearer end. */
tlob_inline __u64 tlob_hist_percentile(const struct tlob_hist *h, double percent)
{
	if (percent >= 100)
		return h->max_ns;
	return tlob_hist_quantile(h, percent > 0 ? (__u64)(percent * 1e7 + 0.5) : 0);
}

/* Takes @bytes of text without a NUL; a negative result ends the writing and is passed on. */
typedef int tlob_hist_write_fn(void *arg, const char *text, __u64 bytes);

/* The text form HdrHistogram tools read and plot (.hgrm), values in us. */
int tlob_hist_write_hgrm(const struct tlob_hist *h, tlob_hist_write_fn *fn, void *arg);

#endif /* !__KERNEL__ */
#endif /* !__bpf__ */
#endif
