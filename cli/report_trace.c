// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See report_trace.h. Slices of one track must lie within each other. Windows of a thread need not, and what an outer one went
 * into is cut by an inner one: so a window that does not come after all that is on a track goes to a further track of its thread.
 */
#include <search.h>
#include <stdlib.h>

#include "cli.h"
#include "format.h"
#include "report_segment.h"
#include "report_trace.h"
#include "text.h"
#include "why.h"

#define LANE_SHIFT \
	23 /* numbers of threads end below: so do not take one for another's further track */
#define MAX_LANES 256

/* A thread's, or a further one of it. */
struct track {
	uint32_t pid, tid, lane;
	uint64_t end_ns; /* of the last window on it */
	struct track *next; /* further one */
};

static int by_thread(const void *a, const void *b)
{
	const struct track *x = a, *y = b;

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

/* ---- pieces */

static uint64_t track_number(const struct track *t)
{
	return t->tid + ((uint64_t)t->lane << LANE_SHIFT);
}

/* Up to its own fields. @phase as the format has them. */
static void begin(struct cli_json *j, const char *phase, const char *name, uint32_t pid,
		  uint64_t track)
{
	cli_json_object(j, NULL);
	cli_json_string(j, "ph", phase);
	cli_json_string(j, "name", name);
	cli_json_number(j, "pid", pid);
	cli_json_number(j, "tid", track);
}

static void name_track(struct cli_json *j, const char *what, const struct track *t,
		       const char *name)
{
	begin(j, "M", what, t->pid, track_number(t));
	cli_json_object(j, "args");
	cli_json_string(j, "name", name);
	cli_json_object_end(j);
	cli_json_end(j);
}

static void put_slice(struct cli_json *j, const struct track *t, const char *kind, const char *name,
		      uint64_t start_ns, uint64_t end_ns)
{
	begin(j, "X", name, t->pid, track_number(t));
	cli_json_string(j, "cat", kind);
	cli_json_micros(j, "ts", start_ns);
	cli_json_micros(j, "dur", end_ns - start_ns);
}

/* ---- tracks */

static struct track *new_track(struct cli_json *j, const struct cli_report_event *e, uint32_t lane)
{
	struct track *t = malloc(sizeof(*t));
	char name[64];

	if (!t)
		return NULL;
	*t = (struct track){.pid = e->record.tgid, .tid = e->record.tid, .lane = lane};
	name_track(j, "process_name", t, *e->event.program ? e->event.program : e->record.comm);
	snprintf(name, sizeof(name), lane ? "%.15s %u (%u)" : "%.15s %u", e->record.comm, t->tid,
		 lane + 1);
	name_track(j, "thread_name", t, name);
	return t;
}

/* The first track of the record's thread; NULL: no memory. */
static struct track *track_of(struct cli_report_trace *trace, const struct cli_report_event *e)
{
	struct track key = {.pid = e->record.tgid, .tid = e->record.tid};
	struct track **found = tfind(&key, &trace->tracks, by_thread), *t;

	if (found)
		return *found;
	t = new_track(&trace->json, e, 0);
	if (t && !tsearch(t, &trace->tracks, by_thread)) {
		free(t);
		return NULL;
	}
	return t;
}

/* One on which the window comes after all others; NULL: no memory. */
static struct track *free_track(struct cli_report_trace *trace, const struct cli_report_event *e)
{
	struct track *t = track_of(trace, e);

	while (t && t->end_ns > e->record.start_ns && t->lane + 1 < MAX_LANES) {
		if (!t->next)
			t->next = new_track(&trace->json, e, t->lane + 1);
		t = t->next;
	}
	return t;
}

static void free_tracks(void *node)
{
	struct track *t = node;

	while (t) {
		struct track *next = t->next;

		free(t);
		t = next;
	}
}

/* ---- a window */

static void put_stacks(struct cli_json *j, const struct cli_report_event *e)
{
	char text[CLI_REPORT_STACK_BYTES];

	cli_json_array(j, "stacks");
	for (size_t i = 0; i < e->why.nsnapshots; i++)
		if (cli_report_stack(text, sizeof(text), &e->why.snapshots[i]))
			cli_json_string(j, NULL, text);
	cli_json_array_end(j);
}

static void put_details(struct cli_json *j, const struct cli_report_event *e)
{
	const struct tlob_record *r = &e->record;

	cli_json_object(j, "args");
	cli_json_number(j, "tag", r->tag);
	cli_json_number(j, "budget_ns", r->budget_ns);
	cli_json_number(j, "elapsed_ns", r->elapsed_ns);
	if (!(r->flags & TLOB_F_TRANSIT)) {
		cli_json_number(j, "running_ns", r->running_ns);
		cli_json_number(j, "waiting_ns", r->waiting_ns);
		cli_json_number(j, "sleeping_ns", r->sleeping_ns);
	}
	if (*e->reason)
		cli_json_string(j, "reason", e->reason);
	if (e->why.nsnapshots)
		put_stacks(j, e);
	cli_json_object_end(j);
}

static void put_segments(struct cli_json *j, const struct track *t,
			 const struct cli_report_event *e)
{
	struct cli_report_segment s = {.event = e};

	while (cli_report_segment_next(&s)) {
		put_slice(j, t, cli_why_word(s.cause), s.name, s.start_ns, s.end_ns);
		cli_json_end(j);
	}
}

static int put_window(struct cli_report_trace *trace, const struct cli_report_event *e)
{
	const struct tlob_record *r = &e->record;
	struct track *t = free_track(trace, e);
	struct cli_json *j = &trace->json;

	if (!t)
		return cli_error(CLI_ERROR, "out of memory for the threads of '%s'", trace->path);
	put_slice(j, t, "window", e->event.region, r->start_ns, cli_report_end_ns(r));
	put_details(j, e);
	cli_json_end(j);
	put_segments(j, t, e);
	t->end_ns = cli_report_end_ns(r);
	trace->windows++;
	return 0;
}

/* ---- a window that crosses threads: on a track of its own */

struct crossing {
	struct cli_json *json;
	const struct cli_report_event *event;
	char id[48];
	uint64_t now_ns; /* the last end: parts come one after the other */
};

static void put_edge(struct crossing *c, const char *phase, const char *name, uint64_t time_ns)
{
	begin(c->json, phase, name, c->event->record.tgid, c->event->record.tid);
	cli_json_string(c->json, "cat", "crossing");
	cli_json_string(c->json, "id", c->id);
	cli_json_micros(c->json, "ts", time_ns);
}

static void put_part(struct crossing *c, const char *name, uint64_t start_ns, uint64_t end_ns)
{
	uint64_t limit = cli_report_end_ns(&c->event->record);

	start_ns = start_ns > c->now_ns ? start_ns : c->now_ns;
	end_ns = end_ns < limit ? end_ns : limit;
	if (end_ns <= start_ns)
		return;
	put_edge(c, "b", name, start_ns);
	cli_json_end(c->json);
	put_edge(c, "e", name, end_ns);
	cli_json_end(c->json);
	c->now_ns = end_ns;
}

static void put_stages(struct crossing *c, struct json_object *stages)
{
	uint64_t start_ns = c->event->record.start_ns;
	size_t n = stages ? json_object_array_length(stages) : 0;
	char name[TLOB_NAME_BYTES + 16];

	for (size_t i = 0; i < n; i++) {
		struct json_object *s = json_object_array_get_idx(stages, i);
		uint64_t begin_ns = start_ns + cli_report_number(s, "begin_ns");

		if (!json_object_is_type(s, json_type_object) || !cli_report_number(s, "took_ns"))
			continue;
		snprintf(name, sizeof(name), "before %s", cli_report_string(s, "region"));
		put_part(c, name, begin_ns - cli_report_number(s, "wait_ns"), begin_ns);
		put_part(c, cli_report_string(s, "region"), begin_ns,
			 begin_ns + cli_report_number(s, "took_ns"));
	}
}

static int put_crossing(struct cli_report_trace *trace, const struct cli_report_event *e,
			struct json_object *o)
{
	const struct tlob_record *r = &e->record;
	struct crossing c = {.json = &trace->json, .event = e, .now_ns = r->start_ns};

	if (!track_of(trace, e))
		return cli_error(CLI_ERROR, "out of memory for the threads of '%s'", trace->path);
	snprintf(c.id, sizeof(c.id), "%u:%llu", r->tgid, (unsigned long long)r->window);
	put_edge(&c, "b", e->event.region, r->start_ns);
	put_details(c.json, e);
	cli_json_end(c.json);
	put_stages(&c, cli_report_array(o, "stages"));
	put_edge(&c, "e", e->event.region, cli_report_end_ns(r));
	cli_json_end(c.json);
	trace->windows++;
	return 0;
}

/* ---- the file */

/* A window may never end in the file, but that it was late is told. */
static int put_expiry(struct cli_report_trace *trace, const struct cli_report_event *e)
{
	const struct track *t = track_of(trace, e);
	char name[TLOB_NAME_BYTES + 32], budget[TLOB_DURATION_BYTES];

	if (!t)
		return cli_error(CLI_ERROR, "out of memory for the threads of '%s'", trace->path);
	tlob_duration_print(budget, sizeof(budget), e->record.budget_ns);
	snprintf(name, sizeof(name), "%s: %s are over", e->event.region, budget);
	begin(&trace->json, "i", name, t->pid, track_number(t));
	cli_json_string(&trace->json, "cat", "expiry");
	cli_json_string(&trace->json, "s", "t");
	cli_json_micros(&trace->json, "ts", e->record.start_ns + e->record.budget_ns);
	cli_json_end(&trace->json);
	return 0;
}

static int open_file(struct cli_report_trace *t)
{
	if (cli_json_open(&t->json, t->path))
		return cli_error(CLI_ERROR, "cannot write '%s': %m", t->path);
	t->open = true;
	fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n", t->json.out);
	return 0;
}

int cli_report_trace_add(struct cli_report_trace *t, const struct cli_report_event *e,
			 struct json_object *o)
{
	int status = t->open ? 0 : open_file(t);

	if (status)
		return status;
	if (e->record.type == TLOB_REC_OVERRUN)
		return put_expiry(t, e);
	return e->record.flags & TLOB_F_TRANSIT ? put_crossing(t, e, o) : put_window(t, e);
}

int cli_report_trace_finish(struct cli_report_trace *t)
{
	if (!t->open)
		return cli_error(CLI_ERROR, "nothing to write to '%s': no window was late",
				 t->path);
	fputs("]}\n", t->json.out);
	t->open = false;
	if (cli_json_close(&t->json))
		return cli_error(CLI_ERROR, "cannot write '%s': %m", t->path);
	return 0;
}

void cli_report_trace_deinit(struct cli_report_trace *t)
{
	if (t->open)
		cli_json_close(&t->json);
	t->open = false;
	tdestroy(t->tracks, free_tracks);
	t->tracks = NULL;
}
