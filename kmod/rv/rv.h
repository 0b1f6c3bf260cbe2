/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A small runtime-verification core in the manner of kernel/trace/rv, for kernels that were built without it or
 * that, as all do, keep theirs closed to modules. A monitor is a struct rvc_monitor; its control files stand in
 * debugfs, rv/monitors/NAME/, beside whatever the kernel has under tracefs. The prefix is not the kernel's rv_, whose
 * header comes with linux/sched.h.
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
struct rvc_reactor;

/* ---- monitors (monitor.c) ---- */

struct rvc_monitor {
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
	unsigned int holds;
	bool held; /* enabled by the first hold, so that the last one disables it */
	const struct rvc_reactor *reactor;
};

int rvc_core_init(void);
void rvc_core_exit(void);
/* The folder rv in debugfs, for what is no monitor. */
struct dentry *rvc_core_dir(void);
int rvc_monitor_register(struct rvc_monitor *mon);
/* Disables it first. */
void rvc_monitor_unregister(struct rvc_monitor *mon);
/* Enabled from here on, until as many releases, or until somebody disables it by its file. Sleeps. */
int rvc_monitor_hold(struct rvc_monitor *mon);
void rvc_monitor_release(struct rvc_monitor *mon);
/* The switch above all monitors: off, they see no events. */
bool rvc_monitoring_on(void);

/* ---- reactions (reactor.c) ---- */

/*
 * One pending reaction of an object. It may be asked for in any context, with the scheduler's locks held too, and is
 * carried out a moment later where signals may be sent and consoles be written to.
 */
struct rvc_reaction {
	struct irq_work work;
	const struct rvc_reactor *reactor;
	struct task_struct *task; /* kept alive by the owner until rvc_reaction_sync() */
	atomic_t busy;
	char text[160];
};

struct rvc_reactor {
	const char *name;
	const char *desc;
	void (*react)(struct rvc_reaction *reaction); /* NULL: do nothing */
};

extern const struct rvc_reactor *const rvc_reactors[];
const struct rvc_reactor *rvc_reactor_find(const char *name);
bool rvc_reacting_on(void);
void rvc_reacting_set(bool on);
void rvc_reaction_init(struct rvc_reaction *reaction, struct task_struct *task);
/* Nothing of @reaction is pending or running any more. Sleeps. */
void rvc_reaction_sync(struct rvc_reaction *reaction);
/* A model was violated. A reaction asked for while the last one is pending is left out. */
__printf(3, 4) void rvc_react(struct rvc_monitor *mon, struct rvc_reaction *reaction,
			      const char *fmt, ...);

/* ---- objects that monitors keep state for (store.c) ---- */

/* Embedded in the monitor's own struct. Looked up under RCU; free it a grace period after rvc_store_remove(). */
struct rvc_object {
	struct hlist_node node;
	const void *key;
};

struct rvc_store {
	struct hlist_head *buckets;
	unsigned int bits;
	unsigned int max; /* objects */
	atomic_t count;
	raw_spinlock_t locks[64]; /* writers only; bucket i: lock i % 64 */
};

int rvc_store_init(struct rvc_store *store, unsigned int max);
void rvc_store_deinit(struct rvc_store *store); /* must be empty */
struct rvc_object *rvc_store_find(const struct rvc_store *store, const void *key);
/* -EEXIST, or -ENOSPC beyond the most objects. Any context. */
int rvc_store_insert(struct rvc_store *store, struct rvc_object *object);
/* False if somebody else removed it. Any context. */
bool rvc_store_remove(struct rvc_store *store, struct rvc_object *object);
/* Calls @fn for each object, under RCU; @fn may remove it. May sleep in between. */
void rvc_store_for_each(struct rvc_store *store, void (*fn)(struct rvc_object *object, void *arg),
			void *arg);

/* ---- tracepoints (hook.c) ---- */

struct tracepoint;

/* The kernel does not export the scheduler's tracepoints but lets itself be asked for them by name. */
struct rvc_hook {
	const char *name;
	void *probe;
	struct tracepoint *tp;
	bool attached;
};

int rvc_hooks_attach(struct rvc_hook *hooks, unsigned int count);
/* When it returns no probe runs any more. */
void rvc_hooks_detach(struct rvc_hook *hooks, unsigned int count);

#endif
