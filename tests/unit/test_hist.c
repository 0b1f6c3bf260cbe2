// SPDX-License-Identifier: GPL-2.0-or-later
/* The histogram: no bucket off by one, percentiles as counted by hand, HdrHistogram's text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/hist.h"

static struct tlob_hist hist, other;

static int reset(void **state)
{
	memset(&hist, 0, sizeof(hist));
	memset(&other, 0, sizeof(other));
	return 0;
}

static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

/* Durations of all sizes from 1 ns to an hour. */
static uint64_t random_ns(uint64_t *x)
{
	uint64_t ns = next_random(x) >> (22 + next_random(x) % 42);

	return ns > TLOB_BUDGET_MAX_NS ? TLOB_BUDGET_MAX_NS : ns ? ns : 1;
}

/* ---- buckets --------------------------------------------------------------------------------- */

static void test_buckets_join_without_gap(void **state)
{
	uint64_t low = 0;
	uint32_t i;

	for (i = 0; i < TLOB_HIST_BUCKETS; i++) {
		uint64_t width = i < 128 ? 1 : 1ULL << ((i >> 6) - 1);

		assert_int_equal(tlob_hist_index(low), i);
		assert_int_equal(tlob_hist_index(low + width - 1), i);
		assert_int_equal(tlob_hist_index(tlob_hist_value(i)), i);
		low += width;
	}
	assert_int_equal(low, 1ULL << TLOB_HIST_MAX_BITS);
}

static void test_beyond_the_range_is_the_last_bucket(void **state)
{
	assert_int_equal(tlob_hist_index(0), 0);
	assert_int_equal(tlob_hist_index(1ULL << TLOB_HIST_MAX_BITS), TLOB_HIST_BUCKETS - 1);
	assert_int_equal(tlob_hist_index(UINT64_MAX), TLOB_HIST_BUCKETS - 1);
	assert_int_equal(tlob_hist_value(UINT32_MAX), tlob_hist_value(TLOB_HIST_BUCKETS - 1));
	assert_true(tlob_hist_index(TLOB_BUDGET_MAX_NS) < TLOB_HIST_BUCKETS - 1);
}

static void test_error_below_one_percent(void **state)
{
	uint64_t x = 88172645463325252ULL;
	int i;

	for (i = 0; i < 1000000; i++) {
		uint64_t ns = random_ns(&x), value = tlob_hist_value(tlob_hist_index(ns));
		uint64_t off = value > ns ? value - ns : ns - value;

		assert_true(off * 1000 <= ns * 8);
	}
}

/* What BPF uses must not differ from what programs use. */
static void test_log2_by_halves(void **state)
{
	uint64_t x = 1;
	int i;

	for (i = 0; i < 64; i++) {
		assert_int_equal(tlob_log2_by_halves(1ULL << i), i);
		assert_int_equal(tlob_log2_by_halves(UINT64_MAX >> (63 - i)), i);
	}
	for (i = 0; i < 100000; i++) {
		uint64_t v = next_random(&x) >> (i % 64);

		if (v)
			assert_int_equal(tlob_log2_by_halves(v), tlob_log2(v));
	}
}

/* ---- counting -------------------------------------------------------------------------------- */

static void test_empty(void **state)
{
	assert_int_equal(tlob_hist_count(&hist), 0);
	assert_int_equal(tlob_hist_percentile(&hist, 0), 0);
	assert_int_equal(tlob_hist_percentile(&hist, 50), 0);
	assert_int_equal(tlob_hist_percentile(&hist, 100), 0);
}

static void test_one_value_is_every_percentile(void **state)
{
	const uint64_t ns = 1234567; /* below the middle of its bucket: the maximum bounds it */

	assert_true(tlob_hist_value(tlob_hist_index(ns)) > ns);
	tlob_hist_add(&hist, ns);
	assert_int_equal(tlob_hist_percentile(&hist, 0), ns);
	assert_int_equal(tlob_hist_percentile(&hist, 50), ns);
	assert_int_equal(tlob_hist_percentile(&hist, 99.999), ns);
	assert_int_equal(tlob_hist_percentile(&hist, 100), ns);
}

static void test_rank_is_rounded_up(void **state)
{
	uint64_t ns;

	for (ns = 1; ns <= 100; ns++)
		tlob_hist_add(&hist, ns);
	assert_int_equal(tlob_hist_percentile(&hist, 0), 1);
	assert_int_equal(tlob_hist_percentile(&hist, 1), 1);
	assert_int_equal(tlob_hist_percentile(&hist, 1.001), 2);
	assert_int_equal(tlob_hist_percentile(&hist, 50), 50);
	assert_int_equal(tlob_hist_percentile(&hist, 99), 99);
	assert_int_equal(tlob_hist_percentile(&hist, 99.1), 100);
}

static void test_percentile_out_of_range(void **state)
{
	tlob_hist_add(&hist, 10);
	tlob_hist_add(&hist, 20);
	assert_int_equal(tlob_hist_percentile(&hist, -1), 10);
	assert_int_equal(tlob_hist_percentile(&hist, -1e300), 10);
	assert_int_equal(tlob_hist_percentile(&hist, __builtin_nan("")), 10);
	assert_int_equal(tlob_hist_percentile(&hist, 100.001), 20);
	assert_int_equal(tlob_hist_percentile(&hist, __builtin_inf()), 20);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

#define SAMPLES 200000

static void test_percentiles_against_sorted_samples(void **state)
{
	static const uint64_t ppb[] = {1,	  1000000,   10000000,	100000000, 250000000,
				       500000000, 750000000, 900000000, 990000000, 999000000,
				       999900000, 999990000, 999999999};
	uint64_t *samples = malloc(SAMPLES * sizeof(*samples)), x = 42;
	size_t i;

	assert_non_null(samples);
	for (i = 0; i < SAMPLES; i++) {
		samples[i] = random_ns(&x);
		tlob_hist_add(&hist, samples[i]);
	}
	qsort(samples, SAMPLES, sizeof(*samples), compare);
	assert_int_equal(tlob_hist_count(&hist), SAMPLES);
	for (i = 0; i < sizeof(ppb) / sizeof(ppb[0]); i++) {
		uint64_t rank = (ppb[i] * SAMPLES + TLOB_HIST_PPB - 1) / TLOB_HIST_PPB;
		uint64_t want = samples[rank - 1], got;

		got = tlob_hist_quantile(&hist, ppb[i]);
		assert_int_equal(tlob_hist_index(got), tlob_hist_index(want));
		assert_int_equal(tlob_hist_percentile(&hist, (double)ppb[i] / 1e7), got);
	}
	assert_int_equal(tlob_hist_percentile(&hist, 100), samples[SAMPLES - 1]);
	free(samples);
}

static void test_merge_is_the_sum(void **state)
{
	static struct tlob_hist all;
	uint64_t x = 7;
	int i;

	memset(&all, 0, sizeof(all));
	for (i = 0; i < 10000; i++) {
		uint64_t ns = random_ns(&x);

		tlob_hist_add(i % 3 ? &hist : &other, ns);
		tlob_hist_add(&all, ns);
	}
	tlob_hist_merge(&hist, &other);
	assert_memory_equal(&hist, &all, sizeof(all));
}

/* A program may write anything into its histograms. */
static void test_absurd_counts(void **state)
{
	memset(&hist, 0xff, sizeof(hist));
	assert_int_equal(tlob_hist_count(&hist), 1ULL << 53);
	assert_int_equal(tlob_hist_quantile(&hist, TLOB_HIST_PPB), UINT64_MAX);
	assert_int_equal(tlob_hist_percentile(&hist, 100), UINT64_MAX);
	assert_int_equal(tlob_hist_percentile(&hist, 50), 0);
	hist.max_ns = 5;
	assert_int_equal(tlob_hist_percentile(&hist, 50), 0);
	hist.count[0] = 0;
	assert_int_equal(tlob_hist_percentile(&hist, 99), 1);
	tlob_hist_merge(&other, &hist);
	assert_int_equal(other.max_ns, 5);
	/* neither alone is too many, both are */
	memset(&hist, 0, sizeof(hist));
	hist.count[3] = hist.count[7] = (1ULL << 52) + 1;
	assert_int_equal(tlob_hist_count(&hist), 1ULL << 53);
}

#define THREADS 4
#define ADDS 100000

static void *add_many(void *arg)
{
	uint64_t x = (uintptr_t)arg + 1, max = 0;
	int i;

	for (i = 0; i < ADDS; i++) {
		uint64_t ns = random_ns(&x);

		max = ns > max ? ns : max;
		tlob_hist_add(&hist, ns);
	}
	return (void *)(uintptr_t)max;
}

static void test_threads_lose_nothing(void **state)
{
	pthread_t threads[THREADS];
	uintptr_t i, max = 0;

	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, add_many, (void *)i), 0);
	for (i = 0; i < THREADS; i++) {
		void *highest;

		assert_int_equal(pthread_join(threads[i], &highest), 0);
		max = (uintptr_t)highest > max ? (uintptr_t)highest : max;
	}
	assert_int_equal(tlob_hist_count(&hist), THREADS * ADDS);
	assert_int_equal(hist.max_ns, max);
}

/* ---- percentile text ------------------------------------------------------------------------- */

struct output {
	char text[65536];
	size_t bytes;
	int calls_left; /* then fail */
};

static struct output out;

static int collect(void *arg, const char *text, __u64 bytes)
{
	struct output *o = arg;

	if (o->calls_left-- == 0)
		return -5;
	assert_int_equal(strnlen(text, bytes), bytes);
	assert_true(o->bytes + bytes < sizeof(o->text));
	memcpy(o->text + o->bytes, text, bytes);
	o->bytes += bytes;
	o->text[o->bytes] = '\0';
	return 0;
}

static const char *write_text(void)
{
	memset(&out, 0, sizeof(out));
	out.calls_left = -1;
	assert_int_equal(tlob_hist_write_hgrm(&hist, collect, &out), 0);
	return out.text;
}

static void test_hgrm_of_three_values(void **state)
{
	tlob_hist_add(&hist, 1000);
	tlob_hist_add(&hist, 2000);
	tlob_hist_add(&hist, 3000);
	/* buckets of 8, 16 and 32 ns: mid-points 1004, 2008, 2992 */
	assert_string_equal(write_text(),
			    "       Value     Percentile TotalCount 1/(1-Percentile)\n"
			    "\n"
			    "       1.004 0.000000000000          1           1.00\n"
			    "       1.004 0.100000000000          1           1.11\n"
			    "       1.004 0.200000000000          1           1.25\n"
			    "       1.004 0.300000000000          1           1.43\n"
			    "       2.008 0.400000000000          2           1.67\n"
			    "       2.008 0.500000000000          2           2.00\n"
			    "       2.008 0.550000000000          2           2.22\n"
			    "       2.008 0.600000000000          2           2.50\n"
			    "       2.008 0.650000000000          2           2.86\n"
			    "       2.992 0.700000000000          3           3.33\n"
			    "       3.000 1.000000000000          3\n"
			    "#[Mean    =        2.001, StdDeviation   =        0.812]\n"
			    "#[Max     =        3.000, Total count    =            3]\n"
			    "#[Buckets =           37, SubBuckets     =           64]\n");
}

static void test_hgrm_of_nothing(void **state)
{
	assert_string_equal(write_text(),
			    "       Value     Percentile TotalCount 1/(1-Percentile)\n"
			    "\n"
			    "#[Mean    =        0.000, StdDeviation   =        0.000]\n"
			    "#[Max     =        0.000, Total count    =            0]\n"
			    "#[Buckets =           37, SubBuckets     =           64]\n");
}

/* Every line must agree with the percentile function, and the columns with each other. */
static void check_lines(const char *text, unsigned long total)
{
	const char *line = strstr(text, "\n\n");
	double last_value = 0, last_percentile = -1;
	unsigned int lines = 0;

	assert_non_null(line);
	for (line += 2; *line != '#'; line = strchr(line, '\n') + 1, lines++) {
		double value, percentile, inverse;
		unsigned long count;
		int n = sscanf(line, "%lf %lf %lu %lf", &value, &percentile, &count, &inverse);

		assert_true(n >= 3);
		assert_true(value >= last_value && percentile > last_percentile);
		assert_true(count <= total && (double)count >= percentile * (double)total - 1e-6);
		assert_true(value * 1000 == (double)tlob_hist_percentile(&hist, percentile * 100));
		if (percentile < 1)
			assert_true(inverse * (1 - percentile) > 0.99 &&
				    inverse * (1 - percentile) < 1.01);
		last_value = value;
		last_percentile = percentile;
	}
	assert_true(last_percentile == 1);
	assert_true(lines > 20);
}

static void test_hgrm_agrees_with_percentiles(void **state)
{
	uint64_t x = 3;
	int i;

	/* below 17 min, where a double holds each us value to the ns */
	for (i = 0; i < 1000; i++)
		tlob_hist_add(&hist, random_ns(&x) % 1000000000);
	check_lines(write_text(), 1000);
}

static void test_hgrm_of_absurd_counts(void **state)
{
	memset(&hist, 0xff, sizeof(hist));
	write_text();
	hist.max_ns = 1;
	write_text();
	memset(&hist, 0, sizeof(hist));
	hist.max_ns = UINT64_MAX;
	hist.count[0] = 1ULL << 52;
	hist.count[TLOB_HIST_BUCKETS - 1] = 1;
	assert_non_null(strstr(write_text(), "\n18446744073709551.615 1.000000000000 "));
}

static void test_hgrm_passes_errors_on(void **state)
{
	int calls;

	tlob_hist_add(&hist, 1000);
	for (calls = 0; calls < 4; calls++) {
		memset(&out, 0, sizeof(out));
		out.calls_left = calls;
		assert_int_equal(tlob_hist_write_hgrm(&hist, collect, &out), -5);
	}
}

#define CASE(name) cmocka_unit_test_setup(test_##name, reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(buckets_join_without_gap),
		CASE(beyond_the_range_is_the_last_bucket),
		CASE(error_below_one_percent),
		CASE(log2_by_halves),
		CASE(empty),
		CASE(one_value_is_every_percentile),
		CASE(rank_is_rounded_up),
		CASE(percentile_out_of_range),
		CASE(percentiles_against_sorted_samples),
		CASE(merge_is_the_sum),
		CASE(absurd_counts),
		CASE(threads_lose_nothing),
		CASE(hgrm_of_three_values),
		CASE(hgrm_of_nothing),
		CASE(hgrm_agrees_with_percentiles),
		CASE(hgrm_of_absurd_counts),
		CASE(hgrm_passes_errors_on),
	};

	return cmocka_run_group_tests_name("hist", tests, NULL, NULL);
}
