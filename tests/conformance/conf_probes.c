/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Windows on an unmodified program, by probe pairs: engines bpf and kernel. The program is probee.c. */
#include "harness.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>

const struct conf_subject conf_subjects[] = {{NULL, NULL}};

static char probee[PATH_MAX], thrower[PATH_MAX];

static void open_for(struct conf *c, pid_t pid)
{
	struct tlobctl_opts opts = {
		.size = sizeof(opts),
		.engine = conf_engine(c),
		.pid = pid,
		.ring_bytes = 16 << 20, /* so that no record is lost on a busy machine */
	};

	if (tlobctl_open(&opts, &c->ctl) < 0)
		tap_give_up("%s", tlobctl_error());
}

static void run_probee(struct conf *c, const char *mode, const char *count, const char *ms)
{
	conf_reset(c);
	CONF_EXEC(c, probee, mode, count, ms);
	conf_go(c);
	conf_pump(c, 30000, NULL);
}

/* One region, one mode, how many records. */
static void check_simple(struct conf *c)
{
	const struct conf_event *e;
	struct tlobctl_stat s = {0};
	const char *wrong;
	bool right = true;

	open_for(c, 0);
	tap_ok(conf_add(c, "%s:work_spin@20ms", probee) == 1, "function: entry to return attaches");
	run_probee(c, "spin", "50", "1");
	tap_ok(c->nevents == 0 && conf_stat(c, "work_spin", &s) && s.windows == 50,
	       "within budget: 50 windows, no record");
	run_probee(c, "spin", "3", "60");
	for (size_t i = 0; i < c->nevents; i++) {
		e = &c->events[i];
		right &= (e->record.flags & TLOB_F_PROBE) &&
			 conf_is_id(c, e->record.tgid, (uint64_t)c->pid) &&
			 !strcmp(e->region, "work_spin") && e->record.budget_ns == 20000000u;
		if (e->record.type == TLOB_REC_CLOSE)
			right &= e->record.running_ns + e->record.waiting_ns > 50000000u &&
				 e->record.sleeping_ns < 5000000u;
	}
	tap_ok(right && conf_count(c, TLOB_REC_OVERRUN, "work_spin") == 3,
	       "over while spinning: one record each, right split");
	wrong = conf_pairs_wrong(c);
	tap_ok(!wrong, "pairs and sums (%s)", wrong ? wrong : "hold");
	tap_ok(conf_stat(c, "work_spin", &s) && s.windows == 53 && s.overruns == 3 && s.lost == 0,
	       "statistics agree");
	tap_ok(conf_add(c, "naps=%s:work_sleep@20ms", probee) == 1,
	       "a second region joins while attached");
	run_probee(c, "sleep", "2", "60");
	e = conf_find(c, TLOB_REC_OVERRUN, "naps", 0);
	tap_ok(e && e->record.state == TLOB_SLEEPING, "over while sleeping: state at expiry");
	tap_ok(e && e->seen_ns < e->record.start_ns + 60000000u, "the record came while it slept");
	conf_close(c);
}

static void check_shapes(struct conf *c)
{
	const char *wrong;

	open_for(c, 0);
	tap_ok(conf_add(c, "ac=%s:mark_a..mark_c@30ms", probee) == 1 &&
		       conf_add(c, "bc=%s:mark_b..mark_c@30ms", probee) == 1 &&
		       conf_add(c, "ab=%s:mark_a..mark_b@200ms", probee) == 1,
	       "three pairs over three addresses, two sharing a stop, two a start");
	run_probee(c, "marks", "2", "50");
	tap_ok(conf_count(c, TLOB_REC_OVERRUN, "ac") == 2 &&
		       conf_count(c, TLOB_REC_OVERRUN, "bc") == 2 &&
		       conf_count(c, TLOB_REC_OVERRUN, "ab") == 0,
	       "each has its own windows and its own budget");
	wrong = conf_pairs_wrong(c);
	tap_ok(!wrong, "pairs and sums (%s)", wrong ? wrong : "hold");
	conf_close(c);

	open_for(c, 0);
	tap_ok(conf_add(c, "%s:outer@20ms", probee) == 1 &&
		       conf_add(c, "%s:inner@20ms", probee) == 1 &&
		       conf_add(c, "%s:recursive@20ms", probee) == 1,
	       "nested and recursive functions attach");
	run_probee(c, "nested", "2", "50");
	tap_ok(conf_count(c, TLOB_REC_OVERRUN, "outer") == 2 &&
		       conf_count(c, TLOB_REC_OVERRUN, "inner") == 2,
	       "nested: both are over");
	run_probee(c, "recursive", "1", "50");
	tap_ok(conf_count(c, TLOB_REC_OVERRUN, "recursive") == 4,
	       "recursion: each of 4 levels is over");
	wrong = conf_pairs_wrong(c);
	tap_ok(!wrong, "pairs and sums (%s)", wrong ? wrong : "hold");
	run_probee(c, "deep", "1", "50");
	{
		struct tlobctl_stat s = {0};

		tap_ok(conf_count(c, TLOB_REC_OVERRUN, "recursive") == 8 &&
			       conf_stat(c, "recursive", &s) && s.refused == 4,
		       "recursion beyond the depth: 8 measured, 4 refused (%lu)", s.refused);
	}
	wrong = conf_pairs_wrong(c);
	tap_ok(!wrong, "the inner 4 stops do not end outer windows (%s)",
	       wrong ? wrong : "sums hold");
	conf_close(c);

	open_for(c, 0);
	tap_ok(conf_add(c, "%s:alpha_*@20ms", probee) == 2, "glob: one region per function");
	run_probee(c, "alpha", "1", "50");
	tap_ok(conf_count(c, TLOB_REC_OVERRUN, "alpha_one") == 1 &&
		       conf_count(c, TLOB_REC_OVERRUN, "alpha_two") == 1,
	       "glob: each has its record");
	conf_close(c);
}

static void check_ends(struct conf *c)
{
	open_for(c, 0);
	conf_add(c, "%s:never_returns@200ms", probee);
	run_probee(c, "leave", "1", "400");
	tap_ok(c->nevents == 0,
	       "a thread that exits inside: no record, though its process outlives the budget");
	conf_close(c);
}

/* Starts whose stop never comes. */
static void check_lost_stops(struct conf *c)
{
	struct tlobctl_stat s = {0};
	bool found;

	open_for(c, 0);
	conf_add(c, "%s:leaps@40ms", probee);
	run_probee(c, "leap", "1", "80");
	found = conf_stat(c, "leaps", &s);
	tap_ok(found && s.windows == 1 && s.abandoned == 20 && s.refused == 0,
	       "20 times out of a function by longjmp: 1 measured, 20 abandoned (%lu, %lu)",
	       s.windows, s.abandoned);
	tap_ok(c->nevents == 2 && conf_count(c, TLOB_REC_OVERRUN, "leaps") == 1,
	       "and only the call that was late is reported (%zu)", c->nevents);
	conf_close(c);

	open_for(c, 0);
	conf_add(c, "ac=%s:mark_a..mark_c@40ms", probee);
	run_probee(c, "restarts", "1", "1");
	run_probee(c, "marks", "1", "30");
	found = conf_stat(c, "ac", &s);
	tap_ok(found && s.windows == 1 && s.refused == 0 && s.abandoned == 20,
	       "20 starts without a stop: the last one counts (%lu)", s.abandoned);
	conf_close(c);
}

/* A probe on the return of a function through which an exception passes kills the program. */
static void check_exceptions(struct conf *c)
{
	struct tlobctl_stat s = {0};
	bool found;

	open_for(c, 0);
	tap_ok(conf_add(c, "%s:throws@40ms", thrower) == 1 &&
		       conf_add(c, "%s:caught@40ms", thrower) == 1 &&
		       conf_add(c, "%s:leaves@40ms", thrower) == 1,
	       "C++: whole functions attach");
	conf_reset(c);
	CONF_EXEC(c, thrower, "21", "80");
	conf_go(c);
	conf_pump(c, 30000, NULL);
	tap_ok(WIFEXITED(c->status) && WEXITSTATUS(c->status) == 0,
	       "C++: exceptions pass, and the program ends as it should (status 0x%x)", c->status);
	/* 11 of 21 calls return, and 2 of the 3 that leaves() makes */
	found = conf_stat(c, "throws", &s);
	tap_ok(found && s.windows == 13 && s.abandoned == 11,
	       "C++: 13 calls that returned are measured, 11 that threw abandoned (%lu, %lu)",
	       s.windows, s.abandoned);
	found = conf_stat(c, "caught", &s);
	tap_ok(found && s.windows == 23 && s.abandoned == 0,
	       "C++: all 23 calls of the function that catches are measured (%lu)", s.windows);
	found = conf_stat(c, "leaves", &s);
	tap_ok(found && s.windows == 7 && s.abandoned == 1 && s.refused == 0,
	       "C++: so are 7 of 8 that end in a place each (%lu, %lu)", s.windows, s.abandoned);
	tap_ok(conf_count(c, TLOB_REC_OVERRUN, "throws") == 1 &&
		       conf_count(c, TLOB_REC_OVERRUN, "caught") == 1 && c->nevents == 4,
	       "C++: only the call that was late is reported (%zu)", c->nevents);
	conf_close(c);
}

static int copy(const char *to)
{
	char command[3 * PATH_MAX];

	snprintf(command, sizeof(command), "cp '%s' '%s'", probee, to);
	return system(command);
}

static void check_odd_path(struct conf *c)
{
	char dir[] = "/tmp/tlob odd: a=b@c XXXXXX", path[128], kept[PATH_MAX];

	if (!mkdtemp(dir))
		exit(1);
	snprintf(path, sizeof(path), "%s/pro:bee 1", dir);
	tap_ok(copy(path) == 0, "a copy under %s", path);
	open_for(c, 0);
	tap_ok(conf_add(c, "odd=%s:work_spin@10ms", path) == 1,
	       "a path with ':', '=', '@' and blanks attaches");
	strcpy(kept, probee);
	strcpy(probee, path);
	run_probee(c, "spin", "1", "40");
	strcpy(probee, kept);
	tap_ok(conf_count(c, TLOB_REC_OVERRUN, "odd") == 1, "and is measured");
	conf_close(c);
	unlink(path);
	rmdir(dir);
}

static void check_filters(struct conf *c)
{
	struct conf other = {.truth_fd = -1, .command_fd = -1};
	size_t mine = 0;

	conf_reset(c);
	CONF_EXEC(c, probee, "spin", "2", "40");
	CONF_EXEC(&other, probee, "spin", "2", "40");
	open_for(c, c->pid);
	tap_ok(conf_add(c, "%s:work_spin@10ms", probee) == 1,
	       "attaches to a process that runs already");
	conf_go(&other);
	conf_pump(&other, 5000, NULL);
	conf_go(c);
	conf_pump(c, 5000, NULL);
	for (size_t i = 0; i < c->nevents; i++)
		mine += conf_is_id(c, c->events[i].record.tgid, (uint64_t)c->pid) &&
			c->events[i].record.tgid == c->events[0].record.tgid;
	tap_ok(mine == 4 && c->nevents == 4, "only that process is measured");
	conf_close(c);

	conf_reset(c);
	CONF_EXEC(c, probee, "exec", "16", "40");
	open_for(c, c->pid);
	conf_add(c, "%s:work_spin@10ms", probee);
	conf_go(c);
	conf_pump(c, 5000, NULL);
	tap_ok(conf_count(c, TLOB_REC_OVERRUN, "work_spin") >= 4,
	       "also after an exec that another of its threads has called (%zu of 16)",
	       conf_count(c, TLOB_REC_OVERRUN, "work_spin"));
	conf_close(c);

	conf_reset(c);
	CONF_EXEC(c, probee, "sleep", "2", "40");
	open_for(c, c->pid);
	tap_ok(conf_add(c, "libc.so.6:usleep@10ms") == 1,
	       "a library of a running process, by its name");
	conf_go(c);
	conf_pump(c, 5000, NULL);
	tap_ok(conf_count(c, TLOB_REC_OVERRUN, "usleep") == 2, "and is measured");
	conf_close(c);
}

/* The program lives on a file system that only its own mount namespace has. */
static void check_mount_namespace(struct conf *c)
{
	char command[2 * PATH_MAX];

	snprintf(
		command, sizeof(command),
		"mount -t tmpfs none /mnt && cp '%s' /mnt/only-here && exec /mnt/only-here spin 2 40",
		probee);
	conf_reset(c);
	CONF_EXEC(c, "/usr/bin/unshare", "-m", "/bin/sh", "-c", command);
	sleep_ns(500000000u);
	if (waitpid(c->pid, &c->status, WNOHANG)) {
		tap_skip(3, "unshare -m is not permitted here (status %d)", c->status);
		return;
	}
	open_for(c, c->pid);
	tap_ok(access("/mnt/only-here", F_OK) != 0, "the binary does not exist here");
	tap_ok(conf_add(c, "/mnt/only-here:work_spin@10ms") == 1,
	       "another mount namespace: attaches by the path inside");
	conf_go(c);
	conf_pump(c, 5000, NULL);
	tap_ok(conf_count(c, TLOB_REC_OVERRUN, "work_spin") == 2,
	       "another mount namespace: is measured");
	conf_close(c);
}

/* Nobody reads the kick ring, which fills up. */
static void check_unread_kicks(struct conf *c)
{
	const struct conf_event *last = NULL;
	uint64_t window = 0;

	open_for(c, 0);
	tap_ok(conf_add(c, "%s:work_spin@100us", probee) == 1, "short windows: attaches");
	conf_reset(c);
	CONF_EXEC(c, probee, "hasty", "1", "100");
	conf_go(c);
	waitid(P_PID, (id_t)c->pid, &(siginfo_t){0}, WEXITED | WNOWAIT);
	conf_pump(c, 30000, NULL);
	for (size_t i = 0; i < c->nevents; i++)
		if (c->events[i].record.type == TLOB_REC_CLOSE &&
		    c->events[i].record.elapsed_ns > 90000000u)
			window = c->events[i].record.window;
	for (size_t i = 0; i < c->nevents; i++)
		if (c->events[i].record.type == TLOB_REC_OVERRUN &&
		    c->events[i].record.window == window)
			last = &c->events[i];
	tap_ok(window && last && !(last->record.flags & TLOB_F_AT_STOP) &&
		       last->record.elapsed_ns < 50000000u,
	       "an agent that stands still: windows expire while they are open (after %lu us)",
	       last ? (unsigned long)(last->record.elapsed_ns / 1000) : 0);
	conf_close(c);
}

static int count_links(void)
{
	uint32_t id = 0;
	int n = 0;

	while (!bpf_link_get_next_id(id, &id))
		n++;
	return n;
}

static int count_programs(void)
{
	uint32_t id = 0;
	int n = 0;

	while (!bpf_prog_get_next_id(id, &id))
		n++;
	return n;
}

/* An agent with a probe. */
static pid_t fork_agent(struct conf *c)
{
	int ready[2];
	char byte;
	pid_t pid;

	if (pipe(ready))
		exit(1);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		open_for(c, 0);
		if (conf_add(c, "%s:work_spin@10ms", probee) != 1 || write(ready[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			tlobctl_poll(c->ctl, 1000, NULL, NULL);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		exit(1);
	close(ready[0]);
	return pid;
}

static void check_kill(struct conf *c)
{
	int links = count_links(), programs = count_programs(), during;
	pid_t pid = fork_agent(c);

	during = count_links();
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (int i = 0; i < 100 && (count_links() > links || count_programs() > programs); i++)
		sleep_ns(50000000u);
	tap_ok(during > links, "agent attached: %d links more than before", during - links);
	tap_ok(count_links() <= links, "killed agent: no link is left");
	tap_ok(count_programs() <= programs, "killed agent: no program is left");
}

#define MONITOR "/sys/kernel/debug/rv/monitors/tlob/"

static bool monitor_says(const char *file, const char *what)
{
	char path[128], text[64] = "";
	FILE *f;

	snprintf(path, sizeof(path), MONITOR "%s", file);
	f = fopen(path, "r");
	if (!f || !fgets(text, sizeof(text), f))
		text[0] = '\0';
	if (f)
		fclose(f);
	return !strcmp(text, what);
}

static void check_kill_kernel(struct conf *c)
{
	pid_t pid = fork_agent(c);

	conf_reset(c);
	CONF_EXEC(c, probee, "spin", "1", "300");
	conf_go(c);
	sleep_ns(150000000u);
	tap_ok(monitor_says("enable", "1\n") && monitor_says("tasks", "1\n"),
	       "agent attached: the monitor is enabled, one thread is measured");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (int i = 0; i < 100 && !monitor_says("enable", "0\n"); i++)
		sleep_ns(50000000u);
	tap_ok(monitor_says("enable", "0\n"), "killed agent: the monitor is disabled again");
	tap_ok(monitor_says("tasks", "0\n"), "killed agent: no thread is measured");
	conf_pump(c, 5000, NULL);
}

int conf_main(struct conf *c)
{
	char self[PATH_MAX] = "";

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return 1;
	snprintf(probee, sizeof(probee), "%s/probee", dirname(self));
	snprintf(thrower, sizeof(thrower), "%.*s_throw", PATH_MAX - 8, probee);
	if (!c->bpf && strcmp(c->engine, "kernel")) {
		printf("1..0 # SKIP engine user has no probes\n");
		return 0;
	}
	tap_plan(8 + 11 + 1 + 3 + 6 + 3 + 5 + 3 + 2 + 3);
	check_simple(c);
	check_shapes(c);
	check_ends(c);
	check_lost_stops(c);
	check_exceptions(c);
	check_odd_path(c);
	check_filters(c);
	check_mount_namespace(c);
	check_unread_kicks(c);
	if (c->bpf)
		check_kill(c);
	else
		check_kill_kernel(c);
	return tap_done();
}
