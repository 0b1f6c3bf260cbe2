// SPDX-License-Identifier: GPL-2.0-or-later
/* From the object embedded in this library to programs that run. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "engine_bpf.h"
#include "error.h"
#include "tlob.skel.h"

#define RING_BYTES (1u << 20)
#define RECORD_BYTES (sizeof(struct tlob_record) + 8) /* in the ring */
#define THREADS 16384

/* ---- what libbpf has to say, kept for the explanation: of each message, which may hold a verifier's log, both ends */

#define LOG_BYTES 16384
#define LOG_END 1024

static __thread char log_text[LOG_BYTES];
static __thread size_t log_length;

static void keep_text(const char *text, size_t bytes)
{
	if (bytes > sizeof(log_text) - 1 - log_length)
		return;
	memcpy(log_text + log_length, text, bytes);
	log_length += bytes;
	log_text[log_length] = '\0';
}

static int keep_log(enum libbpf_print_level level, const char *fmt, va_list args)
{
	char *text;
	int n;

	if (level != LIBBPF_WARN)
		return 0;
	n = vasprintf(&text, fmt, args);
	if (n < 0)
		return 0;
	if (n <= 2 * LOG_END) {
		keep_text(text, (size_t)n);
	} else {
		keep_text(text, LOG_END);
		keep_text("\n", 1);
		keep_text(text + n - LOG_END, LOG_END);
	}
	free(text);
	return 0;
}

/*
 * For tests: words that make this kernel look older. wakeup: no look into queues; softirq: no early look;
 * irq_work: no interrupt for probes; multi: one link for each probe; timer: as on a real-time kernel;
 * ring: as on one before Linux 6.12.
 */
static bool pretended(const char *word)
{
	const char *words = getenv("TLOB_BPF_WITHOUT");

	return words && strstr(words, word);
}

static void pretend(struct tlobctl_bpf_features *features)
{
	features->task_from_pid &= !pretended("wakeup");
	features->softirq_raise &= !pretended("softirq");
	features->local_timer &= !pretended("tick");
	features->irq_work &= !pretended("irq_work");
	features->timers &= !pretended("timer");
	features->ring_sleeps |= pretended("ring");
	if (pretended("multi"))
		features->uprobe_multi = 0;
}

static uint32_t shards_for_cpus(void)
{
	int cpus = libbpf_num_possible_cpus();
	uint32_t shards = 1;

	while (shards < TLOB_BPF_MAX_SHARDS && (int)shards < cpus)
		shards *= 2;
	return shards;
}

static void configure(const struct tlobctl *ctl, struct tlobctl_bpf *bpf,
		      const struct tlobctl_bpf_features *features)
{
	const struct tlobctl_opts *o = &ctl->opts;
	uint32_t threads = o->max_threads ? o->max_threads : THREADS;
	uint32_t ring_bytes = o->ring_bytes ? o->ring_bytes : RING_BYTES;
	struct tlob *s = bpf->skel;
	bool follow = !features->task_from_pid || !features->queue_stamp;

	bpf->pieces = (threads + TLOB_BPF_SLOTS_PER_ARENA - 1) / TLOB_BPF_SLOTS_PER_ARENA;
	if (bpf->pieces > TLOB_BPF_MAX_PIECES)
		bpf->pieces = TLOB_BPF_MAX_PIECES;
	s->rodata->probe_pieces = bpf->pieces;
	bpf->pieces += TLOB_BPF_TRANSIT_PIECES;
	bpf->shards = shards_for_cpus();
	bpf->serves_kicks = features->timers && !features->irq_work;
	bpf->uprobe_multi = features->uprobe_multi;

	s->rodata->kernel_foreign = ctl->programs.foreign;
	s->rodata->kernel_switch_state = features->switch_state;
	s->rodata->kernel_task_from_pid = features->task_from_pid;
	s->rodata->follow_wakeups = follow;
	s->rodata->kernel_timers = features->timers;
	s->rodata->filter_process = o->pid != 0;
	s->rodata->filter_cgroup = o->cgroup_id != 0;
	s->rodata->tally_shards = bpf->shards;
	bpf_map__set_max_entries(s->maps.keepers, TLOB_BPF_ARENAS + bpf->pieces);
	bpf_map__set_max_entries(s->maps.alarms, TLOB_BPF_ARENAS + bpf->pieces);
	bpf_map__set_max_entries(s->maps.owners,
				 (TLOB_BPF_ARENAS + bpf->pieces) * TLOB_ARENA_SLOTS);
	bpf_map__set_max_entries(s->maps.vacant, bpf->pieces);
	bpf_map__set_max_entries(s->maps.records, ring_bytes);
	s->rodata->ring_crowded_bytes = ring_bytes / 4 * 3;
	s->rodata->ring_share = ring_bytes / 16 / RECORD_BYTES;
	if (features->uprobe_multi) {
		bpf_program__set_expected_attach_type(s->progs.probe_start, features->uprobe_multi);
		bpf_program__set_expected_attach_type(s->progs.probe_stop, features->uprobe_multi);
		bpf_program__set_expected_attach_type(s->progs.passage_start,
						      features->uprobe_multi);
		bpf_program__set_expected_attach_type(s->progs.passage_stop,
						      features->uprobe_multi);
	}
	bpf_program__set_autoload(s->progs.sched_wakeup, follow);
	bpf_program__set_autoload(s->progs.softirq_raise, features->softirq_raise);
	bpf_program__set_autoload(s->progs.local_timer_entry, features->local_timer);
	bpf_program__set_autoload(s->progs.irq_work_exit, features->timers && features->irq_work);
	bpf_program__set_autoload(s->progs.local_timer_exit,
				  features->timers && features->local_timer);
	bpf_program__set_autoload(s->progs.softirq_exit,
				  features->timers && !features->local_timer);
	bpf_program__set_autoload(s->progs.sched_process_fork, o->pid && o->children);
	tlobctl_bpf_history_configure(ctl, bpf);
	tlobctl_bpf_interrupts_configure(ctl, bpf);
	tlobctl_bpf_samples_configure(ctl, bpf);
	tlobctl_bpf_stacks_configure(ctl, bpf, features);
}

int tlobctl_bpf_attach_if_loaded(struct bpf_program *program, struct bpf_link **link)
{
	if (!bpf_program__autoload(program))
		return 0;
	*link = bpf_program__attach(program);
	return *link ? 0 :
		       tlobctl_fail(-errno, "cannot attach program %s of engine bpf: %m",
				    bpf_program__name(program));
}

static int attach_standing(struct tlob *s)
{
#define PROGRAM(name) \
	{ \
		s->progs.name, &s->links.name \
	}
	const struct {
		struct bpf_program *program;
		struct bpf_link **link;
	} standing[] = {
		PROGRAM(sched_process_exit), PROGRAM(sched_process_exec), PROGRAM(softirq_raise),
		PROGRAM(local_timer_entry),  PROGRAM(sched_wakeup),	  PROGRAM(history_waking),
		PROGRAM(history_wakeup_new), PROGRAM(history_migrate),	  PROGRAM(irq_work_entry),
	};
#undef PROGRAM
	int r = 0;

	for (size_t i = 0; !r && i < sizeof(standing) / sizeof(*standing); i++)
		r = tlobctl_bpf_attach_if_loaded(standing[i].program, standing[i].link);
	if (!r)
		r = tlobctl_bpf_interrupts_attach(s);
	if (!r)
		r = tlobctl_bpf_attach_if_loaded(s->progs.sched_switch, &s->links.sched_switch);
	return r;
}

static int load_once(struct tlobctl *ctl, struct tlobctl_bpf *bpf,
		     const struct tlobctl_bpf_features *features)
{
	int r;

	log_length = 0;
	*log_text = '\0';
	bpf->skel = tlob__open();
	if (!bpf->skel)
		return -errno;
	configure(ctl, bpf, features);
	r = tlob__load(bpf->skel);
	return r ? r : attach_standing(bpf->skel);
}

/* Causes need neither interrupts nor stacks; clocks and deadlines do not need the switch history. */
static bool do_with_less(struct tlobctl *ctl, bool interrupts)
{
	if (ctl->opts.why == TLOBCTL_WHY_NONE)
		return false;
	if (ctl->opts.interrupts) {
		ctl->opts.interrupts = false;
		return true;
	}
	ctl->opts.interrupts = interrupts;
	ctl->opts.why--;
	return true;
}

int tlobctl_bpf_load(struct tlobctl *ctl, struct tlobctl_bpf *bpf)
{
	const bool interrupts = ctl->opts.interrupts;
	struct tlobctl_bpf_features features;
	libbpf_print_fn_t before;
	int r;

	before = libbpf_set_print(keep_log);
	tlobctl_bpf_features(&features);
	pretend(&features);
	if (features.ring_sleeps) {
		libbpf_set_print(before);
		return tlobctl_bpf_explain(-EOPNOTSUPP, &features, "");
	}
	r = load_once(ctl, bpf, &features);
	while (r && do_with_less(ctl, interrupts)) {
		tlob__destroy(bpf->skel);
		r = load_once(ctl, bpf, &features);
	}
	libbpf_set_print(before);
	return r ? tlobctl_bpf_explain(r, &features, log_text) : 0;
}

#define CALL_ATTEMPTS 100

/*
 * Linux 6.18 takes the memory of a timer without ever waiting for more: once this CPU's share of that size has run
 * out, asking again does not help, until somebody who may wait asks for the same size. A pipe is.
 */
static void refill_this_cpu(void)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return;
	close(ends[0]);
	close(ends[1]);
}

int tlobctl_bpf_call(struct tlobctl_bpf *bpf, struct tlob_bpf_agent *call)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = call, .ctx_size_in = sizeof(*call));

	for (int i = 0; i < CALL_ATTEMPTS; i++) {
		if (bpf_prog_test_run_opts(bpf_program__fd(bpf->skel->progs.agent), &opts))
			return -errno;
		if (opts.retval != ENOMEM)
			break;
		refill_this_cpu();
	}
	return -(int)opts.retval;
}
