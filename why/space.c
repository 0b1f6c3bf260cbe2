// SPDX-License-Identifier: GPL-2.0-or-later
/* See space.h. */
#include "space.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHAINS 1024
/*
 * Programs can map, and fork, as they like. There are limits to what is known of one, and of all: past half of the latter, who has
 * more than a few gets no more, so that others still do.
 */
#define MAX_MAPPINGS (1u << 20)
#define FEW_MAPPINGS 256

/* ---- lists of mappings */

static int reserve(struct why_mappings *m, size_t more)
{
	size_t room = m->room ? m->room : 16;
	struct why_mapping *list;

	while (room < m->count + more)
		room *= 2;
	if (room == m->room)
		return 0;
	list = reallocarray(m->list, room, sizeof(*list));
	if (!list)
		return -ENOMEM;
	m->list = list;
	m->room = room;
	return 0;
}

static void insert(struct why_mappings *m, size_t at, const struct why_mapping *mapping)
{
	memmove(m->list + at + 1, m->list + at, (m->count - at) * sizeof(*m->list));
	m->list[at] = *mapping;
	m->count++;
}

static void erase(struct why_mappings *m, size_t at, size_t n)
{
	memmove(m->list + at, m->list + at + n, (m->count - at - n) * sizeof(*m->list));
	m->count -= n;
}

/* The last address: the end of the last page of all would be 0. */
static uint64_t last_of(const struct why_mapping *m)
{
	return m->start + m->length - 1;
}

/* Index of the first that ends at @address or after it. */
static size_t first_from(const struct why_mappings *m, uint64_t address)
{
	size_t low = 0, high = m->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (last_of(&m->list[middle]) < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* ---- spaces */

static struct why_space **chain_of(const struct why_spaces *spaces, uint32_t tgid)
{
	return &spaces->chains[tgid & (spaces->nchains - 1)];
}

int why_spaces_init(struct why_spaces *spaces)
{
	struct why_space **chains = calloc(CHAINS, sizeof(struct why_space *));

	if (!chains)
		return -ENOMEM;
	*spaces = (struct why_spaces){.chains = chains, .nchains = CHAINS};
	return 0;
}

static void space_free(struct why_spaces *spaces, struct why_space *space)
{
	spaces->count--;
	spaces->nmappings -= space->live.count + space->past.count;
	spaces->nended -= space->past.count + (space->until_ns != WHY_LASTS);
	free(space->live.list);
	free(space->past.list);
	free(space);
}

void why_spaces_deinit(struct why_spaces *spaces)
{
	for (size_t i = 0; i < spaces->nchains; i++) {
		while (spaces->chains[i]) {
			struct why_space *space = spaces->chains[i];

			spaces->chains[i] = space->next;
			space_free(spaces, space);
		}
	}
	free(spaces->chains);
	*spaces = (struct why_spaces){0};
}

struct why_space *why_spaces_find(const struct why_spaces *spaces, uint32_t tgid, uint64_t time_ns)
{
	for (struct why_space *s = *chain_of(spaces, tgid); s; s = s->next)
		if (s->tgid == tgid && s->from_ns <= time_ns && time_ns < s->until_ns)
			return s;
	return NULL;
}

struct why_space *why_spaces_current(const struct why_spaces *spaces, uint32_t tgid)
{
	for (struct why_space *s = *chain_of(spaces, tgid); s; s = s->next)
		if (s->tgid == tgid && s->until_ns == WHY_LASTS)
			return s;
	return NULL;
}

static void space_end(struct why_spaces *spaces, struct why_space *space, uint64_t time_ns)
{
	space->until_ns = time_ns;
	spaces->nended++;
}

/* Is there room for an address space to have @count mappings? */
static bool may_have(const struct why_spaces *spaces, size_t count)
{
	if (count > WHY_MAX_MAPPINGS || spaces->nmappings >= MAX_MAPPINGS)
		return false;
	return spaces->nmappings < MAX_MAPPINGS / 2 || count <= FEW_MAPPINGS;
}

static void end_current(struct why_spaces *spaces, uint32_t tgid, uint64_t time_ns)
{
	struct why_space *last = why_spaces_current(spaces, tgid);

	if (last)
		space_end(spaces, last, time_ns);
}

int why_spaces_begin(struct why_spaces *spaces, uint32_t tgid, uint64_t time_ns, uint32_t threads,
		     struct why_space **out)
{
	struct why_space **chain = chain_of(spaces, tgid);
	struct why_space *space = calloc(1, sizeof(*space));

	if (!space)
		return -ENOMEM;
	end_current(spaces, tgid, time_ns);
	space->serial = ++spaces->serial;
	space->tgid = tgid;
	space->threads = threads;
	space->from_ns = time_ns;
	space->until_ns = WHY_LASTS;
	space->next = *chain;
	*chain = space;
	spaces->count++;
	if (out)
		*out = space;
	return 0;
}

int why_spaces_exec(struct why_spaces *spaces, uint32_t tgid, uint64_t time_ns)
{
	struct why_space *space;
	int r = why_spaces_begin(spaces, tgid, time_ns, 1, &space);

	if (!r)
		space->complete = true;
	return r;
}

int why_spaces_fork(struct why_spaces *spaces, uint32_t parent, uint32_t tgid, uint64_t time_ns)
{
	struct why_space *from = why_spaces_current(spaces, parent), *space;
	int r;

	if (parent == tgid) { /* a thread */
		if (from && from->threads)
			from->threads++;
		return 0;
	}
	if (!from) { /* nothing is known of its child either; the next exec will tell */
		end_current(spaces, tgid, time_ns);
		return 0;
	}
	if (!may_have(spaces, from->live.count)) { /* likewise */
		end_current(spaces, tgid, time_ns);
		spaces->refused += from->live.count;
		return -ENOSPC;
	}
	r = why_spaces_begin(spaces, tgid, time_ns, 1, &space);
	if (r)
		return r;
	space->complete = from->complete;
	if (!from->live.count)
		return 0;
	if (reserve(&space->live, from->live.count)) {
		/* an address space without mappings would be wrong; none at all is only unknown */
		*chain_of(spaces, tgid) = space->next;
		space_free(spaces, space);
		return -ENOMEM;
	}
	memcpy(space->live.list, from->live.list, from->live.count * sizeof(*from->live.list));
	space->live.count = from->live.count;
	for (size_t i = 0; i < space->live.count; i++)
		space->live.list[i].from_ns = time_ns;
	spaces->nmappings += space->live.count;
	return 0;
}

void why_spaces_exit(struct why_spaces *spaces, uint32_t tgid, uint64_t time_ns)
{
	struct why_space *space = why_spaces_current(spaces, tgid);

	if (space && space->threads && --space->threads == 0)
		space_end(spaces, space, time_ns);
}

int why_spaces_found(struct why_spaces *spaces, uint32_t tgid, uint32_t threads)
{
	struct why_space *space = why_spaces_current(spaces, tgid);
	uint64_t from = 0;
	int r;

	if (space && space->complete)
		return 0;
	for (struct why_space *s = *chain_of(spaces, tgid); s; s = s->next)
		if (s->tgid == tgid && s != space && s->until_ns > from)
			from = s->until_ns;
	if (!space) {
		r = why_spaces_begin(spaces, tgid, from, threads, &space);
		if (r)
			return r;
	}
	if (!space->threads) {
		space->threads = threads;
		space->from_ns = from; /* it was known from one of its mappings on */
	}
	space->complete = true;
	return 0;
}

void why_spaces_doubt(struct why_spaces *spaces)
{
	for (size_t i = 0; i < spaces->nchains; i++)
		for (struct why_space *s = spaces->chains[i]; s; s = s->next)
			s->complete = false;
}

/* ---- mappings of one */

/* What @whole keeps outside of @start to @last; up to two pieces. */
static size_t pieces_outside(const struct why_mapping *whole, uint64_t start, uint64_t last,
			     uint64_t time_ns, struct why_mapping piece[2])
{
	size_t n = 0;

	if (whole->start < start) {
		piece[n] = *whole;
		piece[n].length = start - whole->start;
		piece[n++].from_ns = time_ns;
	}
	if (last_of(whole) > last) {
		piece[n] = *whole;
		piece[n].start = last + 1;
		piece[n].length = last_of(whole) - last;
		piece[n].file_offset += last + 1 - whole->start;
		piece[n++].from_ns = time_ns;
	}
	return n;
}

static int cut(struct why_spaces *spaces, struct why_space *space, uint64_t time_ns,
	       const struct why_mapping *hole)
{
	uint64_t start = hole->start, last = last_of(hole);
	size_t first = first_from(&space->live, start), n = 0, npieces = 0;
	struct why_mapping piece[4];

	while (first + n < space->live.count && space->live.list[first + n].start <= last)
		n++;
	if (!n)
		return 0;
	if (reserve(&space->past, n) || reserve(&space->live, 2))
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct why_mapping *m = &space->live.list[first + i];

		/* only the first and the last of them can stand out */
		npieces += pieces_outside(m, start, last, time_ns, piece + npieces);
		m->until_ns = time_ns;
		space->past.list[space->past.count++] = *m;
	}
	erase(&space->live, first, n);
	for (size_t i = npieces; i--;)
		insert(&space->live, first, &piece[i]);
	spaces->nmappings += npieces;
	spaces->nended += n;
	return 0;
}

/* What reaches past the last address is cut there. */
static bool is_sane(struct why_mapping *m)
{
	if (!m->length)
		return false;
	if (m->length - 1 > UINT64_MAX - m->start)
		m->length = UINT64_MAX - m->start + 1;
	return m->length != 0;
}

int why_space_map(struct why_spaces *spaces, struct why_space *space, uint64_t time_ns,
		  const struct why_mapping *mapping)
{
	struct why_mapping m = *mapping;
	int r;

	if (!is_sane(&m))
		return 0;
	if (reserve(&space->live, 3))
		return -ENOMEM;
	r = cut(spaces, space, time_ns, &m);
	if (r)
		return r;
	if (!may_have(spaces, space->live.count + 1)) {
		spaces->refused++;
		return -ENOSPC; /* what was there before has gone all the same */
	}
	m.from_ns = time_ns;
	m.until_ns = WHY_LASTS;
	insert(&space->live, first_from(&space->live, m.start), &m);
	spaces->nmappings++;
	return 0;
}

int why_space_unmap(struct why_spaces *spaces, struct why_space *space, uint64_t time_ns,
		    uint64_t start, uint64_t length)
{
	struct why_mapping hole = {.start = start, .length = length};

	return is_sane(&hole) ? cut(spaces, space, time_ns, &hole) : 0;
}

/* When what was known at this place before had ended. */
static uint64_t vacant_since(const struct why_space *space, const struct why_mapping *m)
{
	uint64_t since = space->from_ns;

	for (size_t i = 0; i < space->past.count; i++) {
		const struct why_mapping *p = &space->past.list[i];

		if (p->start <= last_of(m) && m->start <= last_of(p) && p->until_ns > since)
			since = p->until_ns;
	}
	return since;
}

int why_space_found_map(struct why_spaces *spaces, struct why_space *space,
			const struct why_mapping *mapping)
{
	struct why_mapping rest = *mapping, piece;
	size_t at;

	if (!is_sane(&rest))
		return 0;
	for (at = first_from(&space->live, rest.start);; at++) {
		const struct why_mapping *known = &space->live.list[at];
		bool meets = at < space->live.count && known->start <= last_of(&rest);
		uint64_t skip;

		piece = rest;
		if (meets)
			piece.length = known->start > rest.start ? known->start - rest.start : 0;
		if (piece.length) {
			if (!may_have(spaces, space->live.count + 1)) {
				spaces->refused++;
				return -ENOSPC;
			}
			if (reserve(&space->live, 1))
				return -ENOMEM;
			piece.from_ns = vacant_since(space, &piece);
			piece.until_ns = WHY_LASTS;
			insert(&space->live, at++, &piece);
			spaces->nmappings++;
			known = &space->live.list[at];
		}
		if (!meets || last_of(known) >= last_of(&rest))
			return 0;
		skip = last_of(known) + 1 - rest.start;
		rest.start += skip;
		rest.file_offset += skip;
		rest.length -= skip;
	}
}

const struct why_mapping *why_space_find(const struct why_space *space, uint64_t time_ns,
					 uint64_t address)
{
	size_t at = first_from(&space->live, address);

	if (at < space->live.count && space->live.list[at].start <= address &&
	    space->live.list[at].from_ns <= time_ns)
		return &space->live.list[at];
	for (size_t i = space->past.count; i--;) {
		const struct why_mapping *m = &space->past.list[i];

		if (m->start <= address && address <= last_of(m) && m->from_ns <= time_ns &&
		    time_ns < m->until_ns)
			return m;
	}
	return NULL;
}

uint64_t why_mapping_offset(const struct why_mapping *m, uint64_t address)
{
	return m->object ? address - m->start + m->file_offset : address;
}

/* ---- release */

static void release_mappings(struct why_spaces *spaces, struct why_space *space, uint64_t before_ns)
{
	size_t n = 0;

	while (n < space->past.count && space->past.list[n].until_ns < before_ns)
		n++;
	if (n)
		erase(&space->past, 0, n);
	spaces->nmappings -= n;
	spaces->nended -= n;
}

void why_spaces_release(struct why_spaces *spaces, uint64_t before_ns)
{
	for (size_t i = 0; i < spaces->nchains && spaces->nended; i++) {
		struct why_space **link = &spaces->chains[i];

		while (*link) {
			struct why_space *space = *link;

			if (space->until_ns < before_ns) {
				*link = space->next;
				space_free(spaces, space);
				continue;
			}
			release_mappings(spaces, space, before_ns);
			link = &space->next;
		}
	}
}
