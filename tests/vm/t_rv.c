// SPDX-License-Identifier: GPL-2.0-or-later
/* The runtime-verification side: control tree, reactors, tracepoints. */
#include <signal.h>
#include <sys/wait.h>

#include "trace.h"

static int rv;
static char buf[4096];

static void tracefs_files(void)
{
	check(strcmp(read_file(TLOB_DIR "desc", buf, sizeof(buf)),
		     "Per-task latency-over-budget monitor.\n") == 0);
	check(access(TLOB_DIR "enable", R_OK | W_OK) == 0);
	check(access(TLOB_DIR "monitor", R_OK | W_OK) == 0);
	check(strstr(read_file(RV_DIR "available_monitors", buf, sizeof(buf)), "tlob\n") != NULL);
	check(strcmp(read_file(RV_DIR "available_reactors", buf, sizeof(buf)),
		     "nop\nprintk\npanic\nsignal\n") == 0);
	check(strcmp(read_file(TLOB_DIR "reactors", buf, sizeof(buf)),
		     "[nop]\nprintk\npanic\nsignal\n") == 0);
	check(access(TRACE_DIR "events/rv_tlob/error_env_tlob/format", R_OK) == 0);
}

static void enable_disable(void)
{
	for (int i = 0; i < 5; i++) {
		check(write_file(TLOB_DIR "enable", "1") == 0);
		check(strcmp(read_file(TLOB_DIR "enable", buf, sizeof(buf)), "1\n") == 0);
		check(strstr(read_file(RV_DIR "enabled_monitors", buf, sizeof(buf)), "tlob\n") !=
		      NULL);
		check(write_file(TLOB_DIR "enable", "1") == 0);
		check(write_file(TLOB_DIR "enable", "0") == 0);
		check(strstr(read_file(RV_DIR "enabled_monitors", buf, sizeof(buf)), "tlob") ==
		      NULL);
	}
	check(write_file(RV_DIR "enabled_monitors", "tlob") == 0);
	check(strcmp(read_file(TLOB_DIR "enable", buf, sizeof(buf)), "1\n") == 0);
	check(write_file(RV_DIR "enabled_monitors", "!tlob") == 0);
	check(strcmp(read_file(TLOB_DIR "enable", buf, sizeof(buf)), "0\n") == 0);
	check(write_file(RV_DIR "enabled_monitors", "nosuch") == -EINVAL);
	check(write_file(TLOB_DIR "enable", "x") == -EINVAL);
	check(write_file(TLOB_DIR "reactors", "nosuch") == -EINVAL);
	tlob_set_enabled(true);
}

static void overrun(void)
{
	check(rv_start(rv, 2 * MS, -1, 0x123) == 0);
	sleep_ns(20 * MS);
	check(rv_stop(rv) == -EOVERFLOW);
}

static void budget_exceeded_on_cpu(void)
{
	char line[512];

	trace_begin();
	check(rv_start(rv, 2 * MS, -1, 0x123) == 0);
	spin_ns(30 * MS);
	check(rv_stop(rv) == -EOVERFLOW);
	trace_end();
	check(trace_count("tlob_budget_exceeded", line, sizeof(line)) == 1);
	check(strstr(line, "t_rv[") && trace_field(line, "threshold") == 2 * MS &&
	      trace_field(line, "tag") == 0x123);
	check(trace_field(line, "running") + trace_field(line, "waiting") +
		      trace_field(line, "sleeping") >=
	      2 * MS);
}

static void budget_exceeded_off_cpu(void)
{
	char line[512];

	trace_begin();
	overrun();
	trace_end();
	check(trace_count("tlob_budget_exceeded", line, sizeof(line)) == 1);
	check(strstr(line, "state=sleeping") && trace_field(line, "switches") >= 1, "%s", line);
	check(trace_field(line, "sleeping") > 0);
}

static void threshold_field_accuracy(void)
{
	static const uint64_t ns[] = {500000, 1000000, 3000000};
	char line[512];

	for (int i = 0; i < 3; i++) {
		trace_begin();
		check(rv_start(rv, ns[i], -1, 0) == 0);
		sleep_ns(20 * MS);
		check(rv_stop(rv) == -EOVERFLOW);
		trace_end();
		check(trace_count("tlob_budget_exceeded", line, sizeof(line)) == 1);
		check(trace_field(line, "threshold") == ns[i]);
	}
}

static void no_error_within_budget(void)
{
	trace_begin();
	for (int i = 0; i < 100; i++) {
		check(rv_start(rv, 2000 * MS, -1, 0) == 0);
		check(rv_stop(rv) == 0);
	}
	trace_end();
	check(trace_count("error_env_tlob", NULL, 0) == 0 &&
	      trace_count("tlob_budget_exceeded", NULL, 0) == 0);
}

static void event_format(void)
{
	check(write_file(TRACE_DIR "events/rv_tlob/event_tlob/enable", "1") == 0);
	write_file(TRACE_DIR "trace", "");
	check(rv_start(rv, 10000 * MS, -1, 0) == 0);
	sleep_ns(10 * MS);
	check(rv_stop(rv) == 0);
	trace_end();
	check(trace_count("event_tlob", NULL, 0) >= 4, "%d", trace_count("event_tlob", NULL, 0));
	check(strstr(trace_text, "running x start -> running (final)"));
	check(strstr(trace_text, "running x sleep -> sleeping") &&
	      strstr(trace_text, "sleeping x wakeup -> waiting"));
	check(strstr(trace_text, "waiting x switch_in -> running"));
}

static volatile sig_atomic_t signals;

static void count(int sig)
{
	(void)sig;
	signals++;
}

static void reactor_signal(void)
{
	check(write_file(TLOB_DIR "reactors", "signal") == 0);
	check(strstr(read_file(TLOB_DIR "reactors", buf, sizeof(buf)), "[signal]") != NULL);
	signal(SIGUSR1, count);
	signals = 0;
	check(rv_start(rv, 2 * MS, -1, 0) == 0);
	spin_ns(30 * MS);
	check(rv_stop(rv) == -EOVERFLOW);
	spin_ns(10 * MS);
	check(signals == 1, "%d", (int)signals);
	check(write_file(RV_DIR "reacting_on", "0") == 0);
	overrun();
	spin_ns(10 * MS);
	check(signals == 1, "%d", (int)signals);
	check(write_file(RV_DIR "reacting_on", "1") == 0);
	check(write_file(TLOB_DIR "reactors", "nop") == 0);
	signal(SIGUSR1, SIG_DFL);
}

static void reactor_printk(void)
{
	int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	bool found = false;
	ssize_t n;

	lseek(kmsg, 0, SEEK_END);
	check(write_file(TLOB_DIR "reactors", "printk") == 0);
	overrun();
	sleep_ns(50 * MS);
	while ((n = read(kmsg, buf, sizeof(buf) - 1)) > 0) {
		buf[n] = '\0';
		if (strstr(buf, "rv: monitor tlob: t_rv[") &&
		    strstr(buf, "over its budget of 2000000 ns"))
			found = true;
	}
	check(found);
	check(write_file(TLOB_DIR "reactors", "nop") == 0);
	close(kmsg);
}

static void monitoring_on(void)
{
	check(write_file(RV_DIR "monitoring_on", "0") == 0);
	check(rv_start(rv, 10 * MS, -1, 0) == -ENODEV);
	check(write_file(RV_DIR "monitoring_on", "1") == 0);
	check(rv_start(rv, 10000 * MS, -1, 0) == 0);
	check(rv_stop(rv) == 0);
}

/* Another monitor on the same core: its model does not hold, so it reports before long. */
static void wwnr(void)
{
	check(write_file(RV_DIR "monitors/wwnr/enable", "1") == 0);
	check(strstr(read_file(RV_DIR "enabled_monitors", buf, sizeof(buf)), "wwnr\n") != NULL);
	check(write_file(TRACE_DIR "events/rv_wwnr/error_wwnr/enable", "1") == 0);
	check(write_file(TRACE_DIR "events/rv_wwnr/event_wwnr/enable", "1") == 0);
	write_file(TRACE_DIR "trace", "");
	for (int i = 0; i < 200; i++) {
		if (fork() == 0) {
			sleep_ns(MS);
			_exit(0);
		}
		sleep_ns(MS);
	}
	while (wait(NULL) > 0)
		;
	check(write_file(TRACE_DIR "events/rv_wwnr/enable", "0") == 0);
	read_file(TRACE_DIR "trace", trace_text, sizeof(trace_text));
	check(trace_count("event_wwnr", NULL, 0) > 100, "%d", trace_count("event_wwnr", NULL, 0));
	check(strstr(trace_text, "not_running x switch_in -> running") != NULL);
	check(strstr(trace_text, "running x switch_out -> not_running (final)") != NULL);
	printf("# wwnr: %d errors in the last %d events\n", trace_count("error_wwnr", NULL, 0),
	       trace_count("event_wwnr", NULL, 0));
	for (int i = 0; i < 3; i++) {
		check(write_file(RV_DIR "monitors/wwnr/enable", "0") == 0);
		check(write_file(RV_DIR "monitors/wwnr/enable", "1") == 0);
	}
	/* both at once, and unloading disables what is enabled */
	check(rv_start(rv, 2 * MS, -1, 0) == 0);
	sleep_ns(20 * MS);
	check(rv_stop(rv) == -EOVERFLOW);
}

int main(void)
{
	static const struct tap_test tests[] = {
		T(tracefs_files),
		T(enable_disable),
		T(budget_exceeded_on_cpu),
		T(budget_exceeded_off_cpu),
		T(threshold_field_accuracy),
		T(no_error_within_budget),
		T(event_format),
		T(reactor_signal),
		T(reactor_printk),
		T(monitoring_on),
		T(wwnr),
	};

	rv = rv_open();
	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
