// SPDX-License-Identifier: GPL-2.0-or-later
/* See ndjson.h. */
#include <string.h>
#include <sys/types.h>

#include "ndjson.h"
#include "when.h"

static void put_time(struct cli_json *j, uint64_t time_ns)
{
	cli_json_number(j, "time_ns", time_ns);
	cli_json_number(j, "time_unix_ns", cli_unix_ns(time_ns));
}

static void put_region(struct cli_json *j, const struct tlobctl_region *r)
{
	cli_json_object(j, NULL);
	cli_json_string(j, "region", r->name);
	cli_json_number(j, "budget_ns", r->budget_ns);
	cli_json_string(j, "binary", r->path);
	cli_json_string(j, "start", r->start);
	cli_json_string(j, "stop", r->stop);
	cli_json_string(j, "start_probe", cli_probe_name(r->start_kind));
	cli_json_string(j, "stop_probe", cli_probe_name(r->stop_kind));
	cli_json_number(j, "cost_ns", (uint64_t)(r->cost_ns + 0.5));
	cli_json_object_end(j);
}

void cli_ndjson_start(struct cli_json *j, const char *command, const char *engine,
		      char *const *program, pid_t pid, const struct cli_regions *regions)
{
	cli_json_begin(j, "start");
	cli_json_number(j, "format", CLI_NDJSON_FORMAT);
	put_time(j, cli_now_ns());
	cli_json_string(j, "version", TLOB_VERSION);
	cli_json_string(j, "command", command);
	cli_json_string(j, "engine", engine);
	if (program) {
		cli_json_number(j, "pid", (uint64_t)pid);
		cli_json_array(j, "argv");
		for (; *program; program++)
			cli_json_string(j, NULL, *program);
		cli_json_array_end(j);
	}
	cli_json_array(j, "regions");
	for (size_t i = 0; i < regions->count; i++)
		put_region(j, &regions->list[i]);
	cli_json_array_end(j);
	cli_json_end(j);
}

static void put_flags(struct cli_json *j, const struct tlob_record *r)
{
	cli_json_bool(j, "at_stop", r->flags & TLOB_F_AT_STOP);
	cli_json_bool(j, "estimated", r->flags & TLOB_F_ESTIMATED);
	cli_json_bool(j, "spoiled", r->flags & TLOB_F_SPOILED);
	cli_json_bool(j, "probe", r->flags & TLOB_F_PROBE);
	if (r->type != TLOB_REC_CLOSE)
		return;
	cli_json_bool(j, "abandoned", r->flags & TLOB_F_ABANDONED);
	cli_json_bool(j, "cancelled", r->flags & TLOB_F_CANCELLED);
}

void cli_ndjson_event(struct cli_json *j, const struct tlobctl_event *event)
{
	static const char *const states[] = {
		[TLOB_RUNNING] = "running", [TLOB_WAITING] = "waiting", [TLOB_SLEEPING] = "sleeping"};
	const struct tlob_record *r = event->record;
	char comm[TLOB_COMM_BYTES + 1] = "";

	memcpy(comm, r->comm, TLOB_COMM_BYTES);
	cli_json_begin(j, r->type == TLOB_REC_CLOSE ? "close" : "overrun");
	put_time(j, r->time_ns);
	cli_json_string(j, "region", event->region);
	cli_json_string(j, "program", event->program);
	cli_json_number(j, "pid", r->tgid);
	cli_json_number(j, "tid", r->tid);
	cli_json_string(j, "comm", comm);
	cli_json_number(j, "cpu", r->cpu);
	cli_json_number(j, "tag", r->tag);
	cli_json_number(j, "window", r->window);
	cli_json_number(j, "budget_ns", r->budget_ns);
	cli_json_number(j, "start_ns", r->start_ns);
	cli_json_number(j, "elapsed_ns", r->elapsed_ns);
	cli_json_number(j, "running_ns", r->running_ns);
	cli_json_number(j, "waiting_ns", r->waiting_ns);
	cli_json_number(j, "sleeping_ns", r->sleeping_ns);
	cli_json_number(j, "uncertain_ns", r->uncertain_ns);
	cli_json_number(j, "switches", r->switches);
	cli_json_string(j, "state", r->state <= TLOB_SLEEPING ? states[r->state] : NULL);
	put_flags(j, r);
	cli_json_string(j, "file", event->file);
	cli_json_number(j, "line", event->line);
	cli_json_end(j);
}

static void put_counts(struct cli_json *j, const struct tlobctl_stat *s)
{
	cli_json_number(j, "windows", s->windows);
	cli_json_number(j, "overruns", s->overruns);
	cli_json_number(j, "records", s->records);
	cli_json_number(j, "lost", s->lost);
	cli_json_number(j, "refused", s->refused);
	cli_json_number(j, "abandoned", s->abandoned);
	cli_json_number(j, "cancelled", s->cancelled);
	cli_json_number(j, "cost_ns", s->cost_ns);
}

void cli_ndjson_summary(struct cli_json *j, const struct cli_summary *summary)
{
	for (size_t i = 0; i < summary->nrows; i++) {
		const struct cli_summary_row *row = &summary->rows[i];

		cli_json_begin(j, "summary");
		cli_json_string(j, "region", row->stat.region);
		cli_json_string(j, "program", row->stat.program);
		cli_json_number(j, "budget_ns", row->stat.budget_ns);
		put_counts(j, &row->stat);
		for (size_t p = 0; p < CLI_PERCENTILES; p++)
			cli_json_number(j, cli_percentiles[p].key, row->percentile_ns[p]);
		cli_json_number(j, "max_ns", row->stat.max_ns);
		cli_json_end(j);
	}
}

void cli_ndjson_end(struct cli_json *j, const struct cli_ndjson_end *end)
{
	cli_json_begin(j, "end");
	put_time(j, cli_now_ns());
	cli_json_number(j, "elapsed_ns", end->elapsed_ns);
	put_counts(j, end->total);
	if (end->program_status >= 0)
		cli_json_number(j, "program_status", (uint64_t)end->program_status);
	cli_json_number(j, "exit_status", (uint64_t)end->exit_status);
	cli_json_end(j);
}
