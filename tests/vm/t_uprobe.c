// SPDX-License-Identifier: GPL-2.0-or-later
/* The control file: both grammars, their errors, and the windows of uprobe pairs. */
#include <pthread.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "trace.h"
#include "uprobe.h"

static unsigned long at_start, at_stop;

static const char *list(void)
{
	static char buf[4096];

	return read_file(MONITOR_FILE, buf, sizeof(buf));
}

static int line(const char *format, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	return write_file(MONITOR_FILE, text);
}

/* ---- tlob_parse_uprobe of the origin, against the real file ---- */

static void decimal_offsets(void)
{
	check(line("5000:%lu:%lu:%s\n", at_start, at_stop, self()) == 0);
	check(line("-%lu:%s", at_start, self()) == 0);
}

static void hex_offsets(void)
{
	char want[512];

	check(line("5000:0x%lx:0x%lx:%s", at_start, at_stop, self()) == 0);
	snprintf(want, sizeof(want), "p %s:0x%lx 0x%lx threshold=5000000\n", self(), at_start,
		 at_stop);
	check(strcmp(list(), want) == 0, "'%s'", list()); /* E4 */
	check(line("-0x%lx:%s", at_start, self()) == 0);
	check(list()[0] == '\0');
}

static int copy_self(const char *to)
{
	char cmd[600];

	snprintf(cmd, sizeof(cmd), "cp %s '%s'", self(), to);
	return system(cmd);
}

static void path_with_colon(void)
{
	check(copy_self("/tmp/a:b c") == 0);
	check(line("5000:0x%lx:0x%lx:/tmp/a:b c", at_start, at_stop) == 0);
	check(line("-0x%lx:/tmp/a:b c", at_start) == 0);
	check(bind_ns("/tmp/a:b c", at_start, at_stop, MS) == 0);
	check(strstr(list(), "p /tmp/a:b c:0x"), "%s", list());
	check(unbind("/tmp/a:b c", at_start) == 0);
	unlink("/tmp/a:b c");
}

static void zero_threshold(void)
{
	check(line("0:1:2:%s", self()) == -EINVAL);
	check(line("p %s:0x1 0x2 threshold=0", self()) == -ERANGE);
}

static void empty_path(void)
{
	check(line("5000:1:2:") == -EINVAL);
	check(line("p :1 2 threshold=5000") == -EINVAL);
}

static void too_few_fields(void)
{
	check(line("5000:1:/bin/sh") == -EINVAL);
	check(line("p /bin/sh:1 threshold=5000") == -EINVAL);
	check(line("p /bin/sh:1 2") == -EINVAL);
}

static void negative_offset(void)
{
	check(line("5000:-1:2:/bin/sh") == -EINVAL && line("5000:1:-2:/bin/sh") == -EINVAL);
	check(line("p /bin/sh:-1 2 threshold=5000") == -EINVAL);
}

static void parse_invalid_rejected(void)
{
	static const char *const bad[] = {
		"",
		"\n",
		"p",
		"p ",
		"x",
		"5000",
		"5000:1:2:sh",
		"5000 :1:2:/bin/sh",
		"0x10:1:2:/bin/sh",
		"99999999999999999999:1:2:/bin/sh",
		"5000:0xffffffffffffffffff:2:/bin/sh",
		"5000:1x:2:/bin/sh",
		"p /bin/sh:1 2 threshold=",
		"p /bin/sh:1 2 threshold=5000x",
		"p /bin/sh:1 2 threshold=5000 extra",
		"p /bin/sh:1 1 threshold=5000",
		"p bin/sh:1 2 threshold=5000",
		"p /bin/sh:1x 2 threshold=5000",
		"p /bin/sh 1 2 threshold=5000",
		"p /bin/sh:1 2 limit=5000",
		"p /bin/sh:1 2 3 threshold=-5",
		"p /bin/sh:1 2,3 threshold=5000",
		"p /bin/sh:1 exit= threshold=5000",
		"p /bin/sh:1 exit=2, threshold=5000",
		"p /bin/sh:1 exit=2;3 threshold=5000",
		"p /bin/sh:1 exit=2,-3 threshold=5000",
		"p /bin/sh:1 returns threshold=5000",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check(line("%s", bad[i]) == -EINVAL, "'%s'", bad[i]);
}

/* A line of the listing adds what it lists; so do the forms for whole functions. */
static void whole_functions(void)
{
	char want[512];

	check(line("p %s:0x%lx return threshold=5000000", self(), at_start) == 0);
	snprintf(want, sizeof(want), "p %s:0x%lx return threshold=5000000\n", self(), at_start);
	check(strcmp(list(), want) == 0, "'%s'", list());
	check(unbind(self(), at_start) == 0);
	snprintf(want, sizeof(want), "p %s:0x%lx exit=0x%lx,0x%lx threshold=10000\n", self(),
		 at_start, at_start + 4, at_stop);
	check(line("%s", want) == 0);
	check(strcmp(list(), want) == 0, "'%s'", list());
	trace_begin();
	mark_start();
	mark_start();
	mark_stop(); /* of nothing */
	trace_end();
	check(unbind(self(), at_start) == 0);
	check(list()[0] == '\0');
}

static void parse_out_of_range_rejected(void)
{
	check(line("p %s:1 2 threshold=999", self()) == -ERANGE);
	check(line("p %s:1 2 threshold=3600000000001", self()) == -ERANGE);
	check(line("3600000001:1:2:%s", self()) == -ERANGE);
	check(line("18446744073709551:1:2:%s", self()) == -ERANGE);
}

static void remove_invalid_rejected(void)
{
	static const char *const bad[] = {"-",	      "-abc",	     "-/:0x100", "-bin/sh:1",
					  "-/bin/sh", "-/bin/sh:-1", "-1:sh",	 "-1:"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check(line("%s", bad[i]) == -EINVAL, "'%s'", bad[i]);
}

static void remove_unknown(void) /* E3 */
{
	check(line("-0x10:%s", self()) == -ENOENT);
	check(line("-0x10:/no/such/file") == -ENOENT);
	check(unbind("/no/such/file", 16) == -ENOENT);
}

static void add_errors(void) /* E5 */
{
	char text[1024];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	check(write_file(MONITOR_FILE, text) == -EINVAL, "long line");
	check(bind_ns("/no/such", 1, 2, MS) == -ENOENT);
	check(bind_ns("/bin", 1, 2, MS) == -EINVAL, "directory");
	check(bind_ns("/dev/null", 1, 2, MS) == -EINVAL, "device");
	check(bind_ns(self(), 0x7fffffff0000, 2, MS) == -EINVAL, "beyond the end");
	check(bind_ns(self(), at_start, 0x7fffffff0000, MS) == -EINVAL, "stop beyond the end");
	check(list()[0] == '\0', "%s", list());
}

static void uprobe_duplicate_offset(void) /* E6 */
{
	check(bind_ns(self(), at_start, at_stop, MS) == 0);
	check(bind_ns(self(), at_start, at_stop + 1, MS) == -EEXIST);
	unlink("/tmp/hard");
	if (link(self(), "/tmp/hard") != 0) {
		check(copy_self("/tmp/copy") == 0 && link("/tmp/copy", "/tmp/hard") == 0);
		check(bind_ns("/tmp/copy", at_start, at_stop, MS) == 0);
	}
	check(bind_ns("/tmp/hard", at_start, at_stop, MS) == -EEXIST,
	      "a hard link is the same file");
	check(unbind(self(), at_start) == 0);
	unbind("/tmp/copy", at_start);
	unlink("/tmp/hard");
	unlink("/tmp/copy");
	check(list()[0] == '\0');
}

/* ---- windows ---- */

static void uprobe_no_false_positive(void)
{
	trace_begin();
	for (int i = 0; i < 50; i++) {
		mark_start();
		sleep_ns(2 * MS);
		mark_stop();
	}
	trace_end();
	check(trace_count("error_env_tlob", NULL, 0) == 0);
}

static void uprobe_no_event(void)
{
	check(bind_ns(self(), at_start, at_stop, 2000 * MS) == 0);
	trace_begin();
	for (int i = 0; i < 50; i++) {
		mark_start();
		mark_stop();
	}
	trace_end();
	check(trace_count("error_env_tlob", NULL, 0) == 0 &&
	      trace_count("tlob_budget_exceeded", NULL, 0) == 0);
	check(unbind(self(), at_start) == 0);
}

static void uprobe_violation(void)
{
	char detail[512], error[512], one[512];
	unsigned long long sum;

	check(bind_ns(self(), at_start, at_stop, 10000) == 0);
	trace_begin();
	mark_start();
	spin_ns(20 * MS);
	mark_stop();
	trace_end();
	check(trace_count("error_env_tlob", error, sizeof(error)) == 1, "%s", trace_text);
	check(trace_count("detail_env_tlob", detail, sizeof(detail)) == 1);
	check(trace_count("tlob_budget_exceeded", one, sizeof(one)) == 1);
	check(strstr(error, "clk_elapsed=") && strstr(error, "budget_exceeded"), "%s", error);
	check(trace_field(detail, "threshold_ns") == 10000);
	check(trace_field(detail, "pid") == (unsigned int)getpid());
	sum = trace_field(detail, "running_ns") + trace_field(detail, "waiting_ns") +
	      trace_field(detail, "sleeping_ns");
	check(sum >= 10000 && sum == trace_field(error, "clk_elapsed"), "%s; %s", error, detail);
	check(strstr(one, "t_uprobe[") && trace_field(one, "tag") == at_start, "%s", one);
	check(unbind(self(), at_start) == 0);
}

static void uprobe_unbind(void)
{
	unsigned int before = rv_tasks();

	/* unbinding itself may take some tens of ms */
	check(bind_ns(self(), at_start, at_stop, 500 * MS) == 0);
	trace_begin();
	mark_start();
	check(rv_tasks() == before + 1 || before > 0);
	check(unbind(self(), at_start) == 0);
	sleep_ns(600 * MS);
	mark_stop();
	mark_start();
	trace_end();
	check(trace_count("error_env_tlob", NULL, 0) == 0);
	check(rv_tasks_become(before));
}

static void uprobe_independent_thresholds(void)
{
	check(copy_self("/tmp/other") == 0);
	check(bind_ns(self(), at_start, at_stop, 5000 * MS) == 0);
	check(bind_ns(self(), at_stop, at_start, 10000) == 0);
	trace_begin();
	mark_start(); /* opens the first */
	mark_stop(); /* closes it, opens the second */
	spin_ns(5 * MS);
	mark_start(); /* closes the second, opens the first */
	mark_stop();
	mark_start();
	trace_end();
	check(trace_count("error_env_tlob", NULL, 0) >= 1);
	check(unbind(self(), at_start) == 0 && unbind(self(), at_stop) == 0);
	unlink("/tmp/other");
}

static void recursion(void)
{
	check(bind_ns(self(), at_start, at_stop, 250 * MS) == 0);
	trace_begin();
	/* the outer one is late, the inner ones are not */
	mark_start();
	for (int i = 0; i < 10; i++) {
		mark_start();
		mark_start();
		sleep_ns(30 * MS);
		mark_stop();
		mark_stop();
	}
	mark_stop();
	trace_end();
	check(trace_count("error_env_tlob", NULL, 0) == 1, "%d",
	      trace_count("error_env_tlob", NULL, 0));
	/* deeper than the depth: refused, and nothing breaks */
	for (int i = 0; i < 20; i++)
		mark_start();
	for (int i = 0; i < 20; i++)
		mark_stop();
	check(unbind(self(), at_start) == 0);
}

static void from_hit_to_hit(void)
{
	check(line("300000:0x%lx:0x%lx:%s", at_start, at_start, self()) == 0);
	trace_begin();
	for (int i = 0; i < 5; i++) {
		mark_start();
		sleep_ns(i == 2 ? 400 * MS : MS);
	}
	trace_end();
	check(trace_count("error_env_tlob", NULL, 0) == 1, "%d",
	      trace_count("error_env_tlob", NULL, 0));
	check(line("-0x%lx:%s", at_start, self()) == 0);
}

static void uprobe_ends_no_ioctl_window(void) /* C21 */
{
	int fd = rv_open();

	check(bind_ns(self(), at_start, at_stop, 1000 * MS) == 0);
	check(rv_start(fd, 10000 * MS, -1, 0) == 0);
	mark_start();
	mark_stop();
	mark_stop();
	check(rv_stop(fd) == 0);
	check(unbind(self(), at_start) == 0);
	close(fd);
}

static void bound_while_disabled(void) /* E8 */
{
	tlob_set_enabled(false);
	check(bind_ns(self(), at_start, at_stop, 1000) == 0);
	trace_begin();
	mark_start();
	spin_ns(2 * MS);
	mark_stop();
	tlob_set_enabled(true);
	mark_start();
	spin_ns(2 * MS);
	mark_stop();
	trace_end();
	check(trace_count("error_env_tlob", NULL, 0) == 1);
	tlob_set_enabled(false);
	check(list()[0] == '\0', "disabling removes: %s", list());
	tlob_set_enabled(true);
}

static void detail(const char *dominant, uint64_t budget, void (*work)(void))
{
	char text[512], key[32];
	unsigned long long all, one;

	check(bind_ns(self(), at_start, at_stop, budget) == 0);
	trace_begin();
	mark_start();
	work();
	mark_stop();
	trace_end();
	check(trace_count("detail_env_tlob", text, sizeof(text)) == 1, "%s", dominant);
	snprintf(key, sizeof(key), "%s_ns", dominant);
	one = trace_field(text, key);
	all = trace_field(text, "running_ns") + trace_field(text, "waiting_ns") +
	      trace_field(text, "sleeping_ns");
	check(one > all / 2, "%s: %s", dominant, text);
	check(all >= budget, "%s", text);
	check(unbind(self(), at_start) == 0);
}

static void work_running(void)
{
	spin_ns(200 * MS);
}

static void work_sleeping(void)
{
	sleep_ns(200 * MS);
}

static void *hog(void *arg)
{
	struct sched_param p = {50};
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	sched_setaffinity(0, sizeof(set), &set);
	sched_setscheduler(0, SCHED_FIFO, &p);
	spin_ns(600 * MS);
	return arg;
}

static void work_waiting(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, hog, NULL);
	spin_ns(700 * MS);
	pthread_join(thread, NULL);
}

static void detail_running_dominates(void)
{
	detail("running", 50 * MS, work_running);
}

static void detail_sleeping_dominates(void)
{
	detail("sleeping", 50 * MS, work_sleeping);
}

static void detail_waiting_dominates(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	sched_setaffinity(0, sizeof(set), &set);
	detail("waiting", 400 * MS, work_waiting);
	CPU_SET(1, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void uprobe_restart(void)
{
	check(bind_ns(self(), at_start, at_stop, 390 * MS) == 0);
	trace_begin();
	for (int i = 0; i < 4; i++) {
		mark_start();
		sleep_ns(100 * MS); /* together they are over */
		mark_stop();
	}
	trace_end();
	check(trace_count("error_env_tlob", NULL, 0) == 0);
	check(unbind(self(), at_start) == 0);
}

static void many_tasks_one_binary(void) /* A11 */
{
	pid_t pids[8];

	check(bind_ns(self(), at_start, at_stop, 500 * MS) == 0);
	trace_begin();
	for (int i = 0; i < 8; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			mark_start();
			sleep_ns(i % 2 ? 700 * MS : MS);
			mark_stop();
			_exit(0);
		}
	}
	for (int i = 0; i < 8; i++)
		waitpid(pids[i], NULL, 0);
	trace_end();
	check(trace_count("error_env_tlob", NULL, 0) == 4, "%d",
	      trace_count("error_env_tlob", NULL, 0));
	check(unbind(self(), at_start) == 0);
	check(rv_tasks_become(0) || rv_tasks() <= 1);
}

int main(void)
{
	static const struct tap_test tests[] = {
		T(decimal_offsets),
		ALSO(hex_offsets,
		     "uprobe_bind, parse_valid_accepted, remove_valid_accepted, format_accepted"),
		T(path_with_colon),
		T(zero_threshold),
		T(empty_path),
		T(too_few_fields),
		T(negative_offset),
		ALSO(parse_invalid_rejected, "format_rejected"),
		T(whole_functions),
		T(parse_out_of_range_rejected),
		T(remove_invalid_rejected),
		T(remove_unknown),
		T(add_errors),
		T(uprobe_duplicate_offset),
		T(uprobe_no_false_positive),
		T(uprobe_no_event),
		ALSO(uprobe_violation, "error_env_format"),
		T(uprobe_unbind),
		ALSO(uprobe_independent_thresholds, "uprobe_multi"),
		T(recursion),
		T(from_hit_to_hit),
		T(uprobe_ends_no_ioctl_window),
		T(bound_while_disabled),
		ALSO(detail_running_dominates, "uprobe_detail_running"),
		ALSO(detail_sleeping_dominates, "uprobe_detail_sleeping"),
		ALSO(detail_waiting_dominates, "uprobe_detail_waiting"),
		T(uprobe_restart),
		ALSO(many_tasks_one_binary, "monitor_other_task"),
	};

	at_start = file_offset(mark_start);
	at_stop = file_offset(mark_stop);
	tlob_set_enabled(true);
	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
