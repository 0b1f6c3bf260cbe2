/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the program lives: pid namespace, without privilege. */
#include "harness.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

TLOB_REGION(brief, "brief", TLOB_MS(10));

#define NOBODY 65534

/* Runs subject "over" of this program again, after whatever its caller changed about itself. */
static int again(void)
{
	execl("/proc/self/exe", "conf", "--subject", "over", NULL);
	return 94;
}

static int subject_over(void)
{
	tell_result(100, getpid());
	one_window(&brief, 1, spin_ns, 1000);
	one_window(&brief, 2, spin_ns, 40000000u);
	one_window(&brief, 3, sleep_ns, 40000000u);
	return 0;
}

static int subject_pidns(void)
{
	int status;
	pid_t pid;

	if (unshare(CLONE_NEWPID | CLONE_NEWNS))
		return 93;
	pid = fork();
	if (!pid) {
		if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		    mount("proc", "/proc", "proc", 0, NULL))
			_exit(92);
		_exit(again());
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static int subject_nobody(void)
{
	if (setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY))
		return 91;
	return again();
}

const struct conf_subject conf_subjects[] = {
	{"over", subject_over},
	{"pidns", subject_pidns},
	{"nobody", subject_nobody},
	{NULL, NULL},
};

static void check_measured(struct conf *c, const char *where)
{
	const struct truth *t1 = conf_truth(c, 1), *t2 = conf_truth(c, 2), *t3 = conf_truth(c, 3);
	const struct conf_event *spin = conf_find(c, TLOB_REC_OVERRUN, "brief", 2);
	const struct conf_event *sleep = conf_find(c, TLOB_REC_OVERRUN, "brief", 3);
	const char *wrong = conf_pairs_wrong(c);

	tap_ok(t1 && t2 && t3 && t2->result == -EOVERFLOW && t3->result == -EOVERFLOW,
	       "%s: overruns are noticed", where);
	tap_ok(spin && sleep && !wrong, "%s: one pair of records each (%s)", where,
	       wrong ? wrong : "sums hold");
	tap_ok(sleep && sleep->record.state == TLOB_SLEEPING, "%s: sleeping is told from running",
	       where);
}

/* The whole session without privilege, in a process that gives up its own. */
static void check_unprivileged_session(struct conf *c)
{
	pid_t pid;
	int status, hold;

	if (c->bpf) {
		tap_skip(1, "engine bpf needs CAP_BPF and CAP_PERFMON");
		return;
	}
	fflush(stdout);
	hold = conf_hold(c);
	pid = fork();
	if (!pid) {
		const struct conf_event *e;

		if (setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY))
			_exit(2);
		conf_open(c);
		CONF_RUN(c, "over");
		e = conf_find(c, TLOB_REC_CLOSE, "brief", 3);
		_exit(e && !conf_pairs_wrong(c) && conf_count(c, TLOB_REC_OVERRUN, "brief") >= 2 ?
			      0 :
			      1);
	}
	waitpid(pid, &status, 0);
	close(hold);
	tap_ok(WIFEXITED(status) && !WEXITSTATUS(status),
	       "session and program as nobody: overruns are noticed, sums hold (%d)", status);
}

int conf_main(struct conf *c)
{
	tap_plan(1 + 3 + 1 + 3);
	check_unprivileged_session(c);
	conf_open(c);
	CONF_RUN(c, "pidns");
	if (WEXITSTATUS(c->status) == 93) {
		tap_skip(4, "unshare(CLONE_NEWPID) is not permitted here");
	} else {
		check_measured(c, "pid namespace");
		tap_ok(conf_result(c, 100) == 1, "pid namespace: it was pid 1 there");
	}
	CONF_RUN(c, "nobody");
	check_measured(c, "unprivileged client");
	conf_close(c);
	return tap_done();
}
