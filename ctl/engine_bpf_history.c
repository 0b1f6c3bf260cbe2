// SPDX-License-Identifier: GPL-2.0-or-later
/* The switch history of engine bpf: how large, and its programs. */
#include <string.h>

#include <bpf/btf.h>

#include "engine_bpf.h"
#include "error.h"
#include "history_entry.h"
#include "history_size.h"
#include "tlob.skel.h"

#define ENTRIES_PER_CPU (2 * TLOBCTL_HISTORY_RATE) /* two seconds of a busy CPU */

/* Where in each CPU's own data variable @name stands; -1: nobody says. */
static int64_t per_cpu_offset(const struct btf *btf, const char *name)
{
	int id = btf__find_by_name_kind(btf, ".data..percpu", BTF_KIND_DATASEC);
	const struct btf_type *section = id > 0 ? btf__type_by_id(btf, (uint32_t)id) : NULL;

	for (int i = 0; section && i < btf_vlen(section); i++) {
		const struct btf_var_secinfo *v = &btf_var_secinfos(section)[i];
		const struct btf_type *variable = btf__type_by_id(btf, v->type);

		if (!strcmp(btf__name_by_offset(btf, variable->name_off), name))
			return v->offset;
	}
	return -1;
}

static int32_t count_distance(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int64_t queue, count;

	if (!btf)
		return 0;
	queue = per_cpu_offset(btf, "runqueues");
	count = per_cpu_offset(btf, "__preempt_count");
	if (count < 0)
		count = per_cpu_offset(btf, "pcpu_hot");
	btf__free(btf);
	return queue < 0 || count < 0 ? 0 : (int32_t)(count - queue);
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
	s->rodata->kernel_count_distance = count_distance();
	s->rodata->history_cpus = (uint32_t)cpus;
	s->rodata->history_capacity =
		tlobctl_history_entries(&ctl->opts, (uint32_t)cpus, ENTRIES_PER_CPU);
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
