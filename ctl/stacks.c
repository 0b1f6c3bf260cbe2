// SPDX-License-Identifier: GPL-2.0-or-later
/* See stacks.h. */
#include "stacks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "error.h"
#include "names.h"
#include "objects.h"
#include "session.h"

#define LONG_SLEEP_SHARE \
	4 /* as in bpf/stacks.h, where it need only be long for one of several windows */

int tlobctl_stacks_init(struct tlobctl *ctl)
{
	struct tlobctl_stacks *s = &ctl->stacks;

	if (!s->captures || !ctl->objects)
		return 0;
	/* takes a tenth of a second, which no record has */
	why_symbolizer_kernel_start(tlobctl_symbolizer(ctl));
	s->frames = calloc(TLOBCTL_TRACES * TLOBCTL_SNAPSHOT_FRAMES, sizeof(*s->frames));
	return s->frames ? 0 : tlobctl_fail(-ENOMEM, "out of memory for stacks");
}

static void trace_free(struct tlobctl_trace *t)
{
	if (t)
		free(t->again);
	free(t);
}

void tlobctl_late_forget(struct tlobctl_late *late)
{
	for (size_t i = 0; i < late->count; i++)
		trace_free(late->traces[i]);
	*late = (struct tlobctl_late){0};
}

void tlobctl_stacks_deinit(struct tlobctl *ctl)
{
	struct tlobctl_stacks *s = &ctl->stacks;

	for (size_t i = 0; i < TLOBCTL_LATE_WINDOWS; i++)
		tlobctl_late_forget(&s->late[i]);
	why_codes_deinit(&s->codes);
	free(s->frames);
	if (s->captures)
		munmap((void *)s->captures, s->bytes);
	*s = (struct tlobctl_stacks){0};
}

/* ---- captures */

static bool is_expiry_of(const struct tlob_capture *c, const struct tlob_record *r)
{
	return tlob_load(&c->kind) & TLOB_CAPTURE_EXPIRY && tlob_load(&c->tid) == r->tid &&
	       tlob_load(&c->client) == r->client && tlob_load(&c->window) == r->window;
}

static bool is_sleep_in(const struct tlob_capture *c, const struct tlob_record *r)
{
	uint64_t since = tlob_load(&c->time_ns);

	return tlob_load(&c->kind) & TLOB_CAPTURE_SLEEP && tlob_load(&c->tid) == r->tid &&
	       since >= r->start_ns && since <= r->time_ns &&
	       tlob_load(&c->ns) >= r->budget_ns / LONG_SLEEP_SHARE;
}

/* A copy of @c as it was at one moment. False: it is being written. */
static bool copy_capture(const struct tlob_capture *c, struct tlob_capture *out)
{
	uint64_t seq = tlob_load_acquire(&c->seq);

	if (seq & 1)
		return false;
	memcpy(out, c, sizeof(*out));
	tlob_fence_acquire();
	return tlob_load(&c->seq) == seq && out->kernel_bytes <= sizeof(out->kernel) &&
	       out->stack_bytes <= sizeof(out->stack);
}

void tlobctl_stacks_look(struct tlobctl *ctl, const struct tlob_record *record)
{
	const struct tlob_capture *c = ctl->stacks.captures;

	if (!c || record->type != TLOB_REC_OVERRUN ||
	    record->flags & (TLOB_F_AT_STOP | TLOB_F_TRANSIT))
		return;
	for (size_t i = 0; i < TLOB_CAPTURES; i++)
		if (is_expiry_of(&c[i], record))
			return;
	if (ctl->engine->look)
		ctl->engine->look(ctl, record);
}

/* ---- from a capture to places in files */

/* Whose stack is unwound, and when it was so. */
struct finder {
	struct tlobctl *ctl;
	uint32_t tgid;
	uint64_t time_ns;
	bool patient; /* code that is not known is waited for */
	bool cut_short; /* out: there was some that is not known yet */
};

static bool find_code(void *arg, uint64_t pc, struct why_code *out)
{
	struct finder *f = arg;
	struct why_codes *codes = &f->ctl->stacks.codes;
	const struct why_object *object;
	uint64_t offset;

	*out = (struct why_code){0};
	if (!tlobctl_place_of(f->ctl, f->tgid, f->time_ns, pc, false, &object, &offset))
		return false;
	if (!object)
		return true;
	if (!tlobctl_names_want_code(f->ctl, f->tgid, object, pc)) {
		if (f->patient)
			tlobctl_names_wait(f->ctl);
		out->later = !why_code_is_known(codes, object);
		f->cut_short |= out->later;
	}
	why_code_of(codes, object, offset, pc, out);
	return true;
}

static void add_point(const struct finder *f, uint64_t address, bool call, struct tlobctl_trace *t)
{
	const struct why_object *object = NULL;
	uint64_t offset = address;

	if (!tlobctl_place_of(f->ctl, f->tgid, f->time_ns, address, call, &object, &offset) ||
	    !object)
		object = why_object_of(tlobctl_symbolizer(f->ctl), "", "", NULL, 0);
	if (object)
		t->points[t->count++] = (struct tlobctl_point){object, offset, call};
}

static void add_kernel(const struct finder *f, const struct tlob_capture *c,
		       struct tlobctl_trace *t)
{
	if (!why_symbolizer_kernel_start(tlobctl_symbolizer(f->ctl)))
		return;
	for (size_t i = 0; i < c->kernel_bytes / sizeof(c->kernel[0]); i++)
		add_point(f, c->kernel[i], true, t);
	t->kernel = t->count;
}

static void add_user(struct finder *f, const struct tlob_capture *c, struct tlobctl_trace *t)
{
	struct why_copy copy = {c->stack_start, c->stack, c->stack_bytes, c->returns};
	struct why_pc pcs[TLOBCTL_TRACE_USER];
	struct why_regs regs;
	size_t n = 0;

	t->cut = true;
	if (why_regs_init(&regs, c->regs))
		n = why_unwind(&regs, &copy, find_code, f, pcs, TLOBCTL_TRACE_USER, &t->cut);
	for (size_t i = 0; i < n; i++)
		add_point(f, pcs[i].address, pcs[i].call, t);
}

static struct tlobctl_trace *trace_of(struct tlobctl *ctl, const struct tlob_capture *c,
				      uint64_t time_ns, bool patient)
{
	struct tlobctl_trace *t = calloc(1, sizeof(*t));
	struct finder f = {.ctl = ctl, .tgid = c->tgid, .time_ns = time_ns, .patient = patient};

	if (!t)
		return NULL;
	t->time_ns = time_ns;
	add_kernel(&f, c, t);
	add_user(&f, c, t);
	if (f.cut_short)
		t->again = malloc(sizeof(*t->again));
	if (t->again)
		*t->again = *c;
	return t;
}

/* It may be known by now. What it was called from may not be: its process may have gone. */
static void look_again(struct tlobctl *ctl, struct tlobctl_trace **at)
{
	struct tlobctl_trace *old = *at;
	struct tlobctl_trace *t = trace_of(ctl, old->again, old->time_ns, false);

	if (!t || t->count <= old->count) {
		if (t && !t->again) {
			free(old->again);
			old->again = NULL;
		}
		trace_free(t);
		return;
	}
	t->asleep = old->asleep;
	t->ns = old->ns;
	trace_free(old);
	*at = t;
}

/* ---- what belongs to a window */

static struct tlobctl_late *late_of(struct tlobctl_stacks *s, const struct tlob_record *r)
{
	struct tlobctl_late *oldest = &s->late[0];

	for (size_t i = 0; i < TLOBCTL_LATE_WINDOWS; i++) {
		struct tlobctl_late *l = &s->late[i];

		if (l->tid == r->tid && l->client == r->client && l->window == r->window)
			return l;
		if (l->used < oldest->used)
			oldest = l;
	}
	tlobctl_late_forget(oldest);
	oldest->client = r->client;
	oldest->tid = r->tid;
	oldest->window = r->window;
	oldest->used = ++s->clock;
	return oldest;
}

static bool has(const struct tlobctl_late *l, bool asleep, uint64_t time_ns)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->traces[i]->asleep == asleep && (!asleep || l->traces[i]->time_ns == time_ns))
			return true;
	return false;
}

/* The sleep that @ns is too short to stand beside leaves; the shortest does if there is no room. False: @ns itself. */
static bool make_room(struct tlobctl_late *l, bool asleep, uint64_t ns)
{
	size_t least = l->count;

	if (l->count < TLOBCTL_TRACES)
		return true;
	for (size_t i = 0; i < l->count; i++)
		if (l->traces[i]->asleep &&
		    (least == l->count || l->traces[i]->ns < l->traces[least]->ns))
			least = i;
	if (least == l->count || (asleep && l->traces[least]->ns >= ns))
		return false;
	trace_free(l->traces[least]);
	memmove(&l->traces[least], &l->traces[least + 1],
		(--l->count - least) * sizeof(*l->traces));
	return true;
}

static void add_trace(struct tlobctl_late *l, struct tlobctl_trace *t)
{
	size_t at = l->count;

	while (at && l->traces[at - 1]->time_ns > t->time_ns) {
		l->traces[at] = l->traces[at - 1];
		at--;
	}
	l->traces[at] = t;
	l->count++;
}

/* One that came to a CPU after its expiry had been there since before, or has gone on until it left another. */
static uint64_t expiry_time(const struct tlob_capture *c, const struct tlob_record *record)
{
	uint64_t deadline = record->start_ns + record->budget_ns;

	return c->time_ns > deadline ? c->time_ns : deadline;
}

/* What the copy of a capture says, as expiry or as sleep. */
static void take(struct tlobctl *ctl, const struct tlob_record *record, struct tlobctl_late *l,
		 bool asleep)
{
	const struct tlob_capture *c = &ctl->stacks.copy;
	uint64_t time_ns = asleep ? c->time_ns : expiry_time(c, record);
	uint64_t ns = asleep ? c->ns : 0;
	struct tlobctl_trace *t;

	if (has(l, asleep, time_ns) || !make_room(l, asleep, ns))
		return;
	t = trace_of(ctl, c, time_ns, true);
	if (!t)
		return;
	t->asleep = asleep;
	t->ns = ns;
	add_trace(l, t);
}

static void collect(struct tlobctl *ctl, const struct tlob_record *record, struct tlobctl_late *l)
{
	struct tlobctl_stacks *s = &ctl->stacks;

	for (size_t i = 0; i < TLOB_CAPTURES; i++) {
		const struct tlob_capture *c = &s->captures[i];

		if ((!is_expiry_of(c, record) && !is_sleep_in(c, record)) ||
		    !copy_capture(c, &s->copy))
			continue;
		if (is_sleep_in(&s->copy, record))
			take(ctl, record, l, true);
		if (is_expiry_of(&s->copy, record))
			take(ctl, record, l, false);
	}
}

/* ---- names */

/* Where the kernel was when an interrupt came to take the picture, the frames inside are that interrupt's. */
static bool is_interrupt(const struct tlobctl_frame *f)
{
	return f->kernel &&
	       (!strncmp(f->function, "asm_sysvec_", 11) ||
		!strcmp(f->function, "asm_common_interrupt") ||
		!strcmp(f->function, "el1h_64_irq") || !strcmp(f->function, "el0t_64_irq"));
}

static void name(struct tlobctl *ctl, const struct tlobctl_trace *t, struct tlobctl_frame *frames,
		 struct tlobctl_stack *out)
{
	size_t n = 0;

	for (size_t i = 0; i < t->count && n < TLOBCTL_SNAPSHOT_FRAMES; i++) {
		const struct tlobctl_point *p = &t->points[i];
		size_t got = tlobctl_names_of(ctl, p->object, p->offset, p->call, frames + n,
					      TLOBCTL_SNAPSHOT_FRAMES - n);

		if (i < t->kernel && got && is_interrupt(&frames[n]))
			n = 0;
		else
			n += got;
	}
	*out = (struct tlobctl_stack){
		.frames = frames, .nframes = n, .cut = t->cut || n == TLOBCTL_SNAPSHOT_FRAMES};
}

void tlobctl_stacks_want(struct tlobctl *ctl, uint32_t tgid, struct tlobctl_late *late)
{
	for (size_t i = 0; late && i < late->count; i++) {
		const struct tlobctl_trace *t = late->traces[i];

		if (t->again) {
			look_again(ctl, &late->traces[i]);
			t = late->traces[i];
		}
		for (size_t k = 0; k < t->count; k++)
			tlobctl_names_want(ctl, tgid, t->points[k].object, t->points[k].offset,
					   t->points[k].call);
	}
}

void tlobctl_stacks_name(struct tlobctl *ctl, const struct tlobctl_late *late,
			 struct tlobctl_why *why)
{
	struct tlobctl_stacks *s = &ctl->stacks;

	for (size_t i = 0; late && i < late->count; i++) {
		const struct tlobctl_trace *t = late->traces[i];

		s->snapshots[i] = (struct tlobctl_snapshot){
			.asleep = t->asleep, .time_ns = t->time_ns, .ns = t->ns};
		name(ctl, t, s->frames + i * TLOBCTL_SNAPSHOT_FRAMES, &s->snapshots[i].stack);
	}
	why->snapshots = s->snapshots;
	why->nsnapshots = late ? late->count : 0;
}

struct tlobctl_late *tlobctl_stacks_of(struct tlobctl *ctl, const struct tlob_record *record)
{
	struct tlobctl_stacks *s = &ctl->stacks;
	struct tlobctl_late *l;

	if (!s->frames || record->flags & TLOB_F_TRANSIT)
		return NULL;
	l = late_of(s, record);
	collect(ctl, record, l);
	return l;
}
