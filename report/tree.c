// SPDX-License-Identifier: GPL-2.0-or-later
/* See tree.h. */
#include <inttypes.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "tree.h"

#define MAX_NODES (1u << 20)
#define MAX_DEPTH 512
#define LABEL_BYTES 512

struct report_tree {
	struct report_node root;
	void *names; /* tsearch(3) */
	void *index; /* of nodes, likewise: one may have ten thousands of children */
	size_t nodes;
	uint64_t value[2], left_out[2];
};

struct report_tree *report_tree_new(void)
{
	struct report_tree *t = calloc(1, sizeof(*t));

	if (t)
		t->root.kind = REPORT_HEAD;
	return t;
}

static void free_nodes(struct report_node *n)
{
	while (n) {
		struct report_node *next = n->next;

		free_nodes(n->child);
		free(n);
		n = next;
	}
}

static void keep_node(void *node)
{
	(void)node; /* is its parent's child too */
}

void report_tree_free(struct report_tree *t)
{
	if (!t)
		return;
	tdestroy(t->index, keep_node);
	free_nodes(t->root.child);
	tdestroy(t->names, free);
	free(t);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* NULL without memory. */
static const char *intern(struct report_tree *t, const char *text)
{
	char **found = tfind(text, &t->names, by_text), *copy;

	if (found)
		return *found;
	copy = strdup(text);
	if (copy && tsearch(copy, &t->names, by_text))
		return copy;
	free(copy);
	return NULL;
}

static int by_identity(const void *a, const void *b)
{
	const struct report_node *x = a, *y = b;

	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	if (x->name != y->name)
		return x->name < y->name ? -1 : 1;
	return (int)x->kind - (int)y->kind;
}

/* The child of that name and kind. NULL: no room. */
static struct report_node *child_of(struct report_tree *t, struct report_node *parent,
				    const char *label, enum report_kind kind)
{
	struct report_node key = {.parent = parent, .name = intern(t, label), .kind = kind};
	struct report_node **found = tfind(&key, &t->index, by_identity), *n;

	if (found)
		return *found;
	n = key.name && t->nodes < MAX_NODES ? malloc(sizeof(*n)) : NULL;
	if (!n)
		return NULL;
	*n = key;
	if (!tsearch(n, &t->index, by_identity)) {
		free(n);
		return NULL;
	}
	t->nodes++;
	n->next = parent->child;
	parent->child = n;
	return n;
}

/* A function without a name is known by its file and place. */
static const char *label_of(const struct tlobctl_frame *f, char *buf, size_t size)
{
	const char *slash = strrchr(f->object, '/'), *base = slash ? slash + 1 : f->object;

	if (*f->function)
		return f->function;
	if (*base)
		snprintf(buf, size, "%s+0x%" PRIx64, base, f->offset);
	else
		snprintf(buf, size, "[no file]");
	return buf;
}

static void describe(struct report_tree *t, struct report_node *n, const struct tlobctl_frame *f)
{
	if (!n->object)
		n->object = *f->object ? intern(t, f->object) : NULL;
	if (!n->file)
		n->file = *f->file ? intern(t, f->file) : NULL;
}

void report_tree_add(struct report_tree *t, const char *head, const struct tlobctl_stack *stack,
		     int which, uint64_t value)
{
	struct report_node *n = child_of(t, &t->root, head, REPORT_HEAD);
	size_t depth = stack->nframes < MAX_DEPTH ? stack->nframes : MAX_DEPTH;
	char buf[LABEL_BYTES];

	if (n && !stack->nframes)
		n = child_of(t, n, "[no stack]", REPORT_HEAD);
	else if (n && (stack->cut || depth < stack->nframes))
		n = child_of(t, n, "[outer frames missing]", REPORT_HEAD);
	for (size_t i = depth; i-- > 0 && n;) {
		const struct tlobctl_frame *f = &stack->frames[i];

		n = child_of(t, n, label_of(f, buf, sizeof(buf)),
			     f->kernel	? REPORT_KERNEL :
			     f->inlined ? REPORT_INLINED :
					  REPORT_USER);
		if (n)
			describe(t, n, f);
	}
	t->value[which] += value;
	if (n)
		n->self[which] += value;
	else
		t->left_out[which] += value;
}

static void merge(struct report_tree *t, struct report_node *to, const struct report_node *from,
		  int take, int give, double factor)
{
	uint64_t value = (uint64_t)((double)from->self[take] * factor + 0.5);

	to->self[give] += value;
	t->value[give] += value;
	for (const struct report_node *c = from->child; c; c = c->next) {
		struct report_node *n = child_of(t, to, c->name, c->kind);

		if (!n)
			continue;
		n->object = n->object || !c->object ? n->object : intern(t, c->object);
		n->file = n->file || !c->file ? n->file : intern(t, c->file);
		merge(t, n, c, take, give, factor);
	}
}

void report_tree_merge(struct report_tree *t, const struct report_tree *other, int from, int which,
		       double factor)
{
	merge(t, &t->root, &other->root, from, which, factor);
	t->left_out[which] += (uint64_t)((double)other->left_out[from] * factor + 0.5);
}

static int by_name(const void *a, const void *b)
{
	const struct report_node *x = *(struct report_node *const *)a;
	const struct report_node *y = *(struct report_node *const *)b;
	int order = strcmp(x->name, y->name);

	return order ? order : (int)x->kind - (int)y->kind;
}

/* So that two graphs of the same program look alike. Without memory, they do not. */
static void sort_children(struct report_node *n)
{
	struct report_node **all;
	size_t count = 0;

	for (struct report_node *c = n->child; c; c = c->next)
		count++;
	if (count < 2)
		return;
	all = malloc(count * sizeof(struct report_node *));
	if (!all)
		return;
	count = 0;
	for (struct report_node *c = n->child; c; c = c->next)
		all[count++] = c;
	qsort(all, count, sizeof(struct report_node *), by_name);
	for (size_t i = 0; i < count; i++)
		all[i]->next = i + 1 < count ? all[i + 1] : NULL;
	n->child = all[0];
	free(all);
}

static void sum(struct report_node *n)
{
	sort_children(n);
	n->total[0] = n->self[0];
	n->total[1] = n->self[1];
	n->widest = n->self[0] > n->self[1] ? n->self[0] : n->self[1];
	for (struct report_node *c = n->child; c; c = c->next) {
		sum(c);
		n->total[0] += c->total[0];
		n->total[1] += c->total[1];
		n->widest += c->widest;
	}
}

const struct report_node *report_tree_sum(struct report_tree *t)
{
	sum(&t->root);
	return &t->root;
}

uint64_t report_tree_value(const struct report_tree *t, int which)
{
	return t->value[which];
}

uint64_t report_tree_left_out(const struct report_tree *t, int which)
{
	return t->left_out[which];
}

/* ---- folded */

/* What separates frames and lines cannot be part of a name. */
static void put_name(const char *name, FILE *out)
{
	for (; *name; name++) {
		unsigned char c = (unsigned char)*name;

		fputc(c == ';' ? ':' : c < 0x20 || c == 0x7f ? '?' : c, out);
	}
}

struct path {
	const struct report_node *nodes[MAX_DEPTH + 4];
	size_t depth;
};

static void fold(const struct report_node *n, struct path *path, int which, uint64_t unit,
		 FILE *out)
{
	uint64_t value = (n->self[which] + unit / 2) / unit;

	if (path->depth == sizeof(path->nodes) / sizeof(path->nodes[0]))
		return;
	if (n->name)
		path->nodes[path->depth++] = n;
	for (size_t i = 0; value && i < path->depth; i++) {
		put_name(path->nodes[i]->name, out);
		if (path->nodes[i]->kind == REPORT_INLINED)
			fputs("_[i]", out);
		else if (path->nodes[i]->kind == REPORT_KERNEL)
			fputs("_[k]", out);
		fputc(i + 1 < path->depth ? ';' : ' ', out);
	}
	if (value)
		fprintf(out, "%" PRIu64 "\n", value);
	for (const struct report_node *c = n->child; c; c = c->next)
		fold(c, path, which, unit, out);
	path->depth -= n->name != NULL;
}

void report_tree_folded(struct report_tree *t, int which, uint64_t unit, FILE *out)
{
	struct path path = {.depth = 0};

	fold(report_tree_sum(t), &path, which, unit, out);
}
