/* SPDX-License-Identifier: GPL-2.0-only */
/* What one user may take of things that anybody may ask for, so that nobody exhausts what others need. */
#ifndef RVC_USER_H
#define RVC_USER_H

#include <linux/types.h>
#include <linux/uidgid.h>

enum rvc_user_what {
	RVC_USER_FILES, /* descriptors of /dev/rv */
	RVC_USER_PAGES, /* of their rings and arenas */
	RVC_USER_TASKS, /* objects of tasks */
	RVC_USER_WHATS,
};

struct rvc_user;

/* The caller's account, with a reference; NULL: no memory. Sleeps. */
struct rvc_user *rvc_user_get(void);
/* Process context, or a work item. NULL is fine. */
void rvc_user_put(struct rvc_user *user);
/* One more reference. */
struct rvc_user *rvc_user_hold(struct rvc_user *user);
/* Take @n; false if that is more than the user's share and the caller lacks CAP_SYS_RESOURCE. */
bool rvc_user_charge(struct rvc_user *user, enum rvc_user_what what, unsigned int n);
void rvc_user_uncharge(struct rvc_user *user, enum rvc_user_what what, unsigned int n);

#endif
