// SPDX-License-Identifier: GPL-2.0-or-later
/* tlob timerlat: how late this machine's timers, interrupts and wake-ups are, whatever the program. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "format.h"
#include "hgrm.h"
#include "signals.h"
#include "timerlat.h"
#include "when.h"

#define REDRAW_NS CLI_NS_PER_S

struct session {
	const struct timerlat_settings *settings;
	struct timerlat_load load;
	struct cli_signals signals;
	struct cli_terminal term;
	struct cli_json json; /* out NULL: not wanted */
	struct tlobctl_timerlat *t;
	struct timerlat_rows rows;
	char title[128];
	uint64_t begun_ns;
};

static int init(struct session *s)
{
	const struct timerlat_settings *o = s->settings;
	/* standard output is JSON's alone if it goes there */
	bool taken = o->json && !strcmp(o->json, "-");

	if (o->hgrm && cli_hgrm_prepare(o->hgrm))
		return CLI_ERROR;
	if (cli_terminal_init(&s->term, taken ? STDERR_FILENO : STDOUT_FILENO, o->color))
		return cli_error(CLI_ERROR, "cannot write to the terminal: %m");
	if (o->json && cli_json_open(&s->json, o->json))
		return cli_error(CLI_ERROR, "cannot write '%s': %m", o->json);
	if (cli_signals_init(&s->signals))
		return cli_error(CLI_ERROR, "cannot receive signals: %m");
	return 0;
}

/* The exit status, if that so far is @status. */
static int deinit(struct session *s, int status)
{
	timerlat_load_stop(&s->load);
	tlobctl_timerlat_close(s->t);
	timerlat_rows_deinit(&s->rows);
	if (s->signals.fd >= 0)
		cli_signals_deinit(&s->signals);
	cli_json_close(&s->json);
	return cli_terminal_deinit(&s->term) && !status ? CLI_ERROR : status;
}

static void announce(struct session *s)
{
	const struct tlobctl_timerlat_opts *o = &s->settings->opts;
	char period[TLOB_DURATION_BYTES];

	tlob_duration_print_exact(period, sizeof(period),
				  o->period_ns ? o->period_ns : TLOBCTL_TIMERLAT_PERIOD_NS);
	snprintf(s->title, sizeof(s->title), "tlob timerlat: backend %s, every %s, %s",
		 tlobctl_timerlat_backend_name(s->t), period, tlobctl_timerlat_scheduling(s->t));
	if (s->json.out)
		timerlat_json_start(&s->json, s->settings, s->t);
	if (s->settings->quiet)
		return;
	if (s->load.pid)
		fprintf(s->term.out, "%sMaking load: this disturbs whatever runs here.%s\n",
			cli_style(&s->term, CLI_WARN), cli_style(&s->term, CLI_PLAIN));
	fprintf(s->term.out, "%s%s%s; Ctrl-C to stop\n", cli_style(&s->term, CLI_BOLD), s->title,
		cli_style(&s->term, CLI_PLAIN));
	timerlat_print_lines(tlobctl_timerlat_note(s->t), &s->term);
	fputc('\n', s->term.out);
	fflush(s->term.out);
}

/* Milliseconds until @then_ns, rounded up. */
static int until(uint64_t then_ns)
{
	uint64_t now = cli_now_ns();
	uint64_t ms = then_ns > now ? (then_ns - now + 999999) / 1000000 : 0;

	return ms < INT_MAX ? (int)ms : INT_MAX;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return !b || (a && a < b) ? a : b;
}

/* Until it is over. 0, or the exit status to leave with at once. */
static int loop(struct session *s)
{
	const struct timerlat_settings *o = s->settings;
	uint64_t end = o->duration_ns ? s->begun_ns + o->duration_ns : 0;
	uint64_t draw = o->view == TIMERLAT_TOP ? s->begun_ns + REDRAW_NS : 0;
	struct pollfd fds[] = {{.fd = s->signals.fd, .events = POLLIN},
			       {.fd = tlobctl_timerlat_fd(s->t), .events = POLLIN}};
	struct timerlat_top top;
	int status = 0;

	timerlat_top_init(&top, &s->term);
	while (!end || cli_now_ns() < end) {
		uint64_t next = sooner(end, draw);

		if (poll(fds, 2, next ? until(next) : -1) < 0 && errno != EINTR)
			return cli_error(CLI_ERROR, "cannot wait: %m");
		if (fds[0].revents && cli_signals_next(&s->signals, 0) >= CLI_SIGNAL_STOP)
			break;
		if (fds[1].revents)
			break;
		if (!draw || cli_now_ns() < draw)
			continue;
		draw += REDRAW_NS;
		if (timerlat_rows_read(&s->rows, s->t))
			return CLI_ERROR;
		timerlat_top_draw(&top, &s->rows, s->title, tlobctl_timerlat_note(s->t));
		if (ferror(s->term.out)) /* "| head": nobody reads any more */
			break;
	}
	if (draw)
		timerlat_top_end(&top);
	return status;
}

static int print(struct session *s, uint64_t elapsed_ns, int status)
{
	const struct timerlat_settings *o = s->settings;

	if (o->view == TIMERLAT_HIST)
		timerlat_print_hist(&s->rows, &s->term);
	timerlat_print_summary(&s->rows, &s->term);
	if (o->hgrm && timerlat_rows_hgrm(&s->rows, o->hgrm))
		status = CLI_ERROR;
	if (!s->json.out)
		return status;
	timerlat_json_rows(&s->json, &s->rows);
	timerlat_json_end(&s->json, &s->rows, elapsed_ns, status);
	if (cli_json_close(&s->json))
		status = cli_error(CLI_ERROR, "'%s' is incomplete: %m", o->json);
	return status;
}

#define FLOOR_CYCLES 10000 /* ten of them are beyond the percentile that counts */

/* Less than a floor that there is already: of ordinary threads, which wait behind others. */
static bool is_lesser(const char *scheduling)
{
	struct tlobctl_floor floor;

	return !strncmp(scheduling, "other", 5) && !tlobctl_floor_read(&floor) &&
	       strncmp(floor.scheduling, "other", 5);
}

/* What was measured to its end, at leisure, is what budgets can be held against. */
static void keep_floor(struct session *s)
{
	const struct timerlat_row *all = s->rows.rows[s->rows.nrows - 1];
	const struct tlobctl_timerlat_values *v = &all->stat.parts[TLOBCTL_TIMERLAT_TOTAL];
	struct tlobctl_floor floor = {.time_unix_ns = cli_unix_ns(cli_now_ns()),
				      .cycles = v->count,
				      .p50_ns = all->percentile_ns[TLOBCTL_TIMERLAT_TOTAL][0],
				      .p99_9_ns = all->percentile_ns[TLOBCTL_TIMERLAT_TOTAL][2],
				      .max_ns = v->max_ns};
	char ns[TLOB_DURATION_BYTES];

	if (s->load.kinds || v->count < FLOOR_CYCLES ||
	    is_lesser(tlobctl_timerlat_scheduling(s->t)))
		return;
	snprintf(floor.backend, sizeof(floor.backend), "%s", tlobctl_timerlat_backend_name(s->t));
	snprintf(floor.scheduling, sizeof(floor.scheduling), "%s",
		 tlobctl_timerlat_scheduling(s->t));
	timerlat_rows_cpus(&s->rows, floor.cpus, sizeof(floor.cpus));
	tlob_duration_print(ns, sizeof(ns), TLOBCTL_FLOOR_TIMES * floor.p99_9_ns);
	if (tlobctl_floor_write(&floor) < 0)
		cli_error(CLI_OK, "%s", tlobctl_error());
	else if (!s->settings->quiet)
		fprintf(s->term.out,
			"Kept as this machine's floor: tlob run and tlob watch warn of budgets below %s.\n",
			ns);
}

static int measure(struct session *s)
{
	struct tlobctl_timerlat_hit hit;
	uint64_t elapsed_ns;
	int status = CLI_OK;

	/* a process of its own, made while this one has no threads and no locked memory */
	status = timerlat_load_start(&s->load, s->settings->opts.cpus, s->settings->opts.ncpus);
	if (status)
		return status;
	if (tlobctl_timerlat_open(&s->settings->opts, &s->t) < 0)
		return cli_error(CLI_ERROR, "%s", tlobctl_error());
	s->begun_ns = cli_now_ns();
	announce(s);
	status = loop(s);
	if (status)
		return status;
	timerlat_load_stop(&s->load);
	if (tlobctl_timerlat_stop(s->t) < 0)
		status = cli_error(CLI_ERROR, "%s", tlobctl_error());
	elapsed_ns = cli_now_ns() - s->begun_ns;
	if (!status && tlobctl_timerlat_hit(s->t, &hit) > 0) {
		status = CLI_OVERRUN;
		timerlat_print_hit(&hit, &s->term);
		if (s->json.out)
			timerlat_json_hit(&s->json, &hit);
	}
	if (timerlat_rows_read(&s->rows, s->t))
		return CLI_ERROR;
	status = print(s, elapsed_ns, status);
	if (!status)
		keep_floor(s);
	return status;
}

static int timerlat_main(const struct cli_command *self, int argc, char **argv)
{
	struct timerlat_settings settings = {
		.opts = {.size = sizeof(settings.opts), .why = TLOBCTL_WHY_CULPRIT}};
	struct session s = {.settings = &settings, .signals.fd = -1};
	int status;

	if (cli_options_parse(self, argc, argv, &settings, &status) >= 0) {
		s.load = settings.load;
		settings.opts.history_bytes = settings.history.bytes;
		settings.opts.history_ns = settings.history.ns;
		status = init(&s);
		if (!status)
			status = measure(&s);
		status = deinit(&s, status);
	}
	timerlat_settings_deinit(&settings);
	return status;
}

const struct cli_command cli_timerlat = {
	.name = "timerlat",
	.synopsis = "[OPTION]...",
	.summary = "measure how late this machine itself is",
	.about = "On each CPU a thread sleeps until a time and looks how late it wakes up: the\n"
		 "latency that no program on this machine can do without. Until Ctrl-C, or for a\n"
		 "time; then prints the distribution of it, in parts where a backend tells them.",
	.options = timerlat_options,
	.alone = true,
	.main = timerlat_main,
};
