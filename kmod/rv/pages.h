/* SPDX-License-Identifier: GPL-2.0-only */
/* Zeroed pages that the kernel and a program share, charged to a user. */
#ifndef RV_PAGES_H
#define RV_PAGES_H

struct page;
struct rvc_user;
struct vm_area_struct;

struct rvc_pages {
	struct page **pages;
	unsigned int count;
	void *base; /* of all, in the kernel */
};

/* -ENOMEM, also beyond the user's share. */
int rvc_pages_init(struct rvc_pages *pages, struct rvc_user *user, unsigned int count);
void rvc_pages_deinit(struct rvc_pages *pages, struct rvc_user *user);
/* All of them, whatever the mapping's offset. Never executable. */
int rvc_pages_map(const struct rvc_pages *pages, struct vm_area_struct *vma);

#endif
