// SPDX-License-Identifier: GPL-2.0-or-later
/* Where threads are, with engine bpf: its programs, and the question where a thread is whose window has just expired. */
#include <errno.h>
#include <sys/mman.h>

#include <bpf/bpf.h>

#include "engine_bpf.h"
#include "error.h"
#include "tlob.skel.h"

#define ATTEMPTS 3 /* it may be switched while it is looked for */

void tlobctl_bpf_stacks_configure(const struct tlobctl *ctl, struct tlobctl_bpf *bpf,
				  const struct tlobctl_bpf_features *features)
{
	bool on = ctl->opts.why >= TLOBCTL_WHY_STACKS;
	struct tlob *s = bpf->skel;

	s->rodata->stacks_on = on;
	s->rodata->stacks_interrupt = on && features->irq_work;
	bpf_program__set_autoload(s->progs.irq_work_entry, on && features->irq_work);
	bpf_program__set_autoload(s->progs.look, on && features->task_from_pid);
	bpf_program__set_autoload(s->progs.look_here, on);
	if (on)
		bpf_map__set_max_entries(s->maps.captures, TLOB_CAPTURES);
}

int tlobctl_bpf_stacks_map(struct tlobctl *ctl, struct tlobctl_bpf *bpf)
{
	const size_t bytes = TLOB_CAPTURES * sizeof(struct tlob_capture);
	void *captures;

	if (!bpf->skel->rodata->stacks_on)
		return 0;
	captures =
		mmap(NULL, bytes, PROT_READ, MAP_SHARED, bpf_map__fd(bpf->skel->maps.captures), 0);
	if (captures == MAP_FAILED)
		return tlobctl_fail(-errno,
				    "engine bpf cannot map its %zu bytes of captured stacks: %m",
				    bytes);
	ctl->stacks.captures = captures;
	ctl->stacks.bytes = bytes;
	return 0;
}

/* On CPU @cpu, in an interrupt. False: it was not there. */
static bool look_on(struct tlobctl_bpf *bpf, const struct tlob_record *record, uint32_t cpu)
{
	uint64_t args[] = {record->tid, record->client, record->window};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = sizeof(args),
		    .flags = BPF_F_TEST_RUN_ON_CPU, .cpu = cpu);

	return !bpf_prog_test_run_opts(bpf_program__fd(bpf->skel->progs.look_here), &opts) &&
	       opts.retval != ESRCH;
}

void tlobctl_bpf_look(struct tlobctl *ctl, const struct tlob_record *record)
{
	struct tlobctl_bpf *bpf = tlobctl_bpf_of(ctl);
	struct tlob_bpf_look look = {.tid = record->tid,
				     .client = record->client,
				     .window = record->window,
				     .now_ns = record->time_ns,
				     .cpu = record->cpu};
	/* which is where the answer comes, too */
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &look, .ctx_size_in = sizeof(look));
	bool off_cpu = bpf_program__autoload(bpf->skel->progs.look);

	for (int i = 0; i < ATTEMPTS; i++) {
		if (off_cpu &&
		    bpf_prog_test_run_opts(bpf_program__fd(bpf->skel->progs.look), &opts))
			return;
		if (off_cpu && opts.retval != EAGAIN)
			return;
		if (look_on(bpf, record, look.cpu) || !off_cpu)
			return;
	}
}
