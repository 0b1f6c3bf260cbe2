/* SPDX-License-Identifier: GPL-2.0-only */
/* Zeroed pages that the kernel and a program share, charged to a user. */
#ifndef RV_PAGES_H
#define RV_PAGES_H

struct page;
struct rv_user;
struct vm_area_struct;

struct rv_pages {
	struct page **pages;
	unsigned int count;
	void *base; /* of all, in the kernel */
};

/* -ENOMEM, also beyond the user's share. */
int rv_pages_init(struct rv_pages *pages, struct rv_user *user, unsigned int count);
void rv_pages_deinit(struct rv_pages *pages, struct rv_user *user);
/* All of them, whatever the mapping's offset. Never executable. */
int rv_pages_map(const struct rv_pages *pages, struct vm_area_struct *vma);

#endif
