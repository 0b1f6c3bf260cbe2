/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * timerlat_fd: see include/tlob/timerlat.h for what users see of it.
 *
 *	holder.c   who holds the file of which CPU, and how that ends
 *	cycle.c    period after period of one holder: its timer, its samples
 *	stop.c     thresholds, the first sample beyond one, the largest of all
 *	control.c  the files
 *
 * A holder's cycle is written by its own thread and by its timer, which fires on the same CPU, and by nobody else; so there is no lock
 * in it. Whoever ends a holder (disable, hotplug, migration) only sets @end and wakes it.
 */
#ifndef TIMERLAT_TIMERLAT_H
#define TIMERLAT_TIMERLAT_H

#include <linux/hrtimer.h>
#include <linux/sched.h>

#include <tlob/timerlat.h>

struct timerlat_holder {
	struct task_struct *task; /* with a reference; one that has exited holds nothing any more */
	unsigned int cpu;
	int end; /* 0, or the errno that all calls give from now on; set once, by cmpxchg() */

	/* the cycle that is waited for: thread sets it up, timer fills it in */
	struct hrtimer timer;
	bool armed; /* thread only: not yet waited to the end */
	bool waiting; /* thread: in need of being woken */
	bool fired; /* timer, released after the fields below */
	u64 expected_ns;
	u64 irq_ns;
	u64 seq;
	pid_t pid;
	char comm[TASK_COMM_LEN];

	/* the cycle that the last read() ended with; thread only */
	struct tlob_timerlat_sample last;
	bool returned;
	u64 missed;

	struct rcu_head rcu; /* migration looks holders up */
};

/* ---- holder.c ---- */

/* The caller becomes the holder of @cpu: EINVAL, EBUSY, EPERM in this order; ENOMEM. */
struct timerlat_holder *timerlat_holder_new(unsigned int cpu);
void timerlat_holder_free(struct timerlat_holder *h);
/* May the caller go on with it? 0, or the errno to return. */
int timerlat_holder_check(struct timerlat_holder *h);
bool timerlat_is_enabled(void);
int timerlat_set_enabled(bool on);
int timerlat_holders_init(void);
/* No file is open any more. */
void timerlat_holders_deinit(void);

/* ---- cycle.c ---- */

void timerlat_cycle_init(struct timerlat_holder *h);
/* read(): 0 once per period, or -ERESTARTSYS, or what the holder ended with. */
int timerlat_cycle_wait(struct timerlat_holder *h);
/* The thread is back, if that has not been noted. */
void timerlat_cycle_return(struct timerlat_holder *h);
extern u64 timerlat_period_us;

/* ---- stop.c ---- */

struct timerlat_stop {
	unsigned int cpu;
	enum tlob_timerlat_context context;
	u64 latency_ns;
	u64 limit_ns;
	u64 expected_ns;
	u64 time_ns;
	pid_t pid;
	char comm[TASK_COMM_LEN];
};

/* Event, largest, threshold. Any context. */
void timerlat_record(const struct timerlat_holder *h, enum tlob_timerlat_context context,
		     u64 latency_ns);
/* The holder was on another CPU. Any context, with the scheduler's locks held too. */
void timerlat_stop_migrated(const struct timerlat_holder *h);
bool timerlat_is_stopped(void);
/* False: it has not stopped. */
bool timerlat_stop_get(struct timerlat_stop *stop);
void timerlat_stop_clear(void);
u64 timerlat_max_ns(void);
void timerlat_set_max_ns(u64 ns);
extern u64 timerlat_stop_irq_us, timerlat_stop_total_us;
extern struct wait_queue_head timerlat_news; /* woken when it stopped, or a new largest came */
void timerlat_news_deinit(void);

/* ---- control.c ---- */

struct dentry;

/* The folder timerlat below @parent. */
int timerlat_init(struct dentry *parent);
void timerlat_exit(void);

#endif
