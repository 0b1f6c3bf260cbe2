// SPDX-License-Identifier: GPL-2.0-or-later
/* tlob watch: watch whatever runs on this machine, linked programs that join included. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup.h"
#include "session.h"

#define AGENT_FOLDER "/run/tlob"
#define AGENT_SOCKET AGENT_FOLDER "/agent.sock"

static const struct cli_option option_pid = {'p', "pid", "PID", "probes fire for this process only",
					     CLI_PID(struct cli_settings, pid)};
static const struct cli_option option_top = {
	0, "top", NULL, "draw the summary so far, over and over, instead of\neach overrun",
	CLI_FLAG(struct cli_settings, top)};
static const struct cli_option option_cgroup = {
	'c', "cgroup", "CGROUP", "probes fire in this control group (version 2) only",
	CLI_TEXT(struct cli_settings, cgroup)};
static const struct cli_option option_duration = {'d', "duration", "TIME",
						  "stop after this time: 500ms, 10s, 5m, 1h",
						  CLI_DURATION(struct cli_settings, duration_ns)};

static int watch_session(struct cli_session *s)
{
	const struct cli_settings *settings = s->settings;
	struct tlobctl_opts opts = {.size = sizeof(opts),
				    .engine = settings->engine,
				    .why = settings->why,
				    .history_bytes = settings->history.bytes,
				    .history_ns = settings->history.ns,
				    .interrupts = settings->interrupts,
				    .sample_hz = settings->sample_hz,
				    .good_share = settings->good_share,
				    .socket = AGENT_SOCKET,
				    .pid = settings->pid};
	int status;

	if (settings->cgroup) {
		status = cli_cgroup_id(settings->cgroup, &opts.cgroup_id);
		if (status)
			return status;
	}
	if (settings->pid && kill(settings->pid, 0) && errno == ESRCH)
		return cli_error(CLI_ERROR, "no process %d", (int)settings->pid);
	if ((mkdir(AGENT_FOLDER, 0755) && errno != EEXIST) || access(AGENT_FOLDER, W_OK))
		return cli_error(
			CLI_ERROR,
			"cannot write to %s, where programs find tlob: %m; run tlob watch as root",
			AGENT_FOLDER);
	status = cli_session_open(s, &opts);
	if (status)
		return status;
	cli_session_announce(s, NULL, 0);
	status = cli_session_loop(s, NULL,
				  settings->duration_ns ? s->begun_ns + settings->duration_ns : 0);
	return status ? status : cli_session_finish(s, -1);
}

static int watch_main(const struct cli_command *self, int argc, char **argv)
{
	struct cli_settings settings = {.why = TLOBCTL_WHY_CULPRIT};
	struct cli_session s;
	int status;
	int first = cli_options_parse(self, argc, argv, &settings, &status);

	if (first >= 0 && first < argc) {
		status = cli_usage("unexpected '%s'; to start a program use tlob run", argv[first]);
	} else if (first >= 0) {
		/* standard output is JSON's alone if it goes there */
		bool taken = settings.json && !strcmp(settings.json, "-");

		status = cli_session_init(&s, "watch", &settings,
					  taken ? STDERR_FILENO : STDOUT_FILENO);
		if (!status)
			status = watch_session(&s);
		status = cli_session_deinit(&s, status);
	}
	cli_settings_deinit(&settings);
	return status;
}

const struct cli_command cli_watch = {
	.name = "watch",
	.synopsis = "[OPTION]...",
	.summary = "watch the whole machine",
	.about = "Watches regions in whatever runs on this machine, and programs linked with\n"
		 "libtlob that join, until Ctrl-C; prints each overrun while it happens, then a\n"
		 "summary.",
	.options = (const struct cli_option *const[]){&cli_option_region,
						      &cli_option_chain,
						      &option_pid,
						      &option_cgroup,
						      &option_duration,
						      &option_top,
						      &cli_option_engine,
						      &cli_option_json,
						      &cli_option_hgrm,
						      &cli_option_metrics,
						      &cli_option_why,
						      &cli_option_history,
						      &cli_option_interrupts,
						      &cli_option_sample_rate,
						      &cli_option_good_share,
						      &cli_option_fail,
						      &cli_option_quiet,
						      &cli_option_color,
						      &cli_option_help,
						      NULL},
	.main = watch_main,
};
