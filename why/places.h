/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What has been found out about places in files is kept, as late windows are late at the same places; but not for ever, as
 * programs can have as many places and names as they like. There are two generations: when the new one is full, it becomes the
 * old one, and what that still had is forgotten unless somebody has asked for it meanwhile.
 */
#ifndef TLOB_WHY_PLACES_H
#define TLOB_WHY_PLACES_H

#include "symbolize.h"

#define WHY_GENERATION_BYTES (24u << 20)

struct why_generation {
	void *strings, *places; /* trees of tsearch(3) */
	size_t bytes; /* about */
};

struct why_places {
	struct why_generation new, old;
};

void why_places_deinit(struct why_places *p);
/* Now, and only now, something may be forgotten: no string is in use. */
void why_places_turn(struct why_places *p);
/* The one copy of @text; "" without memory. Valid until why_places_turn(). */
const char *why_places_string(struct why_places *p, const char *text);

/* The frames of a place, as why_symbolize() appends them; 0: it is not known. */
size_t why_places_find(struct why_places *p, const struct why_object *object, uint64_t offset,
		       bool call, struct tlobctl_frame *frames, size_t room);
/* @frames are the frames of that place. Their functions and files are copied, objects and build-ids are not. */
void why_places_add(struct why_places *p, const struct why_object *object, uint64_t offset,
		    bool call, const struct tlobctl_frame *frames, size_t count);

#endif
