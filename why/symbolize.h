/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a place in a file to the functions and source lines there. A place is kept as (object, offset in its file), which
 * still means the same when the process has gone; the file is found again by path and build-id, separate debug files
 * included.
 */
#ifndef TLOB_WHY_SYMBOLIZE_H
#define TLOB_WHY_SYMBOLIZE_H

#include <tlob/ctl.h>

#define WHY_BUILD_ID_BYTES 20
#define WHY_PLACE_FRAMES 32 /* of one place, inlined ones included: no more are told */

/* A file that code comes from. Kept as long as the symbolizer is; two of one build-id and path are the same one. */
struct why_object {
	const char *path; /* as the process saw it; "[kernel]", "[vdso]", "" anonymous memory */
	const char *
		root; /* before the path where this process sees another root: "/proc/PID/root"; "" */
	unsigned char build_id[WHY_BUILD_ID_BYTES];
	unsigned char build_id_bytes; /* 0: none known */
};

struct why_symbolizer;

int why_symbolizer_new(struct why_symbolizer **out);
void why_symbolizer_free(struct why_symbolizer *s);
/* What cannot be named here and what to do about it, to be said once; "" if there is nothing, or nobody has asked yet. */
const char *why_symbolizer_note(const struct why_symbolizer *s);

/* The address that offsets in "[kernel]" are counted from: _stext. 0: the kernel does not tell, its frames get no names. */
uint64_t why_symbolizer_kernel_start(struct why_symbolizer *s);

/* The one object of that path and build-id, made if it is new. NULL: no memory, or there are too many. */
const struct why_object *why_object_of(struct why_symbolizer *s, const char *path, const char *root,
				       const unsigned char *build_id, size_t build_id_bytes);

/* It is one that names can be read from. */
bool why_object_is_file(const struct why_object *object);
/* A descriptor of the file, kept because nobody else may lead there by and by; -1: none. */
int why_object_held(const struct why_object *object);
/* Takes @fd over, which is one. */
void why_object_hold(struct why_symbolizer *s, const struct why_object *object, int fd);

/* What is known about reading it, for whoever has it read. */
enum why_reading {
	WHY_READING_QUICK, /* or nobody has tried yet */
	WHY_READING_SLOW,
	WHY_READING_FAILS, /* takes too long, or too much */
};
enum why_reading why_object_reading(const struct why_object *object);
void why_object_set_reading(const struct why_object *object, enum why_reading reading);

/*
 * Appends the frames of @offset in @object to @frames, which has room for @room: inlined ones first. @call: the offset is
 * a return address, what matters is the instruction before it. Returns how many; at least one if there is room: without
 * debug information its names are "". Strings are valid until why_symbolizer_turn().
 */
size_t why_symbolize(struct why_symbolizer *s, const struct why_object *object, uint64_t offset,
		     bool call, struct tlobctl_frame *frames, size_t room);
/* No string is in use any more: what has not been asked for lately may be forgotten, if there is much. */
void why_symbolizer_turn(struct why_symbolizer *s);

/* ---- for those who have files read by somebody else (reader.h) */

/* As why_symbolize(), but of files nothing is read: 0 if it is not known. */
size_t why_known(struct why_symbolizer *s, const struct why_object *object, uint64_t offset,
		 bool call, struct tlobctl_frame *frames, size_t room);
/* Functions, files and lines of that place are as in @frames, of which the rest is as in why_unnamed(). */
void why_learn(struct why_symbolizer *s, const struct why_object *object, uint64_t offset,
	       bool call, const struct tlobctl_frame *frames, size_t count);
/* The frame of a place that has no names. */
struct tlobctl_frame why_unnamed(const struct why_object *object, uint64_t offset);

#endif
