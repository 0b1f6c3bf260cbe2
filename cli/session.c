// SPDX-License-Identifier: GPL-2.0-or-later
/* See session.h. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "floor.h"
#include "hgrm.h"
#include "metrics.h"
#include "page.h"
#include "session.h"
#include "shorten.h"
#include "text.h"
#include "top.h"
#include "when.h"
#include "words.h"

#define PATIENCE_NS \
	700000000ULL /* after Ctrl-C: before saying that the program has not ended yet */

#define REST_NS 2000000000ULL /* at the end: for records that are on their way */
#define NAMES_MS 10000 /* then: for ends that wait for names */

int cli_session_init(struct cli_session *s, const char *command,
		     const struct cli_settings *settings, int fd)
{
	*s = (struct cli_session){.settings = settings, .command = command, .signals.fd = -1};
	if (settings->interrupts && settings->why == TLOBCTL_WHY_NONE)
		return cli_usage(
			"--interrupts needs the history of --why=culprit; with --why=none there is none");
	if (settings->top && !isatty(fd))
		return cli_usage("--top needs a terminal to draw on");
	if (settings->hgrm && cli_hgrm_prepare(settings->hgrm))
		return CLI_ERROR;
	if (cli_terminal_init(&s->term, fd, settings->color))
		return cli_error(CLI_ERROR, "cannot write to descriptor %d: %m", fd);
	if (settings->json && cli_json_open(&s->json, settings->json))
		return cli_error(CLI_ERROR, "cannot write '%s': %m", settings->json);
	if (cli_signals_init(&s->signals))
		return cli_error(CLI_ERROR, "cannot receive signals: %m");
	cli_live_init(&s->live, &s->term);
	return 0;
}

int cli_session_deinit(struct cli_session *s, int status)
{
	tlobctl_close(s->ctl);
	cli_summary_deinit(&s->summary);
	cli_regions_deinit(&s->regions);
	if (s->signals.fd >= 0)
		cli_signals_deinit(&s->signals);
	cli_json_close(&s->json);
	return cli_terminal_deinit(&s->term) && !status ? CLI_ERROR : status;
}

/* Each program that joins takes some, and the usual 1024 would end before there are too many programs. */
static void allow_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int cli_session_open(struct cli_session *s, const struct tlobctl_opts *opts)
{
	allow_descriptors();
	if (tlobctl_open(opts, &s->ctl) < 0)
		return cli_error(CLI_ERROR, "%s", tlobctl_error());
	for (size_t i = 0; i < s->settings->nregions; i++)
		if (tlobctl_add(s->ctl, s->settings->regions[i], cli_regions_add, &s->regions) < 0)
			return cli_error(CLI_ERROR, "%s", tlobctl_error());
	for (size_t i = 0; i < s->settings->nchains; i++)
		if (tlobctl_chain(s->ctl, s->settings->chains[i], cli_regions_add, &s->regions) < 0)
			return cli_error(CLI_ERROR, "%s", tlobctl_error());
	/* better now than after an hour that it cannot be written */
	if (s->settings->metrics &&
	    cli_metrics_write(s->settings->metrics, s->ctl, &s->summary.why))
		return CLI_ERROR;
	for (size_t i = 0; i < s->regions.count; i++)
		cli_live_expect(&s->live, s->regions.list[i].name);
	return 0;
}

/* What was asked for and cannot be had here. The default is not asked for. */
static void announce_why(const struct cli_session *s)
{
	static const char *const words[] = {[TLOBCTL_WHY_NONE] = "",
					    [TLOBCTL_WHY_CULPRIT] = "causes",
					    [TLOBCTL_WHY_STACKS] = "stacks",
					    [TLOBCTL_WHY_SAMPLES] = "CPU samples"};
	enum tlobctl_why_mode asked = s->settings->why;
	const char *engine = tlobctl_engine_name(s->ctl);
	struct tlobctl_why_stat stat;
	char text[512];

	tlobctl_why_stats(s->ctl, &stat);
	if (stat.mode >= asked)
		return;
	if (!strcmp(engine, "kernel") && asked && !stat.mode) {
		snprintf(text, sizeof(text), "No causes: %s.", stat.note);
	} else if (strcmp(engine, "bpf")) {
		if (asked == TLOBCTL_WHY_CULPRIT)
			return;
		snprintf(text, sizeof(text),
			 "No %s: engine %s does not have them; they need engine bpf.", words[asked],
			 engine);
	} else if (stat.mode == TLOBCTL_WHY_NONE) {
		snprintf(
			text, sizeof(text),
			"No causes: the history of context switches cannot be kept here; try a smaller "
			"--history.");
	} else {
		snprintf(text, sizeof(text),
			 "No %s: this kernel does not take the programs for them.", words[asked]);
	}
	cli_wrap(&s->term, text, 0);
}

static void announce_interrupts(const struct cli_session *s)
{
	const char *engine = tlobctl_engine_name(s->ctl);
	struct tlobctl_why_stat stat;
	char text[256];

	tlobctl_why_stats(s->ctl, &stat);
	if (!s->settings->interrupts || stat.interrupts)
		return;
	if (strcmp(engine, "bpf"))
		snprintf(text, sizeof(text),
			 "No interrupts: engine %s does not see them; they need engine bpf.",
			 engine);
	else
		snprintf(text, sizeof(text),
			 "No interrupts: this kernel does not take the programs for them.");
	cli_wrap(&s->term, text, 0);
}

static void announce(const struct cli_session *s, const char *program)
{
	const char *note = tlobctl_note(s->ctl);
	FILE *out = s->term.out;
	char text[1024];

	fprintf(out, "%stlob%s: engine %s, ", cli_style(&s->term, CLI_BOLD),
		cli_style(&s->term, CLI_PLAIN), tlobctl_engine_name(s->ctl));
	if (program)
		fprintf(out, "running %s; Ctrl-C to stop\n", program);
	else
		fputs("watching; Ctrl-C to stop\n", out);
	if (*note) {
		snprintf(text, sizeof(text), "%sNot the best engine:%s %s",
			 cli_style(&s->term, CLI_WARN), cli_style(&s->term, CLI_PLAIN), note);
		cli_wrap(&s->term, text, 0);
	}
	announce_why(s);
	announce_interrupts(s);
	cli_regions_print(&s->regions, &s->term);
	cli_floor_regions(&s->regions, &s->term);
	fputc('\n', out);
	fflush(out);
}

void cli_session_announce(struct cli_session *s, char *const *argv, pid_t pid)
{
	if (s->json.out)
		cli_ndjson_start(&s->json, s->command, s->ctl, argv, pid, &s->regions);
	if (!s->settings->quiet && !s->settings->top)
		announce(s, argv ? argv[0] : NULL);
	s->begun_ns = cli_now_ns();
	s->metrics_ns = s->begun_ns + CLI_METRICS_INTERVAL_NS;
}

static void on_event(const struct tlobctl_event *event, void *arg)
{
	struct cli_session *s = arg;

	cli_summary_event(&s->summary, event);
	if (s->json.out)
		cli_ndjson_event(&s->json, event);
	if (!s->settings->quiet && !s->settings->top)
		cli_live_event(&s->live, event);
}

static int on_profile(const struct tlobctl_profile *profile, void *arg)
{
	struct cli_session *s = arg;

	cli_samples_add_profile(&s->summary.samples, profile);
	if (s->json.out)
		cli_profile_json(&s->json, profile);
	return 0;
}

/* Milliseconds, rounded up, until @then_ns; @current if that is sooner. */
static int sooner(int current, uint64_t then_ns, uint64_t now_ns)
{
	uint64_t ms = then_ns > now_ns ? (then_ns - now_ns + 999999) / 1000000 : 0;
	int next = ms < INT_MAX ? (int)ms : INT_MAX;

	return current < 0 || next < current ? next : current;
}

struct ending {
	bool asked;
	bool told;
	uint64_t asked_ns;
};

/* Returns poll(2)'s timeout. */
static int until_next(struct cli_session *s, const struct ending *e, uint64_t deadline_ns)
{
	uint64_t now = cli_now_ns();
	int ms = s->settings->quiet ? -1 : cli_live_tick(&s->live, now);

	if (s->settings->top)
		ms = sooner(ms, s->top_ns, now);
	if (s->settings->metrics)
		ms = sooner(ms, s->metrics_ns, now);
	if (deadline_ns)
		ms = sooner(ms, deadline_ns, now);
	if (e->asked && !e->told)
		ms = sooner(ms, e->asked_ns + PATIENCE_NS, now);
	return ms;
}

static int take_signals(struct cli_session *s, const struct cli_child *child, struct ending *e)
{
	pid_t forward = child && !child->ended ? child->pid : 0;
	enum cli_signal signal = cli_signals_next(&s->signals, forward);

	if (signal == CLI_SIGNAL_QUIT)
		return CLI_SIGNALLED + SIGINT;
	if (signal == CLI_SIGNAL_STOP && !e->asked) {
		e->asked = s->stopped = true;
		e->asked_ns = cli_now_ns();
	}
	return 0;
}

static void tell_patience(struct ending *e)
{
	if (!e->asked || e->told || cli_now_ns() - e->asked_ns < PATIENCE_NS)
		return;
	e->told = true;
	cli_error(CLI_OK, "waiting for the program to end; Ctrl-C again quits at once");
}

/* "tlob watch | head": once nobody reads any more there is nothing to watch for. */
static bool is_unread(const struct cli_session *s)
{
	return ferror(s->term.out) || (s->json.out && s->json.error);
}

/* A disk that is full now may not be at the end: only then it ends in an error. */
static void keep_metrics(struct cli_session *s)
{
	uint64_t again_ns = CLI_METRICS_INTERVAL_NS;

	if (!s->settings->metrics || cli_now_ns() < s->metrics_ns)
		return;
	if (cli_metrics_write(s->settings->metrics, s->ctl, &s->summary.why))
		again_ns *= 12;
	s->metrics_ns = cli_now_ns() + again_ns;
}

static int keep_view(struct cli_session *s)
{
	uint64_t now = cli_now_ns();

	if (!s->settings->top || now < s->top_ns)
		return 0;
	s->top_ns = now + CLI_TOP_INTERVAL_NS;
	return cli_top_draw(&s->summary, s->ctl, &s->term, now - s->begun_ns);
}

int cli_session_loop(struct cli_session *s, struct cli_child *child, uint64_t deadline_ns)
{
	struct pollfd fds[] = {{.fd = tlobctl_fd(s->ctl), .events = POLLIN},
			       {.fd = s->signals.fd, .events = POLLIN}};
	struct ending e = {0};
	int n, status;

	while (child ? !cli_child_reap(child) : !e.asked) {
		if (deadline_ns && cli_now_ns() >= deadline_ns)
			break;
		if (poll(fds, 2, until_next(s, &e, deadline_ns)) < 0 && errno != EINTR)
			return cli_error(CLI_ERROR, "cannot wait for events: %m");
		n = tlobctl_poll(s->ctl, 0, on_event, s);
		if (n < 0 && n != -EINTR)
			return cli_error(CLI_ERROR, "%s", tlobctl_error());
		keep_metrics(s);
		status = keep_view(s);
		if (status)
			return status;
		if (fds[1].revents) {
			status = take_signals(s, child, &e);
			if (status)
				return status;
		}
		if (child)
			tell_patience(&e);
		else if (is_unread(s))
			break;
	}
	return 0;
}

static int exit_status(const struct cli_session *s, int program_status, bool failed)
{
	if (failed)
		return CLI_ERROR;
	if (!s->settings->fail)
		return program_status > 0 ? program_status : CLI_OK;
	if (s->summary.total.overruns)
		return CLI_OVERRUN;
	return program_status > 0 ? CLI_ERROR : CLI_OK;
}

static void print_program(const struct cli_session *s, int status)
{
	FILE *out = s->term.out;

	if (status > CLI_SIGNALLED)
		fprintf(out, "The program was killed by signal %d (%s).\n", status - CLI_SIGNALLED,
			strsignal(status - CLI_SIGNALLED));
	else if (status > 0)
		fprintf(out, "The program exited with status %d.\n", status);
	fflush(out);
}

/* What there is now: programs that go on may be late faster than this reads. */
static void hand_out_rest(struct cli_session *s)
{
	struct pollfd more = {.fd = tlobctl_fd(s->ctl), .events = POLLIN};
	uint64_t end = cli_now_ns() + REST_NS;

	do {
		if (tlobctl_poll(s->ctl, 0, on_event, s) < 0)
			break;
	} while (poll(&more, 1, 0) > 0 && cli_now_ns() < end);
	tlobctl_flush(s->ctl, NAMES_MS, on_event, s);
}

/* What to look at when nothing was measured. */
static void explain_nothing(const struct cli_session *s)
{
	const struct tlobctl_stat *t = &s->summary.total;
	const struct tlobctl_region *probe = NULL;
	struct cli_words w = {.used = 0};
	char name[64];

	if (t->windows || t->overruns || t->abandoned || t->cancelled || t->refused)
		return;
	for (size_t i = 0; i < s->regions.count && !probe; i++)
		probe = s->regions.list[i].path ? &s->regions.list[i] : NULL;
	if (probe)
		cli_say(&w,
			"Nothing that ran meanwhile entered %s of %s: is that the file that runs, and "
			"is the function called there, not inlined? See also tlob ls.",
			cli_shorten(name, sizeof(name), probe->name, 40), probe->path);
	else if (s->regions.count)
		cli_say(&w,
			"No program linked with libtlob entered a region of that name. A function of "
			"a program as it is needs its file too: BINARY:FUNCTION@BUDGET.");
	else
		cli_say(&w,
			"No program linked with libtlob entered a region. A function of a program as "
			"it is is given as -r BINARY:FUNCTION@BUDGET; tlob ls BINARY shows what there is.");
	cli_wrap(&s->term, w.text, 0);
}

int cli_session_finish(struct cli_session *s, int program_status)
{
	struct cli_ndjson_end end = {.program_status = program_status,
				     .elapsed_ns = cli_now_ns() - s->begun_ns,
				     .total = &s->summary.total,
				     .why = &s->summary.why.stat,
				     .samples = &s->summary.samples.stat};
	bool failed;

	hand_out_rest(s);
	if (s->settings->top)
		cli_page_clear(&s->term);
	cli_live_tick(&s->live, cli_now_ns() + CLI_NS_PER_S); /* the last second counts too */
	tlobctl_profiles(s->ctl, on_profile, s);
	failed = s->settings->metrics &&
		 cli_metrics_write(s->settings->metrics, s->ctl, &s->summary.why);
	failed |= cli_summary_collect(&s->summary, s->ctl, s->settings->hgrm) < 0;
	tlobctl_close(s->ctl);
	s->ctl = NULL;

	end.lost_ends = cli_summary_lost_ends(&s->summary);
	end.strange = s->summary.loss.strange;
	end.exit_status = exit_status(s, program_status, failed);
	if (s->json.out) {
		cli_ndjson_summary(&s->json, &s->summary);
		cli_ndjson_end(&s->json, &end);
		if (cli_json_close(&s->json))
			end.exit_status =
				cli_error(CLI_ERROR, "'%s' is incomplete: %m", s->settings->json);
	}
	/* below what there may be: of the program, overruns, ^C; else there is a blank line already */
	if (!s->settings->quiet && (program_status >= 0 || s->stopped || s->live.lines_below_head))
		fputc('\n', s->term.out);
	cli_summary_print(&s->summary, &s->term, end.elapsed_ns);
	if (program_status <= 0) /* else it is no wonder, and said below */
		explain_nothing(s);
	if (!s->settings->quiet)
		cli_floor_summary(&s->summary, &s->regions, &s->term);
	if (s->json.left_out)
		fprintf(s->term.out,
			"%s%llu overruns and ends came too fast to be written to '%s'%s: counted only.\n",
			cli_style(&s->term, CLI_WARN), (unsigned long long)s->json.left_out,
			s->settings->json, cli_style(&s->term, CLI_PLAIN));
	print_program(s, program_status);
	return end.exit_status;
}
