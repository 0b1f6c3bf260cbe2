/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looking for a file of which only the name is known. Several places offer what they hold; files that match
 * become hits, other names may serve as suggestions.
 */
#ifndef TLOBCTL_SEARCH_H
#define TLOBCTL_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "suggest.h"

#define TLOBCTL_SEARCH_HITS 8

struct tlobctl_hit {
	char *path; /* for us to open */
	dev_t dev;
	ino_t ino;
	bool exact; /* the very name, not just the same library with a version behind */
	bool native; /* ELF of this machine's own architecture */
};

struct tlobctl_search {
	const char *name;
	const char *root; /* as of tlobctl_root_of() */
	struct tlobctl_suggest near;
	struct tlobctl_hit hits[TLOBCTL_SEARCH_HITS];
	size_t count;
	bool lost; /* there is a match, but no way for us to it */
};

void tlobctl_search_init(struct tlobctl_search *s, const char *name, const char *root);
void tlobctl_search_deinit(struct tlobctl_search *s);

/* Is @name what is looked for? "libz.so" is also libz.so.1, "libz.so.1" also libz.so.1.2.13. */
bool tlobctl_search_matches(const struct tlobctl_search *s, const char *name);
/* A file called @name, at @path for us; counted once however many names it has. */
void tlobctl_search_hit(struct tlobctl_search *s, const char *name, const char *path);
/* A file called @name, which does not match: a suggestion, of a library without its version. */
void tlobctl_search_suggest(struct tlobctl_search *s, const char *name);
/* A file called @name, at @path inside the root: a hit or a suggestion. */
void tlobctl_search_offer(struct tlobctl_search *s, const char *name, const char *path);

/*
 * The one hit, preferring exact names and native files: 0 and a string to free. -ENOENT: no hit at all,
 * nothing said; -EEXIST: more than one, and tlobctl_error() lists them.
 */
int tlobctl_search_choose(const struct tlobctl_search *s, char **path);

#endif
