// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arenas: seats of threads in pages shared with their program, and one timer each for all windows in it. The protocol is core/window.h's.
 *
 * Locks: arena->lock (seats, timer; and reports, so that the two of a window come in order), inside it the task's. Reporting wakes
 * nobody by itself, so it may be done under the first, but not under the second.
 */
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/nospec.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include <compat/compat.h>
#include <rv/pages.h>

#include "arena.h"

/* What a program that rewrites its windows without end may take of a CPU: so many reports at once, and a fifth of it. */
#define REPORTS_AT_ONCE 64
#define TIMER_GAP_NS 20000
#define TIMER_SHARE 4

struct tlob_arena {
	refcount_t ref;
	raw_spinlock_t lock; /* from here to timer */
	struct tlob_task *seats[TLOB_ARENA_SLOTS]; /* of slots */
	bool closed;
	u64 timer_ns; /* what the timer is set to; TLOB_NEVER: nothing */
	struct hrtimer timer;

	union tlob_arena_entry *entries; /* shared with the program */
	struct rvc_pages pages;
	const void *owner;
	struct rvc_ring *ring;
	struct rvc_user *user;
	struct list_head list;
	struct work_struct free;
};

static DEFINE_MUTEX(arenas_mutex); /* the list */
static LIST_HEAD(arenas);

static struct tlob_arena_head *head_of(struct tlob_arena *arena)
{
	return &arena->entries[0].head;
}

static struct tlob_slot *slot_of(struct tlob_arena *arena, u32 number)
{
	return &arena->entries[number].slot;
}

bool tlob_arena_is_closed(const struct tlob_arena *arena)
{
	return READ_ONCE(arena->closed);
}

/* ---- windows, as the program has written them ---- */

struct sight {
	struct tlob_window window; /* the kernel's copy */
	struct tlob_grant grant;
};

static void sight_read(struct sight *s, struct tlob_arena *arena, struct tlob_task *t, u32 slot,
		       u32 i, u64 now_ns)
{
	struct tlob_window *w = &slot_of(arena, slot)->windows[i];

	memset(s, 0, sizeof(*s));
	s->window.state = READ_ONCE(w->state);
	s->window.start_ns = min(READ_ONCE(w->start_ns), now_ns);
	s->window.deadline_ns = READ_ONCE(w->deadline_ns);
	s->window.tag = READ_ONCE(w->tag);
	s->window.switches = READ_ONCE(w->switches);
	s->window.running_ns = READ_ONCE(w->running_ns);
	s->window.waiting_ns = READ_ONCE(w->waiting_ns);
	s->window.sleeping_ns = READ_ONCE(w->sleeping_ns);
	s->grant.region = READ_ONCE(w->region);
	s->grant.ring = arena->ring;
	s->grant.close_record = true;
	s->grant.budget_ns = s->window.deadline_ns - s->window.start_ns;
	s->grant.order = TLOB_WINDOW_GEN(s->window.state) * TLOB_MAX_DEPTH + i;
	s->grant.tid = task_pid_nr_ns(t->task, rvc_ring_pid_ns(arena->ring));
	s->grant.tgid = task_tgid_nr_ns(t->task, rvc_ring_pid_ns(arena->ring));
}

static void sight_record(const struct sight *s, struct tlob_task *t, u16 type, u16 flags,
			 u64 now_ns, struct tlob_record *record)
{
	raw_spin_lock(&t->lock);
	tlob_record_fill(t, &s->window, &s->grant, type, flags, now_ns, record);
	raw_spin_unlock(&t->lock);
}

/* ---- the timer ---- */

/* Under the arena's lock. */
static void timer_lower(struct tlob_arena *arena, u64 wake_ns)
{
	if (wake_ns >= arena->timer_ns || arena->closed)
		return;
	arena->timer_ns = wake_ns;
	hrtimer_start(&arena->timer, ns_to_ktime(wake_ns), HRTIMER_MODE_ABS_HARD);
}

/* The loop of core/window.h: the timer is left no later than what threads believe. It is theirs to write, so not for ever. */
static void wake_at(struct tlob_arena *arena, u64 deadline_ns, u64 not_before_ns)
{
	u64 next = tlob_wake_lower(head_of(arena), deadline_ns), wake;
	unsigned long flags;
	int tries = TLOB_WAKE_TRIES;

	raw_spin_lock_irqsave(&arena->lock, flags);
	do {
		wake = next;
		if (wake != TLOB_NEVER)
			timer_lower(arena, max(wake, not_before_ns));
		next = READ_ONCE(head_of(arena)->next_wake_ns);
	} while (next < wake && --tries > 0);
	raw_spin_unlock_irqrestore(&arena->lock, flags);
}

struct scan {
	u64 now_ns;
	u64 next_ns;
	unsigned int reports;
	struct sight sight;
	struct tlob_record record;
};

/* Window @i, if it is late: EXPIRED, and reported. Under the arena's lock. */
static void scan_window(struct tlob_arena *arena, struct tlob_task *t, u32 slot, u32 i,
			struct scan *scan)
{
	struct tlob_window *w = &slot_of(arena, slot)->windows[i];
	struct sight *sight = &scan->sight;
	u64 deadline_ns = READ_ONCE(w->deadline_ns);

	if (TLOB_WINDOW_STATE(READ_ONCE(w->state)) != TLOB_ARMED)
		return;
	if (deadline_ns > scan->now_ns) {
		scan->next_ns = min(scan->next_ns, deadline_ns);
		return;
	}
	if (scan->reports >= REPORTS_AT_ONCE) {
		scan->next_ns = scan->now_ns;
		return;
	}
	sight_read(sight, arena, t, slot, i, scan->now_ns);
	if (TLOB_WINDOW_STATE(sight->window.state) != TLOB_ARMED ||
	    !tlob_window_take(w, sight->window.state, TLOB_EXPIRED))
		return;
	scan->reports++;
	sight_record(sight, t, TLOB_REC_OVERRUN, 0, scan->now_ns, &scan->record);
	tlob_report_overrun(t, &sight->grant, &scan->record);
}

static void scan_slot(struct tlob_arena *arena, u32 slot, struct scan *scan)
{
	struct tlob_task *t;
	unsigned long flags;
	u32 used, i;

	raw_spin_lock_irqsave(&arena->lock, flags);
	t = arena->seats[slot];
	used = t ? READ_ONCE(slot_of(arena, slot)->used) : 0;
	for (i = 0; i < TLOB_MAX_DEPTH; i++)
		if (used & BIT(i))
			scan_window(arena, t, slot, i, scan);
	raw_spin_unlock_irqrestore(&arena->lock, flags);
}

static enum hrtimer_restart arena_expire(struct hrtimer *timer)
{
	struct tlob_arena *arena = container_of(timer, struct tlob_arena, timer);
	struct scan scan = {.next_ns = TLOB_NEVER};
	unsigned long flags;
	u64 end_ns;
	u32 slot;

	raw_spin_lock_irqsave(&arena->lock, flags);
	arena->timer_ns = TLOB_NEVER;
	raw_spin_unlock_irqrestore(&arena->lock, flags);

	rcu_read_lock();
	tlob_wake_clear(head_of(arena));
	scan.now_ns = ktime_get_ns();
	for (slot = 1; slot < TLOB_ARENA_SLOTS; slot++)
		if (READ_ONCE(arena->seats[slot]))
			scan_slot(arena, slot, &scan);
	rcu_read_unlock();
	end_ns = ktime_get_ns();
	wake_at(arena, scan.next_ns,
		end_ns + max_t(u64, TIMER_GAP_NS, TIMER_SHARE * (end_ns - scan.now_ns)));
	return HRTIMER_NORESTART;
}

/* ---- seats ---- */

/* End the windows of @t's slot: those that had expired with a closing record, the others in silence. Seat is gone already. */
static void end_windows(struct tlob_arena *arena, struct tlob_task *t, u32 slot, u32 to,
			u16 close_flags)
{
	u64 now_ns = ktime_get_ns();
	struct tlob_record record;
	unsigned long flags;
	struct sight sight;
	u32 i;

	for (i = 0; i < TLOB_MAX_DEPTH; i++) {
		struct tlob_window *w = &slot_of(arena, slot)->windows[i];

		if (!(READ_ONCE(slot_of(arena, slot)->used) & BIT(i)))
			continue;
		sight_read(&sight, arena, t, slot, i, now_ns);
		if (TLOB_WINDOW_STATE(sight.window.state) == TLOB_ARMED)
			tlob_window_take(w, sight.window.state, to);
		if (TLOB_WINDOW_STATE(sight.window.state) != TLOB_EXPIRED || !close_flags)
			continue;
		local_irq_save(flags);
		sight_record(&sight, t, TLOB_REC_CLOSE, close_flags, now_ns, &record);
		local_irq_restore(flags);
		tlob_report_close(&sight.grant, &record);
	}
}

/* Take @t's seat away. True if it had one, in this arena; the seat's reference is the caller's then. */
static bool seat_take(struct tlob_arena *arena, struct tlob_task *t, u32 *slot)
{
	unsigned long flags;
	bool had;

	raw_spin_lock_irqsave(&arena->lock, flags);
	raw_spin_lock(&t->lock);
	had = t->arena == arena;
	if (had) {
		*slot = t->slot;
		arena->seats[t->slot] = NULL;
		t->arena = NULL;
		t->published = NULL;
	}
	raw_spin_unlock(&t->lock);
	raw_spin_unlock_irqrestore(&arena->lock, flags);
	return had;
}

/* The arena is kept from being freed by RCU, as its pages are freed by a work item queued after a grace period. */
void tlob_arena_leave(struct tlob_task *t)
{
	struct tlob_arena *arena;
	u32 slot;

	rcu_read_lock();
	arena = READ_ONCE(t->arena);
	if (arena && refcount_inc_not_zero(&arena->ref)) {
		if (seat_take(arena, t, &slot)) {
			end_windows(arena, t, slot, TLOB_IDLE, TLOB_F_ABANDONED);
			tlob_arena_put(arena);
		}
		tlob_arena_put(arena);
	}
	rcu_read_unlock();
}

/* -EAGAIN: the object is being freed. Under RCU. */
static int seat_give(struct tlob_arena *arena, struct tlob_task *t, u32 number)
{
	struct tlob_slot *slot = slot_of(arena, number);
	unsigned long flags;
	int ret = 0;

	raw_spin_lock_irqsave(&arena->lock, flags);
	raw_spin_lock(&t->lock);
	if (arena->closed) {
		ret = -ENODEV;
	} else if (t->dead) {
		ret = -EAGAIN;
	} else if (arena->seats[number]) {
		ret = -EBUSY;
	} else {
		arena->seats[number] = t;
		t->arena = arena;
		t->slot = number;
		t->last_owner = arena->owner;
		t->published = &slot->clock;
		refcount_inc(&arena->ref);
		tlob_task_refresh(t, ktime_get_ns());
		tlob_task_publish(t);
	}
	raw_spin_unlock(&t->lock);
	raw_spin_unlock_irqrestore(&arena->lock, flags);
	return ret;
}

int tlob_arena_register(struct tlob_arena *arena, u32 slot, struct rvc_user *user)
{
	struct tlob_task *t;
	int ret;

	if (slot == 0 || slot >= TLOB_ARENA_SLOTS)
		return -EINVAL;
	slot = array_index_nospec(slot, TLOB_ARENA_SLOTS);
	for (;;) {
		rcu_read_lock();
		t = tlob_task_current();
		ret = -EAGAIN;
		if (!tlob_is_enabled()) {
			ret = -ENODEV;
		} else if (t) {
			tlob_arena_leave(t);
			ret = seat_give(arena, t, slot);
		}
		rcu_read_unlock();
		if (ret != -EAGAIN)
			return ret;
		ret = tlob_task_new(user);
		if (ret && ret != -EEXIST)
			return ret;
	}
}

/* ---- kicks of a seated thread; under RCU ---- */

static int kick_finish(struct tlob_arena *arena, struct tlob_task *t, const struct tlob_kick *kick)
{
	u64 now_ns = min_t(u64, kick->now_ns, ktime_get_ns());
	u16 flags = kick->op == TLOB_KICK_REPORT ? TLOB_F_AT_STOP : 0;
	struct tlob_record record;
	unsigned long irq;
	struct sight sight;

	if (kick->window >= TLOB_MAX_DEPTH)
		return -EINVAL;
	sight_read(&sight, arena, t, READ_ONCE(t->slot),
		   array_index_nospec(kick->window, TLOB_MAX_DEPTH), now_ns);
	raw_spin_lock_irqsave(&arena->lock, irq);
	if (flags) {
		sight_record(&sight, t, TLOB_REC_OVERRUN, flags, now_ns, &record);
		tlob_report_overrun(t, &sight.grant, &record);
	}
	sight_record(&sight, t, TLOB_REC_CLOSE, flags, now_ns, &record);
	tlob_report_close(&sight.grant, &record);
	raw_spin_unlock_irqrestore(&arena->lock, irq);
	return 0;
}

static int kick_seated(struct tlob_arena *arena, struct tlob_task *t, const struct tlob_kick *kick)
{
	switch (kick->op) {
	case TLOB_KICK_UNREGISTER:
		tlob_arena_leave(t);
		return 0;
	case TLOB_KICK_ARM:
		wake_at(arena, kick->deadline_ns, ktime_get_ns());
		return tlob_arena_is_closed(arena) ? -ENODEV : 0;
	case TLOB_KICK_CLOSE:
	case TLOB_KICK_REPORT:
		return kick_finish(arena, t, kick);
	default:
		return -EINVAL;
	}
}

int tlob_arena_kick(const void *owner, const struct tlob_kick *kick)
{
	struct tlob_arena *arena;
	struct tlob_task *t;
	int ret;

	rcu_read_lock();
	t = tlob_task_current();
	/* a seat is only taken away by others when the arena is closed, and it is freed a grace period later */
	arena = t ? READ_ONCE(t->arena) : NULL;
	if (arena && arena->owner == owner)
		ret = kick_seated(arena, t, kick);
	else
		ret = -ESRCH;
	rcu_read_unlock();
	return ret;
}

/* ---- life ---- */

struct tlob_arena *tlob_arena_new(const void *owner, struct rvc_ring *ring, struct rvc_user *user)
{
	struct tlob_arena *arena = kzalloc(sizeof(*arena), GFP_KERNEL_ACCOUNT);

	if (!arena)
		return NULL;
	if (rvc_ring_store(ring) ||
	    rvc_pages_init(&arena->pages, user, DIV_ROUND_UP(TLOB_ARENA_BYTES, PAGE_SIZE))) {
		kfree(arena);
		return NULL;
	}
	refcount_set(&arena->ref, 1);
	raw_spin_lock_init(&arena->lock);
	arena->entries = arena->pages.base;
	arena->timer_ns = TLOB_NEVER;
	hrtimer_setup(&arena->timer, arena_expire, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_HARD);
	rvc_ring_hold(ring);
	arena->ring = ring;
	arena->owner = owner;
	arena->user = rvc_user_hold(user);
	head_of(arena)->magic = TLOB_ABI_MAGIC;
	head_of(arena)->version = TLOB_ABI_VERSION;
	head_of(arena)->next_wake_ns = TLOB_NEVER;
	mutex_lock(&arenas_mutex);
	list_add(&arena->list, &arenas);
	mutex_unlock(&arenas_mutex);
	return arena;
}

static void free_work(struct work_struct *work)
{
	struct tlob_arena *arena = container_of(work, struct tlob_arena, free);

	synchronize_rcu(); /* whoever has read a task's pointer to it */
	rvc_pages_deinit(&arena->pages, arena->user);
	rvc_ring_put(arena->ring);
	rvc_user_put(arena->user);
	kfree(arena);
}

void tlob_arena_put(struct tlob_arena *arena)
{
	if (arena && refcount_dec_and_test(&arena->ref)) {
		INIT_WORK(&arena->free, free_work);
		tlob_free_later(&arena->free);
	}
}

/* No seat is given from here on, and none is left. */
static void arena_end(struct tlob_arena *arena)
{
	struct tlob_task *t;
	unsigned long flags;
	u32 number, slot;

	raw_spin_lock_irqsave(&arena->lock, flags);
	arena->closed = true;
	raw_spin_unlock_irqrestore(&arena->lock, flags);
	tlob_arena_close(head_of(arena));
	hrtimer_cancel(&arena->timer);
	for (number = 1; number < TLOB_ARENA_SLOTS; number++) {
		rcu_read_lock();
		t = READ_ONCE(arena->seats[number]);
		if (t && seat_take(arena, t, &slot)) {
			end_windows(arena, t, slot, TLOB_CANCELLED, 0);
			tlob_arena_put(arena); /* not the last one */
		}
		rcu_read_unlock();
	}
}

void tlob_arena_free(struct tlob_arena *arena)
{
	if (!arena)
		return;
	mutex_lock(&arenas_mutex);
	list_del_init(&arena->list);
	mutex_unlock(&arenas_mutex);
	arena_end(arena);
	tlob_arena_put(arena);
}

void tlob_arenas_disable(void)
{
	struct tlob_arena *arena;

	mutex_lock(&arenas_mutex);
	list_for_each_entry(arena, &arenas, list)
	{
		arena_end(arena);
		rvc_ring_nudge(arena->ring);
	}
	mutex_unlock(&arenas_mutex);
}

int tlob_arena_mmap(struct tlob_arena *arena, struct vm_area_struct *vma)
{
	if (!(vma->vm_flags & VM_SHARED) || vma_pages(vma) != arena->pages.count)
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	return rvc_pages_map(&arena->pages, vma);
}
