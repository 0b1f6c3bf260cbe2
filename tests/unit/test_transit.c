// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of windows that belong to no thread: threads that begin and end the same keys, and an
 * engine that expires them, all at once. A key is never open twice, and each window has one outcome.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "chain.h"
#include "transit_table.h"

#define EEXIST 17
#define ENOSPC 28

static struct tlob_pool *pool_new(int arenas)
{
	struct tlob_pool *pool = calloc(1, sizeof(*pool));

	assert_non_null(pool);
	for (int i = 0; i < arenas; i++) {
		pool->entries[i] = calloc(TLOB_ARENA_SLOTS, sizeof(union tlob_arena_entry));
		assert_non_null(pool->entries[i]);
	}
	return pool;
}

static void pool_free(struct tlob_pool *pool)
{
	for (int i = 0; i < TLOB_TRANSIT_ARENAS; i++)
		free(pool->entries[i]);
	free(pool);
}

static int begin(struct tlob_pool *pool, uint32_t region, uint64_t tag, struct tlob_place *p)
{
	int r = tlob_transit_claim(pool, region, tag, 1, p);

	if (!r)
		(void)tlob_window_arm(&p->slot->windows[p->index]);
	return r;
}

/* The state it had, or -1 if there was none. */
static int end(struct tlob_pool *pool, uint32_t region, uint64_t tag)
{
	struct tlob_place p;
	__u64 word;

	do {
		if (!tlob_transit_find(pool, region, tag, &p, &word))
			return -1;
	} while (!tlob_transit_end(&p, word));
	tlob_transit_release(&p);
	return (int)TLOB_WINDOW_STATE(word);
}

static bool is_empty(struct tlob_pool *pool)
{
	for (int a = 0; a < TLOB_TRANSIT_ARENAS && pool->entries[a]; a++)
		for (int n = 1; n < TLOB_ARENA_SLOTS; n++) {
			const struct tlob_transit *s = &pool->entries[a][n].transit;

			if (s->used)
				return false;
			for (int i = 0; i < TLOB_MAX_DEPTH; i++)
				if (s->key[i] || TLOB_WINDOW_STATE(s->windows[i].state))
					return false;
		}
	return true;
}

static void test_one_at_a_time(void **state)
{
	struct tlob_pool *pool = pool_new(1);
	struct tlob_place p, q;

	assert_int_equal(end(pool, 0, 0), -1);
	assert_int_equal(begin(pool, 0, 0, &p), 0);
	assert_int_equal(begin(pool, 0, 0, &q), -EEXIST);
	assert_int_equal(begin(pool, 1, 0, &q), 0);
	assert_int_equal(begin(pool, 0, 1, &q), 0);
	assert_int_equal(begin(pool, 0, UINT64_MAX, &q), 0);
	assert_int_equal(end(pool, 0, 0), TLOB_ARMED);
	assert_int_equal(end(pool, 0, 0), -1);
	assert_int_equal(begin(pool, 0, 0, &q), 0);
	assert_true(tlob_window_take(&q.slot->windows[q.index], q.slot->windows[q.index].state,
				     TLOB_EXPIRED));
	assert_int_equal(begin(pool, 0, 0, &p), -EEXIST);
	assert_int_equal(end(pool, 0, 0), TLOB_EXPIRED);
	assert_int_equal(end(pool, 1, 0), TLOB_ARMED);
	assert_int_equal(end(pool, 0, 1), TLOB_ARMED);
	assert_int_equal(end(pool, 0, UINT64_MAX), TLOB_ARMED);
	assert_true(is_empty(pool));
	pool_free(pool);
}

/* Most of an arena can be used, a key that finds no room is told so, and another arena helps. */
static void test_full(void **state)
{
	struct tlob_pool *pool = pool_new(1);
	struct tlob_place p;
	uint64_t tag, full = 0;
	int n;

	for (tag = 0; begin(pool, 3, tag, &p) == 0; tag++)
		;
	assert_in_range(tag, 200, 504);
	full = tag;
	pool->entries[1] = calloc(TLOB_ARENA_SLOTS, sizeof(union tlob_arena_entry));
	assert_int_equal(begin(pool, 3, full, &p), 0);
	assert_int_equal(p.arena, 1);
	for (tag = 0; tag <= full; tag++) {
		assert_int_equal(begin(pool, 3, tag, &p), -EEXIST);
		assert_int_equal(end(pool, 3, tag), TLOB_ARMED);
	}
	assert_true(is_empty(pool));
	/* all of it, in the end */
	for (n = 0, tag = 0; tag < 100000 && n < 2 * 504; tag++)
		n += begin(pool, 3, tag, &p) == 0;
	assert_int_equal(n, 2 * 504);
	pool_free(pool);
}

/* A begin that has claimed its place only, as of a thread that has lost its CPU there. */
static void claim_only(struct tlob_pool *pool, uint64_t tag, struct tlob_place *p)
{
	__u64 hash = tlob_transit_hash(0, tag);

	p->width = 1;
	assert_true(tlob_transit_take(pool, hash, p));
	p->slot->windows[p->index].tag = tag;
	p->slot->windows[p->index].region = 0;
	p->slot->key[p->index] = tlob_transit_key_of(hash) | TLOB_KEY_CLAIMED;
}

/* Of two that are on their way at once, the one in the earlier place wins, whoever comes first. */
static void test_two_at_once(void **state)
{
	struct tlob_pool *pool = pool_new(1);
	struct tlob_place first, second, p;

	claim_only(pool, 5, &first);
	assert_int_equal(begin(pool, 0, 5, &p), -EEXIST); /* comes after: yields */
	assert_int_equal(first.slot->key[first.index] & TLOB_KEY_BITS, TLOB_KEY_CLAIMED);
	claim_only(pool, 5, &second);
	tlob_transit_release(&first);
	assert_int_equal(begin(pool, 0, 5, &p), 0); /* comes before: bars the other */
	assert_int_equal(second.slot->key[second.index] & TLOB_KEY_BITS, TLOB_KEY_BARRED);
	tlob_transit_release(&second);
	assert_int_equal(end(pool, 0, 5), TLOB_ARMED);
	assert_true(is_empty(pool));
	pool_free(pool);
}

/* Marks of a chain: exact where it matters, and never far off. */
static void test_marks(void **state)
{
	assert_int_not_equal(tlob_mark_of(0), 0);
	for (uint64_t ns = 0; ns < 67000000; ns += 9973)
		assert_int_equal(tlob_mark_ns(tlob_mark_of(ns)), ns);
	for (uint64_t ns = 67000000; ns < 1ULL << 60; ns += ns / 7) {
		uint64_t have = tlob_mark_ns(tlob_mark_of(ns));

		assert_in_range(have, ns - (ns >> 24), ns);
	}
}

/* ---- all at once */

#define THREADS 4
#define TAGS 6
#ifdef __SANITIZE_THREAD__
#define ROUNDS 100000
#else
#define ROUNDS 500000
#endif

static struct tlob_pool *shared;
static _Atomic int open_now[TAGS]; /* by tag: begun and not ended */
static _Atomic uint64_t begun, in_time, over, expired, doubles;
static _Atomic bool done;

static void *race(void *arg)
{
	uint64_t x = (uintptr_t)arg * 7919 + 1;

	for (int i = 0; i < ROUNDS; i++) {
		struct tlob_place p;
		uint64_t tag;
		__u64 word;

		x = x * 6364136223846793005u + 1442695040888963407u;
		tag = (x >> 33) % TAGS;
		if (x >> 63) {
			if (tlob_transit_claim(shared, 0, tag, 1, &p))
				continue;
			doubles += atomic_exchange(&open_now[tag], 1) != 0;
			begun++;
			(void)tlob_window_arm(&p.slot->windows[p.index]);
		} else if (tlob_transit_find(shared, 0, tag, &p, &word) &&
			   tlob_transit_end(&p, word)) {
			*(TLOB_WINDOW_STATE(word) == TLOB_ARMED ? &in_time : &over) += 1;
			doubles += atomic_exchange(&open_now[tag], 0) != 1;
			tlob_transit_release(&p);
		}
	}
	return NULL;
}

/* An engine whose clock runs fast: whatever it finds open has expired. */
static void *expire(void *arg)
{
	while (!done)
		for (int n = 1; n < TLOB_ARENA_SLOTS; n++) {
			struct tlob_transit *s = &shared->entries[0][n].transit;
			uint32_t used = tlob_load_acquire(&s->used);

			for (int i = 0; i < TLOB_MAX_DEPTH; i++) {
				__u64 word = tlob_load_acquire(&s->windows[i].state);

				if (used >> i & 1 && TLOB_WINDOW_STATE(word) == TLOB_ARMED)
					expired += (uint64_t)tlob_window_take(&s->windows[i], word,
									      TLOB_EXPIRED);
			}
		}
	return NULL;
}

static void test_race(void **state)
{
	pthread_t threads[THREADS], engine;

	shared = pool_new(1);
	assert_int_equal(pthread_create(&engine, NULL, expire, NULL), 0);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, race, (void *)i), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	done = true;
	pthread_join(engine, NULL);
	for (uint64_t tag = 0; tag < TAGS; tag++) {
		int was = end(shared, 0, tag);

		assert_int_equal(was >= 0, open_now[tag]);
		in_time += was == TLOB_ARMED;
		over += was == TLOB_EXPIRED;
	}
	assert_int_equal(doubles, 0);
	assert_in_range(begun, ROUNDS / 100, UINT64_MAX);
	assert_int_equal(begun, in_time + over);
	assert_int_equal(expired, over);
	assert_true(is_empty(shared));
	pool_free(shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_at_a_time), cmocka_unit_test(test_full),
		cmocka_unit_test(test_two_at_once),   cmocka_unit_test(test_marks),
		cmocka_unit_test(test_race),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
