// SPDX-License-Identifier: GPL-2.0-or-later
/* Timer latency: from options to threads that measure. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "atomic.h"
#include "cpulist.h"
#include "error.h"
#include "privilege.h"
#include "timerlat.h"
#include "timerlat_why.h"

/* The best first. */
static const struct timerlat_backend *const backends[] = {
	&timerlat_kernel,
	&timerlat_module,
	&timerlat_bpf,
	&timerlat_plain,
};

void timerlat_note(struct tlobctl_timerlat *t, const char *fmt, ...)
{
	size_t used = strlen(t->note);
	va_list args;

	if (used && used + 1 < sizeof(t->note))
		t->note[used++] = '\n';
	va_start(args, fmt);
	vsnprintf(t->note + used, sizeof(t->note) - used, fmt, args);
	va_end(args);
}

/* ---- CPUs */

/* Those that this process may use, ascending. Returns how many, or a negative errno. */
static int allowed_cpus(uint32_t **out)
{
	cpu_set_t *set = CPU_ALLOC(TLOB_CPULIST_MAX);
	size_t bytes = CPU_ALLOC_SIZE(TLOB_CPULIST_MAX);
	uint32_t *cpus = calloc(TLOB_CPULIST_MAX, sizeof(*cpus));
	int n = 0;

	if (!set || !cpus)
		n = tlobctl_fail(-ENOMEM, "no memory for a set of CPUs");
	else if (sched_getaffinity(0, bytes, set))
		n = tlobctl_fail(-errno, "cannot find out which CPUs this process may use: %m");
	else
		for (uint32_t i = 0; i < TLOB_CPULIST_MAX; i++)
			if (CPU_ISSET_S(i, bytes, set))
				cpus[n++] = i;
	if (set)
		CPU_FREE(set);
	if (n < 0)
		free(cpus);
	else
		*out = cpus;
	return n;
}

static bool is_among(uint32_t cpu, const uint32_t *cpus, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (cpus[i] == cpu)
			return true;
	return false;
}

static int choose_cpus(struct tlobctl_timerlat *t, const struct tlobctl_timerlat_opts *opts)
{
	uint32_t *allowed;
	int n = allowed_cpus(&allowed);
	char list[256];

	if (n < 0)
		return n;
	if (!opts->cpus) {
		t->cpus = allowed;
		t->nlanes = (size_t)n;
		return 0;
	}
	tlob_cpulist_print(list, sizeof(list), allowed, (size_t)n);
	t->cpus = calloc(opts->ncpus ? opts->ncpus : 1, sizeof(*t->cpus));
	for (size_t i = 0; t->cpus && i < opts->ncpus; i++) {
		if (!is_among(opts->cpus[i], allowed, (size_t)n)) {
			free(allowed);
			return tlobctl_fail(
				-EINVAL,
				"cannot measure on CPU %u: this process may use CPUs %s. Choose among them, or "
				"start it where that CPU is allowed (taskset, cpuset)",
				opts->cpus[i], list);
		}
		t->cpus[t->nlanes++] = opts->cpus[i];
	}
	free(allowed);
	if (!t->cpus)
		return tlobctl_fail(-ENOMEM, "no memory for a set of CPUs");
	return t->nlanes ? 0 : tlobctl_fail(-EINVAL, "there is no CPU to measure");
}

/* ---- what the process may do */

static void choose_scheduling(struct tlobctl_timerlat *t)
{
	struct tlobctl_timerlat_opts *o = &t->opts;
	const char *name = o->policy == TLOBCTL_TIMERLAT_RR ? "rr" : "fifo";
	struct rlimit limit = {0};

	if (o->policy != TLOBCTL_TIMERLAT_OTHER) {
		if (!o->priority)
			o->priority = TLOBCTL_TIMERLAT_PRIORITY;
		getrlimit(RLIMIT_RTPRIO, &limit);
		if (!tlobctl_capable(CAP_SYS_NICE) && limit.rlim_cur < (rlim_t)o->priority) {
			timerlat_note(
				t,
				"Real-time priority %d is not permitted: the threads are ordinary ones, and wait behind "
				"whatever else runs. Run it as root, or with CAP_SYS_NICE, or after ulimit -r %d.",
				o->priority, o->priority);
			o->policy = TLOBCTL_TIMERLAT_OTHER;
			o->priority = 0;
		}
	}
	if (o->policy == TLOBCTL_TIMERLAT_OTHER)
		name = "other";
	snprintf(t->scheduling, sizeof(t->scheduling), "%s:%d", name, o->priority);
}

static void lock_memory(struct tlobctl_timerlat *t)
{
	t->locked = !mlockall(MCL_CURRENT | MCL_FUTURE);
	if (!t->locked)
		timerlat_note(
			t,
			"Memory is not locked (%s): a page fault counts as latency. Run it as root, with "
			"CAP_IPC_LOCK, or after ulimit -l unlimited.",
			strerror(errno));
}

/* As long as it is open, CPUs do not idle so deeply that waking them takes longer than that: 0 us. */
static void hold_dma_latency(struct tlobctl_timerlat *t)
{
	static const char path[] = "/dev/cpu_dma_latency";
	const int32_t latency_us = 0;

	t->dma_latency = open(path, O_WRONLY | O_CLOEXEC);
	if (t->dma_latency >= 0 &&
	    write(t->dma_latency, &latency_us, sizeof(latency_us)) == sizeof(latency_us))
		return;
	timerlat_note(t, "%s cannot be held at 0 (%s): CPUs that idle deeply wake up late.", path,
		      strerror(errno));
	if (t->dma_latency >= 0)
		close(t->dma_latency);
	t->dma_latency = -1;
}

/* ---- backends */

/* Its open() has failed; the sentence about that stays. */
static int give_up(struct tlobctl_timerlat *t, const struct timerlat_backend *backend, int r)
{
	char why[512];

	if (!t->backend_state)
		return r;
	snprintf(why, sizeof(why), "%s", tlobctl_error());
	backend->close(t);
	return tlobctl_fail(r, "%s", why);
}

static int open_backend(struct tlobctl_timerlat *t)
{
	enum tlobctl_timerlat_backend want = t->opts.backend;
	int r = 0;

	for (size_t i = 0; i < sizeof(backends) / sizeof(*backends); i++) {
		if (want && backends[i]->kind != want)
			continue;
		r = backends[i]->open(t);
		if (!r) {
			t->backend = backends[i];
			return 0;
		}
		r = give_up(t, backends[i], r);
		if (!want)
			timerlat_note(t, "Not backend %s: %s.", backends[i]->name, tlobctl_error());
	}
	return r ? r : tlobctl_fail(-EINVAL, "there is no such backend");
}

static void warn_of_total_only(struct tlobctl_timerlat *t)
{
	if (t->backend->kind == TLOBCTL_TIMERLAT_PLAIN)
		timerlat_note(t, "Backend plain measures the total only, not its parts%s.",
			      t->opts.stop_irq_ns ? ": the limit for the interrupt has no effect" :
						    "");
}

/* ---- open and close */

static int check_options(const struct tlobctl_timerlat_opts *o)
{
	if (o->period_ns < TLOBCTL_TIMERLAT_MIN_PERIOD_NS)
		return tlobctl_fail(
			-EINVAL,
			"a period of %llu ns is too short: the shortest is %d us, so that measuring "
			"leaves the CPU to others",
			(unsigned long long)o->period_ns, TLOBCTL_TIMERLAT_MIN_PERIOD_NS / 1000);
	if (o->period_ns > TLOBCTL_TIMERLAT_MAX_PERIOD_NS)
		return tlobctl_fail(-EINVAL, "a period of %llu ns is too long: the longest is 10 s",
				    (unsigned long long)o->period_ns);
	if (o->policy == TLOBCTL_TIMERLAT_OTHER && (o->priority < -20 || o->priority > 19))
		return tlobctl_fail(-EINVAL, "nice levels go from -20 to 19, there is no %d",
				    o->priority);
	if (o->policy != TLOBCTL_TIMERLAT_OTHER && (o->priority < 0 || o->priority > 99))
		return tlobctl_fail(-EINVAL, "real-time priorities go from 1 to 99, there is no %d",
				    o->priority);
	return 0;
}

static int make_lanes(struct tlobctl_timerlat *t)
{
	t->lanes = calloc(t->nlanes, sizeof(*t->lanes));
	for (size_t i = 0; t->lanes && i < t->nlanes; i++) {
		struct timerlat_lane *lane = NULL;

		/* nobody else's data on its cache lines, nor its pages on demand */
		if (posix_memalign((void **)&lane, 4096, sizeof(*lane)))
			return tlobctl_fail(-ENOMEM, "no memory for the histograms of CPU %u",
					    t->cpus[i]);
		memset(lane, 0, sizeof(*lane));
		lane->t = t;
		lane->index = (uint32_t)i;
		lane->cpu = t->cpus[i];
		lane->fd = -1;
		t->lanes[i] = lane;
	}
	return t->lanes ? 0 : tlobctl_fail(-ENOMEM, "no memory for %zu CPUs", t->nlanes);
}

static int open_all(struct tlobctl_timerlat *t, const struct tlobctl_timerlat_opts *opts)
{
	int r = choose_cpus(t, opts);

	if (!r)
		r = make_lanes(t);
	if (r)
		return r;
	t->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (t->event < 0)
		return tlobctl_fail(-errno, "cannot make an event descriptor: %m");
	r = open_backend(t);
	if (r)
		return r;
	warn_of_total_only(t);
	timerlat_why_open(t);
	choose_scheduling(t);
	if (!t->opts.deep_idle)
		hold_dma_latency(t);
	lock_memory(t);
	return timerlat_threads_start(t);
}

int tlobctl_timerlat_open(const struct tlobctl_timerlat_opts *opts, struct tlobctl_timerlat **out)
{
	struct tlobctl_timerlat *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return tlobctl_fail(-ENOMEM, "no memory to measure timer latency");
	memcpy(&t->opts, opts, opts->size < sizeof(t->opts) ? opts->size : sizeof(t->opts));
	t->opts.size = sizeof(t->opts);
	if (!t->opts.period_ns)
		t->opts.period_ns = TLOBCTL_TIMERLAT_PERIOD_NS;
	t->event = t->dma_latency = -1;
	t->hit_lane = TIMERLAT_NO_LANE;
	sem_init(&t->ready, 0, 0);
	sem_init(&t->go, 0, 0);
	r = check_options(&t->opts);
	if (!r)
		r = open_all(t, &t->opts);
	if (r) {
		tlobctl_timerlat_close(t);
		return r;
	}
	*out = t;
	return 0;
}

void tlobctl_timerlat_close(struct tlobctl_timerlat *t)
{
	if (!t)
		return;
	timerlat_threads_stop(t);
	timerlat_why_close(t);
	if (t->backend)
		t->backend->close(t);
	if (t->dma_latency >= 0)
		close(t->dma_latency);
	if (t->event >= 0)
		close(t->event);
	if (t->locked)
		munlockall();
	for (size_t i = 0; t->lanes && i < t->nlanes; i++)
		free(t->lanes[i]);
	free(t->lanes);
	free(t->cpus);
	sem_destroy(&t->ready);
	sem_destroy(&t->go);
	free(t);
}

const char *tlobctl_timerlat_backend_name(const struct tlobctl_timerlat *t)
{
	return t->backend->name;
}

const char *tlobctl_timerlat_note(const struct tlobctl_timerlat *t)
{
	return t->note;
}

const char *tlobctl_timerlat_scheduling(const struct tlobctl_timerlat *t)
{
	return t->scheduling;
}

int tlobctl_timerlat_fd(const struct tlobctl_timerlat *t)
{
	return t->event;
}
