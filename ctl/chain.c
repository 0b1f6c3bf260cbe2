// SPDX-License-Identifier: GPL-2.0-or-later
/* See chain.h. A chain of probes is a binding without probes of its own, which its stages know. */
#include "chain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../core/chain.h"
#include "error.h"
#include "ledger.h"
#include "parse.h"
#include "session.h"

/* ---- adding one */

static struct tlobctl_binding *find_stage(struct tlobctl *ctl, const char *name)
{
	for (size_t i = 0; i < ctl->regions.nbindings; i++)
		if (!strcmp(ctl->regions.bindings[i]->name, name))
			return ctl->regions.bindings[i];
	return NULL;
}

static int check_stage(const struct tlob_chain_spec *spec, const struct tlobctl_binding *first,
		       const struct tlobctl_binding *b)
{
	if (!b->start_argument)
		return tlobctl_fail(
			-EINVAL,
			"cannot make chain '%s': region '%s' has no tag, so that nothing tells which of its "
			"windows belong together; give START#arg1..STOP#arg1",
			spec->name, b->name);
	if (b->chain)
		return tlobctl_fail(-EBUSY,
				    "cannot make chain '%s': region '%s' is in another chain",
				    spec->name, b->name);
	if (!b->stop_path != !first->stop_path)
		return tlobctl_fail(
			-EINVAL,
			"cannot make chain '%s': '%s' crosses processes and '%s' does not; write BINARY at both "
			"ends in all regions, or in none",
			spec->name, (b->stop_path ? b : first)->name,
			(b->stop_path ? first : b)->name);
	return 0;
}

/* Windows of linked programs begin and end in these, whose chains are too: nothing outside of them sees the good ones. */
static int no_stage(const struct tlobctl *ctl, const struct tlob_chain_spec *spec, const char *name)
{
	for (size_t i = 0; i < ctl->regions.noverrides; i++)
		if (!strcmp(ctl->regions.overrides[i].name, name))
			return tlobctl_fail(
				-ENOTSUP,
				"cannot make chain '%s': region '%s' is one that programs mark themselves, and what "
				"is in time there nobody else sees; have the program call tlob_chain(), and set the "
				"budget by -r '%s@BUDGET', or give the region probes, -r "
				"'%s=BINARY:START#arg1..STOP#arg1@BUDGET'",
				spec->name, name, spec->name, name);
	return tlobctl_fail(
		-ENOENT,
		"cannot make chain '%s': there is no region '%s' with a probe; add it first, -r "
		"'%s=BINARY:START#arg1..STOP#arg1@BUDGET'. A program that marks its own code declares its "
		"chains by tlob_chain(); their budgets are set by -r '%s@BUDGET'",
		spec->name, name, name, spec->name);
}

static int find_stages(struct tlobctl *ctl, const struct tlob_chain_spec *spec,
		       struct tlobctl_binding **stages)
{
	for (size_t i = 0; i < spec->nstages; i++) {
		int err;

		stages[i] = find_stage(ctl, spec->stages[i]);
		if (!stages[i])
			return no_stage(ctl, spec, spec->stages[i]);
		err = check_stage(spec, stages[0], stages[i]);
		if (err)
			return err;
	}
	return 0;
}

static struct tlobctl_binding *make_chain(struct tlobctl *ctl, const struct tlob_chain_spec *spec,
					  struct tlobctl_binding **stages)
{
	struct tlobctl_regions *r = &ctl->regions;
	struct tlobctl_binding **bindings =
		reallocarray(r->bindings, r->nbindings + 1, sizeof(*bindings));
	struct tlobctl_binding *b = calloc(1, sizeof(*b));

	if (bindings)
		r->bindings = bindings;
	if (!bindings || !b) {
		free(b);
		return NULL;
	}
	b->id = (uint32_t)r->nbindings + 1;
	b->budget_ns = spec->budget_ns;
	b->name = strdup(spec->name);
	b->path = strdup(stages[0]->path);
	b->start = strdup(spec->stages[0]);
	b->stop = strdup(spec->stages[spec->nstages - 1]);
	b->stages = (uint8_t)spec->nstages;
	b->multi_fds[0] = b->multi_fds[1] = b->tally_fd = -1;
	for (size_t i = 0; i < spec->nstages; i++)
		b->stage_ids[i] = stages[i]->id;
	if (b->name && b->path && b->start && b->stop)
		return b;
	tlobctl_binding_free(b);
	return NULL;
}

static int link_stages(struct tlobctl *ctl, struct tlobctl_binding *chain,
		       struct tlobctl_binding **stages)
{
	int err = ctl->engine->attach(ctl, &chain, 1);

	if (err)
		return err;
	for (uint8_t i = 0; i < chain->stages; i++) {
		stages[i]->chain = chain->id;
		stages[i]->stage = i;
	}
	err = ctl->engine->update(ctl, stages, chain->stages);
	for (uint8_t i = 0; err && i < chain->stages; i++)
		stages[i]->chain = 0;
	return err;
}

static int add_chain(struct tlobctl *ctl, const struct tlob_chain_spec *spec, tlobctl_region_fn *fn,
		     void *arg)
{
	struct tlobctl_binding *stages[TLOB_MAX_STAGES], *chain;
	int err;

	if (!ctl->engine->update)
		return tlobctl_fail(-ENOTSUP,
				    "cannot make chain '%s': engine %s has no probes; that needs "
				    "engine bpf",
				    spec->name, ctl->engine->name);
	err = find_stages(ctl, spec, stages);
	if (err)
		return err;
	if (ctl->regions.nbindings + 2 >= TLOBCTL_CALIBRATION_ID)
		return tlobctl_fail(-ENOSPC, "cannot make chain '%s': there are too many regions",
				    spec->name);
	chain = make_chain(ctl, spec, stages);
	if (!chain)
		return tlobctl_fail(-ENOMEM, "out of memory for chain '%s'", spec->name);
	err = link_stages(ctl, chain, stages);
	if (err) {
		tlobctl_binding_free(chain);
		return err;
	}
	ctl->regions.bindings[ctl->regions.nbindings++] = chain;
	if (fn)
		fn(&(struct tlobctl_region){.id = chain->id,
					    .name = chain->name,
					    .budget_ns = chain->budget_ns,
					    .path = chain->path,
					    .start = chain->start,
					    .stop = chain->stop},
		   arg);
	return 1;
}

int tlobctl_chain(struct tlobctl *ctl, const char *text, tlobctl_region_fn *fn, void *arg)
{
	struct tlob_parse_error why;
	struct tlob_chain_spec spec;
	int r = tlob_chain_parse(text, &spec, &why);

	if (r && text[why.at])
		tlobctl_fail(r, "cannot understand chain '%s': %s, at '%s'", text, why.why,
			     text + why.at);
	else if (r)
		tlobctl_fail(r, "cannot understand chain '%s': %s", text, why.why);
	else
		r = add_chain(ctl, &spec, fn, arg);
	if (r < 0)
		errno = -r;
	return r;
}

/* ---- what records say */

void tlobctl_chain_note(struct tlobctl *ctl, const struct tlob_record *record)
{
	struct tlobctl_chains *c = &ctl->chains;

	memcpy(&c->notes[c->next++ % TLOBCTL_CHAIN_NOTES], record, sizeof(*record));
}

static struct tlob_stages *find_note(struct tlobctl_chains *c, const struct tlob_record *r)
{
	for (size_t i = 0; i < TLOBCTL_CHAIN_NOTES; i++) {
		struct tlob_stages *s = &c->notes[i];

		if (s->type == TLOB_REC_STAGES && s->window == r->window &&
		    s->client == r->client && s->region == r->region && s->tgid == r->tgid &&
		    s->time_ns == r->time_ns)
			return s;
	}
	return NULL;
}

/* From marks to times. A mark from the future is none: the program may have written it. */
static uint64_t time_of(uint32_t mark, uint64_t elapsed_ns)
{
	uint64_t ns = mark ? tlob_mark_ns(mark) : 0;

	return ns < elapsed_ns ? ns : elapsed_ns;
}

static void fill_stages(const struct tlob_stages *note, uint64_t elapsed_ns, size_t n,
			struct tlobctl_stage *stages)
{
	uint64_t free_ns = 0; /* since when it has been in none */

	for (size_t i = 0; i < n; i++) {
		struct tlobctl_stage *s = &stages[i];
		uint32_t begin = note->mark[2 * i], end = note->mark[2 * i + 1];

		s->begun = begin != 0;
		s->ended = begin && end;
		/* the first is what it begins with */
		s->begin_ns = i ? time_of(begin, elapsed_ns) : 0;
		s->end_ns = s->ended ? time_of(end, elapsed_ns) : s->begun ? elapsed_ns : 0;
		if (s->end_ns < s->begin_ns)
			s->end_ns = s->begin_ns;
		if (s->begun)
			s->wait_ns = s->begin_ns > free_ns ? s->begin_ns - free_ns : 0;
		else if (i && stages[i - 1].ended) /* it is still to come */
			s->wait_ns = elapsed_ns > free_ns ? elapsed_ns - free_ns : 0;
		if (s->end_ns > free_ns)
			free_ns = s->end_ns;
	}
}

/* The same of a chain that a linked program has declared. */
static size_t name_declared(struct tlobctl *ctl, const struct tlob_record *r,
			    struct tlobctl_chain_view *view)
{
	struct tlobctl_client *client = tlobctl_agent_client(ctl, r->client);
	struct tlobctl_ledger_region chain, stage;

	if (!client || !client->ledger || !tlobctl_ledger_region(client->ledger, r->region, &chain))
		return 0;
	for (size_t i = 0; i < chain.nstages; i++)
		if (tlobctl_ledger_region(client->ledger, chain.stages[i], &stage))
			memcpy(view->names[i], stage.name, sizeof(view->names[i]));
	return chain.nstages;
}

/* Names of the stages into @view; how many. */
static size_t name_stages(struct tlobctl *ctl, const struct tlob_record *r,
			  struct tlobctl_chain_view *view)
{
	const struct tlobctl_binding *chain = tlobctl_binding_find(&ctl->regions, r->region);
	size_t n = chain ? chain->stages : 0;

	if (!(r->flags & TLOB_F_PROBE))
		return name_declared(ctl, r, view);
	for (size_t i = 0; i < n; i++) {
		const struct tlobctl_binding *b =
			tlobctl_binding_find(&ctl->regions, chain->stage_ids[i]);

		strncpy(view->names[i], b ? b->name : "", TLOB_NAME_BYTES - 1);
	}
	return n;
}

void tlobctl_chain_describe(struct tlobctl *ctl, struct tlobctl_event *event,
			    struct tlobctl_chain_view *view)
{
	struct tlob_stages *note = find_note(&ctl->chains, event->record);
	size_t n;

	if (!note)
		return;
	memset(view, 0, sizeof(*view));
	n = name_stages(ctl, event->record, view);
	for (size_t i = 0; i < n; i++)
		view->stages[i].region = view->names[i];
	fill_stages(note, event->record->elapsed_ns, n, view->stages);
	note->type = 0;
	event->stages = view->stages;
	event->nstages = n;
}
