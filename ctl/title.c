// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See title.h. A pattern may match all functions of a large library, so equal titles are found by sorting.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "source_name.h"
#include "title.h"

static int compare(const void *a, const void *b)
{
	return strcmp(**(tlobctl_title *const *)a, **(tlobctl_title *const *)b);
}

/* Calls @rename for each that has the title of another one. @order: memory for so many. */
static void each_shared(tlobctl_title *titles, tlobctl_title **order, size_t count,
			const struct tlobctl_elf *elf, const struct tlobctl_symbol *const *found,
			void (*rename)(const struct tlobctl_elf *elf,
				       const struct tlobctl_symbol *symbol, tlobctl_title *title))
{
	size_t same;

	for (size_t i = 0; i < count; i++)
		order[i] = &titles[i];
	qsort(order, count, sizeof(tlobctl_title *), compare);
	for (size_t i = 0; i < count; i += same) {
		for (same = 1; i + same < count && !strcmp(*order[i], *order[i + same]); same++)
			;
		for (size_t j = i; same > 1 && j < i + same; j++)
			rename(elf, found[order[j] - titles], order[j]);
	}
}

static void add_parameters(const struct tlobctl_elf *elf, const struct tlobctl_symbol *symbol,
			   tlobctl_title *title)
{
	(void)elf;
	tlobctl_source_name_of(symbol, true, *title, TLOBCTL_SYMBOL_TEXT);
}

/* Static functions of several files. */
static void add_offset(const struct tlobctl_elf *elf, const struct tlobctl_symbol *symbol,
		       tlobctl_title *title)
{
	size_t used = strlen(*title);
	uint64_t offset;

	if (tlobctl_elf_offset(elf, symbol->address, &offset))
		snprintf(*title + used, sizeof(*title) - used, "@0x%llx",
			 (unsigned long long)offset);
}

tlobctl_title *tlobctl_titles_new(const struct tlobctl_elf *elf,
				  const struct tlobctl_symbol *const *found, size_t count)
{
	tlobctl_title *titles = calloc(count + 1, sizeof(*titles));
	tlobctl_title **order = calloc(count + 1, sizeof(*order));

	if (!titles || !order) {
		free(titles);
		free(order);
		return NULL;
	}
	for (size_t i = 0; i < count; i++)
		tlobctl_source_name_of(found[i], false, titles[i], TLOBCTL_SYMBOL_TEXT);
	each_shared(titles, order, count, elf, found, add_parameters);
	each_shared(titles, order, count, elf, found, add_offset);
	free(order);
	return titles;
}
