/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a thread is, see core/capture.h: at the moment its budget expires, and where it has just slept for long in the
 * middle of a window.
 *
 * A sleep costs nothing when it begins. When the thread is about to get the CPU back its length is known, and registers and
 * kernel stack are still what they were. Its user stack can only be read once its memory is mapped, a moment later: in an
 * interrupt that is asked for, and that comes before the thread does.
 *
 * A budget may expire while the thread does not run on the CPU that notices. Then the agent is quick to ask, see look.h; if
 * it is not quick enough, the thread is captured when it gets a CPU, before which it cannot go on, or at the next tick of
 * the one that it has.
 */
#ifndef TLOB_BPF_STACKS_H
#define TLOB_BPF_STACKS_H

#include "raise.h"

#include <capture.h>

const volatile bool stacks_on;
const volatile bool stacks_interrupt; /* irq_work_entry() is there */

#define LONG_SLEEP_MIN_NS 200000ULL
#define LONG_SLEEP_SHARE 4 /* a sleep is long from a quarter of the budget on */
/* Captures of one CPU, so that a storm of them stays cheap. */
#define SLICE_NS 100000000ULL
#define CAPTURES_PER_SLICE 20

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* set by the loader */
	__type(key, __u32);
	__type(value, struct tlob_capture);
} captures SEC(".maps");

struct tlob_capturing {
	__u64 slice_ns; /* when it began */
	__u32 taken; /* in it */
	/* a sleep whose user stack is still to be read: */
	__u32 tid; /* 0: none */
	__u32 index;
	__u64 seq;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tlob_capturing);
} capturing SEC(".maps");

__u32 captures_begun;
__u64 captures_refused;

static __always_inline struct tlob_capturing *capturing_here(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&capturing, &zero);
}

static __always_inline bool may_capture(struct tlob_capturing *here, __u64 now)
{
	if (now - here->slice_ns >= SLICE_NS) {
		here->slice_ns = now;
		here->taken = 0;
	}
	if (here->taken < CAPTURES_PER_SLICE) {
		here->taken++;
		return true;
	}
	tlob_add(&captures_refused, 1);
	return false;
}

/* False: somebody is at it, or has been since it was @seq. */
static __always_inline bool capture_lock(struct tlob_capture *c, __u64 seq)
{
	return !(seq & 1) && tlob_cmpxchg(&c->seq, seq, seq + 1) == seq;
}

static __always_inline void capture_unlock(struct tlob_capture *c)
{
	tlob_store_release(&c->seq, c->seq + 1);
}

/* The next entry, locked. */
static __always_inline struct tlob_capture *capture_begin(__u32 *index)
{
	struct tlob_capture *c;

	*index = __sync_fetch_and_add(&captures_begun, 1) % TLOB_CAPTURES;
	c = bpf_map_lookup_elem(&captures, index);
	if (!c || !capture_lock(c, tlob_load(&c->seq)))
		return NULL;
	c->stack_bytes = 0;
	return c;
}

/* A probe of a return has taken the place of the address that its function returns to. */
static __always_inline void capture_returns(struct tlob_capture *c, struct task_struct *task)
{
	struct return_instance *instance = NULL;

	if (bpf_core_field_exists(task->utask) && task->utask)
		instance = task->utask->return_instances;
	for (int i = 0; i < TLOB_CAPTURE_RETURNS; i++) {
		c->returns[i].at = instance ? instance->stack : 0;
		c->returns[i].address = instance ? instance->orig_ret_vaddr : 0;
		if (instance)
			instance = instance->next;
	}
}

/* All but its user stack. */
static __always_inline void capture_task(struct tlob_capture *c, struct task_struct *task)
{
	long bytes;

	c->tid = task->pid;
	c->tgid = kernel_tgid(task);
	kernel_user_regs(task, c->regs);
	capture_returns(c, task);
	bytes = bpf_get_task_stack(task, c->kernel, sizeof(c->kernel), 0);
	c->kernel_bytes = bytes > 0 ? (__u32)bytes : 0;
}

static __always_inline __u64 stack_pointer(struct tlob_capture *c)
{
	return PT_REGS_SP((struct pt_regs *)c->regs);
}

static __always_inline __u64 chunk_of(__u64 address)
{
	return address & ~(__u64)(TLOB_CAPTURE_CHUNK - 1);
}

/* Of the current thread, as far as it is in memory. */
static __always_inline void capture_stack(struct tlob_capture *c)
{
	__u64 sp = stack_pointer(c), start = chunk_of(sp - TLOB_CAPTURE_BELOW);
	__u32 bytes = 0;

	if (bpf_probe_read_user(c->stack, sizeof(__u64), (void *)start))
		start = chunk_of(sp);
	for (int i = 0; i < TLOB_CAPTURE_CHUNKS; i++) {
		if (bpf_probe_read_user(c->stack + bytes, TLOB_CAPTURE_CHUNK,
					(void *)(start + bytes)))
			break;
		bytes += TLOB_CAPTURE_CHUNK;
	}
	c->stack_start = start;
	c->stack_bytes = bytes;
}

/* The current thread, whose @window of @client expired at @now or a moment before. */
__noinline int capture_here(__u32 client, __u64 window, __u64 now)
{
	struct tlob_capturing *here = capturing_here();
	struct tlob_capture *c;
	__u32 index;

	if (!here || !may_capture(here, now))
		return 0;
	c = capture_begin(&index);
	if (!c)
		return 0;
	c->kind = TLOB_CAPTURE_EXPIRY;
	c->time_ns = now;
	c->ns = 0;
	c->client = client;
	c->window = window;
	capture_task(c, bpf_get_current_task_btf());
	capture_stack(c);
	capture_unlock(c);
	return 1;
}

/* Is @slept_ns long for one of the windows in @slot? */
static __noinline int is_long_for(struct tlob_slot *slot, __u64 slept_ns)
{
	__u32 used;

	if (!slot)
		return 0;
	used = tlob_load(&slot->used);
	for (__u32 index = 0; index < TLOB_MAX_DEPTH; index++) {
		struct tlob_window *w = &slot->windows[index];
		__u64 budget = tlob_load(&w->deadline_ns) - tlob_load(&w->start_ns);

		if ((used >> index & 1) && slept_ns >= budget / LONG_SLEEP_SHARE)
			return 1;
	}
	return 0;
}

/* What is to be captured of a thread that is about to get the CPU. */
struct tlob_resumed {
	__u64 since_ns; /* when it left the CPU */
	__u64 slept_ns;
	__u64 window;
	__u32 client;
	__u32 kind; /* bits; 0: nothing */
};

static __noinline int capture_resumed(struct task_struct *next, const struct tlob_resumed *r)
{
	struct tlob_capturing *here = capturing_here();
	struct tlob_capture *c;
	__u32 index;

	if (!here || !may_capture(here, r->since_ns + r->slept_ns))
		return 0;
	c = capture_begin(&index);
	if (!c)
		return 0;
	c->kind = r->kind;
	c->time_ns = r->since_ns;
	c->ns = r->slept_ns;
	c->client = r->client;
	c->window = r->window;
	capture_task(c, next);
	capture_unlock(c);
	if (!stacks_interrupt)
		return 0;
	here->tid = next->pid;
	here->index = index;
	here->seq = c->seq;
	raise_interrupt();
	return 0;
}

/* ---- windows that have expired while their thread was elsewhere, or nowhere */

static __always_inline bool has_expired(struct tlob_slot *slot, __u64 window)
{
	struct tlob_window *w = &slot->windows[window % TLOB_MAX_DEPTH];
	__u64 state = tlob_load(&w->state);

	return TLOB_WINDOW_STATE(state) == TLOB_EXPIRED &&
	       TLOB_WINDOW_GEN(state) == window / TLOB_MAX_DEPTH;
}

__u32 stacks_wanted; /* by owners: if there are none, nobody need look */

static __always_inline void want_stack(struct tlob_bpf_owner *owner, __u64 window)
{
	if (!tlob_xchg(&owner->wanted, window + 1))
		__sync_fetch_and_add(&stacks_wanted, 1);
}

/* True, and nobody else gets it: @window. */
static __always_inline bool take_wanted(struct tlob_bpf_owner *owner, __u64 *window)
{
	__u64 wanted = 0;

	if (tlob_load(&owner->wanted))
		wanted = tlob_xchg(&owner->wanted, 0);
	if (!wanted)
		return false;
	__sync_fetch_and_sub(&stacks_wanted, 1);
	*window = wanted - 1;
	return true;
}

/* What is wanted of the thread in @slot of @arena goes into @r. */
static __always_inline void ask_wanted(struct tlob_slot *slot, __u32 arena, __u32 number,
				       struct tlob_resumed *r)
{
	struct tlob_bpf_owner *owner = owner_of(arena, number);
	struct tlob_keeper *keeper = keeper_of(arena);
	__u64 window;

	if (!owner || !keeper || !take_wanted(owner, &window) || !has_expired(slot, window))
		return;
	r->kind |= TLOB_CAPTURE_EXPIRY;
	r->client = keeper->client;
	r->window = window;
}

/* The same for whatever slots @thread has. */
static __noinline int ask_all_wanted(struct tlob_thread *thread, struct tlob_resumed *r)
{
	struct tlob_slot *slot = thread_slot(thread);

	if (slot)
		ask_wanted(slot, thread->arena, thread->slot, r);
	slot = probe_slot(thread);
	if (slot)
		ask_wanted(slot, probe_arena_of(thread->probe), thread->probe % TLOB_ARENA_SLOTS,
			   r);
	return 0;
}

/* @task gets the CPU, having left it at @since_ns and slept for @slept_ns. */
static __always_inline void resume_stacks(struct tlob_thread *thread, struct task_struct *task,
					  __u64 since_ns, __u64 slept_ns)
{
	struct tlob_resumed r = {.since_ns = since_ns, .slept_ns = slept_ns};

	if (slept_ns >= LONG_SLEEP_MIN_NS && (is_long_for(thread_slot(thread), slept_ns) ||
					      is_long_for(probe_slot(thread), slept_ns)))
		r.kind = TLOB_CAPTURE_SLEEP;
	if (tlob_load(&stacks_wanted))
		ask_all_wanted(thread, &r);
	if (r.kind)
		capture_resumed(task, &r);
}

/* The tick has interrupted the current thread. */
static __always_inline void tick_stacks(void)
{
	struct tlob_resumed r = {};
	struct tlob_thread *thread;

	if (!tlob_load(&stacks_wanted))
		return;
	thread = bpf_task_storage_get(&threads, bpf_get_current_task_btf(), NULL, 0);
	if (!thread)
		return;
	ask_all_wanted(thread, &r);
	if (r.kind)
		capture_here(r.client, r.window, bpf_ktime_get_ns());
}

/* The interrupt that capture_resumed() asks for. Without it, the kernel's part is all there is. */
SEC("tp_btf/irq_work_entry")
int irq_work_entry(__u64 *ctx)
{
	struct tlob_capturing *here = capturing_here();
	struct tlob_capture *c;
	__u32 tid, index;

	(void)ctx;
	if (!here || !here->tid)
		return 0;
	tid = here->tid;
	index = here->index;
	here->tid = 0;
	c = bpf_map_lookup_elem(&captures, &index);
	if (tid != (__u32)bpf_get_current_pid_tgid() || !c || !capture_lock(c, here->seq))
		return 0;
	capture_stack(c);
	capture_unlock(c);
	return 0;
}

#endif
