// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Timer latency with the kernel's own timerlat tracer: the thread sleeps in its timerlat_fd, and reads from a trace buffer
 * of its own what the tracer wrote about the cycle. The options of the tracer are the whole machine's: they are put
 * back at the end, whatever that is.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <traceevent/kbuffer.h>

#include "error.h"
#include "now.h"
#include "privilege.h"
#include "timerlat.h"
#include "timerlat_guard.h"
#include "timerlat_sample.h"

#define PATH_BYTES TIMERLAT_GUARD_PATH
#define LONGEST_PERIOD_NS 1000000000ULL

struct reader {
	struct kbuffer *buffer;
	int fd; /* trace_pipe_raw */
	char *page;
	struct timerlat_sample sample;
};

struct backend {
	const char *tracefs;
	char instance[96];
	int lock; /* one tlob at a time */
	struct timerlat_guard guard;
	struct timerlat_format format;
	struct reader *readers; /* of each lane */
	size_t page_bytes;
};

static const char *path_of(char buf[PATH_BYTES], const char *folder, const char *name)
{
	snprintf(buf, PATH_BYTES, "%s/%s", folder, name);
	return buf;
}

static int write_text(const char *folder, const char *name, const char *text)
{
	char path[PATH_BYTES];
	int fd = open(path_of(path, folder, name), O_WRONLY | O_CLOEXEC);
	int err = fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return err ? tlobctl_fail(err, "cannot write %s to %s: %s", text, path, strerror(-err)) : 0;
}

/* ---- is it there, and free? */

static int find_tracer(struct backend *b)
{
	static const char *const places[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};
	char path[PATH_BYTES];

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		b->tracefs = places[i];
		if (!access(path_of(path, b->tracefs, "osnoise/per_cpu"), F_OK))
			return 0;
		if (errno == EACCES)
			return tlobctl_fail(-EACCES, "%s may not be read; run it as root",
					    b->tracefs);
		if (!access(path_of(path, b->tracefs, "instances"), F_OK))
			return tlobctl_fail(
				-ENOENT,
				"this kernel has no timerlat tracer for threads of programs "
				"(Linux 6.5 with CONFIG_TIMERLAT_TRACER)");
	}
	return tlobctl_fail(-ENOENT, "tracefs is not mounted (mount -t tracefs tracefs %s)",
			    places[0]);
}

static bool is_in_use(const char *current_tracer)
{
	char name[32];

	return tlobctl_read_line(current_tracer, name, sizeof(name)) &&
	       (!strcmp(name, "timerlat") || !strcmp(name, "osnoise"));
}

/* Changing its options would start somebody else's measuring anew, with these options. */
static int check_unused(const struct backend *b)
{
	char pattern[PATH_BYTES], user[PATH_BYTES] = "";
	glob_t found;

	path_of(pattern, b->tracefs, "current_tracer");
	if (is_in_use(pattern))
		snprintf(user, sizeof(user), "%s", pattern);
	if (!glob(path_of(pattern, b->tracefs, "instances/*/current_tracer"), GLOB_NOSORT, NULL,
		  &found)) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			if (is_in_use(found.gl_pathv[i]))
				snprintf(user, sizeof(user), "%s", found.gl_pathv[i]);
		globfree(&found);
	}
	return *user ? tlobctl_fail(-EBUSY, "somebody measures with it already, see %s", user) : 0;
}

static int take_lock(struct backend *b)
{
	char path[PATH_BYTES];
	int r;

	b->lock = open(path_of(path, b->tracefs, "osnoise/options"), O_RDONLY | O_CLOEXEC);
	if (b->lock < 0)
		return tlobctl_fail(-errno, "cannot open %s: %m", path);
	r = timerlat_guard_lock(&b->guard, b->lock);
	if (r == -EBUSY)
		return tlobctl_fail(r, "another tlob timerlat measures with it");
	return r ? tlobctl_fail(r, "cannot lock %s: %s", path, strerror(-r)) : 0;
}

/* ---- the tracer's options */

static bool has_option(const char *line, const char *option)
{
	size_t length = strlen(option);

	for (const char *at = line; (at = strstr(at, option)); at += length)
		if ((at == line || at[-1] == ' ') && (!at[length] || at[length] == ' '))
			return true;
	return false;
}

/* To be put back as it is now. */
static int remember(struct backend *b, const char *name)
{
	char path[PATH_BYTES], value[64];

	if (!tlobctl_read_line(path_of(path, b->tracefs, name), value, sizeof(value)))
		return tlobctl_fail(-errno, "cannot read %s: %m", path);
	timerlat_guard_add(&b->guard, path, value);
	return 0;
}

static int remember_all(struct backend *b)
{
	static const char *const names[] = {"osnoise/timerlat_period_us", "osnoise/stop_tracing_us",
					    "osnoise/stop_tracing_total_us"};
	char path[PATH_BYTES], line[512];
	int r = 0;

	if (!tlobctl_read_line(path_of(path, b->tracefs, "osnoise/options"), line, sizeof(line)))
		return tlobctl_fail(-errno, "cannot read %s: %m", path);
	timerlat_guard_add(&b->guard, path,
			   has_option(line, "OSNOISE_WORKLOAD") ? "OSNOISE_WORKLOAD" :
								  "NO_OSNOISE_WORKLOAD");
	for (size_t i = 0; !r && i < sizeof(names) / sizeof(*names); i++)
		r = remember(b, names[i]);
	/* put back first: the tracer off, before its options change again */
	timerlat_guard_add(&b->guard, path_of(path, b->instance, "current_tracer"), "nop");
	snprintf(b->guard.folder, sizeof(b->guard.folder), "%s", b->instance);
	return r;
}

static int read_format(struct backend *b)
{
	char path[PATH_BYTES], text[4096];
	int fd = open(path_of(path, b->tracefs, "events/ftrace/timerlat/format"),
		      O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return tlobctl_fail(-errno, "cannot read %s: %m", path);
	text[n] = '\0';
	return timerlat_format_parse(text, &b->format) ?
		       0 :
		       tlobctl_fail(-EPROTO, "%s is not of the kind that tlob knows", path);
}

static int set_up(struct backend *b, uint64_t period_ns)
{
	char period[24];
	int r = 0;

	snprintf(period, sizeof(period), "%llu", (unsigned long long)period_ns / 1000);
	if (mkdir(b->instance, 0700))
		return tlobctl_fail(-errno, "cannot make the trace instance %s: %m", b->instance);
	r = write_text(b->instance, "trace_clock", "mono");
	if (!r)
		r = write_text(b->tracefs, "osnoise/stop_tracing_us", "0");
	if (!r)
		r = write_text(b->tracefs, "osnoise/stop_tracing_total_us", "0");
	if (!r)
		r = write_text(b->tracefs, "osnoise/timerlat_period_us", period);
	if (!r)
		r = write_text(b->tracefs, "osnoise/options", "NO_OSNOISE_WORKLOAD");
	if (!r)
		r = write_text(b->instance, "current_tracer", "timerlat");
	return r;
}

/* ---- open and close */

static int make_readers(struct backend *b, size_t n)
{
	b->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	b->readers = calloc(n, sizeof(*b->readers));
	for (size_t i = 0; b->readers && i < n; i++) {
		struct reader *r = &b->readers[i];

		r->fd = -1;
		r->page = malloc(b->page_bytes);
		r->buffer = kbuffer_alloc(sizeof(long) == 8 ? KBUFFER_LSIZE_8 : KBUFFER_LSIZE_4,
					  __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ?
						  KBUFFER_ENDIAN_LITTLE :
						  KBUFFER_ENDIAN_BIG);
		if (!r->page || !r->buffer)
			return tlobctl_fail(-ENOMEM, "no memory to read traces");
	}
	return b->readers ? 0 : tlobctl_fail(-ENOMEM, "no memory to read traces");
}

/* Descriptors first: who still holds one when the tracer is switched off is killed. */
static void close_lane(struct timerlat_lane *lane, struct reader *r)
{
	if (lane->fd >= 0)
		close(lane->fd);
	lane->fd = -1;
	if (!r)
		return;
	if (r->fd >= 0)
		close(r->fd);
	if (r->buffer)
		kbuffer_free(r->buffer);
	free(r->page);
}

static void kernel_close(struct tlobctl_timerlat *t)
{
	struct backend *b = t->backend_state;

	for (size_t i = 0; i < t->nlanes; i++)
		close_lane(t->lanes[i], b->readers ? &b->readers[i] : NULL);
	timerlat_guard_end(&b->guard);
	if (b->lock >= 0)
		close(b->lock);
	free(b->readers);
	free(b);
	t->backend_state = NULL;
}

static int prepare(struct backend *b, const struct tlobctl_timerlat *t)
{
	int r = find_tracer(b);

	if (!r && (t->opts.period_ns % 1000 || t->opts.period_ns > LONGEST_PERIOD_NS))
		r = tlobctl_fail(-EINVAL, "its periods are whole microseconds, at most 1 s");
	if (!r)
		r = take_lock(b);
	if (!r)
		r = check_unused(b);
	if (!r)
		r = read_format(b);
	if (r)
		return r;
	snprintf(b->instance, sizeof(b->instance), "%s/instances/tlob-timerlat-%d", b->tracefs,
		 (int)getpid());
	r = remember_all(b);
	if (!r)
		r = make_readers(b, t->nlanes);
	return r;
}

static int kernel_open(struct tlobctl_timerlat *t)
{
	struct backend *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return tlobctl_fail(-ENOMEM, "no memory");
	b->lock = b->guard.fd = b->guard.lock = -1;
	t->backend_state = b;
	r = prepare(b, t);
	if (!r) {
		r = timerlat_guard_start(&b->guard);
		if (r)
			tlobctl_fail(r, "cannot start the process that puts options back: %s",
				     strerror(-r));
	}
	return r ? r : set_up(b, t->opts.period_ns);
}

/* ---- a thread */

static int kernel_join(struct timerlat_lane *lane)
{
	struct backend *b = lane->t->backend_state;
	struct reader *r = &b->readers[lane->index];
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/per_cpu/cpu%u/trace_pipe_raw", b->instance, lane->cpu);
	r->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (r->fd < 0)
		return tlobctl_fail(-errno, "cannot measure CPU %u: cannot open %s: %m", lane->cpu,
				    path);
	snprintf(path, sizeof(path), "%s/osnoise/per_cpu/cpu%u/timerlat_fd", b->tracefs, lane->cpu);
	lane->fd = open(path, O_RDONLY | O_CLOEXEC);
	return lane->fd >= 0 ? 0 :
			       tlobctl_fail(-errno, "cannot measure CPU %u: cannot open %s: %m",
					    lane->cpu, path);
}

/* What was written since the last time, whole pages of it and the one under way. */
static void read_trace(struct backend *b, struct reader *r)
{
	r->sample.any = false;
	while (read(r->fd, r->page, b->page_bytes) > 0)
		timerlat_sample_take(r->buffer, r->page, &b->format, &r->sample);
}

/* The kernel keeps the period, and a signal ends its sleep early: then it writes nothing, and nothing is counted. */
static int kernel_cycle(struct timerlat_lane *lane, struct timerlat_marks *marks)
{
	struct backend *b = lane->t->backend_state;
	struct reader *r = &b->readers[lane->index];
	const struct timerlat_sample *s = &r->sample;
	ssize_t n = read(lane->fd, r->page, 1);

	marks->user_ns = tlobctl_now_ns();
	if (n < 0 && errno != EINTR)
		return tlobctl_fail(-errno, "cannot go on measuring CPU %u: %s", lane->cpu,
				    errno == EINVAL ?
					    "the tracer was switched off, or the thread was moved" :
					    strerror(errno));
	read_trace(b, r);
	if (!s->any)
		return 1;
	/* it is not told what time was set, but how late the thread was when that was written */
	marks->deadline_ns = s->thread.time_ns - s->thread.latency_ns;
	marks->split = s->irq.seqnum == s->thread.seqnum;
	marks->irq_ns = marks->deadline_ns + s->irq.latency_ns;
	marks->cpu_ns = s->thread.time_ns;
	lane->deadline_ns = marks->deadline_ns;
	return 0;
}

const struct timerlat_backend timerlat_kernel = {
	.name = "kernel",
	.kind = TLOBCTL_TIMERLAT_KERNEL,
	.open = kernel_open,
	.close = kernel_close,
	.join = kernel_join,
	.cycle = kernel_cycle,
};
