/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stacks added up: a tree whose nodes are functions, the outermost nearest to the root. Each node holds two values, so
 * that two sets of stacks can be laid over each other.
 */
#ifndef TLOB_REPORT_TREE_H
#define TLOB_REPORT_TREE_H

#include <stdio.h>

#include <tlob/ctl.h>

enum report_kind {
	REPORT_USER,
	REPORT_INLINED,
	REPORT_KERNEL,
	REPORT_HEAD, /* no function: a region, or what is missing of a stack */
};

struct report_node {
	const char *name; /* one copy for each text: compare the pointers */
	const char *object, *file; /* of the first frame that came here */
	enum report_kind kind;
	uint64_t self[2], total[2]; /* total: with its children, after report_tree_sum() */
	uint64_t widest; /* room for the larger of its two values and for all its children; after report_tree_sum() */
	struct report_node *child, *next;
	const struct report_node *parent;
};

struct report_tree;

/* NULL: no memory. */
struct report_tree *report_tree_new(void);
void report_tree_free(struct report_tree *t);

/* Adds @value to one of the two (@which 0 or 1) under @head, a region's name. What finds no room is counted, see below. */
void report_tree_add(struct report_tree *t, const char *head, const struct tlobctl_stack *stack,
		     int which, uint64_t value);
/* Adds another tree's @from to @which here, times @factor. */
void report_tree_merge(struct report_tree *t, const struct report_tree *other, int from, int which,
		       double factor);

/* Fills in the totals and sorts children by name; the root, which has no name. */
const struct report_node *report_tree_sum(struct report_tree *t);
/* Sum of what was added. */
uint64_t report_tree_value(const struct report_tree *t, int which);
/* Of it, how much was left out because there were too many different stacks, or no memory. */
uint64_t report_tree_left_out(const struct report_tree *t, int which);

/* "head;outer;inner 12" for each stack, as flame graph tools read it; values are divided by @unit. */
void report_tree_folded(struct report_tree *t, int which, uint64_t unit, FILE *out);

#endif
