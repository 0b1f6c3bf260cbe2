// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See kallsyms.h. The file has no sizes: a function reaches to the next symbol, and where there is none of the same
 * module no further than FURTHEST. An address in a module is only known until that module goes, so the file is read
 * again, at most once in RELOAD_S, when one is asked for that is not in the kernel itself.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kallsyms.h"

#define FURTHEST 0x10000
#define RELOAD_S 5

struct symbol {
	uint64_t address;
	uint32_t name, module; /* where in text */
	uint8_t rank; /* of several names for one place, the highest is taken */
};

struct why_kallsyms {
	char *path;
	struct symbol *symbols; /* by address */
	size_t count, room;
	char *text; /* names, each ended by a NUL; the first is "" */
	size_t text_bytes, text_room;
	uint64_t start, end; /* _stext, _etext */
	time_t loaded; /* CLOCK_MONOTONIC; 0: never */
	char note[256];
};

int why_kallsyms_new(const char *path, struct why_kallsyms **out)
{
	struct why_kallsyms *k = calloc(1, sizeof(*k));

	if (k)
		k->path = strdup(path);
	if (!k || !k->path) {
		free(k);
		return -ENOMEM;
	}
	*out = k;
	return 0;
}

void why_kallsyms_free(struct why_kallsyms *k)
{
	if (!k)
		return;
	free(k->symbols);
	free(k->text);
	free(k->path);
	free(k);
}

/* Where the copy of @word lies; 0, where "" is, without memory. */
static uint32_t keep(struct why_kallsyms *k, const char *word)
{
	size_t bytes = strlen(word) + 1;
	uint32_t at = (uint32_t)k->text_bytes;

	if (k->text_bytes + bytes > k->text_room) {
		size_t room = (k->text_room ? k->text_room * 2 : 1 << 20) + bytes;
		char *more = room < UINT32_MAX ? realloc(k->text, room) : NULL;

		if (!more)
			return 0;
		k->text = more;
		k->text_room = room;
	}
	memcpy(k->text + at, word, bytes);
	k->text_bytes += bytes;
	return at;
}

/* "T" tells more than "t", and a plain name more than one that a tool made. */
static uint8_t rank_of(char type, const char *name)
{
	return (uint8_t)((type == 'T'		     ? 4 :
			  type == 'W' || type == 'w' ? 1 :
						       0) +
			 (name[0] != '_' ? 2 : 0) + (strncmp(name, "__", 2) ? 1 : 0));
}

static void add(struct why_kallsyms *k, uint64_t address, char type, const char *name,
		const char *module)
{
	const struct symbol *last = k->count ? &k->symbols[k->count - 1] : NULL;
	struct symbol s = {.address = address, .rank = rank_of(type, name)};

	if (k->count == k->room) {
		size_t room = k->room ? k->room * 2 : 1 << 16;
		struct symbol *more = reallocarray(k->symbols, room, sizeof(*more));

		if (!more)
			return;
		k->symbols = more;
		k->room = room;
		last = k->count ? &more[k->count - 1] : NULL;
	}
	s.name = keep(k, name);
	/* those of a module come in a row */
	s.module = last && !strcmp(k->text + last->module, module) ? last->module :
		   *module					   ? keep(k, module) :
								     0;
	if (s.name)
		k->symbols[k->count++] = s;
}

static void take_line(struct why_kallsyms *k, char *line)
{
	char type, name[512], module[64] = "";
	unsigned long long address;

	/* "ffffffff81000000 T name\t[module]" */
	if (sscanf(line, "%llx %c %511s [%63[^]]]", &address, &type, name, module) < 3 ||
	    !strchr("tTwW", type) || !address)
		return;
	if (!*module && !strcmp(name, "_stext")) {
		k->start = address;
		return;
	}
	if (!*module && !strcmp(name, "_etext"))
		k->end = address;
	if (strcmp(name, "_text"))
		add(k, address, type, name, module);
}

static int by_address(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return x->rank < y->rank ? -1 : x->rank > y->rank;
}

static time_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + 1;
}

static void load(struct why_kallsyms *k)
{
	FILE *f = fopen(k->path, "re");
	size_t size = 0;
	char *line = NULL;

	k->loaded = seconds();
	k->count = k->text_bytes = 0;
	k->start = k->end = 0;
	k->note[0] = '\0';
	keep(k, "");
	if (!f) {
		snprintf(k->note, sizeof(k->note),
			 "Functions of the kernel have no names: cannot open %s: %s.", k->path,
			 strerror(errno));
		return;
	}
	while (getline(&line, &size, f) > 0)
		take_line(k, line);
	free(line);
	fclose(f);
	if (k->count)
		qsort(k->symbols, k->count, sizeof(*k->symbols), by_address);
	if (!k->start)
		snprintf(k->note, sizeof(k->note),
			 "Functions of the kernel have no names: %s hides its addresses; as root, "
			 "'sysctl kernel.kptr_restrict=1' shows them.",
			 k->path);
}

uint64_t why_kallsyms_start(struct why_kallsyms *k)
{
	if (!k->loaded)
		load(k);
	return k->start;
}

/* The last one that begins at or before @address. */
static const struct symbol *at_or_before(const struct why_kallsyms *k, uint64_t address)
{
	size_t low = 0, high = k->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (k->symbols[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &k->symbols[low - 1] : NULL;
}

bool why_kallsyms_find(struct why_kallsyms *k, uint64_t address, const char **name,
		       const char **module)
{
	const struct symbol *s;
	bool inside;

	if (!why_kallsyms_start(k))
		return false;
	inside = address >= k->start && address < k->end;
	if (!inside && seconds() - k->loaded >= RELOAD_S)
		load(k);
	s = at_or_before(k, address);
	if (!s || (!inside && address - s->address >= FURTHEST))
		return false;
	*name = k->text + s->name;
	*module = k->text + s->module;
	return true;
}

const char *why_kallsyms_note(const struct why_kallsyms *k)
{
	return k->note;
}
