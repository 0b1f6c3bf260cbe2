// SPDX-License-Identifier: GPL-2.0-only
/* Mapped ring of records; see ring.h, and include/tlob/rv.h for what the consumer sees. */
#include <linux/irq_work.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pid_namespace.h>
#include <linux/refcount.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <compat/compat.h>
#include <tlob/rv.h>

#include "pages.h"
#include "ring.h"
#include "user.h"

struct rvc_ring {
	refcount_t ref;
	raw_spinlock_t lock; /* producers: head, dropped */
	u32 record_bytes;
	u32 capacity;
	u32 head;
	u64 dropped;
	struct rvc_pages storage;
	void *base; /* the storage's; NULL: none yet. Stored last, release */
	struct mutex store_mutex; /* storage being made; inside mmap_lock */
	struct mutex
		read_mutex; /* one reader at a time; outside mmap_lock, as copying to it may fault */
	wait_queue_head_t wait;
	atomic_t nudged;
	struct irq_work wake;
	struct work_struct free;
	struct rvc_user *user;
	struct pid_namespace *pid_ns;
};

static struct workqueue_struct *ring_wq;

static void ring_wake(struct irq_work *work)
{
	struct rvc_ring *ring = container_of(work, struct rvc_ring, wake);

	wake_up_interruptible_poll(&ring->wait, EPOLLIN | EPOLLRDNORM);
}

static void ring_free(struct work_struct *work)
{
	struct rvc_ring *ring = container_of(work, struct rvc_ring, free);

	irq_work_sync(&ring->wake);
	rvc_pages_deinit(&ring->storage, ring->user);
	rvc_user_put(ring->user);
	put_pid_ns(ring->pid_ns);
	kfree(ring);
}

struct rvc_ring *rvc_ring_new(struct rvc_user *user, u32 record_bytes)
{
	struct rvc_ring *ring = kzalloc(sizeof(*ring), GFP_KERNEL_ACCOUNT);

	if (!ring)
		return NULL;
	refcount_set(&ring->ref, 1);
	raw_spin_lock_init(&ring->lock);
	mutex_init(&ring->store_mutex);
	mutex_init(&ring->read_mutex);
	init_waitqueue_head(&ring->wait);
	/* not a hard one: on a real-time kernel waking takes sleeping locks */
	init_irq_work(&ring->wake, ring_wake);
	INIT_WORK(&ring->free, ring_free);
	ring->record_bytes = record_bytes;
	ring->user = rvc_user_hold(user);
	ring->pid_ns = get_pid_ns(task_active_pid_ns(current));
	return ring;
}

void rvc_ring_hold(struct rvc_ring *ring)
{
	refcount_inc(&ring->ref);
}

void rvc_ring_put(struct rvc_ring *ring)
{
	if (ring && refcount_dec_and_test(&ring->ref))
		queue_work(ring_wq, &ring->free);
}

struct pid_namespace *rvc_ring_pid_ns(const struct rvc_ring *ring)
{
	return ring->pid_ns;
}

static unsigned int pages_for(const struct rvc_ring *ring, u32 capacity)
{
	return 1 + DIV_ROUND_UP((size_t)capacity * ring->record_bytes, PAGE_SIZE);
}

static int store_of(struct rvc_ring *ring, u32 capacity)
{
	struct tlob_mmap_page *page;
	int ret;

	lockdep_assert_held(&ring->store_mutex);
	ret = rvc_pages_init(&ring->storage, ring->user, pages_for(ring, capacity));
	if (ret)
		return ret;
	page = ring->storage.base;
	page->capacity = capacity;
	page->version = TLOB_RING_VERSION;
	page->data_offset = PAGE_SIZE;
	page->record_size = ring->record_bytes;
	ring->capacity = capacity;
	smp_store_release(&ring->base, ring->storage.base);
	return 0;
}

int rvc_ring_store(struct rvc_ring *ring)
{
	int ret = 0;

	if (smp_load_acquire(&ring->base))
		return 0;
	mutex_lock(&ring->store_mutex);
	if (!ring->base)
		ret = store_of(ring, TLOB_RING_DEFAULT_CAPACITY);
	mutex_unlock(&ring->store_mutex);
	return ret;
}

static void *slot_of(const struct rvc_ring *ring, u32 position)
{
	return ring->base + PAGE_SIZE +
	       (size_t)(position & (ring->capacity - 1)) * ring->record_bytes;
}

/* Records not consumed yet. A tail that cannot be was written by a consumer at odds with itself: to it the ring is full
 * until it writes a possible one. */
static u32 ring_used(const struct rvc_ring *ring, u32 head)
{
	const struct tlob_mmap_page *page = ring->base;
	u32 used = head - smp_load_acquire(&page->data_tail);

	return min(used, ring->capacity);
}

void rvc_ring_push(struct rvc_ring *ring, const void *record)
{
	struct tlob_mmap_page *page = smp_load_acquire(&ring->base);
	unsigned long flags;

	if (!page)
		return;
	raw_spin_lock_irqsave(&ring->lock, flags);
	if (ring_used(ring, ring->head) >= ring->capacity) {
		ring->dropped++;
	} else {
		memcpy(slot_of(ring, ring->head), record, ring->record_bytes);
		WRITE_ONCE(ring->head, ring->head + 1);
	}
	smp_store_release(&page->data_head, ring->head);
	WRITE_ONCE(page->dropped, ring->dropped);
	raw_spin_unlock_irqrestore(&ring->lock, flags);
	irq_work_queue(&ring->wake);
}

static bool readable(struct rvc_ring *ring)
{
	return smp_load_acquire(&ring->base) && ring_used(ring, READ_ONCE(ring->head)) != 0;
}

/* Copies whole records, then frees their slots: what could not be copied stays. */
static ssize_t read_some(struct rvc_ring *ring, char __user *ubuf, size_t count)
{
	struct tlob_mmap_page *page = ring->base;
	u32 head = smp_load_acquire(&ring->head);
	u32 used = ring_used(ring, head);
	u32 tail = head - used;
	ssize_t done = 0;

	while (used > 0 && count - done >= ring->record_bytes) {
		if (copy_to_user(ubuf + done, slot_of(ring, tail), ring->record_bytes)) {
			if (done == 0)
				done = -EFAULT;
			break;
		}
		done += ring->record_bytes;
		tail++;
		used--;
	}
	smp_store_release(&page->data_tail, tail);
	return done;
}

ssize_t rvc_ring_read(struct rvc_ring *ring, char __user *ubuf, size_t count, bool nonblock)
{
	ssize_t done;
	int ret;

	if (count < ring->record_bytes)
		return -EINVAL;
	ret = rvc_ring_store(ring);
	if (ret)
		return ret;
	for (;;) {
		if (mutex_lock_interruptible(&ring->read_mutex))
			return -ERESTARTSYS;
		done = read_some(ring, ubuf, count);
		mutex_unlock(&ring->read_mutex);
		if (done != 0)
			return done;
		if (nonblock)
			return -EAGAIN;
		/* another reader may be faster, or a program that scribbles on the tail: then wait on */
		ret = wait_event_interruptible(ring->wait, readable(ring));
		if (ret)
			return ret;
		if (signal_pending(current))
			return -ERESTARTSYS;
		cond_resched();
	}
}

__poll_t rvc_ring_poll(struct rvc_ring *ring, struct file *file, poll_table *wait)
{
	__poll_t events = 0;

	poll_wait(file, &ring->wait, wait);
	if (readable(ring))
		events |= EPOLLIN | EPOLLRDNORM;
	if (atomic_read(&ring->nudged) && atomic_xchg(&ring->nudged, 0))
		events |= EPOLLPRI;
	return events;
}

void rvc_ring_nudge(struct rvc_ring *ring)
{
	atomic_set(&ring->nudged, 1);
	wake_up_interruptible_poll(&ring->wait, EPOLLPRI);
}

int rvc_ring_mmap(struct rvc_ring *ring, struct vm_area_struct *vma)
{
	unsigned long pages = vma_pages(vma);
	u64 fit;
	int ret = 0;

	if (vma->vm_pgoff != 0 || !(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	if (pages < 2)
		return -EINVAL;
	fit = min_t(u64, (u64)(pages - 1) * PAGE_SIZE / ring->record_bytes,
		    2 * TLOB_RING_MAX_CAPACITY);
	fit = rounddown_pow_of_two(fit);
	if (fit < TLOB_RING_MIN_CAPACITY || fit > TLOB_RING_MAX_CAPACITY ||
	    pages != pages_for(ring, fit))
		return -EINVAL;

	mutex_lock(&ring->store_mutex);
	if (!ring->base)
		ret = store_of(ring, fit);
	else if (pages != ring->storage.count)
		ret = -EINVAL;
	mutex_unlock(&ring->store_mutex);
	if (ret)
		return ret;
	vm_flags_set(vma, VM_DONTCOPY); /* one consumer */
	return rvc_pages_map(&ring->storage, vma);
}

int rvc_ring_init(void)
{
	ring_wq = alloc_workqueue("rv_ring", WQ_UNBOUND, 0);
	return ring_wq ? 0 : -ENOMEM;
}

void rvc_ring_exit(void)
{
	destroy_workqueue(ring_wq);
}
