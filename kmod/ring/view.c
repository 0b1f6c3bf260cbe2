// SPDX-License-Identifier: GPL-2.0-only
/*
 * The file of a buffer: opened, read, waited for. Reading copies, event by event, also while it is mapped; the pages stay.
 */
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/splice.h>
#include <linux/uio.h>

#include <compat/compat.h>

#include "ring.h"

/* How long an event that is not urgent may wait for its reader: waking costs switches, which are events again. */
#define TICK msecs_to_jiffies(50)

static struct pring_cpu *cpu_of(struct pring_view *view)
{
	return view->live ? container_of(view, struct pring_cpu, live) :
			    container_of(view, struct pring_cpu, snapshot);
}

/* Under read_mutex or map_mutex. */
static struct pring_buffer *buffer_of(struct pring_view *view)
{
	return rcu_dereference_protected(view->buffer, lockdep_is_held(&view->read_mutex) ||
							       lockdep_is_held(&view->map_mutex));
}

/* ---- waiting ---- */

static void tell(struct pring_view *view)
{
	WRITE_ONCE(view->woken, view->woken + 1);
	wake_up_interruptible_poll(&view->wait, EPOLLIN | EPOLLRDNORM);
}

static void on_wake(struct irq_work *work)
{
	tell(container_of(work, struct pring_view, wake));
}

/* Something that nobody has read; a hint, as events are being written. */
static bool pending(struct pring_view *view)
{
	const struct pring_buffer *buffer;
	bool some = false;

	rcu_read_lock();
	buffer = rcu_dereference(view->buffer);
	if (buffer)
		some = READ_ONCE(buffer->ring.written) !=
		       READ_ONCE(buffer->ring.reader.events) + READ_ONCE(buffer->ring.overrun);
	rcu_read_unlock();
	return some;
}

static void on_tick(struct work_struct *work)
{
	struct pring_view *view = container_of(to_delayed_work(work), struct pring_view, tick);

	if (pending(view))
		tell(view);
	if (waitqueue_active(&view->wait))
		schedule_delayed_work(&view->tick, TICK);
}

void pring_view_wake(struct pring_view *view)
{
	if (waitqueue_active(&view->wait)) /* who is just going to sleep is woken by the tick */
		irq_work_queue(&view->wake);
}

/* Sleep until told to look again after @seen. */
static int wait_after(struct pring_view *view, u64 seen)
{
	/* each time it looks: a tick that came before it waited here was the last */
	return wait_event_interruptible(view->wait, (schedule_delayed_work(&view->tick, TICK),
						     READ_ONCE(view->woken) != seen));
}

static __poll_t view_poll(struct file *file, poll_table *wait)
{
	struct pring_view *view = file->private_data;

	poll_wait(file, &view->wait, wait);
	schedule_delayed_work(&view->tick, TICK);
	return pending(view) ? EPOLLIN | EPOLLRDNORM : 0;
}

/* ---- the mapped way ---- */

static void count(struct pring_buffer *buffer)
{
	const struct tlob_page_ring *ring = &buffer->ring;
	struct tlob_page_meta *meta = buffer->meta;

	WRITE_ONCE(meta->read, ring->reader.events);
	WRITE_ONCE(meta->overrun, READ_ONCE(ring->overrun));
	WRITE_ONCE(meta->lost, READ_ONCE(ring->dropped));
	WRITE_ONCE(meta->written, READ_ONCE(ring->written));
}

/* Id of the page that the next event to be read is in, or will be. */
static u32 head_id(const struct tlob_page_ring *ring)
{
	u64 tail = smp_load_acquire(&ring->tail), readable;
	u32 number = ring->reader.number + 1;

	readable = smp_load_acquire(&tlob_page_of(ring, ring->reader.id)->readable);
	if (TLOB_PAGE_EVENTS(readable) != ring->reader.page_events ||
	    TLOB_PAGE_BYTES(readable) / 8 != ring->page_eights)
		return ring->reader.id;
	if (TLOB_PAGE_NUMBER(tail) - number >= ring->nslots)
		number = TLOB_PAGE_NUMBER(tail) - ring->nslots + 1;
	return tlob_page_id(READ_ONCE(ring->slots[number & (ring->nslots - 1)]));
}

static void update_meta(struct pring_buffer *buffer)
{
	const struct tlob_page_ring *ring = &buffer->ring;
	struct tlob_page_meta *meta = buffer->meta;
	s64 entries;

	count(buffer);
	entries = meta->written - meta->read - meta->overrun;
	WRITE_ONCE(meta->entries, max(entries, 0LL));
	WRITE_ONCE(meta->pages_touched, (u64)TLOB_PAGE_NUMBER(READ_ONCE(ring->tail)) + 1);
	WRITE_ONCE(meta->pages_lost, READ_ONCE(ring->pages_lost));
	WRITE_ONCE(meta->head, head_id(ring));
	flush_dcache_page(virt_to_page(meta));
}

/* Hand out the next range, if there is one. */
static bool hand_out(struct pring_buffer *buffer)
{
	struct tlob_page_meta *meta = buffer->meta;
	struct tlob_page_range range;
	u32 i;

	if (!tlob_page_look(&buffer->ring, &range))
		return false;
	tlob_page_consume(&buffer->ring, range.end, range.events);
	meta->reader.id = range.id;
	meta->reader.begin = range.begin;
	meta->reader.read = range.end;
	meta->reader.events = range.events;
	meta->reader.lost = tlob_page_lost_since(&buffer->ring);
	count(buffer);
	flush_dcache_page(virt_to_page(meta));
	for (i = 0; i < 1u << buffer->config.order; i++)
		flush_dcache_page(virt_to_page(buffer->pages[range.id] + i * PAGE_SIZE));
	return true;
}

/* 1: handed out; 0: nothing there. */
static int try_get_reader(struct pring_view *view)
{
	int ret = -ENODEV;

	if (mutex_lock_interruptible(&view->read_mutex))
		return -ERESTARTSYS;
	if (READ_ONCE(view->mapped))
		ret = hand_out(buffer_of(view));
	mutex_unlock(&view->read_mutex);
	return ret;
}

static int get_reader(struct pring_view *view, bool nonblock)
{
	u64 seen;
	int ret;

	for (;;) {
		seen = READ_ONCE(view->woken);
		ret = try_get_reader(view);
		if (ret < 0)
			return ret;
		if (ret > 0 || nonblock)
			return 0;
		ret = wait_after(view, seen);
		if (ret)
			return ret;
		if (!pending(view))
			return 0; /* told to stop waiting */
	}
}

static long view_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct pring_view *view = file->private_data;
	int ret = -ENODEV;

	switch (cmd) {
	case TLOB_RING_WAKE:
		tell(view);
		return 0;
	case TLOB_RING_GET_READER:
		return get_reader(view, file->f_flags & O_NONBLOCK);
	case TLOB_RING_UPDATE_META:
		if (mutex_lock_interruptible(&view->read_mutex))
			return -ERESTARTSYS;
		if (READ_ONCE(view->mapped)) {
			update_meta(buffer_of(view));
			ret = 0;
		}
		mutex_unlock(&view->read_mutex);
		return ret;
	default:
		return -ENOTTY;
	}
}

/* ---- the copied way ---- */

/* Bytes of the whole events at the beginning of @room bytes, and how many they are. */
static u32 whole_events(const void *page, u32 begin, u32 room, u32 *events)
{
	u32 at = begin;

	for (*events = 0; at - begin < room; (*events)++) {
		const struct tlob_page_event *event = page + at;

		if (event->type == TLOB_PAGE_PADDING || event->bytes > room - (at - begin))
			break;
		at += event->bytes;
	}
	return at - begin;
}

/* Whole events of one range, without the padding. An event of which a part could be copied was not copied. */
static ssize_t copy_range(struct pring_buffer *buffer, const struct tlob_page_range *range,
			  struct iov_iter *to)
{
	const void *page = buffer->pages[range->id];
	u32 room = min_t(size_t, range->end - range->begin, iov_iter_count(to));
	u32 events, done;
	size_t copied;

	done = whole_events(page, range->begin, room, &events);
	copied = copy_to_iter(page + range->begin, done, to);
	if (copied < done) {
		done = whole_events(page, range->begin, copied, &events);
		iov_iter_revert(to, copied - done);
	}
	tlob_page_consume(&buffer->ring, range->begin + done, events);
	return done;
}

/* -EINVAL: the next event is larger; -EFAULT. */
static ssize_t copy_some(struct pring_buffer *buffer, struct iov_iter *to)
{
	struct tlob_page_range range;
	ssize_t done = 0, copied;

	while (buffer && iov_iter_count(to) > 0 && tlob_page_look(&buffer->ring, &range)) {
		const struct tlob_page_event *first = buffer->pages[range.id] + range.begin;

		copied = copy_range(buffer, &range, to);
		done += copied;
		if (copied == 0)
			return done ? done : first->bytes > iov_iter_count(to) ? -EINVAL : -EFAULT;
		if (signal_pending(current))
			break;
		cond_resched();
	}
	return done;
}

static ssize_t view_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct pring_view *view = iocb->ki_filp->private_data;
	bool nonblock = iocb->ki_filp->f_flags & O_NONBLOCK || iocb->ki_flags & IOCB_NOWAIT;
	ssize_t done;
	u64 seen;
	int ret;

	if (iov_iter_count(to) == 0)
		return 0;
	for (;;) {
		seen = READ_ONCE(view->woken);
		if (mutex_lock_interruptible(&view->read_mutex))
			return -ERESTARTSYS;
		done = copy_some(buffer_of(view), to);
		mutex_unlock(&view->read_mutex);
		if (done != 0)
			return done;
		if (nonblock)
			return -EAGAIN;
		ret = wait_after(view, seen);
		if (ret)
			return ret;
		if (!pending(view))
			return 0; /* told to stop waiting */
	}
}

/* ---- opening ---- */

/* The first who opens the live file makes its buffer, and has events written to it. */
static int first_open(struct pring_cpu *cpu, struct pring_view *view)
{
	struct pring_buffer *buffer = rcu_dereference_protected(view->buffer, true);
	int ret;

	if (!buffer && view->live) {
		buffer = pring_buffer_new(view->cpu, &cpu->config);
		if (!buffer)
			return -ENOMEM;
		rcu_assign_pointer(view->buffer, buffer);
	}
	if (!buffer)
		return -ENODATA; /* no snapshot was ever taken */
	if (!view->live)
		return 0;
	ret = pring_record_start();
	if (ret == 0)
		rcu_assign_pointer(cpu->target, buffer);
	return ret;
}

static int view_open(struct inode *inode, struct file *file)
{
	struct pring_view *view = inode->i_private;
	struct pring_cpu *cpu = cpu_of(view);
	int ret = 0;

	mutex_lock(&cpu->mutex);
	if (view->open == 0)
		ret = first_open(cpu, view);
	if (ret == 0)
		view->open++;
	mutex_unlock(&cpu->mutex);
	if (ret)
		return ret;
	file->private_data = view;
	return stream_open(inode, file);
}

static int view_release(struct inode *inode, struct file *file)
{
	struct pring_view *view = file->private_data;
	struct pring_cpu *cpu = cpu_of(view);

	mutex_lock(&cpu->mutex);
	if (--view->open == 0 && view->live) {
		rcu_assign_pointer(cpu->target, NULL);
		pring_record_stop();
	}
	mutex_unlock(&cpu->mutex);
	return 0;
}

const struct file_operations pring_view_fops = {
	.owner = THIS_MODULE,
	.open = view_open,
	.release = view_release,
	.read_iter = view_read,
	.splice_read = compat_splice_read,
	.poll = view_poll,
	.unlocked_ioctl = view_ioctl,
	.compat_ioctl = view_ioctl,
	.mmap = pring_mmap,
	.llseek = noop_llseek,
};

void pring_view_init(struct pring_view *view, int cpu, bool live)
{
	mutex_init(&view->read_mutex);
	mutex_init(&view->map_mutex);
	init_waitqueue_head(&view->wait);
	/* not a hard one: on a real-time kernel waking takes sleeping locks */
	init_irq_work(&view->wake, on_wake);
	INIT_DELAYED_WORK(&view->tick, on_tick);
	view->cpu = cpu;
	view->live = live;
}

/* No file is open and nobody writes. */
void pring_view_deinit(struct pring_view *view)
{
	irq_work_sync(&view->wake);
	cancel_delayed_work_sync(&view->tick);
	pring_buffer_free(rcu_dereference_protected(view->buffer, true));
}
