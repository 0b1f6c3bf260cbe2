// SPDX-License-Identifier: GPL-2.0-or-later
/* The switch history of engine bpf: how large, and its programs. */
#include <errno.h>

#include "engine_bpf.h"
#include "error.h"
#include "history_entry.h"
#include "tlob.skel.h"

#define ENTRIES_PER_CPU 65536u /* two seconds of a CPU with 30,000 switches and wake-ups a second */
#define ENTRIES_MIN 1024u
#define TOTAL_BYTES (256ULL << 20)

static uint32_t entries_per_cpu(uint64_t bytes, uint32_t cpus)
{
	uint64_t most = (bytes ? bytes : TOTAL_BYTES) / sizeof(union tlob_history_line) / cpus;
	uint32_t entries = ENTRIES_MIN;

	if (!bytes && most > ENTRIES_PER_CPU)
		most = ENTRIES_PER_CPU;
	while (entries * 2ULL <= most && entries < 1u << 24)
		entries *= 2;
	return entries;
}

void tlobctl_bpf_history_configure(const struct tlobctl *ctl, struct tlobctl_bpf *bpf)
{
	bool on = ctl->opts.why != TLOBCTL_WHY_NONE;
	int cpus = libbpf_num_possible_cpus();
	struct tlob *s = bpf->skel;

	bpf_program__set_autoload(s->progs.history_waking, on);
	bpf_program__set_autoload(s->progs.history_wakeup_new, on);
	bpf_program__set_autoload(s->progs.history_migrate, on);
	s->rodata->history_on = on;
	if (!on || cpus <= 0)
		return;
	s->rodata->history_cpus = (uint32_t)cpus;
	s->rodata->history_capacity = entries_per_cpu(ctl->opts.history_bytes, (uint32_t)cpus);
	bpf_map__set_max_entries(s->maps.history,
				 s->rodata->history_cpus * (1 + s->rodata->history_capacity));
}

int tlobctl_bpf_history_map(struct tlobctl *ctl, struct tlobctl_bpf *bpf)
{
	const struct tlob *s = bpf->skel;
	int r;

	if (!s->rodata->history_on)
		return 0;
	r = why_history_map(&ctl->why.history, bpf_map__fd(s->maps.history),
			    s->rodata->history_cpus, s->rodata->history_capacity);
	if (r)
		return tlobctl_fail(r, "engine bpf cannot map its switch history of %zu bytes: %s",
				    (size_t)bpf_map__max_entries(s->maps.history) *
					    sizeof(union tlob_history_line),
				    strerror(-r));
	return 0;
}
