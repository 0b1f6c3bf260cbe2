// SPDX-License-Identifier: GPL-2.0-or-later
/* See standing.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "standing.h"
#include "table.h"
#include "text.h"

int cli_standing_take(const struct tlobctl_standing *region, void *standing)
{
	struct cli_standing *s = standing;
	struct tlobctl_standing *list = reallocarray(s->list, s->count + 1, sizeof(*list));
	struct tlobctl_standing *own;

	if (!list)
		return -ENOMEM;
	s->list = list;
	own = &list[s->count++];
	*own = *region;
	own->path = strdup(region->path);
	own->start = strdup(region->start);
	own->stop = region->stop ? strdup(region->stop) : NULL;
	return own->path && own->start && !own->stop == !region->stop ? 0 : -ENOMEM;
}

void cli_standing_deinit(struct cli_standing *s)
{
	for (size_t i = 0; i < s->count; i++) {
		free((char *)s->list[i].path);
		free((char *)s->list[i].start);
		free((char *)s->list[i].stop);
	}
	free(s->list);
	*s = (struct cli_standing){0};
}

static int add_row(struct cli_table *t, const struct tlobctl_standing *r)
{
	char budget[TLOB_DURATION_BYTES], place[700], where[700], path[4096];

	tlob_duration_print_exact(budget, sizeof(budget), r->budget_ns);
	snprintf(place, sizeof(place), "%s%s%s", r->start, r->stop ? ".." : " to its end",
		 r->stop ? r->stop : "");
	cli_printable(where, sizeof(where), place, 0);
	cli_printable(path, sizeof(path), r->path, 0);
	return cli_table_add(t, (const char *const[]){budget, where, path});
}

void cli_standing_print(const struct cli_standing *s, const struct cli_terminal *term)
{
	static const struct cli_column columns[] = {
		{.head = "budget", .group = 0},
		{.head = "where", .group = 0, .left = true},
		{.head = "in", .group = 0, .left = true},
	};
	struct cli_table t;

	if (!s->count)
		return;
	cli_table_init(&t, columns, sizeof(columns) / sizeof(*columns));
	for (size_t i = 0; i < s->count; i++)
		if (add_row(&t, &s->list[i]))
			break;
	cli_table_print(&t, term);
	cli_table_deinit(&t);
}
