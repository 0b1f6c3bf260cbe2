// SPDX-License-Identifier: GPL-2.0-or-later
/* Probes of engine bpf: pairs of programs on addresses of binaries that know nothing of it. */
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "cgroup.h"
#include "engine_bpf.h"
#include "error.h"
#include "hist.h"
#include "tlob.skel.h"

/* ---- whom to look at */

static int mark_process(struct tlobctl_bpf *bpf, pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0), r = 0;
	uint32_t mark = 1;

	if (fd < 0)
		return tlobctl_fail(-errno, "cannot watch process %d: %m", (int)pid);
	if (bpf_map_update_elem(bpf_map__fd(bpf->skel->maps.chosen), &fd, &mark, BPF_ANY))
		r = tlobctl_fail(-errno, "cannot mark process %d as the one to watch: %m", (int)pid);
	close(fd);
	return r;
}

static int mark_cgroup(struct tlobctl_bpf *bpf, uint64_t id)
{
	int fd = tlobctl_cgroup_open(id), r = 0;
	uint32_t zero = 0;

	if (fd < 0)
		return fd;
	if (bpf_map_update_elem(bpf_map__fd(bpf->skel->maps.cgroups), &zero, &fd, BPF_ANY))
		r = tlobctl_fail(-errno, "cannot watch cgroup %llu: %m", (unsigned long long)id);
	close(fd);
	return r;
}

int tlobctl_bpf_filters(struct tlobctl *ctl, struct tlobctl_bpf *bpf)
{
	int r = 0;

	if (ctl->opts.cgroup_id)
		r = mark_cgroup(bpf, ctl->opts.cgroup_id);
	if (!r && ctl->opts.pid)
		r = mark_process(bpf, ctl->opts.pid);
	if (!r && bpf->skel->progs.sched_process_fork && ctl->opts.pid && ctl->opts.children) {
		bpf->skel->links.sched_process_fork = bpf_program__attach(bpf->skel->progs.sched_process_fork);
		if (!bpf->skel->links.sched_process_fork)
			r = tlobctl_fail(-errno, "cannot follow the children of process %d: %m", (int)ctl->opts.pid);
	}
	return r;
}

/* ---- arena 0, made when the first probe is */

static int open_pieces(struct tlobctl_bpf *bpf)
{
	int slots = bpf_map__fd(bpf->skel->maps.free_slots);

	for (uint32_t piece = 0; piece < bpf->pieces; piece++) {
		struct tlob_bpf_agent call = {.op = TLOB_BPF_OPEN, .arena = TLOB_BPF_PIECE(piece)};
		int r = tlobctl_bpf_call(bpf, &call);

		if (r)
			return tlobctl_fail(r, "cannot open slots for probed threads: %s", strerror(-r));
		for (uint32_t i = 1; i < TLOB_ARENA_SLOTS; i++) {
			uint32_t entry = piece * TLOB_ARENA_SLOTS + i;

			if (bpf_map_update_elem(slots, NULL, &entry, BPF_ANY))
				return tlobctl_fail(-errno, "cannot set up slots for probed threads: %m");
		}
	}
	return 0;
}

static int open_probes(struct tlobctl_bpf *bpf)
{
	struct tlob *s = bpf->skel;
	uint32_t zero = 0;
	int r;

	if (bpf->probes_open)
		return 0;
	r = tlobctl_bpf_arena_new(&bpf->arenas[0], bpf->pieces);
	if (r)
		return r;
	if (bpf_map_update_elem(bpf_map__fd(s->maps.arenas), &zero, &bpf->arenas[0].fd, BPF_ANY)) {
		r = tlobctl_fail(-errno, "cannot add slots for probed threads: %m");
	} else {
		r = open_pieces(bpf);
	}
	if (!r && bpf_program__autoload(s->progs.irq_work_exit)) {
		s->links.irq_work_exit = bpf_program__attach(s->progs.irq_work_exit);
		if (!s->links.irq_work_exit)
			r = tlobctl_fail(-errno, "cannot attach to the interrupt that sets timers: %m");
	}
	if (r)
		tlobctl_bpf_arena_free(&bpf->arenas[0], bpf->pieces);
	else
		bpf->probes_open = true;
	return r;
}

/* ---- one region */

static int make_tallies(struct tlobctl_bpf *bpf, struct tlobctl_binding **bindings, size_t n)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	int map = bpf_map__fd(bpf->skel->maps.tallies);
	uint32_t *keys = calloc(n, sizeof(*keys)), done = (uint32_t)n;
	int *fds = calloc(n, sizeof(*fds)), r = 0;

	if (!keys || !fds)
		r = tlobctl_fail(-ENOMEM, "out of memory for %zu probes", n);
	for (size_t i = 0; i < n && !r; i++) {
		fds[i] = bpf_map_create(BPF_MAP_TYPE_ARRAY, "tlob_tally", sizeof(uint32_t), sizeof(struct tlob_bpf_tally),
					bpf->shards, &opts);
		if (fds[i] < 0)
			r = tlobctl_fail(-errno, "cannot make a histogram for region '%s': %m", bindings[i]->name);
		keys[i] = bindings[i]->id;
		bindings[i]->tally_fd = fds[i];
	}
	if (!r && bpf_map_update_batch(map, keys, fds, &done, NULL))
		for (size_t i = 0; i < n && !r; i++)
			if (bpf_map_update_elem(map, &keys[i], &fds[i], BPF_ANY))
				r = tlobctl_fail(-errno, "cannot add the histogram of region '%s': %m", bindings[i]->name);
	free(keys);
	free(fds);
	return r;
}

static int fail_attach(const struct tlobctl_binding *b, const char *point, uint64_t offset)
{
	int err = errno;

	if (err == EACCES || err == EPERM)
		return tlobctl_fail(-err, "cannot probe %s (offset 0x%llx) in %s: not permitted; run as root", point,
				    (unsigned long long)offset, b->path);
	if (err == ENOENT || err == ENODEV)
		return tlobctl_fail(-err, "cannot probe %s in %s: this kernel has no uprobes (CONFIG_UPROBE_EVENTS)", point,
				    b->path);
	return tlobctl_fail(-err,
			    "cannot probe %s (offset 0x%llx) in %s: %s. Is the offset the start of an instruction that a "
			    "program executes?",
			    point, (unsigned long long)offset, b->path, strerror(err));
}

static int attach_point(struct tlobctl *ctl, struct tlobctl_binding *b, bool start)
{
	struct tlob *s = tlobctl_bpf_of(ctl)->skel;
	bool returns = !start && !b->stop;
	uint64_t offset = start || returns ? b->start_offset : b->stop_offset;
	LIBBPF_OPTS(bpf_uprobe_opts, opts, .bpf_cookie = b->id, .retprobe = returns);
	pid_t pid = ctl->opts.pid && !ctl->opts.children ? ctl->opts.pid : -1;
	libbpf_print_fn_t before = libbpf_set_print(NULL);
	struct bpf_link *link;

	if (b->anyone)
		pid = getpid();
	link = bpf_program__attach_uprobe_opts(start ? s->progs.probe_start : s->progs.probe_stop, pid, b->path, offset,
					       &opts);
	libbpf_set_print(before);
	if (!link)
		return fail_attach(b, returns ? "the return of this function" : start ? b->start : b->stop, offset);
	b->links[!start] = link;
	return 0;
}

/* The stop first: a start without its stop would be an overrun that is none. */
static int attach_binding(struct tlobctl *ctl, struct tlobctl_binding *b)
{
	struct tlob_bpf_binding setting = {.budget_ns = b->budget_ns, .anyone = b->anyone};
	int r;

	if (bpf_map_update_elem(bpf_map__fd(tlobctl_bpf_of(ctl)->skel->maps.bindings), &b->id, &setting, BPF_ANY))
		return tlobctl_fail(-errno, "cannot set the budget of region '%s': %m", b->name);
	r = attach_point(ctl, b, false);
	return r ? r : attach_point(ctl, b, true);
}

int tlobctl_bpf_attach(struct tlobctl *ctl, struct tlobctl_binding **bindings, size_t n)
{
	int r = open_probes(tlobctl_bpf_of(ctl));

	if (!r)
		r = make_tallies(tlobctl_bpf_of(ctl), bindings, n);
	for (size_t i = 0; i < n && !r; i++)
		r = attach_binding(ctl, bindings[i]);
	for (size_t i = 0; i < n && r; i++)
		tlobctl_bpf_detach(ctl, bindings[i]);
	return r;
}

void tlobctl_bpf_detach(struct tlobctl *ctl, struct tlobctl_binding *binding)
{
	(void)ctl;
	for (int i = 1; i >= 0; i--) {
		bpf_link__destroy(binding->links[!i]);
		binding->links[!i] = NULL;
	}
}

void tlobctl_bpf_tally(struct tlobctl *ctl, const struct tlobctl_binding *binding, struct tlobctl_stat *stat,
		       struct tlob_hist *hist)
{
	struct tlob_bpf_tally *tally = malloc(sizeof(*tally));

	for (uint32_t shard = 0; tally && shard < tlobctl_bpf_of(ctl)->shards; shard++) {
		if (bpf_map_lookup_elem(binding->tally_fd, &shard, tally))
			continue;
		tlob_hist_merge(hist, &tally->hist);
		stat->overruns += tally->overruns;
		stat->refused += tally->refused;
	}
	free(tally);
}
