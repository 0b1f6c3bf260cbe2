// SPDX-License-Identifier: GPL-2.0-only
/*
 * Windows of the kernel engine. Their states move as core/window.h says; here they are private to the kernel and moved under
 * the task's lock, which the task itself, its timer, and whoever closes, disables or unbinds take.
 *
 * One timer per task, set to the earliest deadline it has ever been told of: a stop leaves it alone, and when it
 * fires for nothing it is set to the next one. So a window that ends in time costs no timer operation.
 */
#include <linux/hrtimer.h>
#include <linux/rcupdate.h>
#include <linux/timekeeping.h>

#include "tally.h"
#include "tlob.h"
#include "tlob_trace.h"

/* ---- helpers, under the task's lock ---- */

static void timer_set(struct tlob_task *t, u64 deadline_ns)
{
	if (deadline_ns >= t->next_wake_ns)
		return;
	t->next_wake_ns = deadline_ns;
	hrtimer_start(&t->timer, ns_to_ktime(deadline_ns), HRTIMER_MODE_ABS_HARD);
}

/* The innermost window of @owner, or -1. Only looks at what is open: one window, most often. */
static int window_find(const struct tlob_task *t, const void *owner)
{
	int i, found = -1;
	u32 left;

	for (left = t->used; left; left &= left - 1) {
		i = __ffs(left);
		if (t->grants[i].owner == owner &&
		    (found < 0 || t->grants[i].order > t->grants[found].order))
			found = i;
	}
	return found;
}

static u32 window_state(const struct tlob_task *t, int i)
{
	return TLOB_WINDOW_STATE(t->windows[i].state);
}

static void record_of(struct tlob_task *t, int i, u16 type, u16 flags, u64 now_ns,
		      struct tlob_record *record)
{
	tlob_record_fill(t, &t->windows[i], &t->grants[i], type, flags, now_ns, record);
}

/* Free entry @i. Returns what it was; its grant, with the reference to the ring, is the caller's now. */
static u32 window_end(struct tlob_task *t, int i, struct tlob_grant *grant)
{
	u32 was = tlob_window_end(&t->windows[i], TLOB_WINDOW_GEN(t->windows[i].state));

	*grant = t->grants[i]; /* nobody looks at what stays there: it is not used */
	t->used &= ~BIT(i);
	if (t->used == 0 && t->skipping) {
		memset(t->skips, 0, sizeof(t->skips));
		t->skipping = 0;
	}
	return was;
}

/* The window of @owner of the frame that is left at @sp, or -1. */
static int window_leaving(const struct tlob_task *t, const void *owner, u64 sp)
{
	int i, found = -1;

	for (i = 0; i < TLOB_MAX_DEPTH; i++)
		if ((t->used & BIT(i)) && t->grants[i].owner == owner && t->grants[i].frame <= sp &&
		    (found < 0 || t->grants[i].frame > t->grants[found].frame))
			found = i;
	return found;
}

static void skip_add(struct tlob_task *t, const void *owner)
{
	int i;

	for (i = 0; i < TLOB_SKIPS; i++) {
		if (t->skips[i].count != 0 && t->skips[i].owner != owner)
			continue;
		t->skips[i].owner = owner;
		t->skips[i].count++;
		t->skipping++;
		return;
	}
}

static bool skip_take(struct tlob_task *t, const void *owner)
{
	int i;

	for (i = 0; t->skipping && i < TLOB_SKIPS; i++) {
		if (t->skips[i].count == 0 || t->skips[i].owner != owner)
			continue;
		t->skips[i].count--;
		t->skipping--;
		return true;
	}
	return false;
}

/* Take the lock when the timer is not in the middle of a report: a window being reported may not go away. */
static void lock_quiet(struct tlob_task *t, unsigned long *flags) __acquires(&t->lock)
{
	for (;;) {
		raw_spin_lock_irqsave(&t->lock, *flags);
		if (!t->emitting)
			return;
		raw_spin_unlock_irqrestore(&t->lock, *flags);
		cpu_relax();
	}
}

static void unlock(struct tlob_task *t, unsigned long *flags) __releases(&t->lock)
{
	raw_spin_unlock_irqrestore(&t->lock, *flags);
}

/* End window @i, which no stop ends. Takes the lock's place: it is not held any more afterwards. */
static void end_and_unlock(struct tlob_task *t, int i, u16 flags, bool report, unsigned long *irq)
	__releases(&t->lock)
{
	struct tlob_tally *tally = report ? t->grants[i].tally : NULL;
	struct tlob_record close;
	struct tlob_grant grant;
	u32 was;

	record_of(t, i, TLOB_REC_CLOSE, flags, ktime_get_ns(), &close);
	was = window_end(t, i, &grant);
	if (tally && was == TLOB_ARMED)
		tlob_add(&tally->abandoned, 1);
	unlock(t, irq);
	if (report && was == TLOB_EXPIRED)
		tlob_report_close(&grant, &close);
	rvc_ring_put(grant.ring);
}

/*
 * A start may never see its stop: an exception, longjmp() or an early exit leaves its frame another way. The current task is in the
 * frame of @sp: windows of functions below it are gone, and those of @owner of this very frame. Windows between two addresses, which
 * may well end further up than they began, only when there is no room for more. Takes a stack at a higher address for an outer
 * frame, as the kernel's return probes do.
 */
static void forget_below(struct tlob_task *t, u64 sp, const void *owner)
{
	const bool full = READ_ONCE(t->used) == BIT(TLOB_MAX_DEPTH) - 1;
	const struct tlob_grant *grant;
	unsigned long flags;
	int i;

	for (i = 0; i < TLOB_MAX_DEPTH; i++) {
		lock_quiet(t, &flags);
		grant = &t->grants[i];
		if ((t->used & BIT(i)) && grant->frame &&
		    (((grant->function || full) && grant->frame < sp) ||
		     (grant->frame == sp && grant->owner == owner)))
			end_and_unlock(t, i, TLOB_F_ABANDONED, true, &flags);
		else
			unlock(t, &flags);
	}
}

/* ---- start ---- */

static void window_open(struct tlob_task *t, int i, const struct tlob_start *s, u64 now_ns)
{
	struct tlob_window *w = &t->windows[i];
	struct tlob_grant *grant = &t->grants[i];
	struct tlob_split split;

	tlob_clock_try_read(&t->clock, now_ns,
			    &split); /* cannot fail: the writer would hold the lock */
	w->start_ns = now_ns;
	w->deadline_ns = now_ns + s->budget_ns;
	w->tag = s->tag;
	w->region = s->region;
	w->switches = split.switches;
	w->running_ns = split.running_ns;
	w->waiting_ns = split.waiting_ns;
	w->sleeping_ns = split.sleeping_ns;

	t->last_owner = s->owner;
	grant->owner = s->owner;
	grant->ring = s->ring;
	if (s->ring)
		rvc_ring_hold(s->ring);
	grant->tally = s->tally;
	grant->budget_ns = s->budget_ns;
	grant->order = ++t->order;
	grant->frame = s->frame;
	grant->function = s->function;
	grant->region = s->region;
	grant->flags = s->flags;
	grant->close_record = s->close_record;
	grant->tid = s->ring ? task_pid_nr_ns(current, rvc_ring_pid_ns(s->ring)) : current->pid;
	grant->tgid = s->ring ? task_tgid_nr_ns(current, rvc_ring_pid_ns(s->ring)) : current->tgid;

	t->used |= BIT(i);
	tlob_window_arm(w);
	timer_set(t, w->deadline_ns);
}

/* -EAGAIN: the object is being freed, make another. Under RCU. */
static int start_in(struct tlob_task *t, const struct tlob_start *s)
{
	unsigned long flags;
	u64 now_ns;
	int ret = 0;

	if (s->frame && READ_ONCE(t->used))
		forget_below(t, s->frame, s->owner);
	raw_spin_lock_irqsave(&t->lock, flags);
	now_ns = ktime_get_ns();
	if (t->dead) {
		ret = -EAGAIN;
	} else if (!s->nest && window_find(t, s->owner) >= 0) {
		ret = -EEXIST;
	} else if (t->used == BIT(TLOB_MAX_DEPTH) - 1) {
		/* a function's stop knows its window by the frame */
		if (s->nest && !s->function)
			skip_add(t, s->owner);
		ret = -ENOSPC;
	} else {
		tlob_task_refresh(t, now_ns);
		window_open(t, ffz(t->used), s, now_ns);
	}
	unlock(t, &flags);
	if (ret == 0)
		trace_event_tlob(current->pid, TLOB_RUNNING, TLOB_MODEL_EVENT_START, TLOB_RUNNING,
				 true);
	return ret;
}

static int start(const struct tlob_start *s)
{
	struct tlob_task *t;
	int ret;

	for (;;) {
		rcu_read_lock();
		t = tlob_task_current();
		if (!tlob_is_enabled())
			ret = -ENODEV;
		else
			ret = t ? start_in(t, s) : -EAGAIN;
		rcu_read_unlock();
		if (ret != -EAGAIN)
			return ret;
		ret = tlob_task_new(s->user);
		if (ret && ret != -EEXIST)
			return ret;
	}
}

int tlob_window_start(const struct tlob_start *s)
{
	int ret = start(s);

	if (s->tally && (ret == -ENOSPC || ret == -ENOMEM))
		tlob_add(&s->tally->refused, 1);
	return ret;
}

/* ---- stop ---- */

/* What a stop of @owner ends, or -1. @sp: where a frame is left; 0: the stop is no end of a function. */
static int window_stopping(struct tlob_task *t, const void *owner, u64 sp)
{
	if (sp)
		return window_leaving(t, owner, sp);
	return skip_take(t, owner) ? -1 : window_find(t, owner);
}

static int stop(const void *owner, u64 sp)
{
	struct tlob_record overrun, close;
	struct tlob_grant grant;
	struct tlob_task *t;
	unsigned long flags;
	u64 now_ns;
	u32 was;
	int i;

	rcu_read_lock();
	t = tlob_task_current();
	if (!t)
		goto none;
	lock_quiet(t, &flags);
	i = window_stopping(t, owner, sp);
	if (i < 0) {
		unlock(t, &flags);
		goto none;
	}
	now_ns = ktime_get_ns();
	was = window_state(t, i);
	if (was == TLOB_ARMED && now_ns <= t->windows[i].deadline_ns)
		was = TLOB_IDLE; /* in time */
	if (was == TLOB_ARMED)
		record_of(t, i, TLOB_REC_OVERRUN, TLOB_F_AT_STOP, now_ns, &overrun);
	if (was == TLOB_ARMED || was == TLOB_EXPIRED)
		record_of(t, i, TLOB_REC_CLOSE, was == TLOB_ARMED ? TLOB_F_AT_STOP : 0, now_ns,
			  &close);
	if (was != TLOB_CANCELLED)
		tlob_tally_window(t->grants[i].tally, now_ns - t->windows[i].start_ns,
				  was != TLOB_IDLE);
	window_end(t, i, &grant);
	unlock(t, &flags);

	if (sp && READ_ONCE(t->used))
		forget_below(t, grant.frame, NULL);
	trace_event_tlob(current->pid, TLOB_RUNNING, TLOB_MODEL_EVENT_STOP, TLOB_RUNNING, true);
	if (was == TLOB_ARMED)
		tlob_report_overrun(t, &grant, &overrun);
	if (was == TLOB_ARMED || was == TLOB_EXPIRED)
		tlob_report_close(&grant, &close);
	rcu_read_unlock();
	rvc_ring_put(grant.ring);
	if (was == TLOB_IDLE)
		return 0;
	return was == TLOB_CANCELLED ? -ECANCELED : -EOVERFLOW;
none:
	rcu_read_unlock();
	return -ESRCH;
}

int tlob_window_stop(const void *owner)
{
	return stop(owner, 0);
}

int tlob_window_leave(const void *owner, u64 sp)
{
	return stop(owner, sp);
}

/* ---- expiry: hard interrupt ---- */

/* An armed window past its deadline, or -1; @next_ns: the earliest deadline among the others. */
static int window_expired(const struct tlob_task *t, u64 now_ns, u64 *next_ns)
{
	int i;

	*next_ns = TLOB_NEVER;
	for (i = 0; i < TLOB_MAX_DEPTH; i++) {
		if (!(t->used & BIT(i)) || window_state(t, i) != TLOB_ARMED)
			continue;
		if (t->windows[i].deadline_ns <= now_ns)
			return i;
		*next_ns = min(*next_ns, t->windows[i].deadline_ns);
	}
	return -1;
}

enum hrtimer_restart tlob_window_expire(struct hrtimer *timer)
{
	struct tlob_task *t = container_of(timer, struct tlob_task, timer);
	struct tlob_record record;
	struct tlob_grant grant;
	unsigned long flags;
	u64 now_ns, next_ns;
	int i;

	raw_spin_lock_irqsave(&t->lock, flags);
	now_ns = ktime_get_ns();
	while ((i = window_expired(t, now_ns, &next_ns)) >= 0) {
		record_of(t, i, TLOB_REC_OVERRUN, 0, now_ns, &record);
		tlob_window_take(&t->windows[i], t->windows[i].state, TLOB_EXPIRED);
		grant = t->grants[i];
		/* reporting may wake tasks, this one too, and that takes the lock */
		t->emitting = true;
		raw_spin_unlock(&t->lock);
		tlob_report_overrun(t, &grant, &record);
		raw_spin_lock(&t->lock);
		t->emitting = false;
	}
	t->next_wake_ns = TLOB_NEVER;
	if (next_ns != TLOB_NEVER && !t->dead)
		timer_set(t, next_ns);
	raw_spin_unlock_irqrestore(&t->lock, flags);
	return HRTIMER_NORESTART;
}

/* ---- ends other than a stop ---- */

/* End all windows of @owner (NULL: of anybody); overruns are closed with @flags. */
static void end_all(struct tlob_task *t, const void *owner, u16 flags, bool report)
{
	unsigned long irq;
	int i;

	for (i = 0; i < TLOB_MAX_DEPTH; i++) {
		lock_quiet(t, &irq);
		if ((t->used & BIT(i)) && (!owner || t->grants[i].owner == owner))
			end_and_unlock(t, i, flags, report, &irq);
		else
			unlock(t, &irq);
	}
}

/*
 * Remove the object if it has no window and its last one was @owner's (NULL: anybody's). All under the lock: a start that sees
 * it dead finds it gone from the store, and never spins for a preempted remover.
 */
static void remove_if_idle(struct tlob_task *t, const void *owner)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&t->lock, flags);
	if (t->used == 0 && !t->arena && !t->dead && (!owner || t->last_owner == owner)) {
		t->dead = true;
		tlob_task_remove(t);
	}
	unlock(t, &flags);
}

static void drop_one(struct tlob_task *t, void *owner)
{
	end_all(t, owner, 0, false);
	remove_if_idle(t, owner);
}

void tlob_window_drop(const void *owner)
{
	tlob_task_for_each(drop_one, (void *)owner);
}

void tlob_window_abandon(struct tlob_task *t)
{
	end_all(t, NULL, TLOB_F_ABANDONED, true);
}

void tlob_window_cancel(struct tlob_task *t)
{
	unsigned long flags;
	int i;

	lock_quiet(t, &flags);
	for (i = 0; i < TLOB_MAX_DEPTH; i++)
		if ((t->used & BIT(i)) && window_state(t, i) == TLOB_ARMED)
			tlob_window_take(&t->windows[i], t->windows[i].state, TLOB_CANCELLED);
	unlock(t, &flags);
	remove_if_idle(t, NULL);
}
