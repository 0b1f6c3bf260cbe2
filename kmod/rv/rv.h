/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A small runtime-verification core in the manner of kernel/trace/rv, for kernels that were built without it or
 * that, as all do, keep theirs closed to modules. A monitor is a struct rv_monitor; its control files stand in
 * debugfs, rv/monitors/NAME/, beside whatever the kernel has under tracefs.
 */
#ifndef RV_RV_H
#define RV_RV_H

#include <linux/irq_work.h>
#include <linux/list.h>
#include <linux/rculist.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct dentry;
struct rv_reactor;

/* ---- monitors (monitor.c) ---- */

struct rv_monitor {
	const char *name;
	const char *desc;
	/* Both run under the core's mutex, never twice in a row. */
	int (*enable)(void);
	void (*disable)(void);
	/* Drop what the monitor keeps while disabled; optional. Its files are gone. */
	void (*remove)(void);
	/* Further control files; optional. They go when the folder does. */
	void (*files)(struct dentry *dir);

	/* the core's */
	struct list_head list;
	struct dentry *dir;
	bool enabled;
	const struct rv_reactor *reactor;
};

int rv_core_init(void);
void rv_core_exit(void);
int rv_monitor_register(struct rv_monitor *mon);
/* Disables it first. */
void rv_monitor_unregister(struct rv_monitor *mon);
/* The switch above all monitors: off, they see no events. */
bool rv_monitoring_on(void);

/* ---- reactions (reactor.c) ---- */

/*
 * One pending reaction of an object. It may be asked for in any context, with the scheduler's locks held too, and is
 * carried out a moment later where signals may be sent and consoles be written to.
 */
struct rv_reaction {
	struct irq_work work;
	const struct rv_reactor *reactor;
	struct task_struct *task; /* kept alive by the owner until rv_reaction_sync() */
	atomic_t busy;
	char text[160];
};

struct rv_reactor {
	const char *name;
	const char *desc;
	void (*react)(struct rv_reaction *reaction); /* NULL: do nothing */
};

extern const struct rv_reactor *const rv_reactors[];
const struct rv_reactor *rv_reactor_find(const char *name);
bool rv_reacting_on(void);
void rv_reacting_set(bool on);
void rv_reaction_init(struct rv_reaction *reaction, struct task_struct *task);
/* Nothing of @reaction is pending or running any more. Sleeps. */
void rv_reaction_sync(struct rv_reaction *reaction);
/* A model was violated. A reaction asked for while the last one is pending is left out. */
__printf(3, 4) void rv_react(struct rv_monitor *mon, struct rv_reaction *reaction, const char *fmt,
			     ...);

/* ---- objects that monitors keep state for (store.c) ---- */

/* Embedded in the monitor's own struct. Looked up under RCU; free it a grace period after rv_store_remove(). */
struct rv_object {
	struct hlist_node node;
	const void *key;
};

struct rv_store {
	struct hlist_head *buckets;
	unsigned int bits;
	unsigned int max; /* objects */
	atomic_t count;
	raw_spinlock_t locks[64]; /* writers only; bucket i: lock i % 64 */
};

int rv_store_init(struct rv_store *store, unsigned int max);
void rv_store_deinit(struct rv_store *store); /* must be empty */
struct rv_object *rv_store_find(const struct rv_store *store, const void *key);
/* -EEXIST, or -ENOSPC beyond the most objects. Any context. */
int rv_store_insert(struct rv_store *store, struct rv_object *object);
/* False if somebody else removed it. Any context. */
bool rv_store_remove(struct rv_store *store, struct rv_object *object);
/* Calls @fn for each object, under RCU; @fn may remove it. May sleep in between. */
void rv_store_for_each(struct rv_store *store, void (*fn)(struct rv_object *object, void *arg),
		       void *arg);

/* ---- tracepoints (hook.c) ---- */

struct tracepoint;

/* The kernel does not export the scheduler's tracepoints but lets itself be asked for them by name. */
struct rv_hook {
	const char *name;
	void *probe;
	struct tracepoint *tp;
	bool attached;
};

int rv_hooks_attach(struct rv_hook *hooks, unsigned int count);
/* When it returns no probe runs any more. */
void rv_hooks_detach(struct rv_hook *hooks, unsigned int count);

#endif
