// SPDX-License-Identifier: GPL-2.0-or-later
/* See sampled.h. */
#include "sampled.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SAMPLES (1u << 18)
#define MAX_WINDOWS 64 /* of a thread; eight can be open */
#define MAX_THREADS (1u << 16)
#define MAX_THREADS_OF_PART (MAX_THREADS / 4)
#define WINDOWS_MIN 8
#define THIN_NS 20000000ULL /* not more often: it goes through all threads */
#define SLOTS_MIN 64
/* After its deadline a window that was in time is over, unless its record is on the way or has been dropped. */
#define SLACK_NS 1000000000ULL

struct sample {
	uint64_t time_ns;
	uint32_t trace;
};

struct window {
	struct why_sampled_window w;
	uint64_t over_ns; /* it was by then; 0: may be open */
	bool late;
	bool gone; /* ended with its thread, or it may have been late: not a good one */
};

struct why_sampled_thread {
	uint32_t tid; /* 0: no thread */
	uint32_t part; /* index of its process's */
	size_t nwindows, windows_room, nsamples, room;
	uint64_t forgotten_ns; /* of windows that began by then some were dropped for want of room */
	struct window *windows; /* at most MAX_WINDOWS */
	struct sample *samples; /* in order of time */
};

/* ---- threads */

static size_t slot_of(const struct why_sampled *s, uint32_t tid)
{
	size_t at = (tid * 0x9e3779b1u) & (s->slots - 1);

	while (s->threads[at].tid && s->threads[at].tid != tid)
		at = (at + 1) & (s->slots - 1);
	return at;
}

static struct why_sampled_thread *find(const struct why_sampled *s, uint32_t tid)
{
	struct why_sampled_thread *t;

	if (!s->slots || !tid)
		return NULL;
	t = &s->threads[slot_of(s, tid)];
	return t->tid ? t : NULL;
}

static void thread_deinit(struct why_sampled_thread *t)
{
	free(t->windows);
	free(t->samples);
	*t = (struct why_sampled_thread){0};
}

void why_sampled_deinit(struct why_sampled *s)
{
	for (size_t i = 0; i < s->slots; i++)
		thread_deinit(&s->threads[i]);
	free(s->threads);
	free(s->parts);
	*s = (struct why_sampled){0};
}

/* @t has @n samples fewer. */
static void give_up(struct why_sampled *s, struct why_sampled_thread *t, size_t n)
{
	struct why_sampled_part *part = &s->parts[t->part];

	t->nsamples -= n;
	s->nsamples -= n;
	part->nsamples -= n;
	if (!n || t->nsamples)
		return;
	part->nsampled--;
	s->nparts -= !part->nsampled;
}

/* The table anew, with @slots, without threads that have nothing left. */
static int rebuild(struct why_sampled *s, size_t slots)
{
	struct why_sampled next = *s;

	next.threads = calloc(slots, sizeof(*next.threads));
	if (!next.threads)
		return -ENOMEM;
	next.slots = slots;
	next.nthreads = 0;
	for (size_t i = 0; i < s->slots; i++) {
		struct why_sampled_thread *t = &s->threads[i];

		if (!t->tid)
			continue;
		if (!t->nwindows) {
			give_up(s, t, t->nsamples);
			s->parts[t->part].nthreads--;
			thread_deinit(t);
			continue;
		}
		next.threads[slot_of(&next, t->tid)] = *t;
		next.nthreads++;
	}
	free(s->threads);
	s->threads = next.threads;
	s->slots = next.slots;
	s->nthreads = next.nthreads;
	return 0;
}

static struct why_sampled_part *part_of(struct why_sampled *s, uint32_t tgid, uint32_t *index)
{
	if (!s->parts)
		s->parts = calloc(WHY_SAMPLED_PARTS, sizeof(*s->parts));
	*index = (tgid * 0x9e3779b1u) >> 22;
	_Static_assert(WHY_SAMPLED_PARTS == 1u << (32 - 22), "an index has so many bits");
	return s->parts ? &s->parts[*index] : NULL;
}

static struct why_sampled_thread *make(struct why_sampled *s, uint32_t tid, uint32_t tgid)
{
	struct why_sampled_thread *t = find(s, tid);
	size_t slots = s->slots ? s->slots : SLOTS_MIN;
	struct why_sampled_part *part;
	uint32_t index;

	if (t)
		return t;
	part = part_of(s, tgid, &index);
	if (!tid || !part || s->nthreads >= MAX_THREADS || part->nthreads >= MAX_THREADS_OF_PART)
		return NULL;
	if (s->nthreads + 1 > s->slots / 2) {
		if (s->slots)
			slots *= 2;
		if (rebuild(s, slots))
			return NULL;
	}
	t = &s->threads[slot_of(s, tid)];
	t->tid = tid;
	t->part = index;
	part->nthreads++;
	s->nthreads++;
	return t;
}

/* ---- windows */

static void drop_window(struct why_sampled_thread *t, size_t i)
{
	t->nwindows--;
	memmove(t->windows + i, t->windows + i + 1, (t->nwindows - i) * sizeof(*t->windows));
}

/* False: no memory. */
static bool window_room(struct why_sampled_thread *t)
{
	size_t room = t->windows_room ? t->windows_room * 2 : WINDOWS_MIN;
	struct window *more;

	if (t->nwindows < t->windows_room)
		return true;
	more = reallocarray(t->windows, room, sizeof(*more));
	if (!more)
		return false;
	t->windows = more;
	t->windows_room = room;
	return true;
}

/* NULL: no memory. */
static struct window *window_of(struct why_sampled_thread *t, const struct why_sampled_window *w)
{
	struct window *found;

	for (size_t i = 0; i < t->nwindows; i++) {
		found = &t->windows[i];
		if (found->w.window == w->window && found->w.client == w->client)
			return found;
	}
	if (t->nwindows ==
	    MAX_WINDOWS) { /* thousands of late ones in a second, or scribbled over */
		if (t->windows[0].w.start_ns > t->forgotten_ns)
			t->forgotten_ns = t->windows[0].w.start_ns;
		drop_window(t, 0);
	}
	if (!window_room(t))
		return NULL;
	found = &t->windows[t->nwindows++];
	/* its record may have been here already: samples come later */
	*found = (struct window){.w = *w, .gone = w->start_ns <= t->forgotten_ns};
	return found;
}

static void close_unnamed(struct why_sampled_thread *t, uint64_t time_ns,
			  const struct why_sampled_window *windows, size_t n)
{
	for (size_t i = 0; i < t->nwindows; i++) {
		struct window *w = &t->windows[i];
		bool named = false;

		for (size_t k = 0; k < n; k++)
			named |= windows[k].window == w->w.window &&
				 windows[k].client == w->w.client;
		/* one that a record has told of may begin later than this */
		if (!named && !w->over_ns && w->w.start_ns <= time_ns)
			w->over_ns = time_ns;
	}
}

/* ---- room for samples */

static void thin_thread(struct why_sampled *s, struct why_sampled_thread *t)
{
	size_t left = t->nsamples / 2;

	for (size_t i = 0; i < left; i++)
		t->samples[i] = t->samples[2 * i + 1];
	s->crowded += t->nsamples - left;
	give_up(s, t, t->nsamples - left);
}

/* The process that has most samples gives some up, and of its threads those with more than most of them. */
static void thin(struct why_sampled *s)
{
	uint32_t most = 0;
	size_t share;

	for (uint32_t i = 1; i < WHY_SAMPLED_PARTS; i++)
		if (s->parts[i].nsamples > s->parts[most].nsamples)
			most = i;
	share = s->parts[most].nsamples / s->parts[most].nsampled;
	for (size_t i = 0; i < s->slots; i++)
		if (s->threads[i].tid && s->threads[i].part == most &&
		    s->threads[i].nsamples >= share)
			thin_thread(s, &s->threads[i]);
}

/* False: there is no room, and @t has its share already. */
static bool has_room(struct why_sampled *s, const struct why_sampled_thread *t, uint64_t time_ns)
{
	const struct why_sampled_part *part = &s->parts[t->part];

	if (s->nsamples < MAX_SAMPLES)
		return true;
	if (part->nsamples >= MAX_SAMPLES / s->nparts &&
	    t->nsamples >= part->nsamples / (part->nsampled ? part->nsampled : 1))
		return false;
	if (time_ns - s->thinned_ns < THIN_NS)
		return false;
	s->thinned_ns = time_ns;
	thin(s);
	return s->nsamples < MAX_SAMPLES;
}

static int keep_sample(struct why_sampled *s, struct why_sampled_thread *t, uint64_t time_ns,
		       uint32_t trace)
{
	struct why_sampled_part *part = &s->parts[t->part];
	size_t room = t->room ? t->room * 2 : 16, at;
	struct sample *samples;

	if (!has_room(s, t, time_ns))
		return -ENOSPC;
	if (t->nsamples == t->room) {
		samples = reallocarray(t->samples, room, sizeof(*samples));
		if (!samples)
			return -ENOMEM;
		t->samples = samples;
		t->room = room;
	}
	at = t->nsamples;
	while (at && t->samples[at - 1].time_ns > time_ns)
		at--;
	memmove(t->samples + at + 1, t->samples + at, (t->nsamples - at) * sizeof(*t->samples));
	t->samples[at] = (struct sample){time_ns, trace};
	s->nparts += !part->nsampled;
	part->nsampled += !t->nsamples;
	part->nsamples++;
	t->nsamples++;
	s->nsamples++;
	return 0;
}

void why_sampled_add(struct why_sampled *s, const struct why_sampled_hit *hit,
		     const struct why_sampled_window *windows, size_t n)
{
	struct why_sampled_thread *t = make(s, hit->tid, hit->tgid);
	struct window *w;

	if (!t) {
		s->crowded++;
		return;
	}
	close_unnamed(t, hit->time_ns, windows, n);
	for (size_t i = 0; i < n; i++) {
		w = window_of(t, &windows[i]);
		if (w)
			w->late |= hit->time_ns >= windows[i].deadline_ns;
	}
	if (hit->trace != UINT32_MAX && keep_sample(s, t, hit->time_ns, hit->trace))
		s->crowded++;
}

void why_sampled_exit(struct why_sampled *s, uint32_t tid, uint64_t time_ns)
{
	struct why_sampled_thread *t = find(s, tid);

	for (size_t i = 0; t && i < t->nwindows; i++) {
		t->windows[i].gone |= !t->windows[i].over_ns;
		if (!t->windows[i].over_ns)
			t->windows[i].over_ns = time_ns;
	}
}

void why_sampled_late(struct why_sampled *s, uint32_t tid, uint32_t tgid,
		      const struct why_sampled_window *window, uint64_t end_ns)
{
	struct why_sampled_thread *t = make(s, tid, tgid);
	struct window *w = t ? window_of(t, window) : NULL;

	if (!w)
		return;
	w->late = true;
	if (end_ns)
		w->over_ns = end_ns;
}

void why_sampled_each(const struct why_sampled *s, uint32_t tid, uint64_t start_ns, uint64_t end_ns,
		      why_sampled_fn *fn, void *arg)
{
	const struct why_sampled_thread *t = find(s, tid);

	for (size_t i = 0; t && i < t->nsamples; i++)
		if (t->samples[i].time_ns >= start_ns && t->samples[i].time_ns <= end_ns)
			fn(t->samples[i].trace, arg);
}

/* ---- what became of them */

/* True: nothing can be told of it any more that is not known. */
static bool is_settled(const struct window *w, uint64_t known_ns)
{
	if (w->over_ns)
		return w->over_ns < known_ns;
	return !w->late && known_ns > SLACK_NS && w->w.deadline_ns < known_ns - SLACK_NS;
}

static void hand_good(const struct why_sampled_thread *t, const struct window *w,
		      const struct why_sampled_good *good)
{
	uint64_t end = w->over_ns ? w->over_ns - 1 : w->w.deadline_ns;

	if (w->late || w->gone || !good->begin(&w->w, t->tid, good->arg))
		return;
	for (size_t i = 0; i < t->nsamples; i++)
		if (t->samples[i].time_ns >= w->w.start_ns && t->samples[i].time_ns <= end)
			good->sample(t->samples[i].trace, good->arg);
}

/* Samples that belong to no window any more. */
static void prune(struct why_sampled *s, struct why_sampled_thread *t)
{
	uint64_t earliest = UINT64_MAX;
	size_t n = 0;

	for (size_t i = 0; i < t->nwindows; i++)
		if (t->windows[i].w.start_ns < earliest)
			earliest = t->windows[i].w.start_ns;
	while (n < t->nsamples && t->samples[n].time_ns < earliest)
		n++;
	if (!n)
		return;
	give_up(s, t, n);
	memmove(t->samples, t->samples + n, t->nsamples * sizeof(*t->samples));
}

void why_sampled_settle(struct why_sampled *s, uint64_t known_ns,
			const struct why_sampled_good *good)
{
	size_t idle = 0;

	for (size_t i = 0; i < s->slots; i++) {
		struct why_sampled_thread *t = &s->threads[i];

		if (!t->tid)
			continue;
		for (size_t k = 0; k < t->nwindows;) {
			if (!is_settled(&t->windows[k], known_ns)) {
				k++;
				continue;
			}
			hand_good(t, &t->windows[k], good);
			drop_window(t, k);
		}
		prune(s, t);
		idle += !t->nwindows;
	}
	/* threads come and go */
	if (idle > SLOTS_MIN && idle > s->nthreads / 2)
		rebuild(s, s->slots);
}
