/* SPDX-License-Identifier: GPL-2.0-only */
/* What one user may take of things that anybody may ask for, so that nobody exhausts what others need. */
#ifndef RV_USER_H
#define RV_USER_H

#include <linux/types.h>
#include <linux/uidgid.h>

enum rv_user_what {
	RV_USER_FILES, /* descriptors of /dev/rv */
	RV_USER_PAGES, /* of their rings and arenas */
	RV_USER_TASKS, /* objects of tasks */
	RV_USER_WHATS,
};

struct rv_user;

/* The caller's account, with a reference; NULL: no memory. Sleeps. */
struct rv_user *rv_user_get(void);
/* Process context, or a work item. NULL is fine. */
void rv_user_put(struct rv_user *user);
/* One more reference. */
struct rv_user *rv_user_hold(struct rv_user *user);
/* Take @n; false if that is more than the user's share and the caller lacks CAP_SYS_RESOURCE. */
bool rv_user_charge(struct rv_user *user, enum rv_user_what what, unsigned int n);
void rv_user_uncharge(struct rv_user *user, enum rv_user_what what, unsigned int n);

#endif
