/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "Did you mean": the few of many names that are nearest to what was asked for. */
#ifndef TLOBCTL_SUGGEST_H
#define TLOBCTL_SUGGEST_H

#include <stddef.h>

#define TLOBCTL_SUGGESTIONS 3
#define TLOBCTL_SUGGEST_BYTES 128 /* longer names are not offered */

struct tlobctl_suggest {
	const char *want;
	size_t count;
	struct {
		unsigned int distance;
		char name[TLOBCTL_SUGGEST_BYTES];
	} best[TLOBCTL_SUGGESTIONS]; /* nearest first */
};

/* @want is kept, not copied. */
void tlobctl_suggest_init(struct tlobctl_suggest *s, const char *want);
/* Weigh the first @length bytes of @name. */
void tlobctl_suggest_offer(struct tlobctl_suggest *s, const char *name, size_t length);
/* " Did you mean a, b or c?" into @buf, or "" if nothing comes near. */
const char *tlobctl_suggest_text(const struct tlobctl_suggest *s, char *buf, size_t size);

#endif
