// SPDX-License-Identifier: GPL-2.0-or-later
/* See places.h. */
#include "places.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#define NODE_BYTES 80 /* of a tree, and what malloc() adds to both allocations */

struct place {
	const struct why_object *object;
	uint64_t offset;
	bool call;
	size_t count;
	struct tlobctl_frame frames[];
};

static void generation_deinit(struct why_generation *g)
{
	tdestroy(g->places, free);
	tdestroy(g->strings, free);
	*g = (struct why_generation){0};
}

void why_places_deinit(struct why_places *p)
{
	generation_deinit(&p->new);
	generation_deinit(&p->old);
}

void why_places_turn(struct why_places *p)
{
	if (p->new.bytes < WHY_GENERATION_BYTES)
		return;
	generation_deinit(&p->old);
	p->old = p->new;
	p->new = (struct why_generation){0};
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

const char *why_places_string(struct why_places *p, const char *text)
{
	char **found, *copy;

	if (!text || !*text)
		return "";
	found = tfind(text, &p->new.strings, by_text);
	if (found)
		return *found;
	copy = strdup(text);
	if (!copy || !tsearch(copy, &p->new.strings, by_text)) {
		free(copy);
		return "";
	}
	p->new.bytes += strlen(text) + 1 + NODE_BYTES;
	return copy;
}

static int by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->object != y->object)
		return x->object < y->object ? -1 : 1;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return (int)x->call - (int)y->call;
}

static size_t hand_out(const struct place *place, struct tlobctl_frame *frames, size_t room)
{
	size_t n = place->count < room ? place->count : room;

	memcpy(frames, place->frames, n * sizeof(*frames));
	return n;
}

size_t why_places_find(struct why_places *p, const struct why_object *object, uint64_t offset,
		       bool call, struct tlobctl_frame *frames, size_t room)
{
	const struct place key = {.object = object, .offset = offset, .call = call};
	struct place **found = tfind(&key, &p->new.places, by_place);

	if (found)
		return hand_out(*found, frames, room);
	found = tfind(&key, &p->old.places, by_place);
	if (!found)
		return 0;
	why_places_add(p, object, offset, call, (*found)->frames, (*found)->count);
	found = tfind(&key, &p->new.places, by_place);
	return found ? hand_out(*found, frames, room) : 0;
}

void why_places_add(struct why_places *p, const struct why_object *object, uint64_t offset,
		    bool call, const struct tlobctl_frame *frames, size_t count)
{
	struct place *place = malloc(sizeof(*place) + count * sizeof(*frames));
	struct place **entered;

	if (!place)
		return;
	*place = (struct place){.object = object, .offset = offset, .call = call, .count = count};
	for (size_t i = 0; i < count; i++) {
		place->frames[i] = frames[i];
		place->frames[i].function = why_places_string(p, frames[i].function);
		place->frames[i].file = why_places_string(p, frames[i].file);
	}
	entered = tsearch(place, &p->new.places, by_place);
	if (!entered || *entered != place)
		free(place);
	else
		p->new.bytes += sizeof(*place) + count * sizeof(*frames) + NODE_BYTES;
}
