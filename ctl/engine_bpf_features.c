// SPDX-License-Identifier: GPL-2.0-or-later
/* What the kernel's own type information says it can do. */
#include <string.h>
#include <sys/utsname.h>

#include <bpf/btf.h>

#include "engine_bpf.h"

static bool has(const struct btf *btf, const char *name, uint32_t kind)
{
	return btf__find_by_name_kind(btf, name, kind) > 0;
}

/* Tracepoints that programs can be attached to have a type for their handlers. */
static bool has_tracepoint(const struct btf *btf, const char *name)
{
	char type[64];

	snprintf(type, sizeof(type), "btf_trace_%s", name);
	return has(btf, type, BTF_KIND_TYPEDEF);
}

/* Arguments of a tracepoint's handler, the leading void * included. */
static unsigned int handler_args(const struct btf *btf, const char *type)
{
	const struct btf_type *t;
	int id = btf__find_by_name_kind(btf, type, BTF_KIND_TYPEDEF);

	if (id <= 0)
		return 0;
	t = btf__type_by_id(btf, btf__type_by_id(btf, (uint32_t)id)->type);
	if (!t || !btf_is_ptr(t))
		return 0;
	t = btf__type_by_id(btf, t->type);
	return t && btf_is_func_proto(t) ? btf_vlen(t) : 0;
}

/* Value of @name in enum bpf_attach_type; 0 if it has none. */
static int attach_type(const struct btf *btf, const char *name)
{
	int id = btf__find_by_name_kind(btf, "bpf_attach_type", BTF_KIND_ENUM);
	const struct btf_type *t = id > 0 ? btf__type_by_id(btf, (uint32_t)id) : NULL;

	for (int i = 0; t && i < btf_vlen(t); i++)
		if (!strcmp(btf__name_by_offset(btf, btf_enum(t)[i].name_off), name))
			return btf_enum(t)[i].val;
	return 0;
}

/* CONFIG_PREEMPT_RT. From Linux 6.18 on it refuses timers; before, they were there and made it complain. */
static bool is_real_time(void)
{
	struct utsname u;

	return !uname(&u) && strstr(u.version, "PREEMPT_RT");
}

/*
 * On a real-time kernel a plain spinlock may sleep, which programs of interrupts and of the scheduler must not: the lock of the record
 * ring is a raw one from Linux 6.12 on.
 */
static bool ring_may_sleep(const struct btf *btf)
{
	int id = btf__find_by_name_kind(btf, "bpf_ringbuf", BTF_KIND_STRUCT);
	const struct btf_type *t = id > 0 ? btf__type_by_id(btf, (uint32_t)id) : NULL;

	for (int i = 0; t && i < btf_vlen(t); i++) {
		const struct btf_member *m = &btf_members(t)[i];

		if (!strcmp(btf__name_by_offset(btf, m->name_off), "spinlock"))
			return !strcmp(btf__name_by_offset(btf,
							   btf__type_by_id(btf, m->type)->name_off),
				       "spinlock_t");
	}
	return false;
}

void tlobctl_bpf_features(struct tlobctl_bpf_features *out)
{
	struct btf *btf = btf__load_vmlinux_btf();

	*out = (struct tlobctl_bpf_features){.timers = !is_real_time()};
	if (!btf)
		return;
	out->btf = true;
	out->switch_state = handler_args(btf, "btf_trace_sched_switch") >= 5;
	out->queue_stamp = has(btf, "sched_info", BTF_KIND_STRUCT);
	out->task_from_pid = has(btf, "bpf_task_from_pid", BTF_KIND_FUNC);
	out->softirq_raise = has_tracepoint(btf, "softirq_raise");
	out->local_timer = has_tracepoint(btf, "local_timer_entry");
	out->irq_work = has_tracepoint(btf, "irq_work_exit");
	out->uprobe_multi = attach_type(btf, "BPF_TRACE_UPROBE_MULTI");
	out->ring_sleeps = is_real_time() && ring_may_sleep(btf);
	btf__free(btf);
}
