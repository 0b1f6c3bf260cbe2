// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Nearness is the number of edits (insert, delete, replace, swap neighbours) up to a third of the length,
 * case left aside; names that contain what was asked for come after those, shortest first. That finds
 * typing errors as well as sqlite3_step for "step" and mangled names for plain ones.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "suggest.h"

#define CONTAINS 1000 /* + surplus length: behind everything that is a few edits away */
#define TOO_FAR 5000

void tlobctl_suggest_init(struct tlobctl_suggest *s, const char *want)
{
	memset(s, 0, sizeof(*s));
	s->want = want;
}

static unsigned int least(unsigned int a, unsigned int b, unsigned int c)
{
	unsigned int m = a < b ? a : b;

	return m < c ? m : c;
}

/* Edits from @a to @b; gives up with TOO_FAR beyond @limit. Both shorter than TLOBCTL_SUGGEST_BYTES. */
static unsigned int edits(const char *a, size_t na, const char *b, size_t nb, unsigned int limit)
{
	unsigned int rows[3][TLOBCTL_SUGGEST_BYTES + 1];

	for (unsigned int j = 0; j <= nb; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= na; i++) {
		unsigned int *row = rows[i % 3], *above = rows[(i + 2) % 3];
		unsigned int *second = rows[(i + 1) % 3], lowest = (unsigned int)i;

		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= nb; j++) {
			int x = tolower((unsigned char)a[i - 1]);
			int y = tolower((unsigned char)b[j - 1]);

			row[j] = least(above[j] + 1, row[j - 1] + 1, above[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) &&
			    y == tolower((unsigned char)a[i - 2]) && second[j - 2] + 1 < row[j])
				row[j] = second[j - 2] + 1;
			if (row[j] < lowest)
				lowest = row[j];
		}
		if (lowest > limit)
			return TOO_FAR;
	}
	return rows[na % 3][nb] <= limit ? rows[na % 3][nb] : TOO_FAR;
}

static unsigned int distance(const char *want, const char *name)
{
	size_t nw = strlen(want), nn = strlen(name);
	size_t gap = nw > nn ? nw - nn : nn - nw;
	unsigned int limit = nw < 6 ? 1 : (unsigned int)nw / 3;
	unsigned int d = TOO_FAR;

	if (gap <= limit)
		d = edits(want, nw, name, nn, limit);
	if (d == TOO_FAR && nw >= 3 && strcasestr(name, want))
		d = CONTAINS + (unsigned int)gap;
	return d;
}

void tlobctl_suggest_offer(struct tlobctl_suggest *s, const char *name, size_t length)
{
	char text[TLOBCTL_SUGGEST_BYTES];
	unsigned int d;
	size_t at;

	if (!length || length >= sizeof(text) || strlen(s->want) >= sizeof(text))
		return;
	memcpy(text, name, length);
	text[length] = '\0';
	d = distance(s->want, text);
	if (d == TOO_FAR)
		return;
	for (at = 0; at < s->count; at++)
		if (!strcmp(s->best[at].name, text))
			return;
	for (at = 0; at < s->count && s->best[at].distance <= d; at++)
		;
	if (at == TLOBCTL_SUGGESTIONS)
		return;
	if (s->count < TLOBCTL_SUGGESTIONS)
		s->count++;
	memmove(&s->best[at + 1], &s->best[at], (s->count - 1 - at) * sizeof(s->best[0]));
	s->best[at].distance = d;
	strcpy(s->best[at].name, text);
}

const char *tlobctl_suggest_text(const struct tlobctl_suggest *s, char *buf, size_t size)
{
	size_t at = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < s->count && at < size; i++) {
		const char *before = !i ? " Did you mean " : i + 1 < s->count ? ", " : " or ";
		const char *behind = i + 1 == s->count ? "?" : "";

		at += (size_t)snprintf(buf + at, size - at, "%s%s%s", before, s->best[i].name,
				       behind);
	}
	return buf;
}
