/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Probes that tell by an argument what belongs together: engine bpf only. The program is probee.c. */
#include "harness.h"

#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <sys/wait.h>

const struct conf_subject conf_subjects[] = {{NULL, NULL}};

static char probee[PATH_MAX];

static void start_probee(struct conf *c, const char *mode, const char *count, const char *ms)
{
	conf_reset(c);
	CONF_EXEC(c, probee, mode, count, ms);
	conf_go(c);
}

static void run_probee(struct conf *c, const char *mode, const char *count, const char *ms)
{
	start_probee(c, mode, count, ms);
	conf_pump(c, 30000, NULL);
}

static const char *records_wrong(const struct conf *c, size_t windows)
{
	if (conf_count(c, TLOB_REC_OVERRUN, NULL) != windows ||
	    conf_count(c, TLOB_REC_CLOSE, NULL) != windows)
		return "not one of each";
	for (size_t i = 0; i < c->nevents; i++) {
		const struct tlob_record *r = &c->events[i].record;

		if ((r->flags & (TLOB_F_TRANSIT | TLOB_F_PROBE)) != (TLOB_F_TRANSIT | TLOB_F_PROBE))
			return "flags";
		if (r->running_ns || r->waiting_ns || r->sleeping_ns)
			return "there is a split";
		if (!conf_is_id(c, r->tgid, (uint64_t)c->pid))
			return "another process";
	}
	return NULL;
}

/* From thread to thread, by the address of a request. */
static void check_threads(struct conf *c)
{
	struct tlobctl_stat s = {0};
	const char *wrong;
	size_t named = 0;

	tap_ok(conf_add(c, "request=%s:take_in#arg1..done#arg1@15ms", probee) == 1 &&
		       conf_add(c, "parse=%s:parse_begin#arg2..parse_end#arg1@10s", probee) == 1,
	       "regions with tags attach");
	run_probee(c, "serve", "20", "0");
	conf_stat(c, "parse", &s);
	tap_ok(s.windows == 20 && !s.overruns && !s.refused && !s.abandoned,
	       "another argument at each end: %lu of 20 windows", s.windows);
	run_probee(c, "serve", "1", "60");
	wrong = records_wrong(c, 1);
	tap_ok(!wrong, "over on its way: both records (%s)", wrong ? wrong : "right");
	for (size_t i = 0; i < c->nevents; i++) {
		const struct tlob_record *r = &c->events[i].record;

		named += r->type == TLOB_REC_CLOSE && r->end_tid && r->end_tid != r->tid &&
			 r->tag > 4096 && r->elapsed_ns > 60000000u;
	}
	tap_ok(named == 1, "who began and who ended it, and the address, are named");
	conf_stat(c, "request", &s);
	tap_ok(s.windows == 21 && s.lost == 0, "statistics: %lu of 21 windows", s.windows);
}

static bool got_open(struct conf *c)
{
	return conf_count(c, TLOB_REC_OVERRUN, NULL) > 0;
}

static void check_while(struct conf *c)
{
	start_probee(c, "serve", "1", "1500");
	tap_ok(conf_pump(c, 10000, got_open) && !conf_count(c, TLOB_REC_CLOSE, NULL),
	       "the overrun comes while it lies in a queue");
	conf_pump(c, 20000, NULL);
	tap_ok(conf_count(c, TLOB_REC_CLOSE, "request") == 1, "and its end later");
}

/* Two processes with the same addresses and numbers. */
static void check_processes(struct conf *c)
{
	struct tlobctl_stat s = {0};
	const char *wrong;

	tap_ok(conf_add(c, "own=%s:hand_over#arg1..arrive#arg1@15ms", probee) == 1 &&
		       conf_add(c, "sent=%s:hand_over#arg1..%s:arrive#arg1@15ms", probee, probee) ==
			       1,
	       "within a process, and across processes");
	run_probee(c, "send", "1", "60");
	conf_stat(c, "sent", &s);
	tap_ok(s.windows == 1 && s.overruns == 1, "it arrives in another process");
	conf_stat(c, "own", &s);
	tap_ok(s.windows == 0 && s.abandoned == 1,
	       "where only the own process counts it does not, and is abandoned");
	wrong = conf_count(c, TLOB_REC_OVERRUN, "sent") == 1 &&
				conf_count(c, TLOB_REC_CLOSE, "sent") == 1 ?
			NULL :
			"not one of each";
	tap_ok(!wrong, "one record of each kind (%s)", wrong ? wrong : "right");
}

/* What is begun again before it has ended: its address is used again. */
static void check_again(struct conf *c)
{
	struct tlobctl_stat before = {0}, s = {0};

	conf_stat(c, "own", &before);
	run_probee(c, "take", "3", "5");
	conf_stat(c, "own", &s);
	tap_ok(s.abandoned - before.abandoned == 3 && !s.refused &&
		       !conf_count(c, TLOB_REC_OVERRUN, "own"),
	       "begun three times and never ended: %lu abandoned", s.abandoned - before.abandoned);
}

static void check_killed(struct conf *c)
{
	struct tlobctl_stat before = {0}, s = {0};
	bool marked = false;

	conf_stat(c, "own", &before);
	start_probee(c, "take", "1", "5000");
	conf_pump(c, 10000, got_open);
	kill(c->pid, SIGKILL);
	conf_pump(c, 10000, NULL);
	for (size_t i = 0; i < c->nevents; i++)
		if (c->events[i].record.type == TLOB_REC_CLOSE &&
		    !strcmp(c->events[i].region, "own"))
			marked = c->events[i].record.flags & TLOB_F_ABANDONED;
	tap_ok(marked, "killed on its way, over: the closing record says abandoned");
	conf_stat(c, "own", &s);
	tap_ok(s.abandoned == before.abandoned + 1, "and it is counted");
}

/* ---- chains */

static struct seen {
	size_t overruns, closes, wrong, slow_queue, order;
} seen;

/* What the stages of one event say: the queue before the last stage is slow. */
static void look_at_stages(const struct tlobctl_event *e, void *arg)
{
	uint64_t sum = 0, longest = 0;
	size_t where = 99;

	if (strcmp(e->region, "whole"))
		return;
	*(e->record->type == TLOB_REC_OVERRUN ? &seen.overruns : &seen.closes) += 1;
	if (e->nstages != 3 || strcmp(e->stages[0].region, "accept") ||
	    strcmp(e->stages[1].region, "parse") || strcmp(e->stages[2].region, "answer")) {
		seen.wrong++;
		return;
	}
	for (size_t i = 0; i < 3; i++) {
		const struct tlobctl_stage *s = &e->stages[i];

		sum += s->wait_ns + (s->begun ? s->end_ns - s->begin_ns : 0);
		if (s->wait_ns > longest) {
			longest = s->wait_ns;
			where = i;
		}
		seen.order += s->begun && i && s->begin_ns + 100000 < e->stages[i - 1].end_ns;
	}
	seen.slow_queue += where == 2;
	/* all of it is in a stage or before one; where two meet, their probes may overlap a little */
	seen.wrong += sum + 2000000 < e->record->elapsed_ns ||
		      sum > e->record->elapsed_ns + 2000000;
}

static int chain(struct conf *c, const char *spec)
{
	return tlobctl_chain(c->ctl, spec, NULL, NULL);
}

static void check_chains(struct conf *c)
{
	struct tlobctl_stat s = {0};

	tap_ok(conf_add(c, "accept=%s:take_in#arg1..parse_begin#arg2@10s", probee) == 1 &&
		       conf_add(c, "answer=%s:answer_begin#arg1..answer_end#arg1@10s", probee) ==
			       1 &&
		       conf_add(c, "plain=%s:work_sleep@10s", probee) == 1,
	       "stages attach");
	tap_ok(chain(c, "whole=accept>parse>none@15ms") < 0 && strstr(tlobctl_error(), "'none'"),
	       "a chain of a region that is not there is refused");
	tap_ok(chain(c, "whole=accept>plain@15ms") < 0 && strstr(tlobctl_error(), "no tag"),
	       "and of one without tag");
	tap_ok(chain(c, "whole=accept>sent@15ms") < 0 &&
		       strstr(tlobctl_error(), "crosses processes"),
	       "and of one that crosses processes where others do not");
	tap_ok(chain(c, "whole=accept>parse>answer@15ms") == 1, "a chain of three");
	tap_ok(chain(c, "other=parse>answer@15ms") < 0 && strstr(tlobctl_error(), "another chain"),
	       "a region can be in one chain");
	c->hook = look_at_stages;
	run_probee(c, "serve", "10", "0");
	run_probee(c, "serve", "1", "60");
	c->hook = NULL;
	conf_stat(c, "whole", &s);
	tap_ok(s.windows == 11 && !s.refused && !s.abandoned && s.overruns >= 1,
	       "statistics: %lu of 11 windows, %lu over", s.windows, s.overruns);
	tap_ok(seen.overruns == s.overruns && seen.closes == s.overruns && !seen.wrong &&
		       !seen.order,
	       "stages in each record, in order and without gap (%zu of %zu wrong)", seen.wrong,
	       seen.overruns + seen.closes);
	tap_ok(seen.slow_queue >= 2, "the wait before the last stage is the longest");
}

static void check_refused(struct conf *c)
{
	static const struct {
		const char *what, *spec, *why;
	} bad[] = {
		{"inside a function", "%1$s:main+0x4#arg1..done#arg1@5ms", "entry of a function"},
		{"no second tag", "%1$s:take_in#arg1..done@5ms", "both points"},
		{"no such argument", "%1$s:take_in#arg9..done#arg1@5ms", "#arg1 to #arg6"},
		{"no such function there", "%1$s:take_in#arg1..%1$s:nothing#arg1@5ms", "nothing"},
		{"no such binary", "%1$s:take_in#arg1../nowhere/at/all:done#arg1@5ms", "nowhere"},
	};
	char spec[3 * PATH_MAX];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(spec, sizeof(spec), bad[i].spec, probee);
		tap_ok(tlobctl_add(c->ctl, spec, NULL, NULL) < 0 &&
			       strstr(tlobctl_error(), bad[i].why),
		       "refused: %s", bad[i].what);
	}
}

int conf_main(struct conf *c)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[n > 0 ? n : 0] = '\0';
	snprintf(probee, sizeof(probee), "%s/probee", dirname(self));
	tap_plan(5 + 2 + 4 + 1 + 2 + 9 + 5);
	conf_open(c);
	check_threads(c);
	check_while(c);
	check_processes(c);
	check_again(c);
	check_killed(c);
	check_chains(c);
	check_refused(c);
	conf_close(c);
	return tap_done();
}
