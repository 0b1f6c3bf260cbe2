/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ends that are not stops: thread exit, process exit, exec, fork, a stopped process, a killed or late agent. */
#include "harness.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

TLOB_REGION(open_ended, "open-ended", TLOB_MS(300));
TLOB_REGION(brief, "brief", TLOB_MS(5));
TLOB_REGION(roomy, "roomy", TLOB_S(100));

static void *leave_open(void *arg)
{
	tlob_start(&open_ended, 1);
	return NULL;
}

/* A thread leaves with its window open; the process stays past the budget. */
static int subject_thread_exit(void)
{
	pthread_t t;

	pthread_create(&t, NULL, leave_open, NULL);
	pthread_join(t, NULL);
	sleep_ns(600000000u);
	one_window(&roomy, 2, spin_ns, 1000);
	return 0;
}

static int subject_process_exit(void)
{
	tlob_start(&open_ended, 1);
	_exit(3);
}

static int subject_exec(void)
{
	tlob_start(&open_ended, 1);
	execl("/bin/sleep", "sleep", "0.6", NULL);
	return 1;
}

/* Exits inside a window that is over already: the overrun gets an abandoned close. */
static int subject_exit_over(void)
{
	tlob_start(&brief, 9);
	spin_ns(30000000u);
	_exit(0);
}

/* Becomes another program, which lives on, inside a window that is over. */
static int subject_exec_over(void)
{
	tlob_start(&brief, 10);
	sleep_ns(30000000u);
	execl("/bin/sleep", "sleep", "0.6", NULL);
	return 1;
}

/* A child starts with no window, cannot stop its parent's, and measures its own. */
static int subject_fork(void)
{
	tlob_window_t w = tlob_start(&open_ended, 1);
	pid_t child = fork();
	int status;

	if (!child) {
		tell_result(2, tlob_stop(w));
		tell_result(3, tlob_stop(tlob_start(&roomy, 3)));
		one_window(&brief, 4, spin_ns, 20000000u);
		_exit(0);
	}
	waitpid(child, &status, 0);
	tell_result(5, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	tell_result(1, tlob_stop(w));
	return 0;
}

static int subject_vfork(void)
{
	tlob_window_t w = tlob_start(&roomy, 1);
	pid_t child = vfork();

	if (!child) {
		(void)tlob_stop(tlob_start(&roomy, 2));
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	waitpid(child, NULL, 0);
	tell_result(1, tlob_stop(w));
	return 0;
}

/* Stopped by the parent for longer than the budget: time passes, and counts as sleeping. */
static int subject_stopped(void)
{
	tlob_window_t w;

	w = tlob_start(&open_ended, 7);
	tell_result(100, getpid());
	spin_ns(100000000u); /* the signal comes meanwhile */
	tell_result(7, tlob_stop(w));
	return 0;
}

static int engine_code(void)
{
	const char *name = tlob_engine();

	if (!strcmp(name, "kernel"))
		return TLOB_ENGINE_KERNEL;
	return !strcmp(name, "bpf")  ? TLOB_ENGINE_BPF :
	       !strcmp(name, "user") ? TLOB_ENGINE_USER :
				       0;
}

/* The agent dies inside the first window; later windows go on without it. */
static int subject_widow(void)
{
	tlob_window_t w;

	tell_result(10, engine_code());
	w = tlob_start(&roomy, 1);
	tell_result(11, 0);
	told_to_go();
	sleep_ns(300000000u);
	tell_result(1, tlob_stop(w));
	for (int i = 0; i < 200; i++) { /* time to notice */
		(void)tlob_stop(tlob_start(&brief, 0));
		sleep_ns(5000000u);
	}
	tell_result(2, tlob_stop(tlob_start(&roomy, 2)));
	w = tlob_start(&brief, 3);
	spin_ns(30000000u);
	tell_result(3, tlob_stop(w));
	tell_result(12, engine_code());
	return 0;
}

/* Starts before its agent; told when the agent is there. */
static int subject_early(void)
{
	(void)tlob_stop(tlob_start(&brief, 0));
	tell_result(1, engine_code());
	told_to_go();
	for (int i = 0; i < 1000; i++) { /* 5 s at most, as in a loop of 200 Hz */
		(void)tlob_stop(tlob_start(&roomy, 0));
		sleep_ns(5000000u);
	}
	one_window(&brief, 2, spin_ns, 30000000u);
	return 0;
}

const struct conf_subject conf_subjects[] = {
	{"thread-exit", subject_thread_exit},
	{"process-exit", subject_process_exit},
	{"exec", subject_exec},
	{"exec-over", subject_exec_over},
	{"exit-over", subject_exit_over},
	{"fork", subject_fork},
	{"vfork", subject_vfork},
	{"stopped", subject_stopped},
	{"widow", subject_widow},
	{"early", subject_early},
	{NULL, NULL},
};

static void check_result(struct conf *c, uint64_t tag, int want, const char *what)
{
	tap_ok(conf_result(c, tag) == want, "%s (%ld)", what, conf_result(c, tag));
}

/* Overrun @tag was closed when its program had gone, however long what came after it lives. */
static void check_abandoned(struct conf *c, uint64_t tag)
{
	const struct conf_event *e = conf_find(c, TLOB_REC_CLOSE, "brief", tag);
	const char *wrong = conf_pairs_wrong(c);

	tap_ok(e && (e->record.flags & TLOB_F_ABANDONED) && e->record.elapsed_ns < 550000000u,
	       "and is closed as abandoned");
	tap_ok(!wrong, "with two records that fit (%s)", wrong ? wrong : "well");
}

static void check_exits(struct conf *c)
{
	struct tlobctl_stat s = {0};

	CONF_RUN(c, "thread-exit");
	tap_ok(c->nevents == 0,
	       "thread exit inside a window: no record, though the process outlives the budget");
	check_result(c, 2, 0, "and other threads go on");
	CONF_RUN(c, "process-exit");
	conf_pump(c, 500, NULL);
	tap_ok(c->nevents == 0 && WEXITSTATUS(c->status) == 3,
	       "process exit inside a window: no record");
	CONF_RUN(c, "exec");
	tap_ok(c->nevents == 0,
	       "exec inside a window: no record, though the new program outlives the budget");
	tap_ok(conf_stat(c, "open-ended", &s) && s.windows == 0 && s.overruns == 0,
	       "none of them counts as a window or an overrun");
	CONF_RUN(c, "exit-over");
	conf_pump(c, 300, NULL);
	tap_ok(conf_count(c, TLOB_REC_OVERRUN, "brief") == 1,
	       "exit inside an overrun: the overrun stays");
	check_abandoned(c, 9);
	CONF_RUN(c, "exec-over");
	conf_pump(c, 300, NULL);
	check_abandoned(c, 10);
}

static void check_forks(struct conf *c)
{
	CONF_RUN(c, "fork");
	check_result(c, 2, -ECANCELED, "fork: the child cannot stop its parent's window");
	check_result(c, 3, 0, "fork: the child measures its own");
	check_result(c, 4, -EOVERFLOW, "fork: and its overruns");
	check_result(c, 5, 0, "fork: the child ends well");
	check_result(c, 1, 0, "fork: the parent's window is untouched");
	tap_ok(conf_count(c, TLOB_REC_OVERRUN, "brief") == 1,
	       "fork: the child's overrun reaches the agent");
	CONF_RUN(c, "vfork");
	check_result(c, 1, 0, "vfork: the parent's window is untouched");
}

static bool has_pid(struct conf *c)
{
	return conf_truth(c, 100) != NULL;
}

static void check_stopped(struct conf *c)
{
	const struct conf_event *e;
	pid_t pid;

	conf_reset(c);
	CONF_SPAWN(c, "stopped");
	conf_pump(c, 10000, has_pid);
	pid = c->pid;
	kill(pid, SIGSTOP);
	conf_pump(c, 800, NULL);
	if (conf_engine(c) != TLOBCTL_ENGINE_USER)
		tap_ok(conf_find(c, TLOB_REC_OVERRUN, "open-ended", 7) != NULL,
		       "SIGSTOP: the overrun is noticed while the process is stopped");
	else
		tap_skip(1, "engine user is stopped together with its process");
	kill(pid, SIGCONT);
	conf_pump(c, 10000, NULL);
	check_result(c, 7, -EOVERFLOW, "SIGSTOP: stop returns -EOVERFLOW");
	e = conf_find(c, TLOB_REC_CLOSE, "open-ended", 7);
	tap_ok(e && e->record.sleeping_ns > e->record.elapsed_ns / 2,
	       "SIGSTOP: the time counts as sleeping");
	tap_ok(conf_count(c, TLOB_REC_OVERRUN, "open-ended") == 1, "SIGSTOP: one record");
}

static bool is_inside(struct conf *c)
{
	return conf_truth(c, 11) != NULL;
}

static void check_widow(struct conf *c)
{
	conf_orphan(c, "widow", is_inside);
	tap_ok(WIFEXITED(c->status) && !WEXITSTATUS(c->status),
	       "killed agent: the program goes on");
	check_result(c, 10, conf_engine(c), "killed agent: it was measured by that engine before");
	tap_ok(conf_truth(c, 1) && conf_truth(c, 1)->result != -EOVERFLOW,
	       "killed agent: the open window is no overrun");
	check_result(c, 12, TLOB_ENGINE_USER, "killed agent: engine user takes over");
	check_result(c, 2, 0, "killed agent: windows within budget are");
	check_result(c, 3, -EOVERFLOW, "killed agent: overruns are noticed");
}

static bool told_engine(struct conf *c)
{
	return conf_truth(c, 1) != NULL;
}

static void check_early(struct conf *c)
{
	const struct conf_event *e;
	bool kernel = conf_engine(c) == TLOBCTL_ENGINE_KERNEL;
	int hold = conf_hold(c);

	conf_reset(c);
	snprintf(c->socket, sizeof(c->socket), "/tmp/tlob-early-%d.sock", getpid());
	CONF_SPAWN(c, "early");
	conf_pump(c, 10000, told_engine);
	check_result(c, 1, kernel ? TLOB_ENGINE_KERNEL : TLOB_ENGINE_USER,
		     "late agent: the program begins without one");
	{
		struct tlobctl_opts opts = {.size = sizeof(opts), .socket = c->socket};

		opts.engine = conf_engine(c);
		if (tlobctl_open(&opts, &c->ctl) < 0)
			tap_give_up("%s", tlobctl_error());
	}
	conf_go(c);
	conf_pump(c, 20000, NULL);
	e = conf_find(c, TLOB_REC_OVERRUN, "brief", 2);
	tap_ok(e != NULL, "late agent: the program finds it, the agent gets its records");
	conf_close(c);
	close(hold);
	tap_ok(access(c->socket, F_OK) != 0, "late agent: its socket is gone after it");
}

int conf_main(struct conf *c)
{
	tap_plan(10 + 7 + 4 + 6 + 3);
	conf_open(c);
	check_exits(c);
	check_forks(c);
	check_stopped(c);
	conf_close(c);
	c->ctl = NULL;
	check_widow(c);
	check_early(c);
	return tap_done();
}
