// SPDX-License-Identifier: GPL-2.0-or-later
/* Stacks added up, folded, laid over each other and drawn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "report/flame.h"
#include "report/tree.h"

#define MAX 64

/* "inner middle outer": one stack; "[k]" and "[i]" behind a name say what it is. */
static void add(struct report_tree *t, const char *head, const char *names, int which,
		uint64_t value, bool cut)
{
	static char text[MAX][64];
	struct tlobctl_frame frames[MAX];
	struct tlobctl_stack stack = {.frames = frames, .cut = cut};
	int used;

	while (sscanf(names, " %63[^ ]%n", text[stack.nframes], &used) == 1) {
		char *kernel = strstr(text[stack.nframes], "[k]");
		char *inlined = strstr(text[stack.nframes], "[i]");

		frames[stack.nframes] = (struct tlobctl_frame){.function = text[stack.nframes],
							       .object = "/lib/x.so",
							       .build_id = "",
							       .offset = 0x10,
							       .file = "x.c",
							       .kernel = kernel,
							       .inlined = inlined};
		if (kernel)
			*kernel = '\0';
		if (inlined)
			*inlined = '\0';
		stack.nframes++;
		names += used;
	}
	report_tree_add(t, head, &stack, which, value);
}

static void folds_to(struct report_tree *t, int which, uint64_t unit, const char *expected)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	report_tree_folded(t, which, unit, out);
	fclose(out);
	assert_string_equal(text, expected);
	free(text);
}

/* The node at the end of a path of names. */
static const struct report_node *at(const struct report_node *root, const char *path)
{
	char copy[256], *rest = copy, *name;

	snprintf(copy, sizeof(copy), "%s", path);
	while ((name = strsep(&rest, ";"))) {
		root = root->child;
		while (root && strcmp(root->name, name))
			root = root->next;
		assert_non_null(root);
	}
	return root;
}

static void folding(void **state)
{
	struct report_tree *t = report_tree_new();

	folds_to(t, 0, 1, "");
	add(t, "frame", "copy[k] read main", 0, 3, false);
	add(t, "frame", "min[i] work main", 0, 2, false);
	add(t, "frame", "copy[k] read main", 0, 4, false);
	add(t, "frame", "work main", 0, 1, false);
	add(t, "audio", "mix main", 0, 5, true);
	add(t, "audio", "", 0, 6, false);
	folds_to(t, 0, 1,
		 "audio;[no stack] 6\n"
		 "audio;[outer frames missing];main;mix 5\n"
		 "frame;main;read;copy_[k] 7\n"
		 "frame;main;work 1\n"
		 "frame;main;work;min_[i] 2\n");
	/* rounded, and what rounds to nothing left out */
	folds_to(t, 0, 4,
		 "audio;[no stack] 2\n"
		 "audio;[outer frames missing];main;mix 1\n"
		 "frame;main;read;copy_[k] 2\n"
		 "frame;main;work;min_[i] 1\n");
	folds_to(t, 1, 1, "");
	assert_int_equal(report_tree_value(t, 0), 21);
	assert_int_equal(report_tree_left_out(t, 0), 0);
	report_tree_free(t);
	report_tree_free(NULL);
}

static void odd_names(void **state)
{
	const struct tlobctl_frame frames[] = {
		{.function = "a;b\nc", .object = "", .build_id = "", .file = ""},
		{.function = "", .object = "/lib/y.so", .build_id = "", .offset = 0xabc, .file = ""},
		{.function = "", .object = "", .build_id = "", .offset = 1, .file = ""},
	};
	const struct tlobctl_stack stack = {.frames = frames, .nframes = 3};
	struct report_tree *t = report_tree_new();

	report_tree_add(t, "r", &stack, 0, 1);
	folds_to(t, 0, 1, "r;[no file];y.so+0xabc;a:b?c 1\n");
	report_tree_free(t);
}

static void recursion(void **state)
{
	struct tlobctl_frame frames[2000];
	const struct tlobctl_stack stack = {.frames = frames, .nframes = 2000};
	struct report_tree *t = report_tree_new();
	const struct report_node *n;
	int depth = 0;

	for (int i = 0; i < 2000; i++)
		frames[i] = (struct tlobctl_frame){
			.function = "f", .object = "", .build_id = "", .file = ""};
	report_tree_add(t, "r", &stack, 0, 1);
	for (n = report_tree_sum(t); n; n = n->child)
		depth++;
	assert_in_range(depth, 500, 520);
	assert_int_equal(report_tree_sum(t)->total[0], 1);
	report_tree_free(t);
}

/* Late windows: twice the work, and a page fault that good ones do not have; those poll instead. */
static struct report_tree *make_difference(void)
{
	struct report_tree *late = report_tree_new(), *good = report_tree_new();
	struct report_tree *t = report_tree_new();

	add(late, "frame", "work main", 0, 4000, false);
	add(late, "frame", "fault[k] work main", 0, 1000, false);
	add(good, "frame", "work main", 0, 10000, false);
	add(good, "frame", "poll main", 0, 3000, false);
	report_tree_merge(t, late, 0, 0, 1 / 2.0);
	report_tree_merge(t, good, 0, 1, 1 / 10.0);
	report_tree_free(late);
	report_tree_free(good);
	return t;
}

static void difference(void **state)
{
	struct report_tree *t = make_difference();
	const struct report_node *root = report_tree_sum(t), *n;

	n = at(root, "frame;main;work");
	assert_int_equal(n->self[0], 2000);
	assert_int_equal(n->self[1], 1000);
	assert_int_equal(n->total[0], 2500);
	assert_int_equal(n->total[1], 1000);
	assert_int_equal(n->widest, 2500);
	n = at(root, "frame;main;work;fault");
	assert_int_equal(n->total[0], 500);
	assert_int_equal(n->total[1], 0);
	assert_int_equal(n->kind, REPORT_KERNEL);
	assert_string_equal(n->object, "/lib/x.so");
	n = at(root, "frame;main;poll");
	assert_int_equal(n->total[0], 0);
	assert_int_equal(n->total[1], 300);
	/* room for both kinds of children side by side */
	assert_int_equal(root->widest, 2800);
	assert_int_equal(root->total[0], 2500);
	assert_int_equal(root->total[1], 1300);
	report_tree_free(t);
}

static char *drawn(const struct report_panel *panel)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	report_flame_write(out, "a <title> & more", panel, 1);
	fclose(out);
	return text;
}

/* The fill of the frame of that name. */
static const char *fill_of(const char *svg, const char *name)
{
	static char fill[8];
	char title[64];
	const char *frame;

	snprintf(title, sizeof(title), "<title>%s\n", name);
	frame = strstr(svg, title);
	assert_non_null(frame);
	assert_int_equal(sscanf(strstr(frame, "fill=\""), "fill=\"%7[^\"]", fill), 1);
	return fill;
}

static bool is_redder(const char *fill)
{
	unsigned int r, g, b;

	assert_int_equal(sscanf(fill, "#%2x%2x%2x", &r, &g, &b), 3);
	assert_int_not_equal(r, b);
	return r > b;
}

static void drawing(void **state)
{
	struct report_tree *t = make_difference();
	struct report_panel panel = {.title = "t",
				     .note = "n",
				     .root = report_tree_sum(t),
				     .difference = true,
				     .names = {"late", "good"}};
	char *svg = drawn(&panel);

	assert_non_null(strstr(svg, "a &#60;title&#62; &#38; more"));
	assert_true(is_redder(fill_of(svg, "work")));
	assert_true(is_redder(fill_of(svg, "fault")));
	assert_false(is_redder(fill_of(svg, "poll")));
	assert_non_null(
		strstr(svg, "work\n+1.50us: 2.50us in a late window, 1.00us in a good one"));
	assert_non_null(strstr(svg, "poll\n-300ns: 0ns in a late window, 300ns in a good one"));
	free(svg);

	panel.difference = false;
	panel.windows = 10;
	svg = drawn(&panel);
	assert_non_null(strstr(svg, "work\n2.50us, 100.0 %, 250ns each window"));
	free(svg);
	report_tree_free(t);

	t = report_tree_new();
	panel.root = report_tree_sum(t);
	svg = drawn(&panel); /* nothing to draw is no reason to divide by it */
	assert_null(strstr(svg, "nan"));
	assert_null(strstr(svg, "<rect x=\"nan"));
	free(svg);
	report_tree_free(t);
}

/* One place after the other of code without symbols: not one is compared with all. */
static void many_children(void **state)
{
	const size_t many = 100000;
	struct tlobctl_frame frame = {
		.function = "", .object = "/lib/x.so", .build_id = "", .file = ""};
	struct tlobctl_stack stack = {.frames = &frame, .nframes = 1};
	struct report_tree *t = report_tree_new();
	size_t n = 0;

	alarm(20);
	for (int twice = 0; twice < 2; twice++)
		for (frame.offset = 0; frame.offset < many; frame.offset++)
			report_tree_add(t, "r", &stack, 0, 1);
	alarm(0);
	assert_int_equal(report_tree_left_out(t, 0), 0);
	for (const struct report_node *c = report_tree_sum(t)->child->child; c; c = c->next) {
		assert_int_equal(c->self[0], 2);
		n++;
	}
	assert_int_equal(n, many);
	report_tree_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(folding),   cmocka_unit_test(odd_names),
		cmocka_unit_test(recursion), cmocka_unit_test(difference),
		cmocka_unit_test(drawing),   cmocka_unit_test(many_children),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
