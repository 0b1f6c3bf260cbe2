// SPDX-License-Identifier: GPL-2.0-or-later
/* See ndjson.h. */
#include <string.h>
#include <sys/types.h>

#include "frames.h"
#include "chain.h"
#include "ndjson.h"
#include "samples.h"
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
	cli_json_string(j, "onward", r->onward);
	cli_json_object_end(j);
}

void cli_ndjson_start(struct cli_json *j, const char *command, const struct tlobctl *ctl,
		      char *const *program, pid_t pid, const struct cli_regions *regions)
{
	struct tlobctl_floor floor;
	struct tlobctl_why_stat why;

	tlobctl_why_stats(ctl, &why);
	cli_json_begin(j, "start");
	cli_json_number(j, "format", CLI_NDJSON_FORMAT);
	put_time(j, cli_now_ns());
	cli_json_string(j, "version", TLOB_VERSION);
	cli_json_string(j, "command", command);
	cli_json_string(j, "engine", tlobctl_engine_name(ctl));
	cli_json_bool(j, "interrupts", why.interrupts);
	if (program) {
		cli_json_number(j, "pid", (uint64_t)pid);
		cli_json_array(j, "argv");
		for (; *program; program++)
			cli_json_string(j, NULL, *program);
		cli_json_array_end(j);
	}
	if (tlobctl_floor_read(&floor))
		cli_json_null(j, "floor_p99_9_ns");
	else
		cli_json_number(j, "floor_p99_9_ns", floor.p99_9_ns);
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
	cli_json_bool(j, "transit", r->flags & TLOB_F_TRANSIT);
	if (r->type != TLOB_REC_CLOSE)
		return;
	cli_json_bool(j, "abandoned", r->flags & TLOB_F_ABANDONED);
	cli_json_bool(j, "cancelled", r->flags & TLOB_F_CANCELLED);
}

/* ---- why */

/* What is written of a long window on a busy machine, so that an object stays one write. */
#define MAX_SEGMENTS 128
#define MAX_CULPRITS 64
#define MAX_SHARES 32

static size_t at_most(size_t n, size_t limit)
{
	return n < limit ? n : limit;
}

static void put_who(struct cli_json *j, const char *key, const struct tlobctl_why *why,
		    uint32_t who)
{
	const struct tlobctl_who *w;

	if (who >= why->nwho) {
		cli_json_null(j, key);
		return;
	}
	w = &why->who[who];
	cli_json_object(j, key);
	cli_json_string(j, "comm", w->comm);
	cli_json_number(j, "tid", w->tid);
	cli_json_number(j, "pid", w->tgid);
	cli_json_bool(j, "kernel", w->kernel);
	cli_json_bool(j, "realtime", w->priority < 100);
	cli_json_string(j, "cgroup", w->cgroup);
	cli_json_object_end(j);
}

static void put_sleep(struct cli_json *j, const char *syscall, bool disk)
{
	cli_json_string(j, "syscall", *syscall ? syscall : NULL);
	cli_json_bool(j, "disk", disk);
}

static void put_chain(struct cli_json *j, const struct tlobctl_why *why,
		      const struct tlobctl_culprit *c)
{
	cli_json_array(j, "chain");
	for (size_t i = 0; i < c->nlinks; i++) {
		const struct tlobctl_link *l = &c->links[i];

		cli_json_object(j, NULL);
		put_who(j, "who", why, l->who);
		cli_json_number(j, "running_ns", l->running_ns);
		cli_json_number(j, "waiting_ns", l->waiting_ns);
		cli_json_number(j, "sleeping_ns", l->sleeping_ns);
		cli_json_string(j, "cause", cli_why_word(l->cause));
		put_who(j, "other", why, l->other);
		cli_json_number(j, "other_ns", l->other_ns);
		put_sleep(j, l->syscall, l->disk);
		cli_json_object_end(j);
	}
	cli_json_array_end(j);
}

static void put_culprits(struct cli_json *j, const struct tlobctl_why *why)
{
	size_t n = at_most(why->nculprits, MAX_CULPRITS);

	cli_json_array(j, "culprits");
	for (size_t i = 0; i < n; i++) {
		const struct tlobctl_culprit *c = &why->culprits[i];

		cli_json_object(j, NULL);
		cli_json_string(j, "cause", cli_why_word(c->cause));
		put_who(j, "who", why, c->who);
		cli_json_number(j, "total_ns", c->ns);
		cli_json_number(j, "longest_ns", c->longest_ns);
		cli_json_number(j, "times", c->times);
		put_sleep(j, c->syscall, c->disk);
		put_chain(j, why, c);
		cli_json_object_end(j);
	}
	cli_json_array_end(j);
	cli_json_number(j, "culprits_left_out", why->nculprits - n);
}

static void put_shares(struct cli_json *j, const struct tlobctl_why *why)
{
	cli_json_array(j, "processes");
	for (size_t i = 0; i < at_most(why->nprocesses, MAX_SHARES); i++) {
		cli_json_object(j, NULL);
		cli_json_number(j, "pid", why->processes[i].id);
		cli_json_string(j, "program", why->processes[i].name);
		cli_json_number(j, "total_ns", why->processes[i].ns);
		cli_json_object_end(j);
	}
	cli_json_array_end(j);
	cli_json_array(j, "cgroups");
	for (size_t i = 0; i < at_most(why->ncgroups, MAX_SHARES); i++) {
		cli_json_object(j, NULL);
		cli_json_number(j, "id", why->cgroups[i].id);
		cli_json_string(j, "cgroup", why->cgroups[i].name);
		cli_json_number(j, "total_ns", why->cgroups[i].ns);
		cli_json_object_end(j);
	}
	cli_json_array_end(j);
}

static void put_segments(struct cli_json *j, const struct tlobctl_why *why)
{
	size_t n = at_most(why->nsegments, MAX_SEGMENTS);

	cli_json_array(j, "segments");
	for (size_t i = 0; i < n; i++) {
		const struct tlobctl_segment *s = &why->segments[i];

		cli_json_object(j, NULL);
		cli_json_number(j, "start_ns", s->start_ns);
		cli_json_number(j, "end_ns", s->end_ns);
		cli_json_string(j, "cause", cli_why_word(s->cause));
		if (s->cpu != UINT32_MAX)
			cli_json_number(j, "cpu", s->cpu);
		put_who(j, "who", why, s->who);
		put_sleep(j, s->syscall, s->disk);
		cli_json_object_end(j);
	}
	cli_json_array_end(j);
	cli_json_number(j, "segments_left_out", why->nsegments - n);
}

static void put_why(struct cli_json *j, const struct tlobctl_event *event)
{
	const struct tlobctl_why *why = event->why;
	char reason[CLI_WHY_CAUSE_BYTES];

	if (!why) {
		cli_json_null(j, "why");
		return;
	}
	cli_json_object(j, "why");
	cli_json_string(j, "reason", cli_why_cause(reason, sizeof(reason), event));
	cli_json_bool(j, "complete", why->complete);
	cli_json_number(j, "unknown_ns", why->unknown_ns);
	cli_json_number(j, "migrations", why->migrations);
	cli_json_number(j, "wakeups", why->wakeups);
	cli_json_number(j, "wakeup_max_ns", why->wakeup_max_ns);
	cli_json_number(j, "cpu_ns", why->cost_ns);
	put_culprits(j, why);
	put_shares(j, why);
	put_segments(j, why);
	cli_json_object_end(j);
}

void cli_ndjson_why(struct cli_json *j, const struct tlobctl_event *event)
{
	put_why(j, event);
}

void cli_ndjson_who(struct cli_json *j, const char *key, const struct tlobctl_why *why,
		    uint32_t who)
{
	put_who(j, key, why, who);
}

static bool has_room(struct cli_json *j)
{
	uint64_t now = cli_now_ns();

	if (now - j->second_ns >= CLI_NS_PER_S) {
		j->second_ns = now;
		j->in_second = 0;
	}
	if (j->in_second == CLI_NDJSON_PER_SECOND) {
		j->left_out++;
		return false;
	}
	j->in_second++;
	return true;
}

/* Who ended a window of no thread; which process, only engine bpf knows. */
static void put_ender(struct cli_json *j, const struct tlob_record *r)
{
	if (r->end_tgid)
		cli_json_number(j, "end_pid", r->end_tgid);
	cli_json_number(j, "end_tid", r->end_tid);
}

/* What only a window of one thread has. */
static void put_split(struct cli_json *j, const struct tlob_record *r)
{
	static const char *const states[] = {
		[TLOB_RUNNING] = "running", [TLOB_WAITING] = "waiting", [TLOB_SLEEPING] = "sleeping"};

	cli_json_number(j, "cpu", r->cpu);
	cli_json_number(j, "running_ns", r->running_ns);
	cli_json_number(j, "waiting_ns", r->waiting_ns);
	cli_json_number(j, "sleeping_ns", r->sleeping_ns);
	cli_json_number(j, "uncertain_ns", r->uncertain_ns);
	cli_json_number(j, "switches", r->switches);
	cli_json_string(j, "state", r->state <= TLOB_SLEEPING ? states[r->state] : NULL);
}

void cli_ndjson_event(struct cli_json *j, const struct tlobctl_event *event)
{
	const struct tlob_record *r = event->record;
	char comm[TLOB_COMM_BYTES + 1] = "";

	if (!has_room(j))
		return;
	memcpy(comm, r->comm, TLOB_COMM_BYTES);
	cli_json_begin(j, r->type == TLOB_REC_CLOSE ? "close" : "overrun");
	put_time(j, r->time_ns);
	cli_json_string(j, "region", event->region);
	cli_json_string(j, "program", event->program);
	cli_json_number(j, "pid", r->tgid);
	cli_json_number(j, "tid", r->tid);
	cli_json_string(j, "comm", comm);
	cli_json_number(j, "tag", r->tag);
	cli_json_number(j, "window", r->window);
	cli_json_number(j, "budget_ns", r->budget_ns);
	cli_json_number(j, "start_ns", r->start_ns);
	cli_json_number(j, "elapsed_ns", r->elapsed_ns);
	if (!(r->flags & TLOB_F_TRANSIT))
		put_split(j, r);
	else if (r->type == TLOB_REC_CLOSE)
		put_ender(j, r);
	if (event->nstages)
		cli_chain_json(j, event);
	put_flags(j, r);
	cli_json_string(j, "file", event->file);
	cli_json_number(j, "line", event->line);
	put_why(j, event);
	cli_snapshots_json(j, event->why);
	if (r->type == TLOB_REC_CLOSE)
		cli_samples_json(j, event->why);
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

static void put_reasons(struct cli_json *j, const struct cli_why_ranking *k,
			const struct tlobctl_stat *s)
{
	cli_json_array(j, "reasons");
	for (size_t i = 0; i < k->ncounts; i++) {
		const struct cli_why_count *c = &k->counts[i];

		if (strcmp(c->region, s->region) || strcmp(c->program, s->program))
			continue;
		cli_json_object(j, NULL);
		cli_json_string(j, "reason", c->cause);
		cli_json_number(j, "count", c->count);
		cli_json_object_end(j);
	}
	cli_json_array_end(j);
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
		put_reasons(j, &summary->why, &row->stat);
		cli_json_end(j);
	}
}

void cli_ndjson_end(struct cli_json *j, const struct cli_ndjson_end *end)
{
	cli_json_begin(j, "end");
	put_time(j, cli_now_ns());
	cli_json_number(j, "elapsed_ns", end->elapsed_ns);
	put_counts(j, end->total);
	cli_json_number(j, "lost_ends", end->lost_ends);
	cli_json_number(j, "strange", end->strange);
	cli_json_number(j, "left_out", j->left_out);
	cli_json_number(j, "why_analyses", end->why->analyses);
	cli_json_number(j, "why_skipped", end->why->skipped);
	cli_json_number(j, "why_cpu_ns", end->why->cpu_ns);
	cli_json_number(j, "tlob_cpu_ns", end->why->agent_cpu_ns);
	cli_samples_json_end(j, end->samples);
	if (end->program_status >= 0)
		cli_json_number(j, "program_status", (uint64_t)end->program_status);
	cli_json_number(j, "exit_status", (uint64_t)end->exit_status);
	cli_json_end(j);
}
