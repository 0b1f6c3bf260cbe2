// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See symbolize.h. Files are closed again when more than MAX_BINARIES are open, the one not used for longest first.
 */
#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "binary.h"
#include "demangle.h"
#include "kallsyms.h"
#include "places.h"
#include "symbolize.h"

#define MAX_BINARIES 24
#define MAX_HELD 64 /* descriptors of files that can only be reached through a process */
#define MAX_NAME 4096 /* bytes */
#define MAX_OBJECT_BYTES (64u << 20) /* paths included: a program can map new files all day */

struct object {
	struct why_object shown;
	char build_id[2 * WHY_BUILD_ID_BYTES + 1];
	int held; /* descriptor, -1 */
	bool tried;
	enum why_reading reading;
	struct why_binary *binary; /* NULL: not open */
	uint64_t used; /* when, by the symbolizer's count */
	struct object *next;
};

struct why_symbolizer {
	struct why_places places;
	void *objects; /* tree of tsearch(3) */
	struct object *list;
	size_t nbinaries, nheld, object_bytes;
	uint64_t turn;
	struct why_kallsyms *kernel;
};

int why_symbolizer_new(struct why_symbolizer **out)
{
	struct why_symbolizer *s = calloc(1, sizeof(*s));
	int err = s ? why_kallsyms_new("/proc/kallsyms", &s->kernel) : -ENOMEM;

	if (err)
		free(s);
	else
		*out = s;
	return err;
}

static void free_object(struct object *o)
{
	why_binary_close(o->binary);
	if (o->held >= 0)
		close(o->held);
	free((char *)o->shown.path);
	free((char *)o->shown.root);
	free(o);
}

static void keep_node(void *node)
{
	(void)node; /* is in the list of objects too */
}

void why_symbolizer_free(struct why_symbolizer *s)
{
	if (!s)
		return;
	why_places_deinit(&s->places);
	tdestroy(s->objects, keep_node);
	while (s->list) {
		struct object *o = s->list;

		s->list = o->next;
		free_object(o);
	}
	why_kallsyms_free(s->kernel);
	free(s);
}

const char *why_symbolizer_note(const struct why_symbolizer *s)
{
	const char *note = why_kallsyms_note(s->kernel);

	if (!*note && s->object_bytes >= MAX_OBJECT_BYTES)
		note = "Programs have mapped too many different files: code of later ones has no names. "
		       "Start tlob again for those.";
	return note;
}

uint64_t why_symbolizer_kernel_start(struct why_symbolizer *s)
{
	return why_kallsyms_start(s->kernel);
}

/* ---- names */

/* Without parameters: names are for people, and a graph has little room. */
static const char *demangled(struct why_symbolizer *s, const char *name, size_t bytes)
{
	char *text = strndup(name, bytes < MAX_NAME ? bytes : MAX_NAME), plain[MAX_NAME];
	const char *kept = why_places_string(
		&s->places, text && why_demangle(text, false, plain, sizeof(plain)) ? plain : text);

	free(text);
	return kept;
}

/* ---- objects */

static int by_identity(const void *a, const void *b)
{
	const struct why_object *x = &((const struct object *)a)->shown;
	const struct why_object *y = &((const struct object *)b)->shown;
	int order = strcmp(x->path, y->path);

	if (!order)
		order = (int)x->build_id_bytes - (int)y->build_id_bytes;
	if (!order)
		order = memcmp(x->build_id, y->build_id, x->build_id_bytes);
	/* without a build-id, one path in two roots may well be two files */
	return order || x->build_id_bytes ? order : strcmp(x->root, y->root);
}

/* The file of a process in a root of its own can be reached only while that process lives. */
static void hold(struct why_symbolizer *s, struct object *o)
{
	if (o->held >= 0 || !*o->shown.root || s->nheld >= MAX_HELD)
		return;
	o->held = why_binary_descriptor(&o->shown);
	s->nheld += o->held >= 0;
}

/* The same file by way of another process, where the first one's is gone. */
static void retry(struct why_symbolizer *s, struct object *o, const char *root)
{
	char *copy;

	if (o->binary || o->held >= 0 || !strcmp(o->shown.root, root))
		return;
	copy = strdup(root);
	if (!copy)
		return;
	free((char *)o->shown.root);
	o->shown.root = copy;
	o->tried = false;
	hold(s, o);
}

const struct why_object *why_object_of(struct why_symbolizer *s, const char *path, const char *root,
				       const unsigned char *build_id, size_t build_id_bytes)
{
	struct object key = {.shown = {.path = path, .root = root}}, **found, *o;

	if (build_id_bytes > WHY_BUILD_ID_BYTES)
		build_id_bytes = 0;
	key.shown.build_id_bytes = (unsigned char)build_id_bytes;
	if (build_id_bytes)
		memcpy(key.shown.build_id, build_id, build_id_bytes);
	found = tfind(&key, &s->objects, by_identity);
	if (found) {
		retry(s, *found, root);
		return &(*found)->shown;
	}
	o = s->object_bytes < MAX_OBJECT_BYTES ? malloc(sizeof(*o)) : NULL;
	if (!o)
		return NULL;
	s->object_bytes += sizeof(*o) + strlen(path) + strlen(root);
	*o = key;
	o->held = -1;
	o->shown.path = strdup(path);
	o->shown.root = strdup(root);
	for (size_t i = 0; i < build_id_bytes; i++)
		sprintf(o->build_id + 2 * i, "%02x", build_id[i]);
	if (!o->shown.path || !o->shown.root || !tsearch(o, &s->objects, by_identity)) {
		free_object(o);
		return NULL;
	}
	o->next = s->list;
	s->list = o;
	hold(s, o);
	return &o->shown;
}

bool why_object_is_file(const struct why_object *object)
{
	return object->path[0] == '/' || !strcmp(object->path, "[vdso]");
}

int why_object_held(const struct why_object *object)
{
	return ((const struct object *)object)->held;
}

void why_object_hold(struct why_symbolizer *s, const struct why_object *object, int fd)
{
	struct object *o = (struct object *)object;

	if (o->held >= 0 || o->binary || s->nheld >= MAX_HELD) {
		close(fd);
		return;
	}
	o->held = fd;
	o->tried = false;
	s->nheld++;
}

enum why_reading why_object_reading(const struct why_object *object)
{
	return ((const struct object *)object)->reading;
}

void why_object_set_reading(const struct why_object *object, enum why_reading reading)
{
	((struct object *)object)->reading = reading;
}

static void close_one(struct why_symbolizer *s)
{
	struct object *oldest = NULL;

	for (struct object *o = s->list; o; o = o->next)
		if (o->binary && (!oldest || o->used < oldest->used))
			oldest = o;
	why_binary_close(oldest->binary);
	oldest->binary = NULL;
	oldest->tried = false;
	s->nbinaries--;
}

static struct why_binary *binary_of(struct why_symbolizer *s, struct object *o)
{
	o->used = ++s->turn;
	if (o->binary || o->tried)
		return o->binary;
	if (s->nbinaries == MAX_BINARIES)
		close_one(s);
	o->tried = true;
	o->binary = why_binary_open(&o->shown, o->held);
	s->nbinaries += o->binary != NULL;
	return o->binary;
}

/* ---- places */

static size_t in_kernel(struct why_symbolizer *s, struct tlobctl_frame *frame, bool call)
{
	uint64_t start = why_kallsyms_start(s->kernel);
	const char *name, *module;
	char object[80];

	frame->kernel = true;
	if (!start || !why_kallsyms_find(s->kernel, start + frame->offset - call, &name, &module))
		return 1;
	frame->function = why_places_string(&s->places, name);
	if (*module) {
		snprintf(object, sizeof(object), "[%s]", module);
		frame->object = why_places_string(&s->places, object);
	}
	return 1;
}

/* @frames[0] is filled in but for names. */
static size_t look_up(struct why_symbolizer *s, struct object *o, uint64_t offset, bool call,
		      struct tlobctl_frame *frames)
{
	struct why_place places[WHY_PLACE_FRAMES];
	struct why_binary *binary;
	size_t n;

	if (!strcmp(o->shown.path, "[kernel]"))
		return in_kernel(s, &frames[0], call);
	binary = binary_of(s, o);
	n = binary ? why_binary_places(binary, offset, call, places, WHY_PLACE_FRAMES) : 0;
	for (size_t i = 0; i < n; i++) {
		frames[i] = frames[0];
		if (places[i].function)
			frames[i].function =
				demangled(s, places[i].function, places[i].function_bytes);
		frames[i].file = why_places_string(&s->places, places[i].file);
		frames[i].line = places[i].file ? places[i].line : 0;
		frames[i].inlined = places[i].inlined;
	}
	return n ? n : 1;
}

void why_symbolizer_turn(struct why_symbolizer *s)
{
	why_places_turn(&s->places);
}

struct tlobctl_frame why_unnamed(const struct why_object *object, uint64_t offset)
{
	const struct object *o = (const struct object *)object; /* shown is its first member */

	return (struct tlobctl_frame){.function = "",
				      .object = object->path,
				      .build_id = o->build_id,
				      .offset = offset,
				      .file = ""};
}

size_t why_known(struct why_symbolizer *s, const struct why_object *object, uint64_t offset,
		 bool call, struct tlobctl_frame *frames, size_t room)
{
	return why_places_find(&s->places, object, offset, call, frames, room);
}

void why_learn(struct why_symbolizer *s, const struct why_object *object, uint64_t offset,
	       bool call, const struct tlobctl_frame *frames, size_t count)
{
	why_places_add(&s->places, object, offset, call, frames, count);
}

size_t why_symbolize(struct why_symbolizer *s, const struct why_object *object, uint64_t offset,
		     bool call, struct tlobctl_frame *frames, size_t room)
{
	struct tlobctl_frame all[WHY_PLACE_FRAMES];
	size_t n = why_known(s, object, offset, call, frames, room);

	if (n || !room)
		return n;
	all[0] = why_unnamed(object, offset);
	n = look_up(s, (struct object *)object, offset, call, all);
	why_learn(s, object, offset, call, all, n);
	n = n < room ? n : room;
	memcpy(frames, all, n * sizeof(*frames));
	return n;
}
