/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A window against two lttng-ust tracepoints in the same process, recording into a snapshot session (overwrite mode, nothing
 * is written to disk). The session is private: its own LTTNG_HOME and its own session daemon, ended afterwards.
 */
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "tests/bench/lttng_tp.h"

#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TLOB_REGION(second, "one second", TLOB_S(1));

static void windows(long n)
{
	while (n--)
		(void)tlob_stop(tlob_start(&second, 1));
}

static void tracepoints(long n)
{
	while (n--) {
		lttng_ust_tracepoint(tlob_bench, start, 1, 1000000000);
		lttng_ust_tracepoint(tlob_bench, stop, 1, 0);
	}
}

static int measured(const char *name)
{
	char what[80];

	if (strcmp(tlob_engine(), name)) {
		fprintf(stderr, "bench: measured by engine %s, not %s\n", tlob_engine(), name);
		return 1;
	}
	/* lttng-ust registers in a thread of its own */
	for (int i = 0; i < 500 && !lttng_ust_tracepoint_enabled(tlob_bench, start); i++)
		usleep(10000);
	if (!lttng_ust_tracepoint_enabled(tlob_bench, start)) {
		bench_note("lttng-ust: the session did not enable the tracepoints: not compared");
		return 0;
	}
	bench_pin(1);
	snprintf(what, sizeof(what), "%s: start + stop : two lttng-ust tracepoints", name);
	bench_pair(what, windows, tracepoints, 50000, 1);
	return bench_status();
}

static int run(const char *command)
{
	return system(command) ? 1 : 0;
}

static int both(enum tlobctl_engine engine, const char *name)
{
	char socket[64];
	pid_t agent;
	int status;

	snprintf(socket, sizeof(socket), "@tlob-bench-lttng-%s-%d", name, getpid());
	agent = bench_agent(engine, socket);
	status = bench_again(socket, (const char *[]){"bench_lttng", name, NULL}, NULL, 0);
	bench_agent_end(agent);
	return status;
}

int main(int argc, char **argv)
{
	char home[] = "/tmp/tlob-bench-lttng-XXXXXX", command[128];
	int status = 0;

	if (argc > 1)
		return measured(argv[1]);
	if (!mkdtemp(home))
		return 1;
	setenv("LTTNG_HOME", home, 1);
	setenv("LTTNG_UST_REGISTER_TIMEOUT", "-1", 1);
	if (run("lttng-sessiond --daemonize --no-kernel >/dev/null 2>&1") ||
	    run("lttng create tlob-bench --snapshot >/dev/null 2>&1") ||
	    run("lttng enable-event -u 'tlob_bench:*' >/dev/null 2>&1") ||
	    run("lttng start >/dev/null 2>&1"))
		bench_note("lttng-ust: no session daemon or it runs already: not compared");
	else
		status = both(TLOBCTL_ENGINE_BPF, "bpf") | both(TLOBCTL_ENGINE_USER, "user");
	run("lttng destroy tlob-bench >/dev/null 2>&1");
	run("pkill -f 'lttng-sessiond --daemonize --no-kernel' >/dev/null 2>&1");
	snprintf(command, sizeof(command), "rm -rf '%s'", home);
	run(command);
	return status;
}
