// SPDX-License-Identifier: GPL-2.0-or-later
/* See names.h. */
#include "names.h"

#include <errno.h>
#include <poll.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../why/reader.h"
#include "error.h"
#include "now.h"
#include "objects.h"
#include "session.h"

#define MAX_WANTS 8192
#define PARTIES 256 /* power of two: processes share what may be spent */
#define QUICK_MS 250
#define SLOW_MS 20000
#define SLOW_NICE 3 /* much more, and on a busy machine it would get next to nothing */
/* A record is held up for so long at most, */
#define PATIENCE_NS 20000000ULL
/* all of them for a tenth of the time, and this much at once; */
#define WAITING_NS 100000000ULL
#define WAITING_SHARE 10
/* and reading takes a fifth of a CPU, and this much at once. */
#define CREDIT_NS 5000000000ULL
#define CREDIT_SHARE 5

/* A place that somebody wants to have named; or code that somebody wants to unwind. */
struct want {
	const struct why_object *object;
	uint64_t offset;
	bool call;
	bool code; /* the latter: of the file at address, in process tgid */
	uint32_t tgid;
	uint64_t address;
	bool asked;
	uint32_t party;
	uint64_t round; /* that wanted it last */
	struct want *next, *prev;
};

struct lane {
	struct tlobctl_source source;
	struct why_reader reader;
	/* the question under way */
	struct want *wants[WHY_READER_PLACES];
	size_t nwants; /* 0: none */
	uint32_t party; /* whose it is */
	uint64_t since_ns;
};

enum {
	QUICK,
	SLOW,
	LANES
};

struct allowance {
	uint64_t ns, filled_ns;
};

struct tlobctl_names {
	struct lane lanes[LANES];
	void *tree; /* of wants, by place */
	struct want *first, *last;
	size_t nwants;
	uint64_t round; /* counts tlobctl_names_begin() */
	size_t missing; /* of this round */
	uint64_t answers, cpu_ns;
	uint64_t spent_ns[PARTIES], halved_ns;
	struct allowance waiting, reading;
	unsigned int failed; /* files */
	char note[160];
};

static void fill(struct allowance *a, uint64_t most_ns, unsigned int share, uint64_t now)
{
	a->ns += (now - a->filled_ns) / share;
	if (a->ns > most_ns)
		a->ns = most_ns;
	a->filled_ns = now;
}

static void spend(struct allowance *a, uint64_t ns)
{
	a->ns -= ns < a->ns ? ns : a->ns;
}

/* ---- wants */

static int by_place(const void *a, const void *b)
{
	const struct want *x = a, *y = b;

	if (x->object != y->object)
		return x->object < y->object ? -1 : 1;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return (int)(2 * x->code + x->call) - (int)(2 * y->code + y->call);
}

/* NULL: there are too many. */
static struct want *want_new(struct tlobctl_names *n, const struct want *key)
{
	struct want *w = n->nwants < MAX_WANTS ? malloc(sizeof(*w)) : NULL;

	if (!w)
		return NULL;
	*w = *key;
	w->prev = n->last;
	if (!tsearch(w, &n->tree, by_place)) {
		free(w);
		return NULL;
	}
	*(n->last ? &n->last->next : &n->first) = w;
	n->last = w;
	n->nwants++;
	return w;
}

static void want_free(struct tlobctl_names *n, struct want *w)
{
	tdelete(w, &n->tree, by_place);
	*(w->prev ? &w->prev->next : &n->first) = w->next;
	*(w->next ? &w->next->prev : &n->last) = w->prev;
	n->nwants--;
	n->missing -= w->round == n->round;
	free(w);
}

/* ---- questions */

static enum why_reading reading_of(int lane)
{
	return lane == QUICK ? WHY_READING_QUICK : WHY_READING_SLOW;
}

/* What comes next in that lane. NULL: nothing. */
static struct want *choose(const struct tlobctl_names *n, int lane)
{
	struct want *best = NULL;

	for (struct want *w = n->first; w; w = w->next)
		if (!w->asked && why_object_reading(w->object) == reading_of(lane) &&
		    (!best || n->spent_ns[w->party] < n->spent_ns[best->party] ||
		     (w->code && !best->code && w->party == best->party)))
			best = w;
	return best;
}

/* The question has been sent. */
static void begin(struct lane *lane, size_t count)
{
	for (size_t i = 0; i < count; i++)
		lane->wants[i]->asked = true;
	lane->nwants = count;
	lane->party = lane->wants[0]->party;
	lane->since_ns = tlobctl_now_ns();
}

static void ask_code(struct lane *lane, struct want *w)
{
	if (why_reader_ask_code(&lane->reader, w->object, w->tgid, w->address))
		return;
	lane->wants[0] = w;
	begin(lane, 1);
}

static void ask(struct tlobctl_names *n, int number)
{
	struct lane *lane = &n->lanes[number];
	struct why_reader_place places[WHY_READER_PLACES];
	struct want *best;
	size_t count = 0;

	if (lane->nwants || lane->reader.fd < 0 || !n->reading.ns)
		return;
	best = choose(n, number);
	if (best && best->code) {
		ask_code(lane, best);
		return;
	}
	for (struct want *w = best ? n->first : NULL; w && count < WHY_READER_PLACES; w = w->next) {
		if (w->asked || w->code || w->object != best->object)
			continue;
		lane->wants[count] = w;
		places[count++] = (struct why_reader_place){.offset = w->offset, .call = w->call};
	}
	if (!count || why_reader_ask(&lane->reader, best->object, places, count))
		return;
	begin(lane, count);
}

static void ask_all(struct tlobctl_names *n)
{
	uint64_t now = tlobctl_now_ns();

	fill(&n->reading, CREDIT_NS, CREDIT_SHARE, now);
	if (now - n->halved_ns >= TLOBCTL_NS_PER_S) { /* what was long ago counts little */
		n->halved_ns = now;
		for (size_t i = 0; i < PARTIES; i++)
			n->spent_ns[i] /= 2;
	}
	for (int i = 0; i < LANES; i++)
		ask(n, i);
}

/* ---- answers */

static void learn(struct tlobctl *ctl, struct lane *lane, uint32_t index,
		  struct tlobctl_frame *frames, size_t count)
{
	struct want *w = index < lane->nwants ? lane->wants[index] : NULL;
	struct tlobctl_frame none;

	if (!w || !count)
		return;
	none = why_unnamed(w->object, w->offset);
	for (size_t i = 0; i < count; i++) {
		frames[i].object = none.object;
		frames[i].build_id = none.build_id;
		frames[i].offset = none.offset;
	}
	why_learn(tlobctl_symbolizer(ctl), w->object, w->offset, w->call, frames, count);
	want_free(ctl->names, w);
	lane->wants[index] = NULL;
}

static void learn_code(struct tlobctl *ctl, struct lane *lane, int fd)
{
	struct want *w = lane->nwants ? lane->wants[0] : NULL;

	if (!w || !w->code) {
		if (fd >= 0)
			close(fd);
		return;
	}
	why_code_add(&ctl->stacks.codes, w->object, fd);
	want_free(ctl->names, w);
	lane->wants[0] = NULL;
}

/* The question is over: what it left unanswered has no names, or is asked again in the other lane. */
static void finish(struct tlobctl *ctl, struct lane *lane, bool again, uint64_t took_ns)
{
	struct tlobctl_names *n = ctl->names;

	n->cpu_ns += took_ns;
	n->spent_ns[lane->party] += took_ns;
	spend(&n->reading, took_ns);
	for (uint32_t i = 0; i < lane->nwants; i++) {
		struct tlobctl_frame none = {.function = "", .file = ""};

		if (lane->wants[i])
			lane->wants[i]->asked = false;
		if (!again && lane->wants[i] && lane->wants[i]->code)
			learn_code(ctl, lane, -1);
		else if (!again)
			learn(ctl, lane, i, &none, 1);
	}
	lane->nwants = 0;
}

/* It was not through in time, or has come to harm. */
static void died(struct tlobctl *ctl, struct lane *lane)
{
	struct tlobctl_names *n = ctl->names;
	const struct why_object *object = NULL;
	bool again;

	for (size_t i = 0; i < lane->nwants && !object; i++)
		object = lane->wants[i] ? lane->wants[i]->object : NULL;
	again = object && why_object_reading(object) == WHY_READING_QUICK;
	if (object)
		why_object_set_reading(object, again ? WHY_READING_SLOW : WHY_READING_FAILS);
	finish(ctl, lane, again, lane->nwants ? tlobctl_now_ns() - lane->since_ns : 0);
	if (!object || again)
		return;
	n->failed++;
	snprintf(n->note, sizeof(n->note),
		 "%u %s could not be read for names: it takes more than %u s, or too much memory.",
		 n->failed, n->failed == 1 ? "file" : "files", SLOW_MS / 1000);
}

static void take_answers(struct tlobctl *ctl, struct lane *lane)
{
	struct tlobctl_frame frames[WHY_PLACE_FRAMES];
	struct why_reader_answer answer;
	enum why_reader_kind kind = WHY_READER_DIED;

	while (lane->reader.fd >= 0 &&
	       (kind = why_reader_next(&lane->reader, &answer, frames)) != WHY_READER_NOTHING) {
		ctl->names->answers++;
		if (kind == WHY_READER_PLACE)
			learn(ctl, lane, answer.index, frames, answer.nframes);
		else if (kind == WHY_READER_CODE)
			learn_code(ctl, lane, answer.fd);
		else if (kind == WHY_READER_DONE)
			finish(ctl, lane, false, answer.cpu_ns);
		else
			died(ctl, lane);
		if (kind != WHY_READER_GONE)
			continue;
		tlobctl_source_remove(ctl, lane->reader.fd);
		why_reader_stop(&lane->reader);
	}
}

static void lane_ready(struct tlobctl *ctl, struct tlobctl_source *self)
{
	take_answers(ctl, (struct lane *)self); /* its first member */
	ask_all(ctl->names);
}

/* ---- for those who want names */

void tlobctl_names_begin(struct tlobctl *ctl)
{
	struct tlobctl_names *n = ctl->names;

	if (!n)
		return;
	why_symbolizer_turn(tlobctl_symbolizer(ctl));
	n->round++;
	n->missing = 0;
}

static bool is_to_be_had(const struct tlobctl *ctl, const struct why_object *object)
{
	const struct tlobctl_names *n = ctl->names;

	return n && why_object_is_file(object) && why_object_reading(object) != WHY_READING_FAILS &&
	       n->lanes[QUICK].reader.fd >= 0 && n->lanes[SLOW].reader.fd >= 0;
}

/* False; true if it cannot be had: there are too many. */
static bool want(struct tlobctl_names *n, const struct want *key)
{
	struct want **found = tfind(key, &n->tree, by_place);
	struct want *w = found ? *found : want_new(n, key);

	if (!w)
		return true;
	n->missing += w->round != n->round;
	w->round = n->round;
	return false;
}

bool tlobctl_names_want(struct tlobctl *ctl, uint32_t tgid, const struct why_object *object,
			uint64_t offset, bool call)
{
	const struct want key = {
		.object = object, .offset = offset, .call = call, .party = tgid & (PARTIES - 1)};
	struct tlobctl_frame frame;

	return !is_to_be_had(ctl, object) ||
	       why_known(tlobctl_symbolizer(ctl), object, offset, call, &frame, 1) ||
	       want(ctl->names, &key);
}

bool tlobctl_names_want_code(struct tlobctl *ctl, uint32_t tgid, const struct why_object *object,
			     uint64_t address)
{
	const struct want key = {.object = object,
				 .code = true,
				 .tgid = tgid,
				 .address = address,
				 .party = tgid & (PARTIES - 1)};

	return !is_to_be_had(ctl, object) || why_code_is_known(&ctl->stacks.codes, object) ||
	       want(ctl->names, &key);
}

/* False: nobody has answered for longer than anybody waits. */
static bool somebody_answers(const struct tlobctl_names *n, uint64_t now)
{
	for (int i = 0; i < LANES; i++)
		if (!n->lanes[i].nwants || now - n->lanes[i].since_ns < PATIENCE_NS)
			return true;
	return false;
}

static void wait_once(struct tlobctl *ctl, uint64_t ns)
{
	struct tlobctl_names *n = ctl->names;
	const struct timespec timeout = {(time_t)(ns / TLOBCTL_NS_PER_S),
					 (long)(ns % TLOBCTL_NS_PER_S)};
	struct pollfd fds[LANES];

	for (int i = 0; i < LANES; i++)
		fds[i] = (struct pollfd){.fd = n->lanes[i].reader.fd, .events = POLLIN};
	if (ppoll(fds, LANES, &timeout, NULL) <= 0)
		return;
	for (int i = 0; i < LANES; i++)
		if (fds[i].revents)
			take_answers(ctl, &n->lanes[i]);
}

bool tlobctl_names_wait_until(struct tlobctl *ctl, uint64_t end_ns)
{
	struct tlobctl_names *n = ctl->names;
	uint64_t now;

	if (!n)
		return true;
	ask_all(n);
	while (n->missing && (now = tlobctl_now_ns()) < end_ns) {
		wait_once(ctl, end_ns - now);
		ask_all(n);
	}
	return !n->missing;
}

bool tlobctl_names_wait(struct tlobctl *ctl)
{
	struct tlobctl_names *n = ctl->names;
	uint64_t now = tlobctl_now_ns(), most;
	bool all;

	if (!n || !n->missing)
		return true;
	fill(&n->waiting, WAITING_NS, WAITING_SHARE, now);
	most = n->waiting.ns < PATIENCE_NS ? n->waiting.ns : PATIENCE_NS;
	all = tlobctl_names_wait_until(ctl, somebody_answers(n, now) ? now + most : now);
	spend(&n->waiting, tlobctl_now_ns() - now);
	return all;
}

size_t tlobctl_names_of(struct tlobctl *ctl, const struct why_object *object, uint64_t offset,
			bool call, struct tlobctl_frame *frames, size_t room)
{
	struct why_symbolizer *s = tlobctl_symbolizer(ctl);
	size_t n;

	if (!why_object_is_file(object))
		return why_symbolize(s, object, offset, call, frames, room);
	n = why_known(s, object, offset, call, frames, room);
	if (n || !room)
		return n;
	frames[0] = why_unnamed(object, offset);
	return 1;
}

uint64_t tlobctl_names_answers(const struct tlobctl *ctl)
{
	return ctl->names ? ctl->names->answers : 0;
}

uint64_t tlobctl_names_cpu_ns(const struct tlobctl *ctl)
{
	return ctl->names ? ctl->names->cpu_ns : 0;
}

const char *tlobctl_names_note(const struct tlobctl *ctl)
{
	return ctl->names ? ctl->names->note : "";
}

/* ---- opening and closing */

int tlobctl_names_open(struct tlobctl *ctl)
{
	static const unsigned int limits_ms[LANES] = {[QUICK] = QUICK_MS, [SLOW] = SLOW_MS};
	static const int nice[LANES] = {[SLOW] = SLOW_NICE}; /* programs shall not be late for it */
	struct tlobctl_names *n = calloc(1, sizeof(*n));
	int r = 0;

	if (!n)
		return tlobctl_fail(-ENOMEM, "out of memory for names");
	for (int i = 0; i < LANES; i++)
		n->lanes[i].reader.fd = -1;
	ctl->names = n;
	for (int i = 0; i < LANES && !r; i++)
		r = why_reader_start(&n->lanes[i].reader, limits_ms[i], nice[i]);
	if (r)
		return tlobctl_fail(r, "cannot start a process that reads names: %s", strerror(-r));
	n->reading.ns = CREDIT_NS;
	n->waiting.ns = WAITING_NS;
	n->reading.filled_ns = n->waiting.filled_ns = tlobctl_now_ns();
	return 0;
}

int tlobctl_names_serve(struct tlobctl *ctl)
{
	int r = 0;

	for (int i = 0; i < LANES && !r; i++) {
		struct lane *lane = &ctl->names->lanes[i];

		lane->source.ready = lane_ready;
		r = tlobctl_source_add(ctl, lane->reader.fd, &lane->source);
	}
	return r;
}

void tlobctl_names_close(struct tlobctl *ctl)
{
	struct tlobctl_names *n = ctl->names;

	if (!n)
		return;
	for (int i = 0; i < LANES; i++)
		why_reader_stop(&n->lanes[i].reader);
	while (n->first)
		want_free(n, n->first);
	free(n);
	ctl->names = NULL;
}
