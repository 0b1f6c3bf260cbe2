// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Timer latency with tlob.ko: the thread sleeps in its timerlat_fd, and the module notes when the timer interrupted and when the
 * thread ran. See tlob/timerlat.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <tlob/timerlat.h>

#include "error.h"
#include "now.h"
#include "timerlat.h"
#include "timerlat_guard.h"

#define PATH_BYTES TIMERLAT_GUARD_PATH

/* The second where something else has the first already. */
static const char *const folders[] = {"/sys/kernel/debug/rv/timerlat",
				      "/sys/kernel/debug/rv_tlob/timerlat"};

/* Of one lane; nobody else's on its cache lines. */
struct last {
	struct tlob_timerlat_sample sample;
	struct tlobctl_who found;
} __attribute__((aligned(128)));

struct module {
	struct last *lasts; /* of each lane */
	const char *folder;
	int enable; /* locked as long as this process measures: period and switch are everybody's */
	struct timerlat_guard guard;
};

/* 0 or a negative errno. */
static int read_text(const struct module *m, const char *name, char *text, size_t size)
{
	char path[PATH_BYTES];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", m->folder, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, size - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return n < 0 ? (int)n : 0;
}

static int write_text(const struct module *m, const char *name, const char *text)
{
	char path[PATH_BYTES];
	int fd, err;

	snprintf(path, sizeof(path), "%s/%s", m->folder, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	err = fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	return err ? tlobctl_fail(err, "cannot write %s to %s: %s", text, path, strerror(-err)) : 0;
}

/* ---- open and close */

static int find_folder(struct module *m)
{
	int err = ENOENT;

	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		char path[PATH_BYTES];

		m->folder = folders[i];
		snprintf(path, sizeof(path), "%s/enable", m->folder);
		m->enable = open(path, O_RDWR | O_CLOEXEC);
		if (m->enable >= 0)
			return 0;
		if (errno != ENOENT)
			err = errno;
	}
	if (err == EACCES || err == EPERM)
		return tlobctl_fail(
			-err, "its files in /sys/kernel/debug may not be opened; run it as root");
	if (err != ENOENT)
		return tlobctl_fail(-err, "its files in /sys/kernel/debug cannot be opened: %s",
				    strerror(err));
	if (access("/sys/module/tlob", F_OK) == 0)
		return tlobctl_fail(
			-ENOENT, "tlob.ko is loaded, but has no rv/timerlat in /sys/kernel/debug; "
				 "is debugfs mounted there?");
	return tlobctl_fail(-ENOENT, "tlob.ko is not loaded (modprobe tlob)");
}

static int check_period(uint64_t period_ns)
{
	if (period_ns % 1000 == 0 && period_ns <= TLOB_TIMERLAT_PERIOD_MAX_US * 1000ULL)
		return 0;
	return tlobctl_fail(-EINVAL,
			    "its periods are whole microseconds, at most 1 s, and not %llu ns",
			    (unsigned long long)period_ns);
}

/* Who is to put back what set_up() changes. */
static int start_guard(struct module *m, bool was_enabled, const char *period_before)
{
	char path[PATH_BYTES];
	int r;

	snprintf(path, sizeof(path), "%s/timerlat_period_us", m->folder);
	timerlat_guard_add(&m->guard, path, period_before);
	snprintf(path, sizeof(path), "%s/enable", m->folder);
	if (!was_enabled)
		timerlat_guard_add(&m->guard, path, "0");
	r = timerlat_guard_start(&m->guard);
	return r ? tlobctl_fail(r, "cannot start the process that puts its settings back: %s",
				strerror(-r)) :
		   0;
}

static int set_up(struct module *m, uint64_t period_ns)
{
	char period[24], enabled[24] = "", text[24];
	int r = timerlat_guard_lock(&m->guard, m->enable);

	if (r == -EBUSY)
		return tlobctl_fail(
			r,
			"another tlob timerlat measures with it; wait for its end, or use another backend");
	if (r)
		return tlobctl_fail(r, "cannot lock %s/enable: %s", m->folder, strerror(-r));
	r = read_text(m, "timerlat_period_us", period, sizeof(period));
	if (!r)
		r = read_text(m, "enable", enabled, sizeof(enabled));
	if (r)
		return tlobctl_fail(r, "cannot read the files in %s: %s", m->folder, strerror(-r));
	r = start_guard(m, strcmp(enabled, "0"), period);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)period_ns / 1000);
	if (!r)
		r = write_text(m, "timerlat_period_us", text);
	if (!r && !strcmp(enabled, "0"))
		r = write_text(m, "enable", "1");
	return r;
}

static void module_close(struct tlobctl_timerlat *t)
{
	struct module *m = t->backend_state;

	/* first: who still holds one when it is disabled is killed */
	for (size_t i = 0; i < t->nlanes; i++) {
		if (t->lanes[i]->fd >= 0)
			close(t->lanes[i]->fd);
		t->lanes[i]->fd = -1;
	}
	timerlat_guard_end(&m->guard);
	if (m->enable >= 0)
		close(m->enable);
	free(m->lasts);
	free(m);
	t->backend_state = NULL;
}

static int module_open(struct tlobctl_timerlat *t)
{
	struct module *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return tlobctl_fail(-ENOMEM, "no memory");
	m->enable = m->guard.fd = m->guard.lock = -1;
	t->backend_state = m;
	m->lasts = aligned_alloc(_Alignof(struct last), t->nlanes * sizeof(*m->lasts));
	r = m->lasts ? find_folder(m) : tlobctl_fail(-ENOMEM, "no memory");
	if (!r)
		r = check_period(t->opts.period_ns);
	return r ? r : set_up(m, t->opts.period_ns);
}

/* ---- a thread */

static int module_join(struct timerlat_lane *lane)
{
	const struct module *m = lane->t->backend_state;
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/per_cpu/cpu%u/timerlat_fd", m->folder, lane->cpu);
	lane->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (lane->fd >= 0)
		return 0;
	if (errno == EBUSY)
		return tlobctl_fail(-EBUSY,
				    "cannot measure CPU %u: another program has %s open; end it, "
				    "or choose other CPUs",
				    lane->cpu, path);
	return tlobctl_fail(-errno, "cannot measure CPU %u: cannot open %s: %m", lane->cpu, path);
}

static int explain(const struct timerlat_lane *lane, int err)
{
	switch (err) {
	case -ENODEV:
		return tlobctl_fail(err, "cannot go on measuring CPU %u: it went offline",
				    lane->cpu);
	case -EINVAL:
		return tlobctl_fail(
			err,
			"cannot go on measuring CPU %u: the thread was moved to another "
			"CPU; leave its affinity alone",
			lane->cpu);
	default:
		return tlobctl_fail(err, "cannot go on measuring CPU %u: %s", lane->cpu,
				    strerror(-err));
	}
}

/* The module keeps the period; lane->deadline_ns follows. */
static int module_cycle(struct timerlat_lane *lane, struct timerlat_marks *marks)
{
	struct module *m = lane->t->backend_state;
	struct tlob_timerlat_sample *sample = &m->lasts[lane->index].sample;
	ssize_t n = read(lane->fd, NULL, 0);

	marks->user_ns = tlobctl_now_ns();
	if (n < 0 && errno == EINTR)
		return 1;
	if (n < 0 || ioctl(lane->fd, TLOB_TIMERLAT_SAMPLE, sample))
		return explain(lane, -errno);
	lane->deadline_ns = marks->deadline_ns = sample->expected_ns;
	marks->split = true;
	marks->irq_ns = sample->expected_ns + sample->irq_ns;
	marks->cpu_ns = sample->expected_ns + sample->thread_ns;
	return 0;
}

static const struct tlobctl_who *module_found(const struct timerlat_lane *lane)
{
	struct module *m = lane->t->backend_state;
	struct last *last = &m->lasts[lane->index];

	last->found = (struct tlobctl_who){.tid = (uint32_t)last->sample.pid, .cgroup = ""};
	memcpy(last->found.comm, last->sample.comm, sizeof(last->found.comm));
	return &last->found;
}

const struct timerlat_backend timerlat_module = {
	.name = "module",
	.kind = TLOBCTL_TIMERLAT_MODULE,
	.open = module_open,
	.close = module_close,
	.join = module_join,
	.cycle = module_cycle,
	.found = module_found,
};
