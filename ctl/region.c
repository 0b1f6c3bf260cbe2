// SPDX-License-Identifier: GPL-2.0-or-later
/* See region.h. */
#include "region.h"

#include <stdlib.h>
#include <unistd.h>

#include "resolve.h"

static void take(char **to, char **from)
{
	*to = *from;
	*from = NULL;
}

struct tlobctl_binding *tlobctl_binding_new(struct tlobctl_site *site, uint64_t budget_ns)
{
	struct tlobctl_binding *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	take(&b->name, &site->name);
	take(&b->path, &site->path);
	take(&b->start, &site->start);
	take(&b->stop, &site->stop);
	take(&b->onward, &site->onward);
	take(&b->stop_path, &site->stop_path);
	b->start_argument = site->start_argument;
	b->stop_argument = site->stop_argument;
	b->budget_ns = budget_ns;
	b->start_offset = site->start_offset;
	b->stop_offset = site->stop_offset;
	b->exits = site->exits;
	b->nexits = site->nexits;
	site->exits = NULL;
	b->start_kind = site->start_kind;
	b->stop_kind = site->stop_kind;
	b->multi_fds[0] = -1;
	b->multi_fds[1] = -1;
	b->tally_fd = -1;
	return b;
}

void tlobctl_binding_deinit(struct tlobctl_binding *binding)
{
	if (binding->tally_fd >= 0)
		close(binding->tally_fd);
	binding->tally_fd = -1;
}

void tlobctl_binding_free(struct tlobctl_binding *binding)
{
	if (!binding)
		return;
	free(binding->name);
	free(binding->path);
	free(binding->start);
	free(binding->stop);
	free(binding->onward);
	free(binding->stop_path);
	free(binding->exits);
	free(binding->exit_links);
	tlobctl_binding_deinit(binding);
	free(binding);
}

struct tlobctl_binding *tlobctl_binding_find(const struct tlobctl_regions *regions, uint32_t id)
{
	for (size_t i = 0; i < regions->nbindings; i++)
		if (regions->bindings[i]->id == id)
			return regions->bindings[i];
	return NULL;
}

void tlobctl_regions_deinit(struct tlobctl_regions *regions)
{
	for (size_t i = 0; i < regions->nbindings; i++)
		tlobctl_binding_free(regions->bindings[i]);
	free(regions->bindings);
	*regions = (struct tlobctl_regions){0};
}
