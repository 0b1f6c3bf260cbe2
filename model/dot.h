/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A finite automaton as read from DOT; see dot.c for its form. */
#ifndef TLOB_MODEL_DOT_H
#define TLOB_MODEL_DOT_H

#include <stdbool.h>
#include <stddef.h>

#define MODEL_MAX_STATES 15 /* four bits each in the generated columns; 15 means "not allowed" */
#define MODEL_MAX_EVENTS 32
#define MODEL_NOT_ALLOWED 15
#define MODEL_NAME_BYTES 64

struct model {
	const char *states[MODEL_MAX_STATES];
	int nstates;
	char events[MODEL_MAX_EVENTS][MODEL_NAME_BYTES];
	int nevents;
	int initial;
	bool final[MODEL_MAX_STATES];
	bool bounded[MODEL_MAX_STATES]; /* by @invariant */
	char invariant[2 * MODEL_NAME_BYTES + 4]; /* "" if no state is */
	unsigned char next[MODEL_MAX_STATES][MODEL_MAX_EVENTS];
};

/* Does not return if the model is malformed: then it prints "file:line: message" and ends the program with status 1. */
const struct model *model_read(const char *path);

/* Lower case letters, digits and _, a letter first. */
bool model_is_name(const char *s, size_t len);

#endif
