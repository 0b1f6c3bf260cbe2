// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mapping of a buffer: its meta page first, then its data pages by id. All of it or any part, by any number of
 * processes, but never writable or executable, now or later. Each mapping, and what a fork or mremap() makes of it, is
 * counted; while there is one the buffer is neither resized nor swapped.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>

#include <compat/compat.h>

#include "ring.h"

static struct page *page_at(const struct pring_buffer *buffer, unsigned long index)
{
	if (index == 0)
		return virt_to_page(buffer->meta);
	index--;
	return virt_to_page(buffer->pages[index >> buffer->config.order]) +
	       (index & ((1ul << buffer->config.order) - 1));
}

static unsigned long page_count_of(const struct pring_buffer *buffer)
{
	return 1 + ((unsigned long)(buffer->config.slots + 1) << buffer->config.order);
}

static void map_more(struct vm_area_struct *vma)
{
	struct pring_view *view = vma->vm_private_data;

	mutex_lock(&view->map_mutex);
	WRITE_ONCE(view->mapped, view->mapped + 1);
	mutex_unlock(&view->map_mutex);
}

static void map_less(struct vm_area_struct *vma)
{
	struct pring_view *view = vma->vm_private_data;

	mutex_lock(&view->map_mutex);
	WRITE_ONCE(view->mapped, view->mapped - 1);
	mutex_unlock(&view->map_mutex);
}

/* Half a mapping has no use. */
static int map_split(struct vm_area_struct *vma, unsigned long address)
{
	return -EINVAL;
}

static const struct vm_operations_struct map_ops = {
	.open = map_more,
	.close = map_less,
	.may_split = map_split,
};

/* Both may be as large as an unsigned long holds: no sum is formed before it is known to be small. */
static bool fits(const struct pring_buffer *buffer, struct vm_area_struct *vma)
{
	unsigned long all = page_count_of(buffer);

	return vma->vm_pgoff < all && vma_pages(vma) <= all - vma->vm_pgoff;
}

static int insert(const struct pring_buffer *buffer, struct vm_area_struct *vma)
{
	unsigned long i;
	int ret;

	for (i = 0; i < vma_pages(vma); i++) {
		ret = vm_insert_page(vma, vma->vm_start + i * PAGE_SIZE,
				     page_at(buffer, vma->vm_pgoff + i));
		if (ret)
			return ret;
	}
	return 0;
}

int pring_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct pring_view *view = file->private_data;
	const struct pring_buffer *buffer;
	int ret = -EINVAL;

	if (vma->vm_flags & (VM_WRITE | VM_EXEC) || !(vma->vm_flags & VM_MAYSHARE))
		return -EPERM;
	vm_flags_clear(vma, VM_MAYWRITE | VM_MAYEXEC);
	vm_flags_set(vma, VM_DONTCOPY | VM_DONTDUMP | VM_DONTEXPAND);

	mutex_lock(&view->map_mutex);
	buffer = rcu_dereference_protected(view->buffer, lockdep_is_held(&view->map_mutex));
	if (view->mapped == UINT_MAX)
		ret = -EBUSY;
	else if (buffer && fits(buffer, vma))
		ret = insert(buffer, vma);
	if (ret == 0) {
		vma->vm_private_data = view;
		vma->vm_ops = &map_ops;
		WRITE_ONCE(view->mapped, view->mapped + 1);
	}
	mutex_unlock(&view->map_mutex);
	return ret;
}
