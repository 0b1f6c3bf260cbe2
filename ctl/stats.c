// SPDX-License-Identifier: GPL-2.0-or-later
/* See stats.h. */
#include "stats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "hist.h"
#include "ledger.h"
#include "session.h"

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#define UNMEASURED "(regions beyond " TEXT(TLOB_MAX_REGIONS) ")"

static struct tlobctl_row *find(const struct tlobctl_table *table, const char *region,
				const char *program)
{
	for (size_t i = 0; i < table->nrows; i++)
		if (!strcmp(table->rows[i]->region, region) &&
		    !strcmp(table->rows[i]->program, program))
			return table->rows[i];
	return NULL;
}

static struct tlobctl_row *append(struct tlobctl_table *table, const char *region,
				  const char *program)
{
	struct tlobctl_row **rows = reallocarray(table->rows, table->nrows + 1, sizeof(*rows));
	struct tlobctl_row *row;

	if (!rows)
		return NULL;
	table->rows = rows;
	row = calloc(1, sizeof(*row));
	if (!row)
		return NULL;
	strncpy(row->region, region, sizeof(row->region) - 1);
	strncpy(row->program, program, sizeof(row->program) - 1);
	rows[table->nrows++] = row;
	return row;
}

/* The row of @region and @program, made if there is none. NULL when memory is short. */
static struct tlobctl_row *table_row(struct tlobctl_table *table, const char *region,
				     const char *program)
{
	struct tlobctl_row *row = find(table, region, program);

	if (row)
		return row;
	if (table->nrows >= TLOBCTL_ROWS) {
		program = "(others)";
		if (table->nrows >= TLOBCTL_ROWS_ANY)
			region = "(others)";
		row = find(table, region, program);
	}
	return row ? row : append(table, region, program);
}

void tlobctl_table_deinit(struct tlobctl_table *table)
{
	for (size_t i = 0; i < table->nrows; i++)
		free(table->rows[i]);
	free(table->rows);
	*table = (struct tlobctl_table){0};
}

/* Sums that a hostile ledger feeds: they stick at their end instead of wrapping. */
static void add(uint64_t *sum, uint64_t n)
{
	*sum = *sum + n < n ? UINT64_MAX : *sum + n;
}

/*
 * @ended: overrun windows that ended, by stop or abandoned. Those still open have a record but are not among
 * them yet.
 */
static void add_overruns(struct tlobctl_stat *s, uint64_t ended, uint64_t records)
{
	uint64_t overruns = ended > records ? ended : records;

	add(&s->overruns, overruns);
	add(&s->records, records);
	add(&s->lost, overruns - records);
}

static void finish(struct tlobctl_row *row, double cost_ns, double shared_cost_ns)
{
	uint64_t windows = tlob_hist_count(&row->hist);
	/* two counts that are not read at once, one of them in the program's memory */
	uint64_t shared = row->shared < windows ? row->shared : windows;

	row->stat.windows = windows;
	row->stat.max_ns = row->hist.max_ns;
	row->stat.cost_ns =
		(uint64_t)((double)(windows - shared) * cost_ns + (double)shared * shared_cost_ns);
}

/* Starts in regions that the ledger had no more room for; of one program they share a row. */
static int add_unmeasured(const struct tlobctl_client *client, struct tlobctl_table *table)
{
	uint64_t starts = tlob_load(&client->ledger->unmeasured);
	struct tlobctl_row *row;

	if (!starts)
		return 0;
	row = table_row(table, UNMEASURED, client->program);
	if (!row)
		return tlobctl_fail(-ENOMEM, "out of memory for statistics");
	add(&row->stat.refused, starts);
	return 0;
}

int tlobctl_stats_client(struct tlobctl *ctl, struct tlobctl_client *client,
			 struct tlobctl_table *table)
{
	for (uint32_t i = 0; i < TLOB_MAX_REGIONS; i++) {
		const struct tlobctl_seen *seen = &client->seen[i];
		struct tlobctl_ledger_region r;
		struct tlobctl_row *row;

		if (!tlobctl_ledger_region(client->ledger, i, &r))
			continue;
		row = table_row(table, r.name, client->program);
		if (!row)
			return tlobctl_fail(-ENOMEM, "out of memory for statistics");
		row->stat.budget_ns = r.budget_ns;
		add_overruns(&row->stat, r.overruns + seen->abandoned_late, seen->records);
		add(&row->stat.refused, r.refused);
		add(&row->stat.cancelled, r.cancelled);
		add(&row->stat.abandoned, r.abandoned);
		add(&row->stat.abandoned, seen->abandoned + seen->abandoned_late);
		tlobctl_ledger_hist(client->ledger_fd, i, &row->hist);
		add(&row->shared, seen->shared);
		finish(row, ctl->slot_cost_ns, ctl->shared_cost_ns);
	}
	return add_unmeasured(client, table);
}

static int copy_departed(struct tlobctl *ctl, struct tlobctl_table *table)
{
	for (size_t i = 0; i < ctl->departed.nrows; i++) {
		const struct tlobctl_row *from = ctl->departed.rows[i];
		struct tlobctl_row *row = append(table, from->region, from->program);

		if (!row)
			return tlobctl_fail(-ENOMEM, "out of memory for statistics");
		row->stat = from->stat;
		row->shared = from->shared;
		row->hist = from->hist;
	}
	return 0;
}

static int add_clients(struct tlobctl *ctl, struct tlobctl_table *table)
{
	for (size_t i = 0; i < TLOBCTL_MAX_CLIENTS; i++) {
		struct tlobctl_client *client = ctl->agent.clients[i];
		int r;

		if (!client || !client->ledger)
			continue;
		r = tlobctl_stats_client(ctl, client, table);
		if (r)
			return r;
	}
	return 0;
}

static int add_bindings(struct tlobctl *ctl, struct tlobctl_table *table)
{
	for (size_t i = 0; i < ctl->regions.nbindings; i++) {
		const struct tlobctl_binding *b = ctl->regions.bindings[i];
		const char *base = strrchr(b->path, '/');
		struct tlobctl_stat counted = {0};
		struct tlobctl_row *row;

		row = table_row(table, b->name, base ? base + 1 : b->path);
		if (!row)
			return tlobctl_fail(-ENOMEM, "out of memory for statistics");
		row->stat.budget_ns = b->budget_ns;
		ctl->engine->tally(ctl, b, &counted, &row->hist);
		add_overruns(&row->stat, counted.overruns + b->seen.abandoned_late,
			     b->seen.records);
		row->stat.refused += counted.refused;
		row->stat.abandoned +=
			counted.abandoned + b->seen.abandoned + b->seen.abandoned_late;
		finish(row, b->cost_ns, 0);
	}
	return 0;
}

/* Regions that were only named on a command line, and in which nobody has been. */
static int add_overrides(struct tlobctl *ctl, struct tlobctl_table *table)
{
	for (size_t i = 0; i < ctl->regions.noverrides; i++) {
		const struct tlob_override *o = &ctl->regions.overrides[i];
		struct tlobctl_row *row;
		bool known = false;

		for (size_t j = 0; j < table->nrows; j++)
			known |= !strcmp(table->rows[j]->region, o->name);
		if (known)
			continue;
		row = append(table, o->name, "");
		if (!row)
			return tlobctl_fail(-ENOMEM, "out of memory for statistics");
		row->stat.budget_ns = o->budget_ns;
	}
	return 0;
}

static int hand_out(struct tlobctl_table *table, tlobctl_stat_fn *fn, void *arg)
{
	int r = 0;

	for (size_t i = 0; i < table->nrows && !r; i++) {
		struct tlobctl_row *row = table->rows[i];

		row->stat.region = row->region;
		row->stat.program = row->program;
		row->stat.hist = &row->hist;
		r = fn(&row->stat, arg);
	}
	return r;
}

int tlobctl_stats(struct tlobctl *ctl, tlobctl_stat_fn *fn, void *arg)
{
	struct tlobctl_table table = {0};
	int r;

	r = copy_departed(ctl, &table);
	if (!r)
		r = add_clients(ctl, &table);
	if (!r)
		r = add_bindings(ctl, &table);
	if (!r)
		r = add_overrides(ctl, &table);
	if (!r)
		r = hand_out(&table, fn, arg);
	tlobctl_table_deinit(&table);
	return r;
}

uint64_t tlobctl_hist_percentile(const struct tlob_hist *hist, double percent)
{
	return tlob_hist_percentile(hist, percent);
}
