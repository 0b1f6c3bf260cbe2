// SPDX-License-Identifier: GPL-2.0-or-later
/* See traces.h. */
#include "traces.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MIN 1024

void why_traces_deinit(struct why_traces *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->list[i]);
	free(t->list);
	free(t->table);
	*t = (struct why_traces){0};
}

/* FNV-1a, by words */
static uint32_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x100000001b3ULL;
	return (uint32_t)(hash ^ hash >> 32);
}

static uint32_t hash_of(const struct why_traces *t, bool cut)
{
	uint32_t hash = 0x811c9dc5u + cut;

	for (size_t i = 0; i < t->n; i++) {
		hash = mix(hash, (uintptr_t)t->places[i].object);
		hash = mix(hash, t->places[i].offset + t->places[i].kernel);
	}
	return hash;
}

static bool is_same(const struct why_traces *t, const struct why_trace *trace, uint32_t hash,
		    bool cut)
{
	if (trace->hash != hash || trace->n != t->n || trace->cut != cut)
		return false;
	for (size_t i = 0; i < t->n; i++) {
		const struct why_place *a = &trace->places[i], *b = &t->places[i];

		if (a->object != b->object || a->offset != b->offset || a->kernel != b->kernel)
			return false;
	}
	return true;
}

/* Where @hash is looked for first. */
static void enter(struct why_traces *t, uint32_t hash, uint32_t number)
{
	size_t at = hash & (t->slots - 1);

	while (t->table[at])
		at = (at + 1) & (t->slots - 1);
	t->table[at] = number + 1;
}

static int grow(struct why_traces *t)
{
	size_t room = t->room ? t->room * 2 : SLOTS_MIN / 2;
	uint32_t *table = calloc(room * 2, sizeof(*table));
	struct why_trace **list = reallocarray(t->list, room, sizeof(struct why_trace *));

	if (list)
		t->list = list;
	if (!list || !table) {
		free(table);
		return -ENOMEM;
	}
	free(t->table);
	t->table = table;
	t->room = room;
	t->slots = room * 2;
	for (uint32_t i = 0; i < t->count; i++)
		enter(t, list[i]->hash, i);
	return 0;
}

static uint32_t add(struct why_traces *t, uint32_t hash, bool cut)
{
	size_t bytes = t->n * sizeof(*t->places);
	struct why_trace *trace;

	if (t->count == WHY_MAX_TRACES || bytes > WHY_MAX_TRACE_BYTES - t->bytes ||
	    (t->count == t->room && grow(t)))
		return UINT32_MAX;
	trace = malloc(sizeof(*trace) + bytes);
	if (!trace)
		return UINT32_MAX;
	*trace = (struct why_trace){.hash = hash, .n = t->n, .cut = cut};
	memcpy(trace->places, t->places, bytes);
	enter(t, hash, (uint32_t)t->count);
	t->list[t->count] = trace;
	t->bytes += bytes;
	return (uint32_t)t->count++;
}

static uint32_t number_of(struct why_traces *t, bool cut)
{
	uint32_t hash = hash_of(t, cut), number;

	for (size_t at = hash; t->slots; at++) {
		uint32_t entry = t->table[at & (t->slots - 1)];

		if (!entry)
			break;
		if (is_same(t, t->list[entry - 1], hash, cut))
			return entry - 1;
	}
	number = add(t, hash, cut);
	if (number == UINT32_MAX)
		t->refused++;
	return number;
}

bool why_traces_take(struct why_traces *t, const struct why_event *e, uint32_t *number)
{
	switch (e->kind) {
	case WHY_TRACE_BEGIN:
		t->n = 0;
		break;
	case WHY_KERNEL_ENTER:
	case WHY_KERNEL_LEAVE:
		t->kernel = e->kind == WHY_KERNEL_ENTER;
		break;
	case WHY_OBJECT_SWITCH:
		t->object = e->object;
		break;
	case WHY_PLACE:
		if (t->n < WHY_MAX_CHAIN)
			t->places[t->n++] = (struct why_place){t->object, e->offset, t->kernel};
		break;
	case WHY_TRACE_END:
		*number = number_of(t, e->cut);
		return true;
	default:
		break;
	}
	return false;
}
