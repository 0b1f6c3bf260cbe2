/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Windows that begin in one process and end in another. */
#include "harness.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

TLOB_SHARED_REGION(roomy, "roomy", TLOB_S(20));
TLOB_SHARED_REGION(tight, "tight", TLOB_MS(20));
TLOB_REGION(own, "roomy", TLOB_S(20)); /* the same name, and not shared */
TLOB_REGION(whole, "whole", TLOB_S(20));
TLOB_SHARED_REGION(first, "first", TLOB_S(20));

#define MS 1000000u
#define ITEMS 100
#define MANY 160
#define ROOM 128

/* ---- another process, which does what it is told */

struct order {
	struct tlob_region
		*region; /* the same there: it is a fork; NULL: say what its callback was told */
	uint64_t tag;
	bool begin;
};

struct other {
	pid_t pid;
	int orders, results;
};

static void wait_for_agent(void)
{
	for (int i = 0; i < 500 && strcmp(tlob_engine(), "bpf") != 0; i++)
		sleep_ns(10 * MS);
	/* on a busy machine the memory for such windows comes later than a begin waits for it */
	for (int i = 0; i < 500 && tlob_begin(&first, (uint64_t)getpid()); i++)
		sleep_ns(10 * MS);
	tlob_end(&first, (uint64_t)getpid());
}

/* Of tight's window 7: 1 for a right overrun, 10 for a right closing record, 1000 for anything else. */
static int told;

static void on_overrun(const struct tlob_record *r, const struct tlob_region *region, void *arg)
{
	bool right = region == &tight && r->tag == 7 && r->budget_ns == 20 * MS &&
		     r->elapsed_ns >= 20 * MS && r->start_ns + r->elapsed_ns == r->time_ns &&
		     r->flags & TLOB_F_TRANSIT && arg == &told;

	if (right && r->type == TLOB_REC_OVERRUN)
		told += 1;
	else if (right && r->type == TLOB_REC_CLOSE && r->end_tid == (uint32_t)gettid())
		told += 10;
	else
		told += 1000;
}

static void obey(int orders, int results)
{
	struct order order;

	while (read(orders, &order, sizeof(order)) == sizeof(order)) {
		int r = told;

		if (order.region)
			r = order.begin ? tlob_begin(order.region, order.tag) :
					  tlob_end(order.region, order.tag);
		if (write(results, &r, sizeof(r)) != sizeof(r))
			break;
	}
	exit(0);
}

static struct other start_other(bool agent)
{
	struct other o;
	int down[2], up[2];

	if (pipe(down) || pipe(up))
		exit(90);
	o.pid = fork();
	if (!o.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(down[1]);
		close(up[0]);
		if (agent)
			wait_for_agent();
		obey(down[0], up[1]);
	}
	close(down[0]);
	close(up[1]);
	o.orders = down[1];
	o.results = up[0];
	if (agent)
		wait_for_agent();
	return o;
}

static int ask(const struct other *o, bool begin, struct tlob_region *region, uint64_t tag)
{
	struct order order = {.region = region, .tag = tag, .begin = begin};
	int r = -EPIPE;

	if (write(o->orders, &order, sizeof(order)) != sizeof(order) ||
	    read(o->results, &r, sizeof(r)) != sizeof(r))
		return -EPIPE;
	return r;
}

static void end_other(const struct other *o)
{
	close(o->orders);
	close(o->results);
	waitpid(o->pid, NULL, 0);
}

/* ---- in time */

static int subject_pass(void)
{
	struct other o = start_other(true);
	int good = 0;

	for (uint64_t tag = 1; tag <= ITEMS; tag++)
		good += tlob_begin(&roomy, tag) == 0;
	for (uint64_t tag = 1; tag <= ITEMS; tag++)
		good += ask(&o, false, &roomy, tag) == 0;
	for (uint64_t tag = 1; tag <= ITEMS; tag++)
		good += ask(&o, true, &roomy, tag) == 0;
	for (uint64_t tag = 1; tag <= ITEMS; tag++)
		good += tlob_end(&roomy, tag) == 0;
	tell_result(1, good);
	end_other(&o);
	return 0;
}

static void check_pass(struct conf *c)
{
	struct tlobctl_stat s = {0};

	CONF_RUN(c, "pass");
	tap_ok(conf_result(c, 1) == 4 * ITEMS, "there and back: %ld of %d begins and ends return 0",
	       conf_result(c, 1), 4 * ITEMS);
	tap_ok(c->nevents == 0, "within budget: no record");
	conf_stat(c, "roomy", &s);
	tap_ok(s.windows == 2 * ITEMS && !s.overruns && !s.refused && !s.abandoned,
	       "statistics: %lu windows, none over", s.windows);
	/* two system calls each: windows of a thread cost a tenth */
	tap_ok(s.cost_ns >= s.windows * 400, "what they cost is known: %lu ns", s.cost_ns);
}

/* ---- expiry while nobody holds it */

static int subject_late(void)
{
	struct other o;

	tlob_on_overrun(on_overrun, &told); /* in both */
	o = start_other(true);
	tell_result(1, tlob_begin(&tight, 7));
	told_to_go();
	tell_result(2, ask(&o, false, &tight, 7));
	tell_result(3, ask(&o, false, &tight, 7));
	tell_result(4, o.pid);
	tell_result(5, ask(&o, false, NULL, 0));
	tell_result(6, told);
	end_other(&o);
	return 0;
}

static bool got_late(struct conf *c)
{
	return conf_find(c, TLOB_REC_OVERRUN, "tight", 7) != NULL;
}

static void check_late(struct conf *c)
{
	const struct conf_event *o, *e;
	struct tlobctl_stat s = {0};
	const struct truth *begun;

	conf_reset(c);
	CONF_SPAWN(c, "late");
	tap_ok(conf_pump(c, 8000, got_late), "the overrun record comes while it is under way");
	tap_ok(!conf_count(c, TLOB_REC_CLOSE, NULL), "and no closing record yet");
	conf_go(c);
	conf_pump(c, 20000, NULL);
	tap_ok(conf_result(c, 1) == 0 && conf_result(c, 2) == -EOVERFLOW &&
		       conf_result(c, 3) == -ESRCH,
	       "its end in the other process says so, once");
	tap_ok(conf_result(c, 5) == 11 && conf_result(c, 6) == 0,
	       "and the callback there, which hears of both records; not that of whoever began it");
	o = conf_find(c, TLOB_REC_OVERRUN, "tight", 7);
	e = conf_find(c, TLOB_REC_CLOSE, "tight", 7);
	begun = conf_truth(c, 1);
	if (!tap_ok(o && e && begun && conf_count(c, TLOB_REC_OVERRUN, NULL) == 1 &&
			    conf_count(c, TLOB_REC_CLOSE, NULL) == 1,
		    "one overrun and one closing record"))
		return;
	tap_ok(e->record.window == o->record.window && e->record.flags == TLOB_F_TRANSIT &&
		       o->record.budget_ns == 20 * MS && e->record.elapsed_ns >= 20 * MS,
	       "both of one window");
	tap_ok(conf_is_id(c, e->record.tid, begun->tid) &&
		       conf_is_id(c, e->record.tgid, begun->tid) &&
		       conf_is_id(c, e->record.end_tid, (uint64_t)conf_result(c, 4)) &&
		       conf_is_id(c, e->record.end_tgid, (uint64_t)conf_result(c, 4)),
	       "which names who began it and who ended it");
	conf_stat(c, "tight", &s);
	tap_ok(s.windows == 1 && s.overruns == 1 && s.records == 1 && !s.lost,
	       "statistics: one window, over");
}

/* ---- what the calls return */

static int subject_misuse(void)
{
	static struct tlob_region *const stages[] = {&own, &roomy};
	struct other o = start_other(true);

	tell_result(1, tlob_end(&roomy, 5));
	tell_result(2, ask(&o, false, &roomy, 5));
	tell_result(3, tlob_begin(&roomy, 5));
	tell_result(4, tlob_begin(&roomy, 5));
	tell_result(5, ask(&o, true, &roomy, 5));
	tell_result(6, tlob_end(&own, 5));
	tell_result(7, ask(&o, false, &tight, 5));
	tell_result(8, ask(&o, false, &roomy, 6));
	tell_result(9, tlob_end(&roomy, 5));
	tell_result(10, ask(&o, false, &roomy, 5));
	tell_result(11, ask(&o, true, &roomy, 5));
	tell_result(12, tlob_begin(&own, 5));
	tell_result(13, tlob_end(&roomy, 5));
	tell_result(14, tlob_end(&own, 5));
	tell_result(15, tlob_chain(&own, stages, 2));
	tell_result(16, tlob_chain(&whole, stages, 2));
	end_other(&o);
	return 0;
}

static void check_misuse(struct conf *c)
{
	static const struct {
		const char *what;
		int64_t result;
	} cases[] = {
		{"end without begin is -ESRCH", -ESRCH},
		{"in the other process as well", -ESRCH},
		{"begin", 0},
		{"begin of what is open is -EEXIST", -EEXIST},
		{"in the other process as well", -EEXIST},
		{"a region of that name that is not shared has no such window", -ESRCH},
		{"nor another region", -ESRCH},
		{"nor another tag", -ESRCH},
		{"end where it began", 0},
		{"a second end is -ESRCH", -ESRCH},
		{"begin in the other process", 0},
		{"not shared, it is another window", 0},
		{"end in this one", 0},
		{"and that of the other window", 0},
		{"a chain is none of its stages", -EINVAL},
		{"and none of those is shared", -EINVAL},
	};

	CONF_RUN(c, "misuse");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		tap_ok(conf_result(c, i + 1) == cases[i].result, "%s (%ld)", cases[i].what,
		       conf_result(c, i + 1));
	tap_ok(c->nevents == 0, "no record");
}

/* ---- more than a process may have, and nobody else suffers */

static int subject_many(void)
{
	struct other o = start_other(true);
	int begun = 0, refused = 0, ended = 0;

	for (uint64_t tag = 1; tag <= MANY; tag++) {
		int r = tlob_begin(&roomy, tag);

		begun += r == 0;
		refused += r == -ENOSPC;
	}
	tell_result(1, begun);
	tell_result(2, refused);
	tell_result(3, ask(&o, true, &roomy, 1000));
	for (uint64_t tag = 1; tag <= MANY; tag++)
		ended += ask(&o, false, &roomy, tag) == 0;
	tell_result(4, ended);
	tell_result(5, tlob_begin(&roomy, 1));
	tell_result(6, tlob_end(&roomy, 1));
	tell_result(7, tlob_end(&roomy, 1000));
	end_other(&o);
	return 0;
}

static void check_many(struct conf *c)
{
	struct tlobctl_stat before = {0}, s = {0};

	conf_stat(c, "roomy", &before);
	CONF_RUN(c, "many");
	conf_stat(c, "roomy", &s);
	tap_ok(conf_result(c, 1) == ROOM && conf_result(c, 2) == MANY - ROOM,
	       "%ld are open at once, %ld too many", conf_result(c, 1), conf_result(c, 2));
	tap_ok(s.refused - before.refused == MANY - ROOM, "which are counted as refused");
	tap_ok(conf_result(c, 3) == 0, "another process has room of its own");
	tap_ok(conf_result(c, 4) == ROOM, "what was begun is found");
	tap_ok(!conf_result(c, 5) && !conf_result(c, 6) && !conf_result(c, 7),
	       "then there is room again");
}

/* ---- ends that are not ends */

/* -ESRCH, or what it is after 5 s: an agent takes its time to hear that a process has gone. */
static int until_gone(struct tlob_region *region, uint64_t tag)
{
	int r = 0;

	for (int i = 0; i < 500; i++) {
		r = tlob_begin(region, tag);
		if (r != -EEXIST)
			break;
		sleep_ns(10 * MS);
	}
	return r;
}

static int subject_killed(void)
{
	struct other o = start_other(true);

	tell_result(1, ask(&o, true, &tight, 1));
	tell_result(2, ask(&o, true, &roomy, 2));
	told_to_go();
	kill(o.pid, SIGKILL);
	end_other(&o);
	tell_result(3, until_gone(&roomy, 2));
	tell_result(4, tlob_end(&roomy, 2));
	tell_result(5, tlob_end(&tight, 1));
	return 0;
}

static bool got_tight(struct conf *c)
{
	return conf_find(c, TLOB_REC_OVERRUN, "tight", 1) != NULL;
}

static void check_killed(struct conf *c)
{
	struct tlobctl_stat before = {0}, s = {0};
	const struct conf_event *e;

	conf_stat(c, "roomy", &before);
	conf_reset(c);
	CONF_SPAWN(c, "killed");
	conf_pump(c, 8000, got_tight);
	conf_go(c);
	conf_pump(c, 20000, NULL);
	conf_stat(c, "roomy", &s);
	e = conf_find(c, TLOB_REC_CLOSE, "tight", 1);
	tap_ok(e && e->record.flags == (TLOB_F_TRANSIT | TLOB_F_ABANDONED) && !e->record.end_tid,
	       "its beginner is killed, over: the closing record says abandoned");
	tap_ok(s.abandoned == before.abandoned + 1 && conf_count(c, TLOB_REC_OVERRUN, NULL) == 1,
	       "in time: counted as abandoned");
	tap_ok(conf_result(c, 5) == -ESRCH, "it cannot be ended any more");
	tap_ok(!conf_result(c, 3) && !conf_result(c, 4), "and can be begun by another");
}

static int subject_widow(void)
{
	struct other o = start_other(true);

	tell_result(1, tlob_begin(&roomy, 1));
	tell_result(2, tlob_begin(&tight, 2));
	told_to_go();
	sleep_ns(1100 * MS); /* they look once in a second */
	tell_result(3, ask(&o, false, &roomy, 1));
	tell_result(4, ask(&o, false, &tight, 2));
	tell_result(5, tlob_end(&roomy, 1));
	tell_result(6, tlob_begin(&roomy, 1));
	end_other(&o);
	return 0;
}

static bool has_begun(struct conf *c)
{
	return conf_truth(c, 2) != NULL;
}

static void check_widow(struct conf *c)
{
	conf_orphan(c, "widow", has_begun);
	tap_ok(!conf_result(c, 1) && !conf_result(c, 2), "under an agent that will be killed");
	tap_ok(conf_result(c, 3) == -ECANCELED && conf_result(c, 4) == -ECANCELED &&
		       conf_result(c, 5) == -ECANCELED,
	       "ends say that they were not measured (%ld, %ld, %ld)", conf_result(c, 3),
	       conf_result(c, 4), conf_result(c, 5));
	tap_ok(conf_result(c, 6) == -EOPNOTSUPP, "begin: nobody is there for such windows (%ld)",
	       conf_result(c, 6));
}

/* ---- engines that have none */

static int subject_without(void)
{
	struct other o = start_other(false);

	tell_result(1, tlob_begin(&roomy, 1));
	tell_result(2, tlob_end(&roomy, 1));
	tell_result(3, ask(&o, false, &roomy, 1));
	end_other(&o);
	return 0;
}

static void check_without(struct conf *c)
{
	CONF_RUN(c, "without");
	tap_ok(conf_result(c, 1) == -EOPNOTSUPP, "begin is -EOPNOTSUPP (%ld)", conf_result(c, 1));
	tap_ok(conf_result(c, 2) == -EOPNOTSUPP && conf_result(c, 3) == -EOPNOTSUPP, "end too");
}

const struct conf_subject conf_subjects[] = {
	{"pass", subject_pass},	      {"late", subject_late},
	{"misuse", subject_misuse},   {"many", subject_many},
	{"killed", subject_killed},   {"widow", subject_widow},
	{"without", subject_without}, {NULL, NULL},
};

int conf_main(struct conf *c)
{
	tap_plan(c->bpf ? 4 + 8 + 17 + 5 + 4 + 3 : 2);
	conf_open(c);
	if (c->bpf) {
		check_pass(c);
		check_late(c);
		check_misuse(c);
		check_many(c);
		check_killed(c);
	} else {
		check_without(c);
	}
	conf_close(c);
	if (c->bpf)
		check_widow(c);
	return tap_done();
}
