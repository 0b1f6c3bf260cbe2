// SPDX-License-Identifier: GPL-2.0-or-later
/* CPU samples of engine bpf: a perf event for each CPU, its program, and the ring they go into. See bpf/samples.h. */
#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine_bpf.h"
#include "error.h"
#include "objects.h"
#include "sampler.h"
#include "tlob.skel.h"

#define RING_BYTES_PER_CPU (2u << 20) /* some hundred samples: those of half a second */
#define RING_BYTES_MAX (64u << 20)

struct tlobctl_bpf_samples {
	struct ring_buffer *ring;
	struct tlobctl_source source;
	struct bpf_link **links; /* by CPU; NULL: that CPU is offline */
	size_t ncpus;
};

void tlobctl_bpf_samples_configure(const struct tlobctl *ctl, struct tlobctl_bpf *bpf)
{
	bool on = ctl->opts.why == TLOBCTL_WHY_SAMPLES;
	uint32_t bytes = RING_BYTES_PER_CPU;
	int cpus = libbpf_num_possible_cpus();

	bpf_program__set_autoload(bpf->skel->progs.sample, on);
	if (!on)
		return;
	while (bytes < RING_BYTES_MAX && (int)(bytes / RING_BYTES_PER_CPU) < cpus)
		bytes *= 2;
	bpf_map__set_max_entries(bpf->skel->maps.samples, bytes);
	bpf->skel->rodata->samples_call_bytes = bytes / 2;
}

/* ---- the ring */

static int on_sample(void *arg, void *data, size_t size)
{
	tlobctl_sampler_push(arg, data, size);
	return 0;
}

static void read_samples(struct tlobctl *ctl)
{
	struct tlobctl_bpf *bpf = tlobctl_bpf_of(ctl);

	/* first, so that whoever fills it up from now on calls again */
	__atomic_store_n(&bpf->skel->bss->samples_called, 0, __ATOMIC_SEQ_CST);
	ring_buffer__consume(bpf->samples->ring);
}

static uint64_t dropped_samples(const struct tlobctl *ctl)
{
	return __atomic_load_n(&tlobctl_bpf_of(ctl)->skel->bss->samples_dropped, __ATOMIC_RELAXED);
}

static void samples_ready(struct tlobctl *ctl, struct tlobctl_source *self)
{
	(void)self;
	tlobctl_objects_pass(ctl);
}

/* ---- the events */

static int open_event(uint32_t hz, bool cycles, int cpu)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = cycles ? PERF_TYPE_HARDWARE : PERF_TYPE_SOFTWARE,
		.config = cycles ? PERF_COUNT_HW_CPU_CYCLES : PERF_COUNT_SW_CPU_CLOCK,
		.exclude_idle = 1,
	};

	attr.freq = cycles;
	if (cycles)
		attr.sample_freq = hz;
	else
		attr.sample_period = 1000000000u / hz;
	return (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

/* Is there a counter in hardware, on the first CPU that is there at all? */
static bool has_cycles(uint32_t hz, size_t ncpus)
{
	for (size_t cpu = 0; cpu < ncpus; cpu++) {
		int fd = open_event(hz, true, (int)cpu);

		if (fd >= 0) {
			close(fd);
			return true;
		}
		if (errno != ENODEV)
			return false;
	}
	return false;
}

static int attach_event(struct tlobctl_bpf *bpf, int cpu, uint32_t hz, bool cycles)
{
	int fd = open_event(hz, cycles, cpu);

	if (fd < 0 && errno == ENODEV)
		return 0;
	if (fd < 0)
		return tlobctl_fail(-errno,
				    "cannot take CPU samples on CPU %d at %u Hz: %m. See "
				    "/proc/sys/kernel/perf_event_paranoid, or use --why=stacks",
				    cpu, hz);
	bpf->samples->links[cpu] = bpf_program__attach_perf_event(bpf->skel->progs.sample, fd);
	if (bpf->samples->links[cpu])
		return 0;
	close(fd);
	return tlobctl_fail(-errno, "cannot attach to the sampling event of CPU %d: %m", cpu);
}

static int attach_all(struct tlobctl_bpf *bpf, uint32_t hz, bool cycles)
{
	int r = 0;

	for (size_t cpu = 0; cpu < bpf->samples->ncpus && !r; cpu++)
		r = attach_event(bpf, (int)cpu, hz, cycles);
	return r;
}

int tlobctl_bpf_samples_open(struct tlobctl *ctl)
{
	struct tlobctl_bpf *bpf = tlobctl_bpf_of(ctl);
	struct tlobctl_bpf_samples *s;
	uint32_t hz = ctl->opts.sample_hz;
	bool cycles;
	int r;

	if (!bpf_program__autoload(bpf->skel->progs.sample))
		return 0;
	s = calloc(1, sizeof(*s));
	bpf->samples = s;
	if (s) {
		s->ncpus = (size_t)sysconf(_SC_NPROCESSORS_CONF);
		s->links = calloc(s->ncpus, sizeof(struct bpf_link *));
	}
	if (!s || !s->links)
		return tlobctl_fail(-ENOMEM, "out of memory for CPU samples");
	cycles = has_cycles(hz, s->ncpus);
	s->ring = ring_buffer__new(bpf_map__fd(bpf->skel->maps.samples), on_sample, ctl, NULL);
	if (!s->ring)
		return tlobctl_fail(-errno, "engine bpf cannot map its ring of CPU samples: %m");
	s->source.ready = samples_ready;
	r = tlobctl_sampler_open(ctl, cycles ? "cycles" : "cpu-clock", read_samples,
				 dropped_samples);
	if (!r)
		r = tlobctl_source_add(ctl, ring_buffer__epoll_fd(s->ring), &s->source);
	return r ? r : attach_all(bpf, hz, cycles);
}

void tlobctl_bpf_samples_close(struct tlobctl_bpf *bpf)
{
	struct tlobctl_bpf_samples *s = bpf->samples;

	if (!s)
		return;
	for (size_t i = 0; s->links && i < s->ncpus; i++)
		bpf_link__destroy(s->links[i]);
	free(s->links);
	ring_buffer__free(s->ring);
	free(s);
	bpf->samples = NULL;
}
