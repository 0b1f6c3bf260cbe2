// SPDX-License-Identifier: GPL-2.0-or-later
/* What each engine needs, and whether it is here. A row is one function; the table is at the end. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <tlob/ctl.h>

#include "engine_bpf.h"
#include "error.h"
#include "privilege.h"

#define TEXT 512

struct answer {
	bool ok;
	char found[TEXT];
	const char *remedy; /* shown if not ok */
};

static bool runs_as_root_namespace(void)
{
	return !tlobctl_in_user_namespace();
}

static void check_kernel(struct answer *a)
{
	int version = tlobctl_kernel_release(a->found, sizeof(a->found));

	a->ok = version >= 5017;
	a->remedy = "engine bpf needs Linux 5.17 or later";
}

static void check_btf(struct answer *a)
{
	a->ok = !access("/sys/kernel/btf/vmlinux", R_OK);
	snprintf(a->found, sizeof(a->found), "/sys/kernel/btf/vmlinux: %s",
		 a->ok ? "there" : strerror(errno));
	a->remedy = "use a kernel built with CONFIG_DEBUG_INFO_BTF=y, and mount /sys";
}

static void check_capability(struct answer *a, int cap)
{
	bool admin = tlobctl_capable(CAP_SYS_ADMIN);

	a->ok = (tlobctl_capable(cap) || admin) && runs_as_root_namespace();
	if (a->ok || !(tlobctl_capable(cap) || admin))
		snprintf(a->found, sizeof(a->found), "%s", a->ok ? "effective" : "not effective");
	else
		snprintf(a->found, sizeof(a->found), "effective, but only inside a user namespace");
	a->remedy = runs_as_root_namespace() ?
			    "run as root, or setcap cap_bpf,cap_perfmon+ep on the tlob binary" :
			    "run the agent outside the user namespace; programs inside can join it";
}

static void check_cap_bpf(struct answer *a)
{
	check_capability(a, CAP_BPF);
}

static void check_cap_perfmon(struct answer *a)
{
	check_capability(a, CAP_PERFMON);
}

static void check_lockdown(struct answer *a)
{
	char mode[32];

	tlobctl_lockdown(mode, sizeof(mode));
	a->ok = strcmp(mode, "confidentiality") != 0;
	snprintf(a->found, sizeof(a->found), "%s", *mode ? mode : "not in this kernel");
	a->remedy = "boot with lockdown=integrity or without lockdown";
}

/* Programs that join kick the engine through a system call that kernels before 5.19 refuse to the unprivileged. */
static void check_unprivileged(struct answer *a)
{
	char release[64], value[16] = "";
	bool readable = tlobctl_read_line("/proc/sys/kernel/unprivileged_bpf_disabled", value,
					  sizeof(value));

	a->ok = tlobctl_kernel_release(release, sizeof(release)) >= 5019 || !readable ||
		!strcmp(value, "0");
	snprintf(a->found, sizeof(a->found), "unprivileged_bpf_disabled = %s%s",
		 readable ? value : "?",
		 a->ok ? "" : ": programs of other users fall back to engine user");
	a->remedy = "Linux 5.19 or later, or sysctl kernel.unprivileged_bpf_disabled=0";
}

static void check_load(struct answer *a)
{
	const struct tlobctl_opts opts = {.size = sizeof(opts), .engine = TLOBCTL_ENGINE_BPF};
	struct tlobctl *ctl;

	a->ok = tlobctl_open(&opts, &ctl) == 0;
	snprintf(a->found, sizeof(a->found), "%s",
		 a->ok ? "loaded, attached and removed again" : tlobctl_error());
	a->remedy = "see the other rows";
	if (a->ok)
		tlobctl_close(ctl);
}

static void check_uprobes(struct answer *a)
{
	char type[16];

	a->ok = tlobctl_read_line("/sys/bus/event_source/devices/uprobe/type", type, sizeof(type));
	snprintf(a->found, sizeof(a->found),
		 a->ok ? "event source of type %s" : "no such event source%.0s", a->ok ? type : "");
	a->remedy =
		"probes on unmodified programs need CONFIG_UPROBE_EVENTS=y; linked programs work without";
}

static void check_paranoid(struct answer *a)
{
	char value[16] = "?";
	bool privileged = tlobctl_capable(CAP_PERFMON) || tlobctl_capable(CAP_SYS_ADMIN);

	tlobctl_read_line("/proc/sys/kernel/perf_event_paranoid", value, sizeof(value));
	a->ok = privileged || !strcmp(value, "-1");
	snprintf(a->found, sizeof(a->found), "perf_event_paranoid = %s%s", value,
		 privileged ? ", which does not bind this process" : "");
	a->remedy = "run as root, or with CAP_PERFMON";
}

static void check_stacks(struct answer *a)
{
	struct tlobctl_bpf_features f;

	tlobctl_bpf_features(&f);
	a->ok = f.task_from_pid && f.irq_work && f.timers;
	snprintf(
		a->found, sizeof(a->found), "%s%s%s", a->ok ? "at expiry, and of long sleeps" : "",
		f.task_from_pid ?
			"" :
			"a thread that does not run when its budget expires is only seen when it does again",
		f.irq_work && f.timers ? "" : "; of long sleeps, the part in the kernel only");
	a->remedy = "Linux 6.2 or later, on x86 and without PREEMPT_RT, has all of it";
}

static void check_no_stacks(struct answer *a)
{
	a->ok = false;
	snprintf(a->found, sizeof(a->found), "--why=culprit and stacks are not for this engine");
	a->remedy = "use engine bpf";
}

static void check_kernel_causes(struct answer *a)
{
	const struct tlobctl_opts opts = {
		.size = sizeof(opts), .engine = TLOBCTL_ENGINE_KERNEL, .why = TLOBCTL_WHY_CULPRIT};
	struct tlobctl_why_stat stat;
	struct tlobctl *ctl;

	a->remedy = "run as root, with the module loaded and debugfs mounted";
	if (tlobctl_open(&opts, &ctl)) {
		snprintf(a->found, sizeof(a->found), "no session");
		return;
	}
	tlobctl_why_stats(ctl, &stat);
	a->ok = stat.mode != TLOBCTL_WHY_NONE;
	snprintf(a->found, sizeof(a->found), "%s",
		 a->ok ? "from a switch history; stacks take engine bpf" : stat.note);
	tlobctl_close(ctl);
}

static void check_module(struct answer *a)
{
	a->ok = !access("/dev/rv", R_OK | W_OK);
	snprintf(a->found, sizeof(a->found), "/dev/rv: %s", a->ok ? "there" : strerror(errno));
	a->remedy = "build the module with make kmod-install, and modprobe tlob";
}

static void check_monitor(struct answer *a)
{
	const struct tlobctl_opts opts = {.size = sizeof(opts), .engine = TLOBCTL_ENGINE_KERNEL};
	struct tlobctl *ctl;

	a->ok = tlobctl_open(&opts, &ctl) == 0;
	snprintf(a->found, sizeof(a->found), "%s", a->ok ? "takes threads" : tlobctl_error());
	a->remedy =
		"run as root or with CAP_PERFMON, or once, as root: echo 1 > /sys/kernel/debug/rv/monitors/tlob/enable";
	if (a->ok)
		tlobctl_close(ctl);
}

static void check_user(struct answer *a)
{
	a->ok = true;
	snprintf(a->found, sizeof(a->found), "needs nothing");
	a->remedy = "";
}

static void check_schedstat(struct answer *a)
{
	a->ok = !access("/proc/thread-self/schedstat", R_OK);
	snprintf(a->found, sizeof(a->found), "/proc/thread-self/schedstat: %s",
		 a->ok ? "there" : strerror(errno));
	a->remedy =
		"mount /proc, and use a kernel with CONFIG_SCHED_INFO; without it waiting counts as sleeping";
}

static void check_fifo(struct answer *a)
{
	struct rlimit limit = {0};
	bool nice = tlobctl_capable(CAP_SYS_NICE);

	getrlimit(RLIMIT_RTPRIO, &limit);
	a->ok = nice || limit.rlim_cur >= 1;
	snprintf(a->found, sizeof(a->found), "CAP_SYS_NICE %s, RLIMIT_RTPRIO %llu",
		 nice ? "effective" : "not effective", (unsigned long long)limit.rlim_cur);
	a->remedy =
		"without real-time priority a busy CPU delays the notice of an overrun: ulimit -r 1, or CAP_SYS_NICE";
}

static const struct row {
	const char *engine, *what;
	void (*check)(struct answer *a);
	bool needed;
} rows[] = {
	{"bpf", "kernel", check_kernel, true},
	{"bpf", "BTF", check_btf, true},
	{"bpf", "CAP_BPF", check_cap_bpf, true},
	{"bpf", "CAP_PERFMON", check_cap_perfmon, true},
	{"bpf", "lockdown", check_lockdown, true},
	{"bpf", "programs", check_load, true},
	{"bpf", "unprivileged programs", check_unprivileged, false},
	{"bpf", "uprobes", check_uprobes, false},
	{"bpf", "perf_event_paranoid", check_paranoid, false},
	{"bpf", "stacks", check_stacks, false},
	{"kernel", "module", check_module, true},
	{"kernel", "monitor", check_monitor, true},
	{"kernel", "causes", check_kernel_causes, false},
	{"user", "engine", check_user, true},
	{"user", "schedstat", check_schedstat, false},
	{"user", "real-time priority", check_fifo, false},
	{"user", "causes", check_no_stacks, false},
};

int tlobctl_doctor(tlobctl_check_fn *fn, void *arg)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct answer a = {.remedy = ""};
		struct tlobctl_check check = {
			.engine = rows[i].engine, .what = rows[i].what, .needed = rows[i].needed};
		int r;

		rows[i].check(&a);
		check.ok = a.ok;
		check.found = a.found;
		check.remedy = a.ok ? "" : a.remedy;
		r = fn(&check, arg);
		if (r)
			return r;
	}
	return 0;
}
