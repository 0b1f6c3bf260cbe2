// SPDX-License-Identifier: GPL-2.0-or-later
/* What tlob timerlat has measured, copied for printing; and as .hgrm files. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpulist.h"
#include "hgrm.h"
#include "timerlat.h"

const struct timerlat_percentile timerlat_percentiles[TIMERLAT_PERCENTILES] = {
	{"p50_ns", "p50", 50},
	{"p99_ns", "p99", 99},
	{"p99_9_ns", "p99.9", 99.9},
};

const char *const timerlat_part_names[TLOBCTL_TIMERLAT_PARTS] = {
	[TLOBCTL_TIMERLAT_IRQ] = "irq",
	[TLOBCTL_TIMERLAT_THREAD] = "thread",
	[TLOBCTL_TIMERLAT_USER_RET] = "user-ret",
	[TLOBCTL_TIMERLAT_TOTAL] = "total",
};

static int add(const struct tlobctl_timerlat_stat *stat, void *arg)
{
	struct timerlat_rows *r = arg;
	struct timerlat_row **rows = reallocarray(r->rows, r->nrows + 1, sizeof(*rows)), *row;

	if (!rows)
		return -ENOMEM;
	r->rows = rows;
	row = malloc(sizeof(*row));
	if (!row)
		return -ENOMEM;
	row->stat = *stat;
	for (int i = 0; i < TLOBCTL_TIMERLAT_PARTS; i++) {
		row->hist[i] = *stat->parts[i].hist;
		row->stat.parts[i].hist = &row->hist[i];
		for (int p = 0; p < TIMERLAT_PERCENTILES; p++)
			row->percentile_ns[i][p] = tlobctl_hist_percentile(
				&row->hist[i], timerlat_percentiles[p].percent);
	}
	r->rows[r->nrows++] = row;
	return 0;
}

int timerlat_rows_read(struct timerlat_rows *rows, struct tlobctl_timerlat *t)
{
	int r;

	timerlat_rows_deinit(rows);
	r = tlobctl_timerlat_stats(t, add, rows);
	if (r)
		cli_error(CLI_ERROR, "cannot read what was measured: %s", strerror(-r));
	return r;
}

void timerlat_rows_deinit(struct timerlat_rows *rows)
{
	for (size_t i = 0; i < rows->nrows; i++)
		free(rows->rows[i]);
	free(rows->rows);
	*rows = (struct timerlat_rows){0};
}

void timerlat_rows_cpus(const struct timerlat_rows *rows, char *buf, size_t size)
{
	uint32_t *cpus = calloc(rows->nrows, sizeof(*cpus));
	size_t n = 0;

	for (size_t i = 0; cpus && i < rows->nrows; i++)
		if (rows->rows[i]->stat.cpu >= 0)
			cpus[n++] = (uint32_t)rows->rows[i]->stat.cpu;
	tlob_cpulist_print(buf, size, cpus, n);
	free(cpus);
}

int timerlat_rows_hgrm(const struct timerlat_rows *rows, const char *folder)
{
	for (size_t i = 0; i < rows->nrows; i++) {
		const struct timerlat_row *row = rows->rows[i];
		char cpu[24];

		if (row->stat.cpu < 0)
			snprintf(cpu, sizeof(cpu), "all");
		else
			snprintf(cpu, sizeof(cpu), "cpu%d", row->stat.cpu);
		for (int p = 0; p < TLOBCTL_TIMERLAT_PARTS; p++) {
			struct tlobctl_stat stat = {.region = cpu,
						    .program = timerlat_part_names[p],
						    .hist = &row->hist[p]};

			if (row->stat.parts[p].count && cli_hgrm_write(folder, &stat))
				return CLI_ERROR;
		}
	}
	return 0;
}
