/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Windows of unmodified programs: from the hit of one instruction to the hit of another, in each task that executes them.
 * Who asks for bindings: standing.c (the control file), probes.c (descriptors).
 */
#ifndef MONITORS_TLOB_BINDING_H
#define MONITORS_TLOB_BINDING_H

#include <linux/list.h>

#include <rv/uprobe.h>

struct rvc_ring;
struct tlob_filter;
struct tlob_tally;

enum tlob_binding_form {
	TLOB_BINDING_PAIR, /* from one instruction to another, or from hit to hit of the same */
	TLOB_BINDING_EXITS, /* a function, of which all exits are known */
	TLOB_BINDING_RETURN, /* a function, until it returns */
};

struct tlob_binding;
struct tlob_binding_stop {
	struct rvc_uprobe probe;
	struct tlob_binding *binding;
};

struct tlob_binding {
	struct list_head list; /* its owner's */
	struct rvc_uprobe start;
	struct path path; /* of the file, with a reference: a name may come to mean another one */
	enum tlob_binding_form form;
	u64 start_offset;
	u64 budget_ns;
	u64 tag;
	u32 id;
	bool framed; /* starts whose frame is gone, or which come twice in one, are abandoned */
	bool self; /* only hits of @process; else @filter decides */
	struct pid *process; /* held, so that no other one gets its address; NULL: none */
	const struct tlob_filter *filter; /* the owner's; NULL: all */
	struct rvc_ring *ring; /* gets the records; the owner's; NULL: nobody's */
	struct tlob_tally *tally; /* NULL: nothing is counted */
	u32 nstops;
	struct tlob_binding_stop stops[]; /* not registered where it is the start's instruction */
};

/* Neither attached nor on a list: the caller fills it in, but for start, stops and path. Takes a reference to @path. */
struct tlob_binding *tlob_binding_new(const struct path *path, u32 nstops);
/* @start, and @b->nstops offsets. What the kernel's uprobes say; then it still has to be freed. Sleeps. */
int tlob_binding_attach(struct tlob_binding *b, u64 start, const u64 *stops);
/* All of a list, which is empty then; windows end without a report. Sleeps. */
void tlob_binding_free_all(struct list_head *bindings);

#endif
