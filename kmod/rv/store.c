// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects by key: a hash table of fixed size, so that looking up costs the same for any number of objects, and
 * nothing is allocated where the scheduler's locks are held.
 */
#include <linux/hash.h>
#include <linux/log2.h>
#include <linux/mm.h>

#include "rv.h"

int rvc_store_init(struct rvc_store *store, unsigned int max)
{
	unsigned int i;

	store->bits = clamp(ilog2(roundup_pow_of_two(max)), 6, 16);
	store->max = max;
	atomic_set(&store->count, 0);
	for (i = 0; i < ARRAY_SIZE(store->locks); i++)
		raw_spin_lock_init(&store->locks[i]);
	store->buckets = kvcalloc(1u << store->bits, sizeof(*store->buckets), GFP_KERNEL);
	return store->buckets ? 0 : -ENOMEM;
}

void rvc_store_deinit(struct rvc_store *store)
{
	WARN_ON(store->buckets && atomic_read(&store->count) != 0);
	kvfree(store->buckets);
	store->buckets = NULL;
}

static unsigned int bucket_of(const struct rvc_store *store, const void *key)
{
	return hash_ptr(key, store->bits);
}

static raw_spinlock_t *lock_of(struct rvc_store *store, unsigned int bucket)
{
	return &store->locks[bucket % ARRAY_SIZE(store->locks)];
}

static struct rvc_object *find_in(struct hlist_head *head, const void *key)
{
	struct rvc_object *object;

	hlist_for_each_entry_rcu(object, head, node, true) if (object->key == key) return object;
	return NULL;
}

struct rvc_object *rvc_store_find(const struct rvc_store *store, const void *key)
{
	return find_in(&store->buckets[bucket_of(store, key)], key);
}

int rvc_store_insert(struct rvc_store *store, struct rvc_object *object)
{
	unsigned int bucket = bucket_of(store, object->key);
	unsigned long flags;
	int ret = 0;

	if (!atomic_add_unless(&store->count, 1, store->max))
		return -ENOSPC;
	raw_spin_lock_irqsave(lock_of(store, bucket), flags);
	if (find_in(&store->buckets[bucket], object->key))
		ret = -EEXIST;
	else
		hlist_add_head_rcu(&object->node, &store->buckets[bucket]);
	raw_spin_unlock_irqrestore(lock_of(store, bucket), flags);
	if (ret)
		atomic_dec(&store->count);
	return ret;
}

bool rvc_store_remove(struct rvc_store *store, struct rvc_object *object)
{
	unsigned int bucket = bucket_of(store, object->key);
	unsigned long flags;
	bool removed;

	raw_spin_lock_irqsave(lock_of(store, bucket), flags);
	removed = !hlist_unhashed(&object->node);
	if (removed)
		/* readers may be on it: keeps its way on, and pprev tells that it is out */
		hlist_del_init_rcu(&object->node);
	raw_spin_unlock_irqrestore(lock_of(store, bucket), flags);
	if (removed)
		atomic_dec(&store->count);
	return removed;
}

void rvc_store_for_each(struct rvc_store *store, void (*fn)(struct rvc_object *object, void *arg),
			void *arg)
{
	struct rvc_object *object;
	unsigned int i;

	for (i = 0; i < 1u << store->bits; i++) {
		if (hlist_empty(&store->buckets[i]))
			continue;
		rcu_read_lock();
		hlist_for_each_entry_rcu(object, &store->buckets[i], node) fn(object, arg);
		rcu_read_unlock();
		cond_resched();
	}
}
