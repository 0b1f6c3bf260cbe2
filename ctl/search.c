// SPDX-License-Identifier: GPL-2.0-or-later
/* See search.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "elf.h"
#include "error.h"
#include "root.h"
#include "search.h"

void tlobctl_search_init(struct tlobctl_search *s, const char *name, const char *root)
{
	memset(s, 0, sizeof(*s));
	s->name = name;
	s->root = root;
	tlobctl_suggest_init(&s->near, name);
}

void tlobctl_search_deinit(struct tlobctl_search *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->hits[i].path);
	s->count = 0;
}

bool tlobctl_search_matches(const struct tlobctl_search *s, const char *name)
{
	size_t n = strlen(s->name);
	const char *so = strstr(s->name, ".so");

	if (strncmp(name, s->name, n))
		return false;
	return !name[n] || (name[n] == '.' && so && (!so[3] || so[3] == '.'));
}

void tlobctl_search_hit(struct tlobctl_search *s, const char *name, const char *path)
{
	bool exact = !strcmp(name, s->name);
	struct tlobctl_hit *hit;
	struct stat st;

	if (stat(path, &st) || !S_ISREG(st.st_mode))
		return;
	for (size_t i = 0; i < s->count; i++) {
		if (s->hits[i].dev == st.st_dev && s->hits[i].ino == st.st_ino) {
			s->hits[i].exact |= exact;
			return;
		}
	}
	if (s->count == TLOBCTL_SEARCH_HITS)
		return;
	hit = &s->hits[s->count];
	hit->path = strdup(path);
	if (!hit->path)
		return;
	hit->dev = st.st_dev;
	hit->ino = st.st_ino;
	hit->exact = exact;
	hit->native = tlobctl_elf_is_native(path);
	s->count++;
}

void tlobctl_search_suggest(struct tlobctl_search *s, const char *name)
{
	const char *version = strstr(name, ".so.");

	tlobctl_suggest_offer(&s->near, name,
			      version ? (size_t)(version - name) + 3 : strlen(name));
}

void tlobctl_search_offer(struct tlobctl_search *s, const char *name, const char *path)
{
	char *ours;

	if (!tlobctl_search_matches(s, name)) {
		tlobctl_search_suggest(s, name);
		return;
	}
	if (tlobctl_root_resolve(s->root, path, &ours))
		return;
	tlobctl_search_hit(s, name, ours);
	free(ours);
}

static int rank(const struct tlobctl_hit *hit)
{
	return hit->native * 2 + hit->exact;
}

int tlobctl_search_choose(const struct tlobctl_search *s, char **path)
{
	const struct tlobctl_hit *best = NULL;
	char list[1024] = "";
	size_t ties = 0, at = 0;

	for (size_t i = 0; i < s->count; i++)
		if (!best || rank(&s->hits[i]) > rank(best))
			best = &s->hits[i];
	if (!best)
		return -ENOENT;
	for (size_t i = 0; i < s->count && at < sizeof(list); i++) {
		if (rank(&s->hits[i]) != rank(best))
			continue;
		at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%s", ties++ ? ", " : "",
				       s->hits[i].path);
	}
	if (ties > 1)
		return tlobctl_fail(-EEXIST,
				    "'%s' is more than one file: give the path of one of %s",
				    s->name, list);
	*path = strdup(best->path);
	return *path ? 0 : tlobctl_fail(-ENOMEM, "out of memory");
}
