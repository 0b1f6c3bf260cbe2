/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One window: within, over, while what; what the record says against the kernel's own books. */
#include "harness.h"

#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

TLOB_REGION(within, "within", TLOB_S(2));
TLOB_REGION(over, "over", TLOB_MS(20));
TLOB_REGION(live, "live", TLOB_MS(5));
TLOB_REGION(never, "never-entered", TLOB_MS(5));

#define WORK_NS 60000000u /* three budgets */

static int subject_within(void)
{
	for (uint64_t tag = 1; tag <= 100; tag++)
		one_window(&within, tag, spin_ns, 1000);
	return 7;
}

static int subject_over(void)
{
	bool sleeping = conf_argument && !strcmp(conf_argument, "sleep");
	struct sched_param urgent = {.sched_priority = 1};

	/* so that nothing else on the machine makes it wait; unprivileged it has to hope */
	sched_setscheduler(0, SCHED_FIFO, &urgent);
	for (uint64_t tag = 1; tag <= 5; tag++)
		one_window(&over, 0xfeed0000u + tag, sleeping ? sleep_ns : spin_ns, WORK_NS);
	return 0;
}

/* A child that spins on the same CPU takes about half of it. */
static int subject_hog(void)
{
	pid_t hog;

	pin_to(0);
	hog = fork();
	if (!hog) {
		spin_ns(20000000000u);
		_exit(0);
	}
	sleep_ns(20000000u);
	for (uint64_t tag = 1; tag <= 5; tag++)
		one_window(&over, tag, spin_ns, 200000000u);
	kill(hog, SIGKILL);
	waitpid(hog, NULL, 0);
	return 0;
}

/* Does not leave the window before the parent has seen the record. */
static int subject_live(void)
{
	tlob_window_t w = tlob_start(&live, 42);

	told_to_go();
	tell_result(42, tlob_stop(w));
	return 0;
}

/* Errors of the call itself. */
static int subject_misuse(void)
{
	tlob_window_t w = tlob_start(&within, 1);

	tell_result(1, tlob_stop(w));
	tell_result(2, tlob_stop(w)); /* again */
	tell_result(3, tlob_stop(TLOB_NO_WINDOW));
	tell_result(4, tlob_stop((tlob_window_t)0xdeadbeefdeadbeefu));
	return 0;
}

const struct conf_subject conf_subjects[] = {
	{"within", subject_within}, {"over", subject_over},	{"hog", subject_hog},
	{"live", subject_live},	    {"misuse", subject_misuse}, {NULL, NULL},
};

static void check_within(struct conf *c)
{
	struct tlobctl_stat s = {0};
	bool zero = true;

	CONF_RUN(c, "within");
	tap_ok(WIFEXITED(c->status) && WEXITSTATUS(c->status) == 7,
	       "subject ends with its own status");
	for (size_t i = 0; i < c->ntruths; i++)
		zero &= c->truths[i].result == 0;
	tap_ok(zero && c->ntruths == 100, "within budget: stop returns 0, 100 times");
	tap_ok(c->nevents == 0, "within budget: no record");
	tap_ok(conf_stat(c, "within", &s) && s.windows == 100 && !s.overruns && !s.lost,
	       "statistics: 100 windows, none over, none lost");
}

static uint64_t part(const struct tlob_record *r, enum tlob_state state)
{
	return state == TLOB_RUNNING ? r->running_ns :
	       state == TLOB_WAITING ? r->waiting_ns :
				       r->sleeping_ns;
}

/*
 * The closing record's split against schedstat: within 10 ms or a quarter, whatever is more. The books are read a little
 * before and after the window: where the thread lost the CPU just there, nothing can be compared. 1, 0, or -1 for that.
 */
static int agrees(const struct truth *t, const struct tlob_record *r)
{
	uint64_t wall = t->stop_ns - t->start_ns,
		 slack = wall / 4 > 10000000u ? wall / 4 : 10000000u;
	uint64_t busy = t->run_ns + t->wait_ns;
	uint64_t books[3] = {t->run_ns, t->wait_ns, wall > busy ? wall - busy : 0};

	if (wall - r->elapsed_ns > slack / 2 || busy > wall + slack / 2)
		return -1;
	for (int s = TLOB_RUNNING; s <= TLOB_SLEEPING; s++) {
		uint64_t ours = part(r, s),
			 diff = ours > books[s] ? ours - books[s] : books[s] - ours;

		if (diff > slack) {
			tap_note("state %d: record says %lu ns, schedstat %lu ns of %lu", s, ours,
				 books[s], wall);
			return 0;
		}
	}
	return 1;
}

static void check_over(struct conf *c, const char *how, enum tlob_state state, uint64_t first_tag)
{
	bool result = true, tags = true, states = true, dominant = true, early = true;
	int right = 0, differ = 0;
	const char *wrong;

	for (uint64_t tag = first_tag; tag < first_tag + 5; tag++) {
		const struct conf_event *o = conf_find(c, TLOB_REC_OVERRUN, "over", tag);
		const struct conf_event *e = conf_find(c, TLOB_REC_CLOSE, "over", tag);
		const struct truth *t = conf_truth(c, tag);

		if (!o || !e || !t) {
			tags = false;
			continue;
		}
		result &= t->result == -EOVERFLOW;
		/* beside a hog it takes turns: either may have the CPU at that moment */
		states &= state == TLOB_WAITING ? o->record.state != TLOB_SLEEPING :
						  o->record.state == (uint32_t)state;
		right += agrees(t, &e->record) == 1;
		differ += agrees(t, &e->record) == 0;
		early &= o->record.time_ns < e->record.time_ns;
		dominant &= part(&e->record, state) >= e->record.elapsed_ns / 3;
		tags &= o->record.budget_ns == 20000000u && e->record.tid == o->record.tid;
	}
	tap_ok(result, "over while %s: stop returns -EOVERFLOW", how);
	tap_ok(tags && conf_count(c, TLOB_REC_OVERRUN, NULL) == 5 &&
		       conf_count(c, TLOB_REC_CLOSE, NULL) == 5,
	       "over while %s: one record and one closing record each, tag and budget echoed", how);
	wrong = conf_pairs_wrong(c);
	tap_ok(!wrong, "over while %s: pairs and sums (%s)", how, wrong ? wrong : "hold");
	tap_ok(early, "over while %s: the record is older than the end", how);
	tap_ok(states, "over while %s: state at expiry", how);
	tap_ok(dominant, "over while %s: the dominant part is named", how);
	tap_ok(right >= 2 && !differ,
	       "over while %s: split agrees with schedstat (%d of 5, %d differ)", how, right,
	       differ);
}

static bool got_live(struct conf *c)
{
	return conf_find(c, TLOB_REC_OVERRUN, "live", 42) != NULL;
}

static void check_live(struct conf *c)
{
	bool in_time;

	conf_reset(c);
	CONF_SPAWN(c, "live");
	in_time = conf_pump(c, 8000, got_live);
	tap_ok(in_time, "the overrun record arrives while the window is still open");
	tap_ok(conf_count(c, TLOB_REC_CLOSE, "live") == 0, "and no closing record yet");
	conf_go(c);
	conf_pump(c, 20000, NULL);
	tap_ok(conf_result(c, 42) == -EOVERFLOW && conf_count(c, TLOB_REC_CLOSE, "live") == 1,
	       "the closing record follows the stop");
}

static void check_misuse(struct conf *c)
{
	CONF_RUN(c, "misuse");
	tap_ok(conf_result(c, 1) == 0, "stop returns 0");
	tap_ok(conf_result(c, 2) == -EINVAL, "a second stop is -EINVAL");
	tap_ok(conf_result(c, 3) == -ECANCELED, "stop of no window is -ECANCELED");
	tap_ok(conf_result(c, 4) == -EINVAL, "stop of nonsense is -EINVAL");
}

int conf_main(struct conf *c)
{
	tap_plan(4 + 3 * 7 + 3 + 4);
	(void)never;
	conf_open(c);
	check_within(c);
	CONF_RUN(c, "over", "spin");
	check_over(c, "spinning", TLOB_RUNNING, 0xfeed0001u);
	CONF_RUN(c, "over", "sleep");
	check_over(c, "sleeping", TLOB_SLEEPING, 0xfeed0001u);
	CONF_RUN(c, "hog");
	check_over(c, "preempted by a hog", TLOB_WAITING, 1);
	check_live(c);
	check_misuse(c);
	conf_close(c);
	return tap_done();
}
