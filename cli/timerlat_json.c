// SPDX-License-Identifier: GPL-2.0-or-later
/* The objects of tlob timerlat --json. */
#include "frames.h"
#include "ndjson.h"
#include "timerlat.h"
#include "when.h"

static void put_time(struct cli_json *j)
{
	uint64_t now = cli_now_ns();

	cli_json_number(j, "time_ns", now);
	cli_json_number(j, "time_unix_ns", cli_unix_ns(now));
}

static void put_known(struct cli_json *j, const char *key, bool known, uint64_t ns)
{
	if (known)
		cli_json_number(j, key, ns);
	else
		cli_json_null(j, key);
}

void timerlat_json_start(struct cli_json *j, const struct timerlat_settings *s,
			 const struct tlobctl_timerlat *t)
{
	const struct tlobctl_timerlat_opts *o = &s->opts;

	cli_json_begin(j, "start");
	cli_json_number(j, "format", CLI_NDJSON_FORMAT);
	put_time(j);
	cli_json_string(j, "version", TLOB_VERSION);
	cli_json_string(j, "command", "timerlat");
	cli_json_string(j, "backend", tlobctl_timerlat_backend_name(t));
	cli_json_string(j, "note", tlobctl_timerlat_note(t));
	cli_json_string(j, "scheduling", tlobctl_timerlat_scheduling(t));
	cli_json_number(j, "period_ns", o->period_ns ? o->period_ns : TLOBCTL_TIMERLAT_PERIOD_NS);
	put_known(j, "stop_irq_ns", o->stop_irq_ns, o->stop_irq_ns);
	put_known(j, "stop_total_ns", o->stop_total_ns, o->stop_total_ns);
	cli_json_end(j);
}

static void put_part(struct cli_json *j, const struct timerlat_row *row, int part)
{
	static const char *const keys[TLOBCTL_TIMERLAT_PARTS] = {
		[TLOBCTL_TIMERLAT_IRQ] = "irq",
		[TLOBCTL_TIMERLAT_THREAD] = "thread",
		[TLOBCTL_TIMERLAT_USER_RET] = "user_ret",
		[TLOBCTL_TIMERLAT_TOTAL] = "total",
	};
	const struct tlobctl_timerlat_values *v = &row->stat.parts[part];

	if (!v->count) {
		cli_json_null(j, keys[part]);
		return;
	}
	cli_json_object(j, keys[part]);
	cli_json_number(j, "count", v->count);
	cli_json_number(j, "min_ns", v->min_ns);
	cli_json_number(j, "avg_ns", v->avg_ns);
	for (int p = 0; p < TIMERLAT_PERCENTILES; p++)
		cli_json_number(j, timerlat_percentiles[p].key, row->percentile_ns[part][p]);
	cli_json_number(j, "max_ns", v->max_ns);
	cli_json_object_end(j);
}

/* Not all that engine bpf knows of a thread. */
static void put_found(struct cli_json *j, const struct tlobctl_who *who)
{
	if (!who) {
		cli_json_null(j, "interrupted");
		return;
	}
	cli_json_object(j, "interrupted");
	cli_json_string(j, "comm", who->comm);
	cli_json_number(j, "tid", who->tid);
	cli_json_object_end(j);
}

void timerlat_json_hit(struct cli_json *j, const struct tlobctl_timerlat_hit *hit)
{
	struct tlobctl_event event = {.record = hit->record, .why = hit->why};
	char reason[256];

	cli_json_begin(j, "threshold");
	put_time(j);
	cli_json_number(j, "cpu", hit->cpu);
	cli_json_string(j, "part", timerlat_part_names[hit->part]);
	cli_json_number(j, "limit_ns", hit->limit_ns);
	put_known(j, "irq_ns", hit->split, hit->parts_ns[TLOBCTL_TIMERLAT_IRQ]);
	put_known(j, "thread_ns", hit->split, hit->parts_ns[TLOBCTL_TIMERLAT_THREAD]);
	put_known(j, "user_ret_ns", hit->split, hit->parts_ns[TLOBCTL_TIMERLAT_USER_RET]);
	cli_json_number(j, "total_ns", hit->parts_ns[TLOBCTL_TIMERLAT_TOTAL]);
	cli_json_string(j, "reason", timerlat_reason(reason, sizeof(reason), hit));
	if (hit->why)
		cli_ndjson_who(j, "interrupted", hit->why, hit->interrupted);
	else
		put_found(j, hit->found);
	cli_json_bool(j, "in_user", hit->in_user);
	cli_frames_json(j, &hit->stack);
	cli_ndjson_why(j, &event);
	cli_json_end(j);
}

void timerlat_json_rows(struct cli_json *j, const struct timerlat_rows *rows)
{
	for (size_t i = 0; i < rows->nrows; i++) {
		const struct timerlat_row *row = rows->rows[i];

		cli_json_begin(j, "latency");
		if (row->stat.cpu < 0)
			cli_json_null(j, "cpu");
		else
			cli_json_number(j, "cpu", (uint64_t)row->stat.cpu);
		cli_json_number(j, "cycles", row->stat.cycles);
		cli_json_number(j, "skipped", row->stat.skipped);
		cli_json_number(j, "unsplit", row->stat.unsplit);
		for (int p = 0; p < TLOBCTL_TIMERLAT_PARTS; p++)
			put_part(j, row, p);
		cli_json_end(j);
	}
}

void timerlat_json_end(struct cli_json *j, const struct timerlat_rows *rows, uint64_t elapsed_ns,
		       int exit_status)
{
	cli_json_begin(j, "end");
	put_time(j);
	cli_json_number(j, "elapsed_ns", elapsed_ns);
	if (rows->nrows)
		cli_json_number(j, "cycles", rows->rows[rows->nrows - 1]->stat.cycles);
	cli_json_number(j, "exit_status", (uint64_t)exit_status);
	cli_json_end(j);
}
