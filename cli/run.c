// SPDX-License-Identifier: GPL-2.0-or-later
/* tlob run: start a program, watch it and its descendants, sum up when it ends. */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "session.h"

/* How the program finds this process. */
struct address {
	char socket[48];
	char token[TLOB_TOKEN_BYTES];
	char agent[48 + TLOB_TOKEN_BYTES]; /* both, for TLOB_AGENT */
};

static int random_text(char *text, size_t size)
{
	unsigned char random[TLOB_TOKEN_BYTES];
	size_t n = (size - 1) / 2;

	if (getrandom(random, n, 0) != (ssize_t)n)
		return -1;
	for (size_t i = 0; i < n; i++)
		sprintf(text + 2 * i, "%02x", random[i]);
	return 0;
}

/*
 * Abstract, so that nothing is left behind however tlob ends; random, so that nobody can take the
 * name first. Anybody can read it in /proc/net/unix, so who comes must bring the token too.
 */
static int make_address(struct address *a)
{
	char random[17];

	if (random_text(random, sizeof(random)) || random_text(a->token, sizeof(a->token)))
		return -1;
	snprintf(a->socket, sizeof(a->socket), "@tlob-run-%d-%s", (int)getpid(), random);
	snprintf(a->agent, sizeof(a->agent), "%s,%s", a->socket, a->token);
	return 0;
}

static int run_session(struct cli_session *s, struct cli_child *child, char **argv,
		       const struct address *address)
{
	struct tlobctl_opts opts = {.size = sizeof(opts),
				    .engine = s->settings->engine,
				    .why = s->settings->why,
				    .history_bytes = s->settings->history.bytes,
				    .history_ns = s->settings->history.ns,
				    .interrupts = s->settings->interrupts,
				    .sample_hz = s->settings->sample_hz,
				    .good_share = s->settings->good_share,
				    .socket = address->socket,
				    .token = address->token,
				    .pid = child->pid,
				    .children = true};
	int status = cli_session_open(s, &opts);
	int err;

	if (status)
		return status;
	cli_session_announce(s, argv, child->pid);
	err = cli_child_release(child);
	if (err)
		return cli_error((enum cli_exit)cli_child_exit_status(child),
				 "cannot execute '%s': %s", argv[0], strerror(err));
	status = cli_session_loop(s, child, 0);
	if (status)
		return status;
	return cli_session_finish(s, cli_child_exit_status(child));
}

static int run(const struct cli_settings *settings, char **argv)
{
	struct cli_session s;
	struct cli_child child = {0};
	struct address address;
	int status = cli_session_init(&s, "run", settings, STDERR_FILENO);

	if (!status &&
	    (make_address(&address) || cli_child_fork(&child, argv, address.agent, &s.signals)))
		status = cli_error(CLI_ERROR, "cannot start a process: %m");
	if (!status)
		status = run_session(&s, &child, argv, &address);
	cli_child_deinit(&child);
	status = cli_session_deinit(&s, status);
	return status;
}

static int run_main(const struct cli_command *self, int argc, char **argv)
{
	struct cli_settings settings = {.why = TLOBCTL_WHY_CULPRIT};
	int status;
	int first = cli_options_parse(self, argc, argv, &settings, &status);

	if (first >= 0) {
		status = first < argc ?
				 cli_child_check(argv[first]) :
				 cli_usage("no program to run: tlob run [options] -- PROGRAM");
		if (!status)
			status = run(&settings, argv + first);
	}
	cli_settings_deinit(&settings);
	return status;
}

const struct cli_command cli_run = {
	.name = "run",
	.synopsis = "[OPTION]... [--] PROGRAM [ARGUMENT]...",
	.summary = "run a program and report its overruns",
	.about = "Runs PROGRAM and prints each overrun while it happens, then a summary, to\n"
		 "standard error. Regions marked in code linked with libtlob are watched without\n"
		 "-r. Exits with the status of PROGRAM, unless --fail is given.",
	.options =
		(const struct cli_option *const[]){
			&cli_option_region, &cli_option_chain, &cli_option_engine, &cli_option_json,
			&cli_option_hgrm, &cli_option_metrics, &cli_option_why, &cli_option_history,
			&cli_option_interrupts, &cli_option_sample_rate, &cli_option_good_share,
			&cli_option_fail, &cli_option_quiet, &cli_option_color, &cli_option_help,
			NULL},
	.main = run_main,
};
