/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parent side of the conformance harness, see harness.h. */
#include "harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <limits.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <tlob/rv.h>

#define TRUTH_FD 3
#define COMMAND_FD 4
#define INITIAL_PID_NS 0xeffffffcu /* inode, the same on every Linux */

static int tap_planned, tap_run, tap_failed;

void tap_plan(int count)
{
	tap_planned = count;
	printf("1..%d\n", count);
	fflush(stdout);
}

bool tap_ok(bool passed, const char *fmt, ...)
{
	va_list ap;

	printf("%sok %d - ", passed ? "" : "not ", ++tap_run);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
	tap_failed += !passed;
	return passed;
}

void tap_skip(int count, const char *fmt, ...)
{
	char why[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	while (count--)
		printf("ok %d # SKIP %s\n", ++tap_run, why);
	fflush(stdout);
}

void tap_note(const char *fmt, ...)
{
	va_list ap;

	fputs("# ", stdout);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

void tap_give_up(const char *fmt, ...)
{
	va_list ap;

	printf("not ok %d - ", ++tap_run);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	exit(1);
}

int tap_done(void)
{
	if (tap_run != tap_planned)
		tap_note("planned %d, ran %d", tap_planned, tap_run);
	return tap_failed || tap_run != tap_planned;
}

static void bail(const char *what)
{
	tap_give_up("%s: %s", what, *tlobctl_error() ? tlobctl_error() : strerror(errno));
}

static void *grow(void *array, size_t *room, size_t need, size_t element)
{
	if (need <= *room)
		return array;
	*room = need * 2;
	array = realloc(array, *room * element);
	if (!array)
		bail("realloc");
	return array;
}

int conf_engine(const struct conf *c)
{
	if (!strcmp(c->engine, "kernel"))
		return TLOBCTL_ENGINE_KERNEL;
	return c->bpf ? TLOBCTL_ENGINE_BPF : TLOBCTL_ENGINE_USER;
}

int conf_hold(const struct conf *c)
{
	int fd;

	if (conf_engine(c) != TLOBCTL_ENGINE_KERNEL)
		return -1;
	fd = open("/dev/rv", O_RDWR | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, TLOB_IOCTL_HOLD))
		bail("/dev/rv");
	return fd;
}

void conf_open(struct conf *c)
{
	struct tlobctl_opts opts = {.size = sizeof(opts)};
	static int serial;
	int r;

	snprintf(c->socket, sizeof(c->socket), "@tlob-conformance-%d-%d", getpid(), serial++);
	opts.engine = conf_engine(c);
	opts.socket = c->socket;
	opts.why = c->why;
	opts.interrupts = c->interrupts;
	opts.good_share = c->good_share;
	r = tlobctl_open(&opts, &c->ctl);
	if (r < 0)
		bail("tlobctl_open");
}

void conf_close(struct conf *c)
{
	tlobctl_close(c->ctl);
	c->ctl = NULL;
}

void conf_reset(struct conf *c)
{
	c->nevents = 0;
	c->ntruths = 0;
}

void conf_spawn(struct conf *c, const char *const *argv)
{
	const char *args[64] = {"/proc/self/exe", "--subject"};

	for (size_t i = 0; argv[i] && i < 61; i++)
		args[i + 2] = argv[i];
	conf_exec(c, args);
}

void conf_exec(struct conf *c, const char *const *argv)
{
	int truth[2], command[2];

	if (pipe2(truth, O_CLOEXEC) || pipe2(command, O_CLOEXEC))
		bail("pipe2");
	c->pid = fork();
	if (c->pid < 0)
		bail("fork");
	if (!c->pid) {
		int t = fcntl(truth[1], F_DUPFD, 10), o = fcntl(command[0], F_DUPFD, 10);

		if (dup2(t, TRUTH_FD) < 0 || dup2(o, COMMAND_FD) < 0)
			_exit(125);
		close(t);
		close(o);
		setenv("TLOB_AGENT", c->socket, 1);
		execv(argv[0], (char *const *)argv);
		_exit(126);
	}
	close(truth[1]);
	close(command[0]);
	fcntl(truth[0], F_SETFL, O_NONBLOCK);
	c->truth_fd = truth[0];
	c->command_fd = command[1];
}

static void on_event(const struct tlobctl_event *event, void *arg)
{
	struct conf *c = arg;
	struct conf_event *e;

	if (c->hook)
		c->hook(event, c->hook_arg);
	c->events = grow(c->events, &c->events_room, c->nevents + 1, sizeof(*c->events));
	e = &c->events[c->nevents++];
	e->record = *event->record;
	e->seen_ns = now_ns();
	snprintf(e->region, sizeof(e->region), "%s", event->region);
	snprintf(e->program, sizeof(e->program), "%s", event->program);
}

/* Reads all truths that are there; false at end of file. */
static bool read_truths(struct conf *c)
{
	struct truth t;
	ssize_t n;

	while ((n = read(c->truth_fd, &t, sizeof(t))) == sizeof(t)) {
		c->truths = grow(c->truths, &c->truths_room, c->ntruths + 1, sizeof(t));
		c->truths[c->ntruths++] = t;
	}
	return n != 0;
}

/* Everything that stands in the rings now. */
static void drain(struct conf *c)
{
	for (int quiet = 0; c->ctl && quiet < 5;)
		quiet = tlobctl_poll(c->ctl, 10, on_event, c) > 0 ? 0 : quiet + 1;
	if (c->ctl)
		tlobctl_flush(c->ctl, 30000, on_event, c);
}

bool conf_pump(struct conf *c, int ms, bool (*until)(struct conf *c))
{
	uint64_t end = now_ns() + (uint64_t)ms * 1000000u;
	bool open = c->truth_fd >= 0;

	while (now_ns() < end) {
		if (c->ctl)
			tlobctl_poll(c->ctl, 10, on_event, c);
		else
			usleep(10000);
		if (open)
			open = read_truths(c);
		if (until && until(c))
			return true;
		if (c->truth_fd >= 0 && !open)
			break;
	}
	if (open || c->truth_fd < 0)
		return false;
	drain(c);
	close(c->truth_fd);
	close(c->command_fd);
	c->truth_fd = c->command_fd = -1;
	waitpid(c->pid, &c->status, 0);
	return until ? until(c) : true;
}

void conf_run(struct conf *c, const char *const *argv)
{
	conf_reset(c);
	conf_spawn(c, argv);
	if (!conf_pump(c, 60000, NULL)) {
		tap_note("subject %s still runs after 60 s: killed", argv[0]);
		kill(c->pid, SIGKILL);
		conf_pump(c, 5000, NULL);
	}
}

bool conf_alive(struct conf *c)
{
	return waitpid(c->pid, &c->status, WNOHANG) == 0;
}

void conf_go(struct conf *c)
{
	if (write(c->command_fd, "g", 1) != 1)
		tap_note("subject does not listen");
}

size_t conf_count(const struct conf *c, int type, const char *region)
{
	size_t n = 0;

	for (size_t i = 0; i < c->nevents; i++)
		n += c->events[i].record.type == type &&
		     (!region || !strcmp(c->events[i].region, region));
	return n;
}

const struct conf_event *conf_find(const struct conf *c, int type, const char *region, uint64_t tag)
{
	for (size_t i = 0; i < c->nevents; i++)
		if (c->events[i].record.type == type && c->events[i].record.tag == tag &&
		    !strcmp(c->events[i].region, region))
			return &c->events[i];
	return NULL;
}

const struct truth *conf_truth(const struct conf *c, uint64_t tag)
{
	for (size_t i = 0; i < c->ntruths; i++)
		if (c->truths[i].tag == tag)
			return &c->truths[i];
	return NULL;
}

int64_t conf_result(const struct conf *c, uint64_t tag)
{
	const struct truth *t = conf_truth(c, tag);

	return t ? t->result : INT64_MIN;
}

struct stat_query {
	const char *region;
	struct tlobctl_stat *out;
	bool found;
};

static int on_stat(const struct tlobctl_stat *s, void *arg)
{
	struct stat_query *q = arg;

	if (strcmp(s->region, q->region))
		return 0;
	if (!q->found)
		memset(q->out, 0, sizeof(*q->out));
	q->found = true;
	q->out->budget_ns = s->budget_ns;
	q->out->windows += s->windows;
	q->out->overruns += s->overruns;
	q->out->records += s->records;
	q->out->lost += s->lost;
	q->out->refused += s->refused;
	q->out->abandoned += s->abandoned;
	q->out->cancelled += s->cancelled;
	q->out->cost_ns += s->cost_ns;
	if (s->max_ns > q->out->max_ns)
		q->out->max_ns = s->max_ns;
	return 0;
}

int conf_add(struct conf *c, const char *fmt, ...)
{
	char spec[3 * PATH_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	vsnprintf(spec, sizeof(spec), fmt, ap);
	va_end(ap);
	n = tlobctl_add(c->ctl, spec, NULL, NULL);
	if (n < 0)
		tap_note("%s: %s", spec, tlobctl_error());
	return n;
}

static void host(const struct conf *c, int ready)
{
	struct tlobctl_opts opts = {
		.size = sizeof(opts), .socket = c->socket, .engine = conf_engine(c)};
	struct tlobctl *ctl;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (tlobctl_open(&opts, &ctl) < 0) {
		fprintf(stderr, "%s\n", tlobctl_error());
		_exit(1);
	}
	if (write(ready, "r", 1) != 1)
		_exit(1);
	for (;;)
		tlobctl_poll(ctl, 100, NULL, NULL);
}

pid_t conf_agent(const struct conf *c)
{
	int ready[2];
	char byte;
	pid_t pid;

	if (pipe(ready))
		bail("pipe");
	pid = fork();
	if (pid < 0)
		bail("fork");
	if (!pid)
		host(c, ready[1]);
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		tap_give_up("the agent process did not start");
	close(ready[0]);
	return pid;
}

void conf_orphan(struct conf *c, const char *name, bool (*until)(struct conf *c))
{
	pid_t agent;

	conf_reset(c);
	snprintf(c->socket, sizeof(c->socket), "@tlob-orphan-%d", getpid());
	agent = conf_agent(c);
	CONF_SPAWN(c, name);
	conf_pump(c, 10000, until);
	kill(agent, SIGKILL);
	waitpid(agent, NULL, 0);
	conf_go(c);
	conf_pump(c, 20000, NULL);
}

bool conf_stat(struct conf *c, const char *region, struct tlobctl_stat *out)
{
	struct stat_query q = {.region = region, .out = out};

	tlobctl_stats(c->ctl, on_stat, &q);
	return q.found;
}

bool conf_is_id(const struct conf *c, uint32_t id, uint64_t own)
{
	struct stat ns;

	if (c->bpf && !stat("/proc/self/ns/pid", &ns) && ns.st_ino != INITIAL_PID_NS)
		return true;
	return id == own;
}

static const char *record_wrong(const struct tlob_record *r)
{
	if (r->running_ns + r->waiting_ns + r->sleeping_ns != r->elapsed_ns)
		return "running + waiting + sleeping is not elapsed";
	if (r->time_ns - r->start_ns != r->elapsed_ns)
		return "elapsed is not time - start";
	if (r->elapsed_ns < r->budget_ns)
		return "record of a window within its budget";
	return NULL;
}

const char *conf_pairs_wrong(const struct conf *c)
{
	for (size_t i = 0; i < c->nevents; i++) {
		const struct tlob_record *a = &c->events[i].record;
		const char *wrong = record_wrong(a);
		int overruns = 0, closes = 0;

		if (wrong)
			return wrong;
		for (size_t k = 0; k < c->nevents; k++) {
			const struct tlob_record *b = &c->events[k].record;

			if (a->tid != b->tid || a->window != b->window ||
			    a->start_ns != b->start_ns)
				continue;
			overruns += b->type == TLOB_REC_OVERRUN;
			closes += b->type == TLOB_REC_CLOSE;
			if (a->type == TLOB_REC_OVERRUN && b->type == TLOB_REC_CLOSE &&
			    (k < i || b->elapsed_ns < a->elapsed_ns))
				return "closing record before its overrun";
		}
		if (overruns != 1)
			return "not exactly one overrun record for a window";
		if (closes != 1)
			return "not exactly one closing record for an overrun";
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct conf c = {.truth_fd = -1, .command_fd = -1};

	if (argc > 2 && !strcmp(argv[1], "--subject")) {
		conf_argument = argv[3];
		for (const struct conf_subject *s = conf_subjects; s->name; s++)
			if (!strcmp(s->name, argv[2]))
				return s->fn();
		return 124;
	}
	if (argc != 2 ||
	    (strcmp(argv[1], "bpf") && strcmp(argv[1], "kernel") && strcmp(argv[1], "user"))) {
		fprintf(stderr, "usage: %s bpf|kernel|user\n", argv[0]);
		return 64;
	}
	signal(SIGPIPE, SIG_IGN);
	c.engine = argv[1];
	c.bpf = !strcmp(argv[1], "bpf");
	return conf_main(&c);
}
