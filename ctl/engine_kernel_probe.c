// SPDX-License-Identifier: GPL-2.0-or-later
/* Probes of engine kernel: bindings of one descriptor of /dev/rv, so that they go when this process does. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "engine_kernel.h"
#include "error.h"
#include "hist.h"

static int fail_permission(const char *what)
{
	return tlobctl_fail(-EPERM, "cannot %s: not permitted; run as root, or with CAP_PERFMON",
			    what);
}

/* ---- whom to look at; told before the first probe */

static int set_filter(struct tlobctl *ctl)
{
	struct tlob_filter_args args = {
		.cgroup = ctl->opts.cgroup_id,
		.pid = ctl->opts.pid,
		.flags = ctl->opts.pid && ctl->opts.children ? TLOB_FILTER_CHILDREN : 0};

	if (!ioctl(tlobctl_kernel_of(ctl)->rv.fd, TLOB_IOCTL_FILTER, &args))
		return 0;
	if (errno == ENOTTY)
		return tlobctl_fail(
			-ENOTTY,
			"the kernel module that is loaded is too old to probe programs; "
			"install the one of this version, then modprobe -r tlob, modprobe tlob");
	if (errno == EPERM)
		return fail_permission("probe programs");
	if (errno == ESRCH)
		return tlobctl_fail(-ESRCH, "cannot watch process %d: there is no such process",
				    (int)args.pid);
	return tlobctl_fail(-errno, "cannot tell the kernel module which processes to watch: %m");
}

static int open_probes(struct tlobctl *ctl)
{
	struct tlobctl_kernel *k = tlobctl_kernel_of(ctl);
	int r;

	if (k->has_probes)
		return 0;
	r = set_filter(ctl);
	if (r)
		return r;
	k->source.ready = tlobctl_kernel_ready;
	r = tlobctl_source_add(ctl, k->rv.fd, &k->source);
	k->has_probes = !r;
	return r;
}

/* ---- one region */

static int fail_bind(const struct tlobctl_binding *b, int err)
{
	const char *stop = b->stop ? b->stop : b->nexits ? "its exits" : "its return";

	if (err == EPERM)
		return fail_permission("probe programs");
	if (err == EOPNOTSUPP || err == ENOTTY)
		return tlobctl_fail(
			-err, "cannot probe %s in %s: this kernel has no uprobes (CONFIG_UPROBES)",
			b->start, b->path);
	return tlobctl_fail(
		-err,
		"cannot probe %s (offset 0x%llx) to %s in %s: %s. Is each the start of an instruction that a program "
		"executes?",
		b->start, (unsigned long long)b->start_offset, stop, b->path,
		err == 524 ? "the kernel cannot probe such an instruction" : strerror(err));
}

static int attach_one(struct tlobctl *ctl, const struct tlobctl_binding *b)
{
	struct tlob_bind_args args = {.budget_ns = b->budget_ns,
				      .start = b->start_offset,
				      .id = b->id,
				      .flags = b->anyone ? TLOB_BIND_SELF : 0};
	int r = 0;

	if (b->stop) {
		args.stops = (uintptr_t)&b->stop_offset;
		args.nstops = 1;
	} else if (b->nexits) {
		if (b->nexits > TLOB_BIND_MAX_STOPS)
			return tlobctl_fail(
				-E2BIG,
				"cannot probe %s in %s: it has %zu exits, and engine kernel takes %d",
				b->start, b->path, b->nexits, TLOB_BIND_MAX_STOPS);
		args.stops = (uintptr_t)b->exits;
		args.nstops = (uint32_t)b->nexits;
		args.flags |= TLOB_BIND_EXITS;
	}
	args.file = open(b->path, O_RDONLY | O_CLOEXEC);
	if (args.file < 0)
		return tlobctl_fail(-errno, "cannot open %s to probe it: %m", b->path);
	if (ioctl(tlobctl_kernel_of(ctl)->rv.fd, TLOB_IOCTL_BIND, &args))
		r = fail_bind(b, errno);
	close(args.file);
	return r;
}

int tlobctl_kernel_attach(struct tlobctl *ctl, struct tlobctl_binding **bindings, size_t n)
{
	int r = open_probes(ctl);
	size_t i = 0;

	while (!r && i < n) {
		r = attach_one(ctl, bindings[i]);
		i += !r;
	}
	while (r && i > 0)
		tlobctl_kernel_detach(ctl, bindings[--i]);
	return r;
}

void tlobctl_kernel_detach(struct tlobctl *ctl, struct tlobctl_binding *binding)
{
	ioctl(tlobctl_kernel_of(ctl)->rv.fd, TLOB_IOCTL_UNBIND, &binding->id);
}

void tlobctl_kernel_tally(struct tlobctl *ctl, const struct tlobctl_binding *binding,
			  struct tlobctl_stat *stat, struct tlob_hist *hist)
{
	struct tlob_hist *counted = malloc(sizeof(*counted));
	struct tlob_tally_args args = {.hist = (uintptr_t)counted, .id = binding->id};

	if (counted && !ioctl(tlobctl_kernel_of(ctl)->rv.fd, TLOB_IOCTL_TALLY, &args)) {
		tlob_hist_merge(hist, counted);
		stat->overruns += args.overruns;
		stat->refused += args.refused;
		stat->abandoned += args.abandoned;
	}
	free(counted);
}
