// SPDX-License-Identifier: GPL-2.0-or-later
/* See frames.h. */
#include "frames.h"

#include <stdio.h>
#include <string.h>

#include "format.h"
#include "shorten.h"
#include "text.h"

#define FUNCTION_MIN 20 /* columns for a name, however narrow the terminal is */
#define MARGIN 14 /* below the region, as in why.c */
#define SHOWN 8 /* of the program, innermost first */
#define KERNEL_SHOWN 3
#define SLEEPS 2 /* the longest */
#define TEXT_BYTES 768

/* ---- JSON: what is empty is left out */

static void put_text(struct cli_json *j, const char *key, const char *text)
{
	if (*text)
		cli_json_string(j, key, text);
}

static void put_frame(struct cli_json *j, const struct tlobctl_frame *f)
{
	cli_json_object(j, NULL);
	put_text(j, "function", f->function);
	put_text(j, "object", f->object);
	put_text(j, "build_id", f->build_id);
	if (f->offset)
		cli_json_number(j, "offset", f->offset);
	put_text(j, "file", f->file);
	if (f->line)
		cli_json_number(j, "line", f->line);
	if (f->inlined)
		cli_json_bool(j, "inlined", true);
	if (f->kernel)
		cli_json_bool(j, "kernel", true);
	cli_json_object_end(j);
}

void cli_frames_json(struct cli_json *j, const struct tlobctl_stack *stack)
{
	cli_json_bool(j, "cut", stack->cut);
	cli_json_array(j, "frames");
	for (size_t i = 0; i < stack->nframes; i++)
		put_frame(j, &stack->frames[i]);
	cli_json_array_end(j);
}

void cli_snapshots_json(struct cli_json *j, const struct tlobctl_why *why)
{
	cli_json_array(j, "stacks");
	for (size_t i = 0; why && i < why->nsnapshots; i++) {
		const struct tlobctl_snapshot *s = &why->snapshots[i];

		cli_json_object(j, NULL);
		cli_json_bool(j, "asleep", s->asleep);
		cli_json_number(j, "time_ns", s->time_ns);
		cli_json_number(j, "ns", s->ns);
		cli_frames_json(j, &s->stack);
		cli_json_object_end(j);
	}
	cli_json_array_end(j);
}

/* ---- text */

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Columns left behind @head. */
static size_t room_behind(const struct cli_terminal *term, const char *head)
{
	size_t width = cli_terminal_width(term), used = MARGIN + strlen(head);

	return width > used + 20 ? width - used : 20;
}

static void print_line(const struct cli_terminal *term, const char *head, const char *text)
{
	char shown[TEXT_BYTES];

	cli_printable(shown, sizeof(shown), text, room_behind(term, head));
	fprintf(term->out, "%*s%s%s\n", MARGIN, "", head, shown);
}

/* The C library's inner name of a call of its own. */
static const char *plain(const char *function)
{
	return strncmp(function, "__GI_", 5) ? function : function + 5;
}

/* "decode_row  decode.c:120 (inlined)"; without debug information "decode_row  (libx.so)", "libx.so+0x1234". */
static void describe(char *buf, size_t size, const struct tlobctl_frame *f, size_t columns)
{
	const char *inlined = f->inlined ? " (inlined)" : "";
	unsigned long long offset = f->offset;
	char place[256], function[TEXT_BYTES - 256];
	size_t taken;

	if (!*f->function && !*f->object) {
		snprintf(buf, size, "0x%llx, no file", offset);
		return;
	}
	if (!*f->function) {
		snprintf(buf, size, "%s+0x%llx", base_of(f->object), offset);
		return;
	}
	if (strstr(f->function, ":0x")) /* has the object in it */
		snprintf(place, sizeof(place), "%s", inlined);
	else if (*f->file)
		snprintf(place, sizeof(place), "  %.200s:%u%s", base_of(f->file), f->line, inlined);
	else
		snprintf(place, sizeof(place), "  (%.200s)%s", base_of(f->object), inlined);
	taken = cli_columns(place);
	cli_shorten(function, sizeof(function), plain(f->function),
		    columns > taken + FUNCTION_MIN ? columns - taken : FUNCTION_MIN);
	snprintf(buf, size, "%s%s", function, place);
}

/* How the scheduler is entered tells nobody anything. */
static bool is_dull(const struct tlobctl_frame *f)
{
	static const char *const dull[] = {"__schedule",
					   "schedule",
					   "preempt_schedule",
					   "schedule_timeout",
					   "io_schedule",
					   "schedule_hrtimeout_range",
					   "schedule_hrtimeout_range_clock",
					   "schedule_preempt_disabled"};

	for (size_t i = 0; i < sizeof(dull) / sizeof(*dull); i++)
		if (!strcmp(f->function, dull[i]))
			return true;
	return !*f->function;
}

/* "kernel: futex_wait_queue < __futex_wait < futex_wait". Returns how many frames are the kernel's. */
static size_t print_kernel(const struct tlobctl_stack *stack, const char *head,
			   const struct cli_terminal *term)
{
	char text[TEXT_BYTES] = "kernel: ";
	size_t used = strlen(text), shown = 0, n = 0;

	for (; n < stack->nframes && stack->frames[n].kernel; n++) {
		const struct tlobctl_frame *f = &stack->frames[n];

		if (is_dull(f) || shown == KERNEL_SHOWN || used + 2 > sizeof(text))
			continue;
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%.100s",
					 shown ? " < " : "", f->function);
		shown++;
	}
	if (shown)
		print_line(term, head, text);
	return n;
}

/* What the C library does before main() is left out. */
static size_t without_start(const struct tlobctl_stack *stack)
{
	static const char *const first[] = {"main", "start_thread"};

	for (size_t i = 0; i < stack->nframes; i++)
		for (size_t k = 0; k < sizeof(first) / sizeof(*first); k++)
			if (!strcmp(stack->frames[i].function, first[k]))
				return i + 1;
	return stack->nframes;
}

/* Of the functions alone: the line of a loop is another each time. Never 0. */
static uint64_t hash_of(const struct tlobctl_stack *stack)
{
	uint64_t hash = 14695981039346656037u; /* FNV-1a */

	for (size_t i = 0; i < stack->nframes; i++) {
		const char *c = stack->frames[i].function;

		if (!*c)
			hash = (hash ^ stack->frames[i].offset) * 1099511628211u;
		for (; *c; c++)
			hash = (hash ^ (unsigned char)*c) * 1099511628211u;
		hash *= 1099511628211u;
	}
	return hash | 1;
}

/* "(as before) decode_row < decode < main" */
static void print_again(const struct tlobctl_stack *stack, size_t n, const char *head,
			const struct cli_terminal *term)
{
	char text[TEXT_BYTES] = "(as before) ", name[128];
	size_t used = strlen(text);
	bool first = true;

	for (size_t i = 0; i < n && used < sizeof(text) - 1; i++) {
		const struct tlobctl_frame *f = &stack->frames[i];

		if (f->kernel)
			continue;
		cli_shorten(name, sizeof(name), *f->function ? plain(f->function) : "?", 40);
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s",
					 first ? "" : " < ", name);
		first = false;
	}
	print_line(term, head, text);
}

static void print_stack(const struct tlobctl_stack *stack, const char *title, uint64_t *last,
			const struct cli_terminal *term)
{
	size_t n = without_start(stack), i, shown = 0;
	uint64_t before = *last;
	char head[64], text[TEXT_BYTES];

	*last = hash_of(stack);
	snprintf(head, sizeof(head), "%s ", title);
	if (*last == before) {
		print_again(stack, n, head, term);
		return;
	}
	i = print_kernel(stack, head, term);
	if (i)
		memset(head, ' ', strlen(head));
	for (; i < n && shown < SHOWN; i++, shown++) {
		describe(text, sizeof(text), &stack->frames[i], room_behind(term, head));
		print_line(term, head, text);
		memset(head, ' ', strlen(head));
	}
	if (i >= n)
		return;
	snprintf(text, sizeof(text), "and %zu more", n - i);
	print_line(term, head, text);
}

static bool is_same(const struct tlobctl_stack *a, const struct tlobctl_stack *b)
{
	if (a->nframes != b->nframes)
		return false;
	for (size_t i = 0; i < a->nframes; i++)
		if (a->frames[i].offset != b->frames[i].offset ||
		    strcmp(a->frames[i].object, b->frames[i].object) ||
		    strcmp(a->frames[i].function, b->frames[i].function))
			return false;
	return true;
}

/* The longest sleep of @why that is shorter than @below_ns; NULL: none. */
static const struct tlobctl_snapshot *longest(const struct tlobctl_why *why, uint64_t below_ns)
{
	const struct tlobctl_snapshot *found = NULL;

	for (size_t i = 0; i < why->nsnapshots; i++) {
		const struct tlobctl_snapshot *s = &why->snapshots[i];

		if (s->asleep && s->ns < below_ns && (!found || s->ns > found->ns))
			found = s;
	}
	return found;
}

static const struct tlobctl_snapshot *expiry(const struct tlobctl_why *why)
{
	for (size_t i = 0; i < why->nsnapshots; i++)
		if (!why->snapshots[i].asleep)
			return &why->snapshots[i];
	return NULL;
}

size_t cli_snapshots_nameless(const struct tlobctl_why *why)
{
	const struct tlobctl_snapshot *over = why ? expiry(why) : NULL;
	size_t n = 0;

	if (!over)
		return SIZE_MAX;
	for (size_t i = 0; i < over->stack.nframes; i++)
		n += !*over->stack.frames[i].function;
	return n;
}

void cli_snapshots_print(const struct tlobctl_event *event, size_t nameless, uint64_t *last,
			 const struct cli_terminal *term)
{
	const struct tlobctl_why *why = event->why;
	const struct tlobctl_snapshot *over = expiry(why), *s;
	bool open = event->record->type != TLOB_REC_CLOSE;
	uint64_t below_ns = UINT64_MAX;

	if (over && (open || cli_snapshots_nameless(why) < nameless))
		print_stack(&over->stack, "at", last, term);
	for (size_t i = 0; !open && i < SLEEPS && (s = longest(why, below_ns)); i++) {
		char title[48], slept[TLOB_DURATION_BYTES];

		below_ns = s->ns;
		tlob_duration_print(slept, sizeof(slept), s->ns);
		/* told when the budget expired in it */
		if (over && is_same(&over->stack, &s->stack))
			continue;
		snprintf(title, sizeof(title), "slept %s at", slept);
		print_stack(&s->stack, title, last, term);
	}
}
