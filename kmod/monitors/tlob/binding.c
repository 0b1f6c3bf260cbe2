// SPDX-License-Identifier: GPL-2.0-only
/*
 * See binding.h. Between two instructions there are two entry probes, so that a mistyped offset cannot corrupt a stack. A
 * function's window remembers the stack pointer at its start, which tells when its frame is gone.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/path.h>
#include <linux/pid.h>
#include <linux/ptrace.h>
#include <linux/slab.h>

#include "binding.h"
#include "filter.h"
#include "tally.h"
#include "tlob.h"

/* The return address has been popped when a function has returned: at least that much. */
#define RETURN_POPS (IS_ENABLED(CONFIG_X86) ? 4 : 0)

static bool is_wanted(const struct tlob_binding *b)
{
	return b->self ? task_tgid(current) == b->process : tlob_filter_passes(b->filter);
}

static void open_window(struct tlob_binding *b, struct pt_regs *regs)
{
	struct tlob_start start = {
		.owner = b,
		.ring = b->ring,
		.tally = b->tally,
		.budget_ns = b->budget_ns,
		.tag = b->tag,
		.region = b->id,
		.flags = TLOB_F_PROBE,
		.frame = b->framed ? user_stack_pointer(regs) : 0,
		.function = b->form != TLOB_BINDING_PAIR,
		.close_record = true,
		.nest = true,
	};

	if (b->form == TLOB_BINDING_PAIR && !rvc_uprobe_is_registered(&b->stops[0].probe))
		tlob_window_stop(b);
	tlob_tally_prepare(b->tally);
	/* a start that is refused is counted, and does not harm the program */
	(void)tlob_window_start(&start);
}

static void start_hit(struct rvc_uprobe *probe, struct pt_regs *regs)
{
	struct tlob_binding *b = container_of(probe, struct tlob_binding, start);

	if (is_wanted(b)) /* whoever is not pays for no more than this */
		open_window(b, regs);
}

static void stop_hit(struct rvc_uprobe *probe, struct pt_regs *regs)
{
	struct tlob_binding *b = container_of(probe, struct tlob_binding_stop, probe)->binding;

	if (b->form == TLOB_BINDING_PAIR)
		tlob_window_stop(b);
	else
		tlob_window_leave(b, user_stack_pointer(regs));
}

static void start_returned(struct rvc_uprobe *probe, struct pt_regs *regs)
{
	struct tlob_binding *b = container_of(probe, struct tlob_binding, start);

	tlob_window_leave(b, user_stack_pointer(regs) - RETURN_POPS);
}

struct tlob_binding *tlob_binding_new(const struct path *path, u32 nstops)
{
	struct tlob_binding *b = kvzalloc(struct_size(b, stops, nstops), GFP_KERNEL_ACCOUNT);
	u32 i;

	if (!b)
		return NULL;
	INIT_LIST_HEAD(&b->list);
	b->path = *path;
	path_get(&b->path);
	b->nstops = nstops;
	b->start.hit = start_hit;
	for (i = 0; i < nstops; i++) {
		b->stops[i].probe.hit = stop_hit;
		b->stops[i].binding = b;
	}
	return b;
}

int tlob_binding_attach(struct tlob_binding *b, u64 start, const u64 *stops)
{
	int ret;
	u32 i;

	b->start_offset = start;
	if (b->form == TLOB_BINDING_RETURN)
		b->start.returned = start_returned;
	/* the stops first: no window that nothing ends */
	for (i = 0; i < b->nstops; i++) {
		if (b->form == TLOB_BINDING_PAIR && stops[i] == start)
			continue;
		ret = rvc_uprobe_register(&b->stops[i].probe, &b->path, stops[i]);
		if (ret)
			return ret;
	}
	return rvc_uprobe_register(&b->start, &b->path, start);
}

static void detach(struct tlob_binding *b)
{
	u32 i;

	rvc_uprobe_unregister_nosync(&b->start);
	for (i = 0; i < b->nstops; i++)
		rvc_uprobe_unregister_nosync(&b->stops[i].probe);
	/* at once, as waiting for hits under way may take long */
	tlob_window_drop(b);
}

void tlob_binding_free_all(struct list_head *bindings)
{
	struct tlob_binding *b, *next;

	if (list_empty(bindings))
		return;
	list_for_each_entry(b, bindings, list) detach(b);
	rvc_uprobe_sync();
	list_for_each_entry_safe(b, next, bindings, list)
	{
		tlob_window_drop(b); /* what those under way have opened meanwhile */
		list_del(&b->list);
		path_put(&b->path);
		tlob_tally_free(b->tally);
		put_pid(b->process);
		kvfree(b);
	}
}
