// SPDX-License-Identifier: GPL-2.0-only
/* Pages shared with a program. */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include <compat/compat.h>

#include "pages.h"
#include "user.h"

static void free_first(struct page **pages, unsigned int n)
{
	while (n > 0)
		__free_page(pages[--n]);
	kvfree(pages);
}

static struct page **allocate(unsigned int n)
{
	struct page **pages = kvcalloc(n, sizeof(*pages), GFP_KERNEL_ACCOUNT);
	unsigned int i;

	if (!pages)
		return NULL;
	for (i = 0; i < n; i++) {
		pages[i] = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
		if (!pages[i]) {
			free_first(pages, i);
			return NULL;
		}
	}
	return pages;
}

int rvc_pages_init(struct rvc_pages *p, struct rvc_user *user, unsigned int count)
{
	if (!rvc_user_charge(user, RVC_USER_PAGES, count))
		return -ENOMEM;
	p->pages = allocate(count);
	if (!p->pages)
		goto uncharge;
	p->base = vmap(p->pages, count, VM_MAP, PAGE_KERNEL);
	if (!p->base)
		goto free;
	p->count = count;
	return 0;
free:
	free_first(p->pages, count);
uncharge:
	rvc_user_uncharge(user, RVC_USER_PAGES, count);
	memset(p, 0, sizeof(*p));
	return -ENOMEM;
}

void rvc_pages_deinit(struct rvc_pages *p, struct rvc_user *user)
{
	if (!p->base)
		return;
	vunmap(p->base);
	free_first(p->pages, p->count);
	rvc_user_uncharge(user, RVC_USER_PAGES, p->count);
	memset(p, 0, sizeof(*p));
}

int rvc_pages_map(const struct rvc_pages *p, struct vm_area_struct *vma)
{
	unsigned long address = vma->vm_start;
	unsigned int i;
	int ret;

	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	vm_flags_clear(vma, VM_MAYEXEC);
	for (i = 0; i < p->count && address < vma->vm_end; i++, address += PAGE_SIZE) {
		ret = vm_insert_page(vma, address, p->pages[i]);
		if (ret)
			return ret;
	}
	return 0;
}
