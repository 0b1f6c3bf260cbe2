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

/*
 * Appends the frames of @offset in @object to @frames, which has room for @room: inlined ones first. @call: the offset is
 * a return address, what matters is the instruction before it. Returns how many; at least one if there is room: without
 * debug information its names are "". Strings live as long as @s.
 */
size_t why_symbolize(struct why_symbolizer *s, const struct why_object *object, uint64_t offset,
		     bool call, struct tlobctl_frame *frames, size_t room);

#endif
