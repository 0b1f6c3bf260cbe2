// SPDX-License-Identifier: GPL-2.0-only
/* Buffers of the page ring: memory, and changing one for another. */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "ring.h"

void pring_buffer_free(struct pring_buffer *buffer)
{
	u32 i;

	if (!buffer)
		return;
	for (i = 0; buffer->pages && i <= buffer->config.slots; i++)
		free_pages((unsigned long)buffer->pages[i], buffer->config.order);
	free_page((unsigned long)buffer->meta);
	kvfree(buffer->pages);
	kvfree(buffer->slots);
	kfree(buffer);
}

/*
 * Zeroed before anybody sees it. One allocation even of several pages, which are mapped one by one. Where there is not enough
 * it fails: a size that somebody has asked for is no reason to kill others.
 */
static void *page_new(int cpu, u32 order)
{
	struct page *page = alloc_pages_node(cpu_to_node(cpu),
					     GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_ZERO |
						     __GFP_COMP | __GFP_NOWARN,
					     order);

	return page ? page_address(page) : NULL;
}

static void meta_fill(struct pring_buffer *buffer, int cpu)
{
	struct tlob_page_meta *meta = buffer->meta;

	meta->meta_bytes = PAGE_SIZE;
	meta->struct_bytes = sizeof(*meta);
	meta->version = TLOB_PAGE_META_VERSION;
	meta->flags = buffer->config.overwrite ? TLOB_PAGE_META_OVERWRITE : 0;
	meta->page_order = buffer->config.order;
	meta->page_bytes = PAGE_SIZE << buffer->config.order;
	meta->pages = buffer->config.slots + 1;
	meta->cpu = cpu;
}

struct pring_buffer *pring_buffer_new(int cpu, const struct pring_config *config)
{
	struct pring_buffer *buffer = kzalloc(sizeof(*buffer), GFP_KERNEL_ACCOUNT);
	u32 i;

	if (!buffer)
		return NULL;
	buffer->config = *config;
	buffer->slots = kvcalloc(config->slots, sizeof(*buffer->slots), GFP_KERNEL_ACCOUNT);
	buffer->pages = kvcalloc(config->slots + 1, sizeof(*buffer->pages), GFP_KERNEL_ACCOUNT);
	buffer->meta = page_new(cpu, 0);
	if (!buffer->slots || !buffer->pages || !buffer->meta)
		goto fail;
	for (i = 0; i <= config->slots; i++) {
		buffer->pages[i] = page_new(cpu, config->order);
		if (!buffer->pages[i] || fatal_signal_pending(current))
			goto fail;
		cond_resched();
	}
	meta_fill(buffer, cpu);
	tlob_page_ring_init(&buffer->ring, buffer->slots, buffer->pages, config->slots,
			    PAGE_SIZE << config->order, config->overwrite);
	return buffer;
fail:
	pring_buffer_free(buffer);
	return NULL;
}

/* Nobody reads, maps or unmaps either view from here on. */
static int lock_unmapped(struct pring_cpu *cpu)
{
	mutex_lock(&cpu->live.read_mutex);
	mutex_lock_nested(&cpu->snapshot.read_mutex, SINGLE_DEPTH_NESTING);
	mutex_lock(&cpu->live.map_mutex);
	mutex_lock_nested(&cpu->snapshot.map_mutex, SINGLE_DEPTH_NESTING);
	return cpu->live.mapped || cpu->snapshot.mapped ? -EBUSY : 0;
}

static void unlock(struct pring_cpu *cpu)
{
	mutex_unlock(&cpu->snapshot.map_mutex);
	mutex_unlock(&cpu->live.map_mutex);
	mutex_unlock(&cpu->snapshot.read_mutex);
	mutex_unlock(&cpu->live.read_mutex);
}

/* The writers, too, go on in @live; when this returns none is in the one before. */
static void replace(struct pring_cpu *cpu, struct pring_buffer *live, struct pring_buffer *snapshot)
{
	rcu_assign_pointer(cpu->live.buffer, live);
	rcu_assign_pointer(cpu->snapshot.buffer, snapshot);
	if (rcu_access_pointer(cpu->target))
		rcu_assign_pointer(cpu->target, live);
	synchronize_rcu();
}

/* Buffers of @config in place of those that there are. */
static int reconfigure(struct pring_cpu *cpu, const struct pring_config *config)
{
	struct pring_buffer *old_live = rcu_dereference_protected(cpu->live.buffer, true);
	struct pring_buffer *old_snapshot = rcu_dereference_protected(cpu->snapshot.buffer, true);
	struct pring_buffer *live = NULL, *snapshot = NULL;

	if (old_live)
		live = pring_buffer_new(cpu->live.cpu, config);
	if (old_snapshot)
		snapshot = pring_buffer_new(cpu->live.cpu, config);
	if (!live != !old_live || !snapshot != !old_snapshot) {
		pring_buffer_free(live);
		pring_buffer_free(snapshot);
		return -ENOMEM;
	}
	replace(cpu, live, snapshot);
	cpu->config = *config;
	pring_buffer_free(old_live);
	pring_buffer_free(old_snapshot);
	return 0;
}

static int exchange(struct pring_cpu *cpu)
{
	struct pring_buffer *live = rcu_dereference_protected(cpu->live.buffer, true);
	struct pring_buffer *snapshot = rcu_dereference_protected(cpu->snapshot.buffer, true);

	if (!live)
		return -ENODATA;
	if (!snapshot)
		snapshot = pring_buffer_new(cpu->live.cpu, &cpu->config);
	if (!snapshot)
		return -ENOMEM;
	replace(cpu, snapshot, live);
	return 0;
}

int pring_configure(struct pring_cpu *cpu, const struct pring_config *config)
{
	int ret;

	mutex_lock(&cpu->mutex);
	ret = lock_unmapped(cpu);
	if (ret == 0)
		ret = reconfigure(cpu, config);
	unlock(cpu);
	mutex_unlock(&cpu->mutex);
	return ret;
}

int pring_swap(struct pring_cpu *cpu)
{
	int ret;

	mutex_lock(&cpu->mutex);
	ret = lock_unmapped(cpu);
	if (ret == 0)
		ret = exchange(cpu);
	unlock(cpu);
	mutex_unlock(&cpu->mutex);
	return ret;
}
