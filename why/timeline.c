// SPDX-License-Identifier: GPL-2.0-or-later
/* See timeline.h. */
#include "timeline.h"

#define RACE_NS \
	100000ULL /* a wake-up this short before the sleep it ended: the two happened on two CPUs */
#define PLACING_NS 50000ULL /* a migration this soon after the wake-up is the choice of a CPU */

struct walk {
	const struct why_stream *stream;
	uint32_t tid;
	uint64_t floor_ns; /* before that the stream has gaps */
	struct why_stretch now; /* under way */
	const struct tlob_history_entry *early_wake; /* while it was still running */
	why_stretch_fn *fn;
	void *arg;
};

static bool is_wake(const struct tlob_history_entry *e)
{
	return e->kind == TLOB_HISTORY_WAKE || e->kind == TLOB_HISTORY_NEW;
}

/* Index of the first entry after @time_ns. */
static size_t after(const struct why_stream *s, uint64_t time_ns)
{
	size_t low = 0, high = s->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->entries[middle].time_ns <= time_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool names(const struct tlob_history_entry *e, uint32_t tid)
{
	return e->kind == TLOB_HISTORY_SWITCH && e->tid == tid;
}

const struct tlob_history_entry *why_naming(const struct why_stream *s, uint32_t tid,
					    uint64_t time_ns)
{
	size_t middle = after(s, time_ns);

	for (size_t i = middle; i--;)
		if (names(&s->entries[i], tid))
			return &s->entries[i];
	for (size_t i = middle; i < s->count; i++) {
		const struct tlob_history_entry *e = &s->entries[i];

		/* a thread that is new from here on is another one with the same number */
		if (e->kind == TLOB_HISTORY_NEW && e->tid == tid)
			break;
		if (names(e, tid))
			return e;
	}
	return NULL;
}

/* ---- who has the CPU that the thread waits for */

static void set_occupant(struct walk *w, uint32_t tid, const struct tlob_history_entry *e)
{
	w->now.occupied = tid != w->tid;
	w->now.occupant = tid;
	w->now.occupant_entry = e;
}

/* Who is on the CPU once entries up to @i have happened. */
static void find_occupant(struct walk *w, size_t i)
{
	const struct tlob_history_entry *entries = w->stream->entries;
	uint32_t cpu = w->now.cpu;

	w->now.occupied = false;
	w->now.occupant_entry = NULL;
	if (cpu == WHY_NO_CPU)
		return;
	for (size_t k = i; k-- && entries[k].time_ns >= w->floor_ns;)
		if (entries[k].kind == TLOB_HISTORY_SWITCH && entries[k].cpu == cpu) {
			set_occupant(w, entries[k].tid, &entries[k]);
			return;
		}
	for (size_t k = i; k < w->stream->count; k++)
		if (entries[k].kind == TLOB_HISTORY_SWITCH && entries[k].cpu == cpu) {
			uint32_t tid = entries[k].prev_tid;

			set_occupant(w, tid, why_naming(w->stream, tid, entries[k].time_ns - 1));
			return;
		}
}

/* ---- the thread's own steps */

static int state_after(const struct tlob_history_entry *out)
{
	if (out->prev_state == TLOB_HISTORY_RUNNABLE)
		return TLOB_WAITING;
	return out->prev_state & TLOB_HISTORY_DEAD ? WHY_UNKNOWN : TLOB_SLEEPING;
}

/* The stretch under way ends at @time_ns, and one like it begins. */
static void cut(struct walk *w, uint64_t time_ns)
{
	if (time_ns > w->now.start_ns) {
		w->now.end_ns = time_ns;
		w->fn(&w->now, w->arg);
		w->now.start_ns = time_ns;
		w->now.first = false;
		w->now.moved = false;
	}
}

static void move_to(struct walk *w, uint32_t cpu)
{
	if (w->now.cpu != WHY_NO_CPU && w->now.cpu != cpu)
		w->now.moved = true;
	w->now.cpu = cpu;
}

static void begin_wait(struct walk *w, size_t i)
{
	w->now.state = TLOB_WAITING;
	w->now.first = true;
	find_occupant(w, i + 1);
}

static void leave_cpu(struct walk *w, size_t i)
{
	const struct tlob_history_entry *e = &w->stream->entries[i];

	cut(w, e->time_ns);
	move_to(w, e->cpu);
	w->now.out = e;
	w->now.wake = NULL;
	w->now.state = state_after(e);
	if (w->now.state == TLOB_WAITING)
		begin_wait(w, i);
}

/* It got the CPU. Asleep without a wake-up since: that came while it was about to sleep, or has been lost. */
static void take_cpu(struct walk *w, const struct tlob_history_entry *e)
{
	if (w->now.state == TLOB_SLEEPING && w->early_wake && w->now.out &&
	    w->now.out->time_ns - w->early_wake->time_ns <= RACE_NS) {
		w->now.state = TLOB_WAITING;
		w->now.wake = w->early_wake;
		w->now.occupied = false;
	}
	cut(w, e->time_ns);
	move_to(w, e->cpu);
	w->now.state = TLOB_RUNNING;
	w->early_wake = NULL;
}

static void wake_up(struct walk *w, size_t i)
{
	const struct tlob_history_entry *e = &w->stream->entries[i];

	if (w->now.state == TLOB_RUNNING) {
		w->early_wake = e;
		return;
	}
	if (w->now.state == TLOB_WAITING)
		return;
	if (e->kind == TLOB_HISTORY_NEW)
		w->now.state = WHY_UNKNOWN; /* before that it was not there */
	w->now.wake = e;
	cut(w, e->time_ns);
	begin_wait(w, i);
}

static void migrate(struct walk *w, size_t i)
{
	const struct tlob_history_entry *e = &w->stream->entries[i];

	if (w->now.state == TLOB_WAITING &&
	    !(w->now.first && e->time_ns - w->now.start_ns < PLACING_NS))
		cut(w, e->time_ns);
	move_to(w, e->other_cpu);
	if (w->now.state == TLOB_WAITING)
		find_occupant(w, i + 1);
}

static void step(struct walk *w, size_t i)
{
	const struct tlob_history_entry *e = &w->stream->entries[i];

	if (e->kind == TLOB_HISTORY_SWITCH && e->prev_tid == w->tid) {
		leave_cpu(w, i);
	} else if (e->kind == TLOB_HISTORY_SWITCH && e->tid == w->tid) {
		take_cpu(w, e);
	} else if (e->kind == TLOB_HISTORY_SWITCH) {
		if (w->now.state != TLOB_WAITING || e->cpu != w->now.cpu)
			return;
		cut(w, e->time_ns);
		set_occupant(w, e->tid, e);
	} else if (e->tid != w->tid) {
		return;
	} else if (e->kind == TLOB_HISTORY_MIGRATE) {
		migrate(w, i);
	} else if (is_wake(e)) {
		wake_up(w, i);
	}
}

/* ---- how it begins */

static bool concerns(const struct tlob_history_entry *e, uint32_t tid)
{
	return (e->tid == tid && e->kind != TLOB_HISTORY_INTERRUPTS) ||
	       (e->kind == TLOB_HISTORY_SWITCH && e->prev_tid == tid);
}

/* The state that the entries before @i left it in. A wake-up only counts for a thread that slept. */
static bool look_back(struct walk *w, size_t i)
{
	const struct tlob_history_entry *entries = w->stream->entries;

	while (i-- && entries[i].time_ns >= w->floor_ns) {
		const struct tlob_history_entry *e = &entries[i];

		if (!concerns(e, w->tid))
			continue;
		if (w->now.cpu == WHY_NO_CPU && e->kind == TLOB_HISTORY_MIGRATE)
			w->now.cpu = e->other_cpu;
		if (is_wake(e) && !w->now.wake)
			w->now.wake = e;
		if (e->kind != TLOB_HISTORY_SWITCH)
			continue;
		if (w->now.cpu == WHY_NO_CPU)
			w->now.cpu = e->cpu;
		if (e->tid == w->tid) {
			w->now.state = TLOB_RUNNING;
			return true;
		}
		w->now.out = e;
		w->now.state = w->now.wake ? TLOB_WAITING : state_after(e);
		return true;
	}
	if (w->now.wake)
		w->now.state = TLOB_WAITING;
	return w->now.wake;
}

/* The state that the first entry from @i on found it in. */
static bool look_ahead(struct walk *w, size_t i)
{
	const struct why_stream *s = w->stream;

	for (; i < s->count; i++) {
		const struct tlob_history_entry *e = &s->entries[i];

		if (!concerns(e, w->tid) || e->kind == TLOB_HISTORY_MIGRATE)
			continue;
		if (e->kind == TLOB_HISTORY_SWITCH)
			w->now.cpu = e->cpu;
		if (e->kind == TLOB_HISTORY_NEW)
			w->now.state = WHY_UNKNOWN;
		else if (e->kind == TLOB_HISTORY_WAKE)
			w->now.state = TLOB_SLEEPING;
		else
			w->now.state = e->prev_tid == w->tid ? TLOB_RUNNING : TLOB_WAITING;
		return true;
	}
	return false;
}

void why_timeline(const struct why_stream *s, const struct why_window *window, why_stretch_fn *fn,
		  void *arg)
{
	struct walk w = {
		.stream = s,
		.tid = window->tid,
		.now = {.start_ns = window->start_ns, .state = WHY_UNKNOWN, .cpu = WHY_NO_CPU},
		.fn = fn,
		.arg = arg};
	size_t i;

	if (s->covers_ns > s->from_ns)
		w.floor_ns = s->covers_ns;
	if (s->covers_ns > window->start_ns)
		cut(&w, s->covers_ns < window->end_ns ? s->covers_ns : window->end_ns);
	i = after(s, w.now.start_ns);
	if (!look_back(&w, i) && !look_ahead(&w, i))
		w.now.state = window->end_state;
	if (w.now.state == TLOB_WAITING)
		find_occupant(&w, i);
	for (; i < s->count && s->entries[i].time_ns < window->end_ns; i++)
		if (s->entries[i].time_ns >= w.now.start_ns)
			step(&w, i);
	cut(&w, window->end_ns);
}
