// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See report_event.h. A file may have been written by anybody: whatever is not as tlob-json(5) says reads as 0, "" or
 * nothing, and no number from it is used as an index.
 */
#include <string.h>

#include "report_event.h"
#include "why.h"

#define obstack_chunk_alloc malloc
#define obstack_chunk_free free

#define MAX_WHO 1024 /* in one event */
#define LAST_CAUSE TLOBCTL_CAUSE_INTERRUPTED

const char *cli_report_string(struct json_object *o, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(o, key, &value) ||
	    !json_object_is_type(value, json_type_string))
		return "";
	return json_object_get_string(value);
}

uint64_t cli_report_number(struct json_object *o, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(o, key, &value) ||
	    !json_object_is_type(value, json_type_int))
		return 0;
	return json_object_get_uint64(value);
}

static bool truth(struct json_object *o, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(o, key, &value) &&
	       json_object_is_type(value, json_type_boolean) && json_object_get_boolean(value);
}

struct json_object *cli_report_array(struct json_object *o, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(o, key, &value) ||
	    !json_object_is_type(value, json_type_array))
		return NULL;
	return value;
}

/* Zeroed memory for the elements of the array; *n: how many, objects only. */
static void *elements(struct json_object *array, size_t size, size_t *n, struct obstack *memory)
{
	size_t length = array ? json_object_array_length(array) : 0;
	void *all;

	*n = 0;
	if (!length)
		return NULL;
	for (size_t i = 0; i < length; i++)
		*n += json_object_is_type(json_object_array_get_idx(array, i), json_type_object);
	all = obstack_alloc(memory, *n * size + 1);
	memset(all, 0, *n * size);
	return all;
}

/* The next object from index *i on. */
static struct json_object *next_object(struct json_object *array, size_t *i)
{
	struct json_object *o;

	do
		o = json_object_array_get_idx(array, (*i)++);
	while (!json_object_is_type(o, json_type_object));
	return o;
}

static enum tlobctl_cause cause_of(struct json_object *o)
{
	const char *word = cli_report_string(o, "cause");

	for (int c = 0; c <= LAST_CAUSE; c++)
		if (!strcmp(cli_why_word((enum tlobctl_cause)c), word))
			return (enum tlobctl_cause)c;
	return TLOBCTL_CAUSE_UNKNOWN;
}

/* ---- threads */

struct table {
	struct tlobctl_who *list;
	size_t count;
};

static uint32_t who_of(struct json_object *o, const char *key, struct table *t)
{
	struct json_object *value;
	struct tlobctl_who w = {.tid = 0};

	if (!json_object_object_get_ex(o, key, &value) ||
	    !json_object_is_type(value, json_type_object))
		return TLOBCTL_NOBODY;
	w.tid = (uint32_t)cli_report_number(value, "tid");
	w.tgid = (uint32_t)cli_report_number(value, "pid");
	snprintf(w.comm, sizeof(w.comm), "%s", cli_report_string(value, "comm"));
	w.kernel = truth(value, "kernel");
	w.priority = truth(value, "realtime") ? 0 : 120;
	w.cgroup = cli_report_string(value, "cgroup");
	for (size_t i = 0; i < t->count; i++)
		if (t->list[i].tid == w.tid && !strcmp(t->list[i].comm, w.comm))
			return (uint32_t)i;
	if (t->count == MAX_WHO)
		return TLOBCTL_NOBODY;
	t->list[t->count] = w;
	return (uint32_t)t->count++;
}

/* ---- stacks */

static void read_stack(struct tlobctl_stack *stack, struct json_object *o, struct obstack *memory)
{
	struct json_object *array = cli_report_array(o, "frames");
	struct tlobctl_frame *frames = elements(array, sizeof(*frames), &stack->nframes, memory);

	stack->frames = frames;
	stack->cut = truth(o, "cut");
	for (size_t i = 0, at = 0; i < stack->nframes; i++) {
		struct json_object *f = next_object(array, &at);

		frames[i] = (struct tlobctl_frame){
			.function = cli_report_string(f, "function"),
			.object = cli_report_string(f, "object"),
			.build_id = cli_report_string(f, "build_id"),
			.offset = cli_report_number(f, "offset"),
			.file = cli_report_string(f, "file"),
			.line = (uint32_t)cli_report_number(f, "line"),
			.inlined = truth(f, "inlined"),
			.kernel = truth(f, "kernel"),
		};
	}
}

static void read_snapshots(struct tlobctl_why *why, struct json_object *o, struct obstack *memory)
{
	struct json_object *array = cli_report_array(o, "stacks");
	struct tlobctl_snapshot *all = elements(array, sizeof(*all), &why->nsnapshots, memory);

	why->snapshots = all;
	for (size_t i = 0, at = 0; i < why->nsnapshots; i++) {
		struct json_object *s = next_object(array, &at);

		all[i].asleep = truth(s, "asleep");
		all[i].time_ns = cli_report_number(s, "time_ns");
		all[i].ns = cli_report_number(s, "ns");
		read_stack(&all[i].stack, s, memory);
	}
}

size_t cli_report_samples(struct json_object *array, const struct tlobctl_samples **out,
			  struct obstack *memory)
{
	size_t n;
	struct tlobctl_samples *all = elements(array, sizeof(*all), &n, memory);

	*out = all;
	for (size_t i = 0, at = 0; i < n; i++) {
		struct json_object *s = next_object(array, &at);

		all[i].count = cli_report_number(s, "count");
		all[i].ns = cli_report_number(s, "ns");
		read_stack(&all[i].stack, s, memory);
	}
	return n;
}

/* ---- why */

static void read_chain(struct tlobctl_culprit *c, struct json_object *o, struct table *t,
		       struct obstack *memory)
{
	struct json_object *array = cli_report_array(o, "chain");
	struct tlobctl_link *links = elements(array, sizeof(*links), &c->nlinks, memory);

	c->links = links;
	for (size_t i = 0, at = 0; i < c->nlinks; i++) {
		struct json_object *l = next_object(array, &at);

		links[i] = (struct tlobctl_link){
			.who = who_of(l, "who", t),
			.running_ns = cli_report_number(l, "running_ns"),
			.waiting_ns = cli_report_number(l, "waiting_ns"),
			.sleeping_ns = cli_report_number(l, "sleeping_ns"),
			.cause = cause_of(l),
			.other = who_of(l, "other", t),
			.other_ns = cli_report_number(l, "other_ns"),
			.disk = truth(l, "disk"),
			.syscall = cli_report_string(l, "syscall"),
		};
	}
}

static void read_culprits(struct tlobctl_why *why, struct json_object *o, struct table *t,
			  struct obstack *memory)
{
	struct json_object *array = cli_report_array(o, "culprits");
	struct tlobctl_culprit *all = elements(array, sizeof(*all), &why->nculprits, memory);

	why->culprits = all;
	for (size_t i = 0, at = 0; i < why->nculprits; i++) {
		struct json_object *c = next_object(array, &at);

		all[i].cause = cause_of(c);
		all[i].who = who_of(c, "who", t);
		if (all[i].cause == TLOBCTL_CAUSE_BEHIND && all[i].who == TLOBCTL_NOBODY)
			all[i].cause = TLOBCTL_CAUSE_UNKNOWN; /* behind whom is what it means */
		all[i].ns = cli_report_number(c, "total_ns");
		all[i].longest_ns = cli_report_number(c, "longest_ns");
		all[i].times = (uint32_t)cli_report_number(c, "times");
		all[i].disk = truth(c, "disk");
		all[i].syscall = cli_report_string(c, "syscall");
		read_chain(&all[i], c, t, memory);
	}
}

static void read_segments(struct tlobctl_why *why, struct json_object *o, struct table *t,
			  struct obstack *memory)
{
	struct json_object *array = cli_report_array(o, "segments");
	struct tlobctl_segment *all = elements(array, sizeof(*all), &why->nsegments, memory);

	why->segments = all;
	for (size_t i = 0, at = 0; i < why->nsegments; i++) {
		struct json_object *s = next_object(array, &at);

		all[i].start_ns = cli_report_number(s, "start_ns");
		all[i].end_ns = cli_report_number(s, "end_ns");
		all[i].cause = cause_of(s);
		all[i].who = who_of(s, "who", t);
		all[i].disk = truth(s, "disk");
		all[i].syscall = cli_report_string(s, "syscall");
	}
}

/* The culprit that the reason in words is about; the words may have been made by another version. */
static void find_blame(struct cli_report_event *e)
{
	char text[CLI_WHY_CAUSE_BYTES];

	for (e->why.blame = 0; e->why.blame < e->why.nculprits; e->why.blame++)
		if (!strcmp(cli_why_cause(text, sizeof(text), &e->event), e->reason) ||
		    (e->why.culprits[e->why.blame].cause == TLOBCTL_CAUSE_RUNNING &&
		     !strncmp(e->reason, "running", 7)))
			return;
	e->why.blame = 0;
}

static void read_why(struct cli_report_event *e, struct json_object *o, struct json_object *why,
		     struct obstack *memory)
{
	struct table t = {.list = obstack_alloc(memory, MAX_WHO * sizeof(*t.list))};

	e->reason = cli_report_string(why, "reason");
	e->why.complete = truth(why, "complete");
	e->why.unknown_ns = cli_report_number(why, "unknown_ns");
	e->why.migrations = (uint32_t)cli_report_number(why, "migrations");
	e->why.wakeups = (uint32_t)cli_report_number(why, "wakeups");
	e->why.wakeup_max_ns = cli_report_number(why, "wakeup_max_ns");
	read_culprits(&e->why, why, &t, memory);
	read_segments(&e->why, why, &t, memory);
	read_snapshots(&e->why, o, memory);
	e->why.nsamples =
		cli_report_samples(cli_report_array(o, "samples"), &e->why.samples, memory);
	e->why.sampled = cli_report_number(o, "sampled");
	for (size_t i = 0; !cli_report_number(o, "sampled") && i < e->why.nsamples; i++)
		e->why.sampled += e->why.samples[i].count;
	e->why.who = t.list;
	e->why.nwho = t.count;
	if (!e->why.nculprits)
		return;
	e->event.why = &e->why;
	find_blame(e);
}

void cli_report_event(struct cli_report_event *e, struct json_object *o, struct obstack *memory)
{
	struct tlob_record *r = &e->record;
	struct json_object *why;

	*e = (struct cli_report_event){.reason = ""};
	r->type = strcmp(cli_report_string(o, "type"), "close") ? TLOB_REC_OVERRUN : TLOB_REC_CLOSE;
	r->flags = truth(o, "transit") ? TLOB_F_TRANSIT : 0;
	r->tgid = (uint32_t)cli_report_number(o, "pid");
	r->tid = (uint32_t)cli_report_number(o, "tid");
	r->cpu = (uint32_t)cli_report_number(o, "cpu");
	r->switches = (uint32_t)cli_report_number(o, "switches");
	r->time_ns = cli_report_number(o, "time_ns");
	r->start_ns = cli_report_number(o, "start_ns");
	r->budget_ns = cli_report_number(o, "budget_ns");
	r->elapsed_ns = cli_report_number(o, "elapsed_ns");
	r->running_ns = cli_report_number(o, "running_ns");
	r->waiting_ns = cli_report_number(o, "waiting_ns");
	r->sleeping_ns = cli_report_number(o, "sleeping_ns");
	r->tag = cli_report_number(o, "tag");
	r->window = cli_report_number(o, "window");
	strncpy(r->comm, cli_report_string(o, "comm"), sizeof(r->comm) - 1);
	e->event.record = r;
	e->event.region = cli_report_string(o, "region");
	e->event.program = cli_report_string(o, "program");
	e->event.file = cli_report_string(o, "file");
	e->event.line = (uint32_t)cli_report_number(o, "line");
	if (json_object_object_get_ex(o, "why", &why) && json_object_is_type(why, json_type_object))
		read_why(e, o, why, memory);
	else
		read_snapshots(&e->why, o, memory);
}
