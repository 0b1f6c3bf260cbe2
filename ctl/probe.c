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
#include "uprobes.h"

/* ---- whom to look at */

static int mark_process(struct tlobctl_bpf *bpf, pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0), r = 0;
	uint32_t mark = 1;

	if (fd < 0)
		return tlobctl_fail(-errno, "cannot watch process %d: %m", (int)pid);
	if (bpf_map_update_elem(bpf_map__fd(bpf->skel->maps.chosen), &fd, &mark, BPF_ANY))
		r = tlobctl_fail(-errno, "cannot mark process %d as the one to watch: %m",
				 (int)pid);
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
		bpf->skel->links.sched_process_fork =
			bpf_program__attach(bpf->skel->progs.sched_process_fork);
		if (!bpf->skel->links.sched_process_fork)
			r = tlobctl_fail(-errno, "cannot follow the children of process %d: %m",
					 (int)ctl->opts.pid);
	}
	return r;
}

/* ---- arena 0, made when the first probe is */

static int open_pieces(struct tlobctl_bpf *bpf)
{
	const uint64_t all = ~1ULL; /* but the head */
	int vacant = bpf_map__fd(bpf->skel->maps.vacant);

	for (uint32_t piece = 0; piece < bpf->pieces; piece++) {
		struct tlob_bpf_agent call = {.op = TLOB_BPF_OPEN,
					      .arena = TLOB_BPF_PIECE(piece),
					      .transit = piece >= bpf->skel->rodata->probe_pieces};
		int r = tlobctl_bpf_call(bpf, &call);

		if (!r && bpf_map_update_elem(vacant, &piece, &all, BPF_ANY))
			r = -errno;
		if (r)
			return tlobctl_fail(r, "cannot open slots for probed threads: %s",
					    strerror(-r));
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
	if (!r)
		r = tlobctl_bpf_attach_if_loaded(s->progs.irq_work_exit, &s->links.irq_work_exit);
	if (!r)
		r = tlobctl_bpf_attach_if_loaded(s->progs.local_timer_exit,
						 &s->links.local_timer_exit);
	if (!r)
		r = tlobctl_bpf_attach_if_loaded(s->progs.softirq_exit, &s->links.softirq_exit);
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
		fds[i] = bpf_map_create(BPF_MAP_TYPE_ARRAY, "tlob_tally", sizeof(uint32_t),
					sizeof(struct tlob_bpf_tally), bpf->shards, &opts);
		if (fds[i] < 0)
			r = tlobctl_fail(-errno, "cannot make a histogram for region '%s': %m",
					 bindings[i]->name);
		keys[i] = bindings[i]->id;
		bindings[i]->tally_fd = fds[i];
	}
	if (!r && bpf_map_update_batch(map, keys, fds, &done, NULL))
		for (size_t i = 0; i < n && !r; i++)
			if (bpf_map_update_elem(map, &keys[i], &fds[i], BPF_ANY))
				r = tlobctl_fail(-errno,
						 "cannot add the histogram of region '%s': %m",
						 bindings[i]->name);
	free(keys);
	free(fds);
	return r;
}

/* One side, start or stop, of regions in one binary that were asked for together. */
struct side {
	struct tlobctl_binding **bindings;
	size_t n;
	bool start;
	bool returns; /* stop at the return of the start's function */
	pid_t pid; /* -1: all */
	const char *path;
	struct bpf_program *program;
};

/* A region has one address on each side, or one for each of its exits. */
static size_t count_of(const struct side *side, const struct tlobctl_binding *b)
{
	return !side->start && b->nexits ? b->nexits : 1;
}

static uint64_t offset_of(const struct side *side, const struct tlobctl_binding *b, size_t i)
{
	if (side->start || side->returns)
		return b->start_offset;
	return b->nexits ? b->exits[i] : b->stop_offset;
}

static int fail_attach(const struct side *side, const struct tlobctl_binding *b, int err)
{
	const char *point = side->start	  ? b->start :
			    side->returns ? "the return of this function" :
			    b->nexits	  ? "an exit of this function" :
					    b->stop;
	unsigned long long offset = offset_of(side, b, 0);

	if (err == EACCES || err == EPERM)
		return tlobctl_fail(
			-err, "cannot probe %s (offset 0x%llx) in %s: not permitted; run as root",
			point, offset, b->path);
	if (err == ENOENT || err == ENODEV)
		return tlobctl_fail(
			-err,
			"cannot probe %s in %s: this kernel has no uprobes (CONFIG_UPROBE_EVENTS)",
			point, b->path);
	return tlobctl_fail(
		-err,
		"cannot probe %s (offset 0x%llx) in %s: %s. Is that the start of an instruction that a program "
		"executes?",
		point, offset, b->path, strerror(err));
}

static int attach_one(const struct side *side, struct tlobctl_binding *b, size_t i)
{
	LIBBPF_OPTS(bpf_uprobe_opts, opts, .bpf_cookie = b->id, .retprobe = side->returns);
	struct bpf_link *link = bpf_program__attach_uprobe_opts(
		side->program, side->pid, side->path, offset_of(side, b, i), &opts);

	if (!link)
		return fail_attach(side, b, errno);
	if (side->start || !b->nexits)
		b->links[!side->start] = link;
	else
		b->exit_links[i] = link;
	return 0;
}

static int attach_each(const struct side *side)
{
	libbpf_print_fn_t before = libbpf_set_print(NULL);
	int r = 0;

	for (size_t i = 0; i < side->n && !r; i++) {
		struct tlobctl_binding *b = side->bindings[i];

		if (!side->start && b->nexits) {
			b->exit_links = calloc(b->nexits, sizeof(struct bpf_link *));
			if (!b->exit_links)
				r = tlobctl_fail(-ENOMEM, "out of memory for %zu probes",
						 b->nexits);
		}
		for (size_t k = 0; k < count_of(side, b) && !r; k++)
			r = attach_one(side, b, k);
	}
	libbpf_set_print(before);
	return r;
}

/* All with one link: it takes as long as one alone, and so does its end. */
static int attach_at_once(const struct side *side, int attach_type)
{
	struct tlobctl_binding *first = side->bindings[0];
	struct tlobctl_uprobes u = {.program = bpf_program__fd(side->program),
				    .attach_type = attach_type,
				    .path = side->path,
				    .returns = side->returns,
				    .pid = side->pid};
	uint64_t *offsets, *cookies;
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; i < side->n; i++)
		n += count_of(side, side->bindings[i]);
	offsets = calloc(2 * n, sizeof(*offsets));
	if (!offsets)
		return tlobctl_fail(-ENOMEM, "out of memory for %zu probes", n);
	cookies = offsets + n;
	for (size_t i = 0; i < side->n; i++) {
		for (size_t k = 0; k < count_of(side, side->bindings[i]); k++) {
			offsets[u.n] = offset_of(side, side->bindings[i], k);
			cookies[u.n++] = side->bindings[i]->id;
		}
	}
	u.offsets = offsets;
	u.cookies = cookies;
	first->multi_fds[!side->start] = tlobctl_uprobes_attach(&u);
	if (first->multi_fds[!side->start] < 0)
		r = fail_attach(side, first, -first->multi_fds[!side->start]);
	free(offsets);
	return r;
}

static struct bpf_program *program_of(struct tlob *s, const struct tlobctl_binding *b, bool start)
{
	if (b->start_argument)
		return start ? s->progs.passage_start : s->progs.passage_stop;
	return start ? s->progs.probe_start : s->progs.probe_stop;
}

static int attach_side(struct tlobctl *ctl, struct tlobctl_binding **bindings, size_t n, bool start)
{
	struct tlobctl_bpf *bpf = tlobctl_bpf_of(ctl);
	struct side side = {.bindings = bindings,
			    .n = n,
			    .start = start,
			    .returns = !start && !bindings[0]->stop && !bindings[0]->nexits,
			    .pid = ctl->opts.pid && !ctl->opts.children ? ctl->opts.pid : -1,
			    .path = bindings[0]->path,
			    .program = program_of(bpf->skel, bindings[0], start)};

	if (!start && bindings[0]->stop_path) {
		side.path = bindings[0]->stop_path;
		side.pid = -1; /* it may well be another process */
	}
	if (bindings[0]->anyone)
		side.pid = getpid();
	return bpf->uprobe_multi ? attach_at_once(&side, bpf->uprobe_multi) : attach_each(&side);
}

static enum tlob_bpf_form form_of(const struct tlobctl_binding *b)
{
	if (b->start_argument || b->stages)
		return TLOB_BPF_TAGGED;
	if (b->stop)
		return TLOB_BPF_PAIR;
	return b->nexits ? TLOB_BPF_EXITS : TLOB_BPF_RETURN;
}

static int set_budgets(struct tlobctl_bpf *bpf, struct tlobctl_binding **bindings, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct tlobctl_binding *b = bindings[i];
		struct tlob_bpf_binding setting = {.budget_ns = b->budget_ns,
						   .anyone = b->anyone,
						   .form = form_of(b),
						   .argument = {(__u8)b->start_argument,
								(__u8)b->stop_argument},
						   .anywhere = b->stop_path != NULL,
						   .stage = b->stage,
						   .stages = b->stages,
						   .chain = b->chain};

		if (bpf_map_update_elem(bpf_map__fd(bpf->skel->maps.bindings), &b->id, &setting,
					BPF_ANY))
			return tlobctl_fail(-errno, "cannot set the budget of region '%s': %m",
					    b->name);
	}
	return 0;
}

/* What is to be noticed once there are passages. */
static int attach_exits(struct tlob *s)
{
	int r = 0;

	if (!s->links.passage_exit)
		r = tlobctl_bpf_attach_if_loaded(s->progs.passage_exit, &s->links.passage_exit);
	if (!r && !s->links.passage_exec)
		r = tlobctl_bpf_attach_if_loaded(s->progs.passage_exec, &s->links.passage_exec);
	return r;
}

int tlobctl_bpf_update(struct tlobctl *ctl, struct tlobctl_binding **bindings, size_t n)
{
	return set_budgets(tlobctl_bpf_of(ctl), bindings, n);
}

int tlobctl_bpf_attach(struct tlobctl *ctl, struct tlobctl_binding **bindings, size_t n)
{
	struct tlobctl_bpf *bpf = tlobctl_bpf_of(ctl);
	int r = open_probes(bpf);

	if (!r && (bindings[0]->start_argument || bindings[0]->stages))
		r = attach_exits(bpf->skel);
	if (!r)
		r = make_tallies(bpf, bindings, n);
	if (!r)
		r = set_budgets(bpf, bindings, n);
	if (!r && bindings[0]->stages) /* a chain: its regions have the probes */
		return 0;
	/* the stops first: a start without its stop would become an overrun that is none */
	if (!r)
		r = attach_side(ctl, bindings, n, false);
	if (!r)
		r = attach_side(ctl, bindings, n, true);
	for (size_t i = 0; i < n && r; i++)
		tlobctl_bpf_detach(ctl, bindings[i]);
	return r;
}

void tlobctl_bpf_detach(struct tlobctl *ctl, struct tlobctl_binding *binding)
{
	(void)ctl;
	for (size_t i = 0; binding->exit_links && i < binding->nexits; i++)
		bpf_link__destroy(binding->exit_links[i]);
	free(binding->exit_links);
	binding->exit_links = NULL;
	for (int i = 0; i < 2; i++) {
		bpf_link__destroy(binding->links[i]);
		binding->links[i] = NULL;
		if (binding->multi_fds[i] >= 0)
			close(binding->multi_fds[i]);
		binding->multi_fds[i] = -1;
	}
}

void tlobctl_bpf_reattach(struct tlobctl *ctl)
{
	struct tlobctl_regions *regions = &ctl->regions;

	if (!ctl->opts.pid || ctl->opts.children)
		return; /* they are not limited */
	for (size_t i = 0; i < regions->nbindings; i++)
		tlobctl_bpf_detach(ctl, regions->bindings[i]);
	for (size_t i = 0; i < regions->nbindings; i++) {
		if (regions->bindings[i]->stages)
			continue;
		/* it may have gone meanwhile: then there is nothing to measure either */
		if (!attach_side(ctl, &regions->bindings[i], 1, false))
			attach_side(ctl, &regions->bindings[i], 1, true);
	}
}

void tlobctl_bpf_tally(struct tlobctl *ctl, const struct tlobctl_binding *binding,
		       struct tlobctl_stat *stat, struct tlob_hist *hist)
{
	struct tlob_bpf_tally *tally = malloc(sizeof(*tally));

	for (uint32_t shard = 0; tally && shard < tlobctl_bpf_of(ctl)->shards; shard++) {
		if (bpf_map_lookup_elem(binding->tally_fd, &shard, tally))
			continue;
		tlob_hist_merge(hist, &tally->hist);
		stat->overruns += tally->overruns;
		stat->refused += tally->refused;
		stat->abandoned += tally->abandoned;
	}
	free(tally);
}
