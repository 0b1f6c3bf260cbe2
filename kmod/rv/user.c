// SPDX-License-Identifier: GPL-2.0-only
/* Accounts of users: a short list, as there are few at a time. */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/list.h>
#include <linux/moduleparam.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "user.h"

struct rvc_user {
	struct list_head list;
	kuid_t uid;
	refcount_t ref;
	atomic_t used[RVC_USER_WHATS];
};

static LIST_HEAD(users);
static DEFINE_RAW_SPINLOCK(users_lock); /* the list */

static unsigned int user_limit[RVC_USER_WHATS] = {
	[RVC_USER_FILES] = 1024,
	[RVC_USER_PAGES] = 8192,
	[RVC_USER_TASKS] = 16384,
};
module_param_named(user_files, user_limit[RVC_USER_FILES], uint, 0644);
MODULE_PARM_DESC(user_files, "Descriptors of /dev/rv that a user may have open (1024)");
module_param_named(user_pages, user_limit[RVC_USER_PAGES], uint, 0644);
MODULE_PARM_DESC(user_pages, "Pages that a user's rings may take (8192)");
module_param_named(user_tasks, user_limit[RVC_USER_TASKS], uint, 0644);
MODULE_PARM_DESC(user_tasks, "Threads that a user may have monitored (16384)");

static struct rvc_user *find_and_hold(kuid_t uid)
{
	struct rvc_user *user;

	list_for_each_entry(user, &users, list) if (uid_eq(user->uid, uid) &&
						    refcount_inc_not_zero(&user->ref)) return user;
	return NULL;
}

struct rvc_user *rvc_user_get(void)
{
	struct rvc_user *user, *fresh = NULL;
	kuid_t uid = current_uid();
	unsigned long flags;

	raw_spin_lock_irqsave(&users_lock, flags);
	user = find_and_hold(uid);
	raw_spin_unlock_irqrestore(&users_lock, flags);
	if (user)
		return user;

	fresh = kzalloc(sizeof(*fresh), GFP_KERNEL);
	if (!fresh)
		return NULL;
	fresh->uid = uid;
	refcount_set(&fresh->ref, 1);
	raw_spin_lock_irqsave(&users_lock, flags);
	user = find_and_hold(uid);
	if (!user)
		list_add(&fresh->list, &users);
	raw_spin_unlock_irqrestore(&users_lock, flags);
	if (!user)
		return fresh;
	kfree(fresh);
	return user;
}

struct rvc_user *rvc_user_hold(struct rvc_user *user)
{
	refcount_inc(&user->ref);
	return user;
}

void rvc_user_put(struct rvc_user *user)
{
	unsigned long flags;

	if (!user || !refcount_dec_and_test(&user->ref))
		return;
	raw_spin_lock_irqsave(&users_lock, flags);
	list_del(&user->list);
	raw_spin_unlock_irqrestore(&users_lock, flags);
	kfree(user);
}

bool rvc_user_charge(struct rvc_user *user, enum rvc_user_what what, unsigned int n)
{
	if (atomic_add_return(n, &user->used[what]) <= READ_ONCE(user_limit[what]) ||
	    capable(CAP_SYS_RESOURCE))
		return true;
	atomic_sub(n, &user->used[what]);
	return false;
}

void rvc_user_uncharge(struct rvc_user *user, enum rvc_user_what what, unsigned int n)
{
	if (user)
		atomic_sub(n, &user->used[what]);
}
