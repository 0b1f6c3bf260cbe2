// SPDX-License-Identifier: GPL-2.0-or-later
/* See metrics.h. The text format wants all samples of a metric behind each other, so regions are read first. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "hist.h"
#include "metrics.h"
#include "summary.h"
#include "text.h"

#define CAUSES 200 /* each is a time series; others are added up */
#define OTHER "other"

struct row {
	char *region, *program;
	struct tlobctl_stat stat; /* its texts are not valid */
	struct tlob_hist hist;
};

struct metrics {
	struct row *rows;
	size_t nrows;
	FILE *out;
};

/* ---- what there is */

static struct row *find_row(const struct metrics *m, const struct tlobctl_stat *stat)
{
	for (size_t i = 0; i < m->nrows; i++)
		if (!strcmp(m->rows[i].region, stat->region) &&
		    !strcmp(m->rows[i].program, stat->program))
			return &m->rows[i];
	return NULL;
}

static struct row *new_row(struct metrics *m, const struct tlobctl_stat *stat)
{
	struct row *rows = reallocarray(m->rows, m->nrows + 1, sizeof(*rows)), *row;

	if (!rows)
		return NULL;
	m->rows = rows;
	row = &rows[m->nrows];
	memset(row, 0, sizeof(*row));
	row->region = strdup(stat->region);
	row->program = strdup(stat->program);
	if (!row->region || !row->program) {
		free(row->region);
		free(row->program);
		return NULL;
	}
	m->nrows++;
	return row;
}

static int collect(const struct tlobctl_stat *stat, void *arg)
{
	struct metrics *m = arg;
	struct row *row = find_row(m, stat);

	if (!row)
		row = new_row(m, stat);
	if (!row)
		return -ENOMEM;
	cli_summary_add(&row->stat, stat);
	if (stat->budget_ns && (!row->stat.budget_ns || stat->budget_ns < row->stat.budget_ns))
		row->stat.budget_ns = stat->budget_ns;
	if (stat->hist)
		tlob_hist_merge(&row->hist, stat->hist);
	return 0;
}

static void deinit(struct metrics *m)
{
	for (size_t i = 0; i < m->nrows; i++) {
		free(m->rows[i].region);
		free(m->rows[i].program);
	}
	free(m->rows);
}

/* ---- the text */

static void head(const struct metrics *m, const char *name, const char *type, const char *help)
{
	fprintf(m->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Names come from watched programs. What may not be in a label is escaped, broken UTF-8 becomes U+FFFD. */
static void put_label(const struct metrics *m, const char *key, const char *value)
{
	fprintf(m->out, "%s=\"", key);
	while (*value) {
		int n = cli_utf8(value, NULL);

		if (!n)
			fputs("\xef\xbf\xbd", m->out);
		else if (*value == '"' || *value == '\\')
			fprintf(m->out, "\\%c", *value);
		else if (*value == '\n')
			fputs("\\n", m->out);
		else
			fwrite(value, 1, (size_t)n, m->out);
		value += n ? n : 1;
	}
	fputc('"', m->out);
}

/* Up to the labels that are the metric's own. */
static void begin(const struct metrics *m, const char *name, const char *region,
		  const char *program)
{
	fprintf(m->out, "%s{", name);
	put_label(m, "region", region);
	fputc(',', m->out);
	put_label(m, "program", program);
}

static void put_seconds(const struct metrics *m, uint64_t ns)
{
	fprintf(m->out, "%" PRIu64 ".%09" PRIu64 "\n", ns / 1000000000, ns % 1000000000);
}

/* One number of each region. @at: where it is in its statistics. */
static void put_counts(const struct metrics *m, const char *name, const char *help, size_t at)
{
	head(m, name, "counter", help);
	for (size_t i = 0; i < m->nrows; i++) {
		begin(m, name, m->rows[i].region, m->rows[i].program);
		fprintf(m->out, "} %" PRIu64 "\n",
			*(const uint64_t *)((const char *)&m->rows[i].stat + at));
	}
}

static void put_budgets(const struct metrics *m)
{
	head(m, "tlob_budget_seconds", "gauge", "How long a window may last.");
	for (size_t i = 0; i < m->nrows; i++) {
		begin(m, "tlob_budget_seconds", m->rows[i].region, m->rows[i].program);
		fputs("} ", m->out);
		put_seconds(m, m->rows[i].stat.budget_ns);
	}
}

/* Bounds that are round numbers: they need no agreement between machines. What lies in the bucket around one counts by its middle. */
static void put_distribution(const struct metrics *m, const struct row *row)
{
	static const uint64_t steps[] = {1000, 2500, 5000};
	uint64_t count = 0;
	double sum = 0;
	uint32_t b = 0;

	for (uint64_t decade = 1; decade <= 1000000000; decade *= 10)
		for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
			uint64_t bound = steps[i] * decade;

			for (; b < TLOB_HIST_BUCKETS && tlob_hist_value(b) <= bound; b++) {
				count += row->hist.count[b];
				sum += (double)row->hist.count[b] * (double)tlob_hist_value(b);
			}
			begin(m, "tlob_window_seconds_bucket", row->region, row->program);
			fprintf(m->out, ",le=\"%g\"} %" PRIu64 "\n", (double)bound / 1e9, count);
		}
	for (; b < TLOB_HIST_BUCKETS; b++) {
		count += row->hist.count[b];
		sum += (double)row->hist.count[b] * (double)tlob_hist_value(b);
	}
	begin(m, "tlob_window_seconds_bucket", row->region, row->program);
	fprintf(m->out, ",le=\"+Inf\"} %" PRIu64 "\n", count);
	begin(m, "tlob_window_seconds_sum", row->region, row->program);
	fprintf(m->out, "} %.9g\n", sum / 1e9);
	begin(m, "tlob_window_seconds_count", row->region, row->program);
	fprintf(m->out, "} %" PRIu64 "\n", count);
}

static void put_percentiles(const struct metrics *m)
{
	static const char *const name = "tlob_window_percentile_seconds";

	head(m, name, "gauge", "Percentiles of all windows so far; 100: the longest.");
	for (size_t i = 0; i < m->nrows; i++) {
		const struct row *row = &m->rows[i];

		for (size_t p = 0; p <= CLI_PERCENTILES; p++) {
			double percent = p < CLI_PERCENTILES ? cli_percentiles[p].percent : 100;

			begin(m, name, row->region, row->program);
			fprintf(m->out, ",percentile=\"%g\"} ", percent);
			put_seconds(m, tlob_hist_percentile(&row->hist, percent));
		}
	}
}

static void put_cause(const struct metrics *m, const char *region, const char *program,
		      const char *cause, uint64_t count)
{
	begin(m, "tlob_late_windows_total", region, program);
	fputc(',', m->out);
	put_label(m, "cause", cause);
	fprintf(m->out, "} %" PRIu64 "\n", count);
}

/* In the order in which they came up, so that none disappears once it was there. */
static void put_causes(const struct metrics *m, const struct cli_why_ranking *why)
{
	uint64_t others = why->uncounted;

	head(m, "tlob_late_windows_total", "counter",
	     "Late windows that have ended, by what made them late.");
	for (size_t i = 0; i < why->ncounts; i++) {
		const struct cli_why_count *c = &why->counts[i];

		if (i < CAUSES)
			put_cause(m, c->region, c->program, c->cause, c->count);
		else
			others += c->count;
	}
	if (others)
		put_cause(m, "", "", OTHER, others);
}

static void put_session(const struct metrics *m, struct tlobctl *ctl)
{
	struct tlobctl_why_stat why;
	struct tlobctl_loss loss;

	tlobctl_why_stats(ctl, &why);
	tlobctl_losses(ctl, &loss);
	head(m, "tlob_info", "gauge", "Version and engine.");
	fprintf(m->out, "tlob_info{version=\"%s\",engine=\"%s\"} 1\n", TLOB_VERSION,
		tlobctl_engine_name(ctl));
	head(m, "tlob_records_dropped_total", "counter",
	     "Records and notes that found their ring full.");
	fprintf(m->out, "tlob_records_dropped_total %" PRIu64 "\n", loss.dropped);
	head(m, "tlob_cpu_seconds_total", "counter", "CPU time of tlob itself.");
	fputs("tlob_cpu_seconds_total ", m->out);
	put_seconds(m, why.agent_cpu_ns);
}

#define COUNT(name, help, field) put_counts(m, name, help, offsetof(struct tlobctl_stat, field))

static void put_all(const struct metrics *m, struct tlobctl *ctl, const struct cli_why_ranking *why)
{
	put_session(m, ctl);
	COUNT("tlob_windows_total", "Windows that have ended.", windows);
	COUNT("tlob_overruns_total", "Windows that went over budget.", overruns);
	COUNT("tlob_records_lost_total", "Overruns of which no record arrived.", lost);
	COUNT("tlob_refused_total", "Starts beyond the nesting depth, or without a slot.", refused);
	COUNT("tlob_abandoned_total", "Windows that ended with their thread.", abandoned);
	COUNT("tlob_cancelled_total", "Windows that were open when an engine went.", cancelled);
	put_budgets(m);
	head(m, "tlob_window_seconds", "histogram", "How long windows lasted.");
	for (size_t i = 0; i < m->nrows; i++)
		put_distribution(m, &m->rows[i]);
	put_percentiles(m);
	put_causes(m, why);
}

/* ---- the file */

static int fail(const char *path, int error)
{
	errno = error;
	return cli_error(CLI_ERROR, "cannot write metrics to '%s': %m", path);
}

/* Whoever reads meanwhile has the old file or the new one, both whole. */
static int replace(const char *path, struct metrics *m, struct tlobctl *ctl,
		   const struct cli_why_ranking *why)
{
	char *fresh = NULL;
	int fd, error = 0;

	if (asprintf(&fresh, "%s.XXXXXX", path) < 0)
		return fail(path, ENOMEM);
	fd = mkostemp(fresh, O_CLOEXEC);
	m->out = fd < 0 ? NULL : fdopen(fd, "w");
	if (!m->out) {
		error = errno;
	} else {
		put_all(m, ctl, why);
		if (fchmod(fd, 0644) || fflush(m->out))
			error = errno;
		if (fclose(m->out) && !error)
			error = errno;
		if (!error && rename(fresh, path))
			error = errno;
	}
	if (error && fd >= 0)
		unlink(fresh);
	free(fresh);
	return error ? fail(path, error) : 0;
}

int cli_metrics_write(const char *path, struct tlobctl *ctl, const struct cli_why_ranking *why)
{
	struct metrics m = {.nrows = 0};
	int err = tlobctl_stats(ctl, collect, &m);
	int status;

	if (err < 0)
		status = cli_error(CLI_ERROR, "cannot read the statistics: %s",
				   err == -ENOMEM ? strerror(ENOMEM) : tlobctl_error());
	else
		status = replace(path, &m, ctl, why);
	deinit(&m);
	return status;
}
