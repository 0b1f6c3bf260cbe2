/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The latency-budget monitor: what its files share.
 *	task.c     a task's clock, and its life
 *	window.c   start, stop, expiry, cancellation
 *	report.c   records, tracepoints, reactions
 *	binding.c  windows of unmodified programs, between uprobes; tally.c: what is counted of them
 *	standing.c those of the control file; line.c: its lines
 *	probes.c   those of a descriptor; filter.c: whose hits they count
 *	arena.c    windows in memory shared with their program
 *	device.c   /dev/rv
 */
#ifndef MONITORS_TLOB_TLOB_H
#define MONITORS_TLOB_TLOB_H

#include <linux/hrtimer.h>
#include <linux/workqueue.h>

#include <rv/ring.h>
#include <rv/rv.h>
#include <rv/user.h>
#include <tlob/rv.h>
#include "clock.h"
#include "window.h"

extern struct rvc_monitor tlob_monitor;

/* What the kernel alone keeps about a window. */
struct tlob_grant {
	const void *owner; /* file or binding that opened it, and may close it */
	struct rvc_ring *ring; /* gets the records; with a reference; may be NULL */
	struct tlob_tally
		*tally; /* the owner's, who ends the window before it goes; NULL: not counted */
	u64 budget_ns;
	u64 order; /* of starting: the innermost has the highest */
	u64 frame; /* user's stack pointer at the start; 0: not told */
	pid_t tid; /* as the ring's opener sees them */
	pid_t tgid;
	u32 region;
	u16 flags; /* enum tlob_record_flags for each record */
	bool function; /* the window is gone when its frame is */
	bool close_record;
};

/* Starts that found no free window: as many stops are to come that end nothing. Forgotten when the last window ends. */
struct tlob_skip {
	const void *owner;
	u32 count;
};
#define TLOB_SKIPS 4

struct tlob_arena;
struct tlob_tally;

/* A monitored task. Made by its first start; freed at its exit, when the monitor is disabled, or with the last file. */
struct tlob_task {
	struct rvc_object object; /* key: the task */
	struct task_struct *task; /* with a reference */
	raw_spinlock_t lock; /* all below, up to the timer; taken under the scheduler's locks */
	struct tlob_clock clock;
	u64 next_wake_ns; /* what the timer is set to; TLOB_NEVER: nothing */
	u64 order;
	const void *last_owner; /* only compared */
	u32 epoch; /* of enabling: in another one the clock has missed switches */
	u32 used; /* bit i: windows[i] is open */
	struct tlob_skip skips[TLOB_SKIPS];
	u32 skipping; /* their counts together: 0, most often, and they need not be looked at */
	bool dead; /* being freed: open nothing here */
	bool emitting; /* the timer is reporting, without the lock */
	struct tlob_arena *
		arena; /* where the task has a seat, with a reference; NULL: nowhere. Also under the arena's lock */
	u32 slot; /* its number there */
	struct tlob_clock *published; /* its clock there */
	struct tlob_window windows[TLOB_MAX_DEPTH];
	struct tlob_grant grants[TLOB_MAX_DEPTH];

	struct hrtimer timer;
	struct rvc_reaction reaction;
	struct rvc_user *user; /* who is charged for it; NULL: nobody */
	struct rcu_work free;
};

/* ---- task.c ---- */

/* The current task's object; under RCU. */
struct tlob_task *tlob_task_current(void);
/* Make one for the current task, for @user's account if not NULL. -EEXIST, -ENOSPC, -ENOMEM. */
int tlob_task_new(struct rvc_user *user);
/* The clock starts anew if it has missed switches. Under the task's lock, by the task. */
void tlob_task_refresh(struct tlob_task *t, u64 now_ns);
/* Write the clock where the task's program reads it, if anywhere. Under the task's lock. */
void tlob_task_publish(struct tlob_task *t);
/* Run it on the queue that is drained before the module goes. */
void tlob_free_later(struct work_struct *work);
void tlob_task_for_each(void (*fn)(struct tlob_task *t, void *arg), void *arg);
/* Take it out of the store and free it a while later. False if somebody else does. Any context. */
bool tlob_task_remove(struct tlob_task *t);
unsigned int tlob_task_count(void);
bool tlob_is_enabled(void);

/* Exit and exec hooks are in use from here on. */
int tlob_tasks_init(void);
void tlob_tasks_exit(void);
int tlob_tasks_enable(void);
void tlob_tasks_disable(void);

/* ---- window.c ---- */

struct tlob_start {
	const void *owner;
	struct rvc_ring *ring; /* the caller's reference; one more is taken */
	struct rvc_user *user;
	struct tlob_tally *tally;
	u64 budget_ns;
	u64 tag;
	u64 frame;
	u32 region;
	u16 flags;
	bool function;
	bool close_record;
	bool nest; /* an owner may have several windows open in one task */
};

/* Current task. -ENODEV, -EEXIST, -ENOSPC, -ENOMEM. May sleep. */
int tlob_window_start(const struct tlob_start *start);
/* Current task: the innermost window of @owner. 0, -EOVERFLOW, -ECANCELED, -ESRCH. */
int tlob_window_stop(const void *owner);
/* Likewise, but the window whose frame is left at stack pointer @sp. Windows of functions called in it are abandoned. */
int tlob_window_leave(const void *owner, u64 sp);
/* Drop all windows of @owner, without a report; objects left without a window go as well. Sleeps. */
void tlob_window_drop(const void *owner);
/* @t's task exits or runs another program: windows end as abandoned. */
void tlob_window_abandon(struct tlob_task *t);
/* The monitor is being disabled. */
void tlob_window_cancel(struct tlob_task *t);
enum hrtimer_restart tlob_window_expire(struct hrtimer *timer);

/* ---- report.c ---- */

/* Under the task's lock. */
void tlob_record_fill(struct tlob_task *t, const struct tlob_window *w,
		      const struct tlob_grant *grant, u16 type, u16 flags, u64 now_ns,
		      struct tlob_record *record);
/* Not under it. @grant as it was when @record was filled; its ring must be kept alive by the caller. */
void tlob_report_overrun(struct tlob_task *t, const struct tlob_grant *grant,
			 const struct tlob_record *record);
void tlob_report_close(const struct tlob_grant *grant, const struct tlob_record *record);

/* ---- standing.c ---- */

/* Carry out one line of the control file; @text is changed. 0 or a negative errno. */
int tlob_standing_command(char *text);
void tlob_standing_show(struct seq_file *m);
void tlob_standing_clear(void);

/* ---- device.c ---- */

int tlob_device_register(void);
void tlob_device_unregister(void);

#endif
