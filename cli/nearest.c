// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Similarity of words by edit distance: insert, delete, replace, and swap of neighbours cost one
 * each.
 */
#include <string.h>

#include "nearest.h"

#define MAX_WORD 32

static size_t min(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t edits(const char *a, const char *b)
{
	size_t d[MAX_WORD + 1][MAX_WORD + 1];
	size_t la = strlen(a), lb = strlen(b);

	if (la > MAX_WORD || lb > MAX_WORD)
		return MAX_WORD;
	for (size_t i = 0; i <= la; i++)
		d[i][0] = i;
	for (size_t j = 0; j <= lb; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= la; i++) {
		for (size_t j = 1; j <= lb; j++) {
			size_t best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			best = min(best, min(d[i - 1][j], d[i][j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = min(best, d[i - 2][j - 2] + 1);
			d[i][j] = best;
		}
	}
	return d[la][lb];
}

void cli_nearest_init(struct cli_nearest *n, const char *typed)
{
	*n = (struct cli_nearest){.typed = typed, .distance = MAX_WORD};
}

void cli_nearest_offer(struct cli_nearest *n, const char *word)
{
	size_t d = edits(n->typed, word);

	/* more than every third letter wrong is another word */
	if (d < n->distance && 3 * d <= strlen(word) + 2) {
		n->distance = d;
		n->word = word;
	}
}
