// SPDX-License-Identifier: GPL-2.0-or-later
/* Timer latency with BPF: the thread sleeps as in backend plain, and programs note when its timer and its CPU came. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "atomic.h"
#include "engine_bpf.h"
#include "error.h"
#include "privilege.h"
#include "timerlat.h"
#include "timerlat.skel.h"

#include "../bpf/timerlat.h"

_Static_assert(TLOB_TIMERLAT_STACK <= TIMERLAT_FRAMES, "a whole stack fits");

struct backend {
	struct timerlat *skel;
	struct tlob_timerlat_slot *slots; /* by number of the CPU */
	size_t bytes;
};

static int no_output(enum libbpf_print_level level, const char *fmt, va_list args)
{
	(void)level;
	(void)fmt;
	(void)args;
	return 0;
}

static int explain(int err)
{
	char release[64];
	bool permitted = tlobctl_capable(CAP_SYS_ADMIN) ||
			 (tlobctl_capable(CAP_BPF) && tlobctl_capable(CAP_PERFMON));

	if (!permitted)
		return tlobctl_fail(err,
				    "its programs need CAP_BPF and CAP_PERFMON; run it as root");
	tlobctl_kernel_release(release, sizeof(release));
	return tlobctl_fail(
		err,
		"its programs cannot be loaded on Linux %s (%s); see what tlob doctor says of engine bpf",
		release, strerror(-err));
}

/* For tests, as in engine bpf: this kernel has no such tracepoint. */
static bool without_tick(void)
{
	const char *words = getenv("TLOB_BPF_WITHOUT");

	return words && strstr(words, "tick");
}

/* Taking a stack costs more than the rest of the cycle, so by default it waits until the limit is passed. */
static void configure_stacks(struct timerlat *skel, const struct tlobctl_timerlat_opts *o)
{
	uint64_t limit = o->stop_total_ns;

	if (!limit || (o->stop_irq_ns && o->stop_irq_ns < limit))
		limit = o->stop_irq_ns;
	skel->rodata->timerlat_limit_ns = limit;
	skel->rodata->timerlat_stacks = !limit || o->why == TLOBCTL_WHY_NONE ?
						TLOB_TIMERLAT_STACKS_NONE :
					o->why == TLOBCTL_WHY_CULPRIT ? TLOB_TIMERLAT_STACKS_LATE :
									TLOB_TIMERLAT_STACKS_ALL;
}

static int load(struct backend *b, const struct tlobctl_timerlat *t)
{
	struct tlobctl_bpf_features features;
	int cpus = libbpf_num_possible_cpus(), r;
	bool tick;

	if (cpus < 0)
		return cpus;
	tlobctl_bpf_features(&features);
	b->skel = timerlat__open();
	if (!b->skel)
		return -errno;
	bpf_map__set_max_entries(b->skel->maps.slots, (uint32_t)cpus);
	bpf_map__set_max_entries(b->skel->maps.measuring, (uint32_t)t->nlanes);
	configure_stacks(b->skel, &t->opts);
	tick = features.local_timer && !without_tick();
	bpf_program__set_autoload(b->skel->progs.timerlat_interrupt, tick);
	bpf_program__set_autoload(b->skel->progs.timerlat_expire, !tick);
	r = timerlat__load(b->skel);
	if (!r)
		r = timerlat__attach(b->skel);
	if (r)
		return r;
	b->bytes = (size_t)cpus * sizeof(*b->slots);
	b->slots = mmap(NULL, b->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			bpf_map__fd(b->skel->maps.slots), 0);
	return b->slots == MAP_FAILED ? -errno : 0;
}

static void bpf_close(struct tlobctl_timerlat *t)
{
	struct backend *b = t->backend_state;

	if (b->slots && b->slots != MAP_FAILED)
		munmap(b->slots, b->bytes);
	timerlat__destroy(b->skel);
	free(b);
	t->backend_state = NULL;
}

static int bpf_open(struct tlobctl_timerlat *t)
{
	struct backend *b = calloc(1, sizeof(*b));
	libbpf_print_fn_t before;
	int r;

	if (!b)
		return tlobctl_fail(-ENOMEM, "no memory");
	t->backend_state = b;
	before = libbpf_set_print(no_output);
	r = load(b, t);
	libbpf_set_print(before);
	return r ? explain(r) : 0;
}

static int bpf_join(struct timerlat_lane *lane)
{
	struct backend *b = lane->t->backend_state;
	struct {
		uint32_t cpu;
	} call = {lane->cpu};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &call, .ctx_size_in = sizeof(call));
	int r = bpf_prog_test_run_opts(bpf_program__fd(b->skel->progs.timerlat_join), &opts);

	if (!r && opts.retval)
		r = (int)opts.retval;
	if (r)
		return tlobctl_fail(r, "backend bpf does not know the thread of CPU %u: %s",
				    lane->cpu, strerror(-r));
	lane->tid = b->slots[lane->cpu].tid;
	return 0;
}

static int bpf_cycle(struct timerlat_lane *lane, struct timerlat_marks *marks)
{
	struct backend *b = lane->t->backend_state;
	struct tlob_timerlat_slot *slot = &b->slots[lane->cpu];
	int r;

	tlob_store(&slot->deadline_ns, lane->deadline_ns);
	tlob_store(&slot->wake_ns, 0);
	r = timerlat_plain.cycle(lane, marks);
	if (r)
		return r;
	marks->split = tlob_load(&slot->wake_ns) != 0;
	if (!marks->split) /* the time had passed before the timer was set, or it did not have to sleep */
		return 0;
	marks->irq_ns = tlob_load(&slot->irq_ns);
	marks->cpu_ns = tlob_load(&slot->cpu_ns);
	if (!marks->cpu_ns) /* woken before it had left the CPU */
		marks->cpu_ns = tlob_load(&slot->wake_ns);
	return 0;
}

static size_t bpf_stack(const struct timerlat_lane *lane, uint64_t *time_ns,
			uint64_t addresses[TIMERLAT_FRAMES])
{
	const struct backend *b = lane->t->backend_state;
	const struct tlob_timerlat_slot *slot = &b->slots[lane->cpu];
	size_t n = slot->stack_bytes > 0 ? (size_t)slot->stack_bytes / sizeof(slot->stack[0]) : 0;

	if (!lane->t->hit.split || !n)
		return 0;
	*time_ns = slot->stack_ns;
	for (size_t i = 0; i < n && i < TIMERLAT_FRAMES; i++)
		addresses[i] = slot->stack[i];
	return n < TIMERLAT_FRAMES ? n : TIMERLAT_FRAMES;
}

const struct timerlat_backend timerlat_bpf = {
	.name = "bpf",
	.kind = TLOBCTL_TIMERLAT_BPF,
	.open = bpf_open,
	.close = bpf_close,
	.join = bpf_join,
	.cycle = bpf_cycle,
	.stack = bpf_stack,
};
