// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See history.h. The writers never wait: an entry may be overwritten while it is copied, so that each copy is
 * checked afterwards. Positions only grow; once a position is lost, all before it are.
 */
#include "history.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LOOK_BACK 256 /* entries before the part asked for, to find out who ran then, */
#define LOOK_BACK_INTERRUPTS \
	4096 /* and of those about interrupts, which somebody who runs for long has */

int why_history_map(struct why_history *history, int fd, uint32_t cpus, uint32_t capacity)
{
	size_t bytes = ((size_t)cpus + (size_t)cpus * capacity) * sizeof(union tlob_history_line);
	void *lines = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);

	if (lines == MAP_FAILED)
		return -errno;
	*history = (struct why_history){lines, bytes, cpus, capacity};
	return 0;
}

void why_history_unmap(struct why_history *history)
{
	if (history->lines)
		munmap((void *)history->lines, history->bytes);
	*history = (struct why_history){0};
}

void why_stream_deinit(struct why_stream *stream)
{
	free(stream->entries);
	free(stream->parts);
	free(stream->ends);
	*stream = (struct why_stream){0};
}

static int reserve(struct tlob_history_entry **array, size_t *room, size_t need)
{
	struct tlob_history_entry *grown;
	size_t bigger = *room ? *room : 1024;

	if (need <= *room)
		return 0;
	while (bigger < need)
		bigger *= 2;
	grown = reallocarray(*array, bigger, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*room = bigger;
	return 0;
}

/* One CPU's ring, as it was when the read began. */
struct ring {
	const struct why_history *history;
	uint32_t cpu;
	uint64_t begin, end; /* positions that may still be there */
};

static const struct tlob_history_entry *entry_at(const struct ring *r, uint64_t position)
{
	const struct why_history *h = r->history;

	return &h->lines[tlob_history_line_of(h->cpus, h->capacity, r->cpu, position)].entry;
}

/* Word by word, because it is written meanwhile. False: it is not, or no longer, the entry of @position. */
static bool copy_entry(const struct ring *r, uint64_t position, struct tlob_history_entry *out)
{
	const uint64_t *from = (const uint64_t *)entry_at(r, position);
	uint64_t words[sizeof(*out) / sizeof(uint64_t)];

	if (tlob_load_acquire(&from[0]) != position + 1)
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		words[i] = tlob_load(&from[i]);
	tlob_fence_acquire();
	if (tlob_load(&from[0]) != position + 1)
		return false;
	memcpy(out, words, sizeof(*out));
	return true;
}

static void ring_init(struct ring *r, const struct why_history *history, uint32_t cpu)
{
	uint64_t end = tlob_load_acquire(&history->lines[cpu].head.position);

	*r = (struct ring){.history = history, .cpu = cpu, .end = end};
	/* the oldest is the next to be overwritten */
	if (end >= history->capacity)
		r->begin = end - history->capacity + 1;
}

/*
 * The first position whose time is at least @time_ns. What has been overwritten meanwhile counts as earlier: begin moves
 * behind it.
 */
static uint64_t seek(struct ring *r, uint64_t time_ns)
{
	struct tlob_history_entry e;
	uint64_t low = r->begin, high = r->end;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (!copy_entry(r, middle, &e)) {
			low = middle + 1;
			r->begin = low;
		} else if (e.time_ns < time_ns) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

/* Back to the last switch before @position, if it is near. */
static uint64_t step_back(struct ring *r, uint64_t position)
{
	struct tlob_history_entry e;
	uint64_t interrupts = 0;

	for (uint64_t p = position; p > r->begin && interrupts < LOOK_BACK_INTERRUPTS &&
				    position - p - interrupts < LOOK_BACK;) {
		if (!copy_entry(r, --p, &e))
			break;
		if (e.kind == TLOB_HISTORY_SWITCH)
			return p;
		interrupts += e.kind == TLOB_HISTORY_INTERRUPTS;
	}
	return position;
}

struct span {
	uint64_t from_ns, to_ns;
	size_t max;
};

static void lost_before(struct why_stream *s, uint64_t time_ns)
{
	if (time_ns > s->covers_ns)
		s->covers_ns = time_ns;
}

/* Does the ring go back to from_ns? An entry before it proves it, as does a ring that never overflowed. */
static void check_reach(struct why_stream *s, struct ring *r, const struct span *span)
{
	struct tlob_history_entry first;

	if (!r->begin)
		return;
	while (r->begin < r->end && !copy_entry(r, r->begin, &first))
		r->begin++;
	if (r->begin == r->end)
		lost_before(s, span->to_ns);
	else if (first.time_ns > span->from_ns)
		lost_before(s, first.time_ns);
}

/* Appends one CPU's entries to parts. */
static int read_ring(struct why_stream *s, struct ring *r, const struct span *span)
{
	uint64_t p = seek(r, span->from_ns), stop = seek(r, span->to_ns + 1);
	size_t start = s->nparts;
	bool gap = false; /* in front of what parts holds of this CPU */

	check_reach(s, r, span);
	p = step_back(r, p);
	if (p < r->begin)
		p = r->begin;
	if (stop > p && stop - p > span->max) {
		p = stop - span->max;
		gap = true;
	}
	for (; p < stop; p++) {
		struct tlob_history_entry *e;

		if (reserve(&s->parts, &s->parts_room, s->nparts + 1))
			return -ENOMEM;
		e = &s->parts[s->nparts];
		if (copy_entry(r, p, e)) {
			if (gap && s->nparts == start)
				lost_before(s, e->time_ns);
			s->nparts++;
			continue;
		}
		/* overtaken by the writer: what was copied so far stands before a gap */
		s->nparts = start;
		gap = true;
	}
	s->cut |= gap;
	if (gap && s->nparts == start)
		lost_before(s, span->to_ns);
	return 0;
}

/* Merge neighbouring parts two by two: each pass halves their number. */
static void merge_pair(const struct tlob_history_entry *a, size_t na,
		       const struct tlob_history_entry *b, size_t nb,
		       struct tlob_history_entry *out)
{
	while (na && nb) {
		bool first = a->time_ns <= b->time_ns;

		*out++ = first ? *a++ : *b++;
		na -= first;
		nb -= !first;
	}
	memcpy(out, na ? a : b, (na ? na : nb) * sizeof(*out));
}

static void swap(struct why_stream *s)
{
	struct tlob_history_entry *entries = s->entries;
	size_t room = s->room;

	s->entries = s->parts;
	s->room = s->parts_room;
	s->parts = entries;
	s->parts_room = room;
}

static int merge(struct why_stream *s, size_t nends)
{
	if (reserve(&s->entries, &s->room, s->nparts + 1))
		return -ENOMEM;
	for (; nends > 1; nends = (nends + 1) / 2) {
		size_t start = 0;

		for (size_t i = 0; i < nends; i += 2) {
			size_t middle = s->ends[i], end = i + 1 < nends ? s->ends[i + 1] : middle;

			merge_pair(s->parts + start, middle - start, s->parts + middle,
				   end - middle, s->entries + start);
			s->ends[i / 2] = end;
			start = end;
		}
		swap(s);
	}
	swap(s);
	s->count = s->nparts;
	return 0;
}

int why_history_read(const struct why_history *history, uint64_t from_ns, uint64_t to_ns,
		     size_t max, struct why_stream *s)
{
	struct span span = {from_ns, to_ns, max / (history->cpus ? history->cpus : 1)};
	size_t *ends = reallocarray(s->ends, history->cpus + 1, sizeof(*ends));
	int r = ends ? reserve(&s->parts, &s->parts_room, 1) : -ENOMEM;

	s->ends = ends ? ends : s->ends;
	if (r)
		return r;
	s->nparts = 0;
	s->count = 0;
	s->cut = false;
	s->from_ns = from_ns;
	s->covers_ns = from_ns;
	for (uint32_t cpu = 0; cpu < history->cpus && !r; cpu++) {
		struct ring ring;

		ring_init(&ring, history, cpu);
		r = read_ring(s, &ring, &span);
		s->ends[cpu] = s->nparts;
	}
	return r ? r : merge(s, history->cpus);
}
