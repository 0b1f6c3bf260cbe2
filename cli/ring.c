// SPDX-License-Identifier: GPL-2.0-or-later
/* tlob ring: what happens on each CPU, from the module's rings or the kernel's trace buffers. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tlob/ctl.h>

#include "options.h"
#include "ring_count.h"
#include "signals.h"
#include "text.h"
#include "values.h"
#include "when.h"

#define MOMENT_NS CLI_NS_PER_S /* that is recorded if nobody says for how long */
/*
 * Being woken makes events as well, so the rings are looked at not more often than this, and not more seldom than that; in between
 * as soon as a ring says so.
 */
#define REST_MS 10
#define LOOK_MS 50
#define SIGNAL_EVENTS 64 /* so many are taken between two looks at signals */

struct ring_settings {
	struct tlobctl_ring_opts opts;
	const char **events;
	uint64_t duration_ns;
	bool follow, count, quiet;
	const char *output;
};

/* ---- options ---- */

static int set_source(void *settings, const char *value)
{
	static const char *const names[] = {
		[TLOBCTL_RING_AUTO] = "auto",
		[TLOBCTL_RING_MODULE] = "module",
		[TLOBCTL_RING_KERNEL] = "kernel",
	};
	size_t source;
	int status =
		cli_value_choice("source", value, names, sizeof(names) / sizeof(*names), &source);

	if (!status)
		((struct ring_settings *)settings)->opts.source = (enum tlobctl_ring_source)source;
	return status;
}

static int set_event(void *settings, const char *value)
{
	struct ring_settings *s = settings;
	const char **events = reallocarray(s->events, s->opts.nevents + 1, sizeof(*events));

	if (!events)
		return cli_error(CLI_ERROR, "out of memory");
	s->events = events;
	events[s->opts.nevents++] = value;
	s->opts.events = events;
	return 0;
}

static int set_output(void *settings, const char *value)
{
	if (!*value)
		return cli_usage("--output needs the name of a file");
	((struct ring_settings *)settings)->output = value;
	return 0;
}

static int set_input(void *settings, const char *value)
{
	if (!*value)
		return cli_usage("--input needs the name of a file");
	((struct ring_settings *)settings)->opts.recording = value;
	return 0;
}

static int set_size(void *settings, const char *value)
{
	unsigned long kib;

	if (cli_value_number(value, 8, 131072, &kib))
		return cli_usage("--size is a size in KiB, from 8 to 131072, not '%s'", value);
	((struct ring_settings *)settings)->opts.bytes = (uint64_t)kib << 10;
	return 0;
}

static const struct cli_option option_source = {
	's', "source", "SOURCE",
	"module: the rings of tlob.ko; kernel: trace buffers of\n"
	"the kernel's, private ones; auto (default): the first\n"
	"of them that there is",
	.set = set_source};
static const struct cli_option option_event = {
	'e', "event", "EVENT",
	"record this; may be given several times. Module: switch,\n"
	"wake, record, mark, migrate. Kernel: SYSTEM:EVENT, or a SYSTEM",
	.set = set_event};
static const struct cli_option option_follow = {'f', "follow", NULL,
						"print events as they come, until Ctrl-C",
						CLI_FLAG(struct ring_settings, follow)};
static const struct cli_option option_count = {0, "count", NULL,
					       "print how many there were, not what",
					       CLI_FLAG(struct ring_settings, count)};
static const struct cli_option option_input = {
	'i', "input", "FILE", "print what --output has written, on whatever machine",
	.set = set_input};
static const struct cli_option option_output = {
	'o', "output", "FILE",
	"copy the pages to FILE.cpu0, FILE.cpu1 and so on, and\n"
	"to FILE what -i has to know of them",
	.set = set_output};
static const struct cli_option option_duration = {'d', "duration", "TIME",
						  "stop after this time: 500ms, 10s, 5m, 1h",
						  CLI_DURATION(struct ring_settings, duration_ns)};
static const struct cli_option option_size = {
	0, "size", "KIB", "of each CPU's ring; the module's are emptied by it", .set = set_size};
static const struct cli_option option_copy = {0, "copy", NULL,
					      "read() the rings, even where they can be mapped",
					      CLI_FLAG(struct ring_settings, opts.copy)};
static const struct cli_option option_quiet = {'q', "quiet", NULL,
					       "do not say where events come from, nor how many",
					       CLI_FLAG(struct ring_settings, quiet)};

/* ---- at work ---- */

struct session {
	const struct ring_settings *settings;
	struct tlobctl_ring *ring;
	struct cli_signals signals;
	struct ring_count count;
	uint64_t end_ns; /* 0: Ctrl-C is the end */
	bool stop;
	unsigned int taken;
};

static void print_event(struct session *s, const struct tlobctl_ring_event *event)
{
	char text[4096], clean[4096], when[CLI_TIME_BYTES];

	tlobctl_ring_text(s->ring, event, text, sizeof(text));
	printf("%s %12.6f  cpu%-3u %-16s %s\n",
	       cli_time_of_day_unix(when, tlobctl_ring_unix_ns(s->ring, event->time_ns)),
	       (double)event->time_ns / CLI_NS_PER_S, event->cpu, event->name,
	       cli_printable(clean, sizeof(clean), text, 0));
}

/* 0, or the exit status to leave with at once. */
static int next_signal(struct session *s)
{
	switch (cli_signals_next(&s->signals, 0)) {
	case CLI_SIGNAL_STOP:
		s->stop = true;
		return 0;
	case CLI_SIGNAL_QUIT:
		return CLI_SIGNALLED + SIGINT;
	default:
		return 0;
	}
}

/* Printing makes events, too: there may be no end of taking them but this. @status is set, or left alone. */
static bool is_enough(struct session *s, int *status)
{
	bool stopped = s->stop;

	if (++s->taken % SIGNAL_EVENTS == 0)
		*status = next_signal(s);
	return *status || s->stop != stopped ||
	       (s->end_ns && cli_now_ns() >= s->end_ns + CLI_NS_PER_S);
}

/* All that is there. 0 or an exit status. */
static int take_events(struct session *s)
{
	struct tlobctl_ring_event event;
	int status = 0, r;

	while ((r = tlobctl_ring_next(s->ring, &event)) > 0) {
		if (!s->settings->count)
			print_event(s, &event);
		else if (ring_count_add(&s->count, &event))
			return cli_error(CLI_ERROR, "out of memory");
		if (is_enough(s, &status))
			break;
	}
	if (r < 0)
		return cli_error(CLI_ERROR, "%s", tlobctl_error());
	if (fflush(stdout) || ferror(stdout))
		return cli_error(CLI_ERROR, "cannot write to standard output: %m");
	return status;
}

/* Pages into files; one that is still being written grows there, too. */
static int save_parts(struct session *s)
{
	int status = 0, r;

	while ((r = tlobctl_ring_save_next(s->ring)) > 0)
		if (is_enough(s, &status))
			break;
	return r < 0 ? cli_error(CLI_ERROR, "%s", tlobctl_error()) : status;
}

static int take(struct session *s)
{
	return s->settings->output ? save_parts(s) : take_events(s);
}

static int until_ms(uint64_t end_ns)
{
	uint64_t now = cli_now_ns();
	uint64_t ms = end_ns > now ? (end_ns - now + 999999) / 1000000 : 0;

	return !end_ns || ms > INT_MAX ? INT_MAX : (int)ms;
}

static int at_most(int ms, int most)
{
	return ms < most ? ms : most;
}

/* Until a signal or the end comes, or it is time to look. 0, or the exit status to leave with at once. */
static int wait_for_events(struct session *s, bool streaming)
{
	struct pollfd fds[] = {{.fd = s->signals.fd, .events = POLLIN},
			       {.fd = tlobctl_ring_fd(s->ring), .events = POLLIN}};
	int left = until_ms(s->end_ns);
	int n = poll(fds, 1, streaming ? at_most(left, REST_MS) : left);

	if (n == 0 && streaming)
		n = poll(fds, 2, at_most(until_ms(s->end_ns), LOOK_MS));
	if (n < 0 && errno != EINTR)
		return cli_error(CLI_ERROR, "cannot wait: %m");
	if (n <= 0 || !fds[0].revents)
		return 0;
	return next_signal(s);
}

/* 0, or the exit status to leave with at once. */
static int loop(struct session *s)
{
	const struct ring_settings *o = s->settings;
	bool streaming = o->follow || o->count || o->output;
	int status = 0;

	while (status == 0 && !s->stop && until_ms(s->end_ns) > 0) {
		status = wait_for_events(s, streaming);
		if (status == 0 && streaming)
			status = take(s);
	}
	if (!s->end_ns || s->stop)
		s->end_ns = cli_now_ns();
	return status ? status : take(s);
}

static void announce(const struct session *s)
{
	const char *note = tlobctl_ring_note(s->ring);
	const char *way = tlobctl_ring_is_mapped(s->ring) ? "mapped" : "read";

	if (s->settings->quiet)
		return;
	fprintf(stderr, "tlob ring: %s, %s\n",
		!strcmp(tlobctl_ring_source_name(s->ring), "kernel") ?
			"the kernel's trace buffers" :
			"the module's rings",
		s->settings->opts.recording ? "recorded" : way);
	while (*note) {
		size_t length = strcspn(note, "\n");

		fprintf(stderr, "tlob ring: %.*s\n", (int)length, note);
		note += length + (note[length] == '\n');
	}
}

static int finish(struct session *s)
{
	struct tlobctl_ring_counts all = {0};

	tlobctl_ring_counts(s->ring, -1, &all);
	if (s->settings->count && ring_count_print(&s->count, s->ring))
		return CLI_ERROR;
	if (!s->settings->quiet) {
		fflush(stdout);
		fprintf(stderr, "tlob ring: %llu events, %llu lost\n", (unsigned long long)all.read,
			(unsigned long long)all.lost);
	}
	return 0;
}

/* 0, or the exit status to leave with at once. */
static int record(struct session *s)
{
	const struct ring_settings *o = s->settings;
	int status;

	if (o->output && tlobctl_ring_save(s->ring, o->output))
		return cli_error(CLI_ERROR, "%s", tlobctl_error());
	if (o->duration_ns)
		s->end_ns = cli_now_ns() + o->duration_ns;
	else if (!o->follow && !o->output)
		s->end_ns = cli_now_ns() + MOMENT_NS;
	status = loop(s);
	if (status == 0 && o->output && tlobctl_ring_save_end(s->ring))
		status = cli_error(CLI_ERROR, "%s", tlobctl_error());
	return status;
}

static int run(struct session *s)
{
	const struct ring_settings *o = s->settings;
	int status;

	if (tlobctl_ring_open(&o->opts, &s->ring))
		return cli_error(CLI_ERROR, "%s", tlobctl_error());
	announce(s);
	status = o->opts.recording ? take_events(s) : record(s);
	if (status == 0)
		status = finish(s);
	return status;
}

/* 0 or an exit status. */
static int check(const struct ring_settings *o)
{
	if (o->output && (o->follow || o->count))
		return cli_usage(
			"--output copies pages; it goes with neither --follow nor --count");
	if (o->follow && o->count)
		return cli_usage("--follow prints events, --count does not: one of them");
	if (o->opts.recording && (o->output || o->follow || o->duration_ns || o->opts.bytes ||
				  o->opts.copy || o->opts.source))
		return cli_usage(
			"--input reads a recording; it goes with --event, --count and --quiet only");
	return 0;
}

static int ring_main(const struct cli_command *self, int argc, char **argv)
{
	struct ring_settings settings = {.opts.size = sizeof(settings.opts)};
	struct session s = {.settings = &settings, .signals.fd = -1};
	int status;
	int first = cli_options_parse(self, argc, argv, &settings, &status);

	if (first >= 0)
		status = check(&settings);
	if (first >= 0 && status == 0 && cli_signals_init(&s.signals))
		status = cli_error(CLI_ERROR, "cannot receive signals: %m");
	else if (first >= 0 && status == 0)
		status = run(&s);
	tlobctl_ring_close(s.ring);
	if (s.signals.fd >= 0)
		cli_signals_deinit(&s.signals);
	ring_count_deinit(&s.count);
	free(settings.events);
	return status;
}

const struct cli_command cli_ring = {
	.name = "ring",
	.synopsis = "[OPTION]...",
	.summary = "print what happens on each CPU, event by event",
	.about =
		"Records context switches, wake-ups, overruns or any of the kernel's trace events, for\n"
		"a second if not told otherwise, and prints what the rings then hold. They are read\n"
		"from a mapping where that is possible. The kernel's own trace settings stay as they\n"
		"are. With --input it prints a recording instead.",
	.options = (const struct cli_option *const[]){&option_source, &option_event, &option_follow,
						      &option_count, &option_output, &option_input,
						      &option_duration, &option_size, &option_copy,
						      &option_quiet, &cli_option_help, NULL},
	.alone = true,
	.main = ring_main,
};
