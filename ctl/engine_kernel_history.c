// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The switch history of engine kernel. The module's page rings overwrite their oldest events; when there is a window to look
 * into, and only then, what they hold is moved into an array as of core/history_entry.h, in memory of this process.
 *
 * Of each CPU's events none may be missing between two that are kept. Bytes and page numbers show whether the
 * last part and this one are neighbours: if not, the ring has overwritten what was between, or somebody else has
 * read it. Then what was kept before is forgotten.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tlob/page_ring.h>

#include "engine_kernel.h"
#include "error.h"
#include "history_entry.h"
#include "history_size.h"
#include "now.h"
#include "rings.h"

#define ENTRIES_PER_CPU 32768u
#define RING_MOST_BYTES (8ULL << 20) /* of a CPU, in the kernel */
#define EVENT_BYTES 32u /* of the smallest that are frequent, the wake-ups */
#define FIRST_PID_NAMESPACE 0xeffffffcu /* the kernel's PROC_PID_INIT_INO */

/* Where the part before ended. */
struct end {
	uint32_t number; /* of the page */
	uint32_t bytes;
	uint64_t dropped; /* the ring's count */
	uint64_t whole_from_ns; /* events before are not kept */
	bool known; /* there was one */
};

struct tlobctl_kernel_history {
	struct tlobctl_ring *ring;
	union tlob_history_line *lines; /* the session's ctl->why.history unmaps them */
	uint32_t cpus, capacity;
	struct end *ends; /* as ring->cpus */
	int events; /* which the module writes; control file */
};

/* ---- one entry ---- */

static void take_switch(struct tlob_history_entry *h, const struct tlob_page_switch *s)
{
	h->kind = TLOB_HISTORY_SWITCH;
	h->prev_tid = s->prev_tid;
	h->tid = s->tid;
	h->tgid = s->tgid;
	memcpy(h->comm, s->comm, sizeof(h->comm));
	h->cgroup = s->cgroup;
	h->prev_state = s->prev_state;
	h->syscall = s->syscall;
	h->priority = s->priority;
	h->flags = s->flags & TLOB_PAGE_SWITCH_KTHREAD ? TLOB_HISTORY_KTHREAD : 0;
	h->flags |= s->flags & TLOB_PAGE_SWITCH_IOWAIT ? TLOB_HISTORY_IOWAIT : 0;
	h->flags |= s->flags & TLOB_PAGE_SWITCH_THROTTLED ? TLOB_HISTORY_THROTTLED : 0;
}

static void take_wake(struct tlob_history_entry *h, const struct tlob_page_wake *w)
{
	h->kind = w->flags & TLOB_PAGE_WAKE_NEW ? TLOB_HISTORY_NEW : TLOB_HISTORY_WAKE;
	h->prev_tid = w->waker_tid;
	h->tid = w->tid;
	h->syscall = w->syscall;
	/* the idle thread wakes nobody by itself */
	if (w->flags & TLOB_PAGE_WAKE_INTERRUPT || !w->waker_tid)
		h->flags |= TLOB_HISTORY_INTERRUPT;
	if (w->flags & TLOB_PAGE_WAKE_SOFT)
		h->flags |= TLOB_HISTORY_SOFT;
}

/* False: nothing of the scheduler's. */
static bool take(struct tlob_history_entry *h, const struct tlob_page_event *e)
{
	const struct tlob_page_migrate *m = (const void *)(e + 1);
	size_t bytes = e->bytes - sizeof(*e);

	if (e->type == TLOB_PAGE_SWITCH && bytes >= sizeof(struct tlob_page_switch)) {
		take_switch(h, (const void *)(e + 1));
	} else if (e->type == TLOB_PAGE_WAKE && bytes >= sizeof(struct tlob_page_wake)) {
		take_wake(h, (const void *)(e + 1));
	} else if (e->type == TLOB_PAGE_MIGRATE && bytes >= sizeof(*m)) {
		h->kind = TLOB_HISTORY_MIGRATE;
		h->tid = m->tid;
		h->other_cpu = m->cpu;
	} else {
		return false;
	}
	return true;
}

static void keep(struct tlobctl_kernel_history *k, uint32_t cpu, const struct tlob_page_event *e)
{
	struct tlob_history_head *head = &k->lines[cpu].head;
	uint64_t position = head->position;
	struct tlob_history_entry *to =
		&k->lines[tlob_history_line_of(k->cpus, k->capacity, cpu, position)].entry;
	struct tlob_history_entry h = {.time_ns = e->time_ns, .cpu = (uint16_t)cpu};

	if (!take(&h, e))
		return;
	*to = h;
	tlob_history_commit(head, to, position);
}

/* What is there counts as overwritten. */
static void forget(struct tlobctl_kernel_history *k, uint32_t cpu)
{
	k->lines[cpu].head.position += k->capacity;
}

/* Something is missing, at any time up to now. */
static void begin_anew(struct tlobctl_kernel_history *k, uint32_t cpu, struct end *end)
{
	forget(k, cpu);
	end->whole_from_ns = tlobctl_now_ns();
}

/* ---- one part of a page ---- */

static void check_neighbours(struct tlobctl_kernel_history *k, const struct tlobctl_ring_cpu *c,
			     struct end *end)
{
	const struct tlob_page_meta *meta = c->meta;
	const struct tlob_page_head *head = (const void *)c->page;
	uint32_t number = TLOB_PAGE_NUMBER(tlob_load(&head->readable));
	bool next = number == end->number + 1 && end->bytes == meta->page_bytes &&
		    c->begin == sizeof(*head);

	if (end->known && !next && (number != end->number || c->begin != end->bytes))
		forget(k, c->cpu);
	if (end->known && meta->lost != end->dropped)
		begin_anew(k, c->cpu, end);
	*end = (struct end){number, c->end, meta->lost, end->whole_from_ns, true};
}

static void keep_part(struct tlobctl_kernel_history *k, const struct tlobctl_ring_cpu *c,
		      const struct end *end)
{
	for (uint32_t at = c->begin; c->end - at >= sizeof(struct tlob_page_event);) {
		const struct tlob_page_event *e = (const void *)(c->page + at);

		if (e->bytes < 8 || e->bytes > c->end - at)
			return; /* not a page of this layout */
		at += e->bytes;
		if (e->type != TLOB_PAGE_PADDING && e->time_ns >= end->whole_from_ns)
			keep(k, c->cpu, e);
	}
}

/* Has another reader had it swapped meanwhile, so that it may be written again? */
static bool is_still_ours(const struct tlobctl_ring_cpu *c, const struct end *end)
{
	const struct tlob_page_head *head = (const void *)c->page;

	tlob_fence_acquire();
	return TLOB_PAGE_NUMBER(tlob_load(&head->commit)) == end->number;
}

/* Does it begin with what happened after @time_ns? */
static bool is_later(const struct tlobctl_ring_cpu *c, uint64_t time_ns)
{
	const struct tlob_page_event *first = (const void *)(c->page + c->begin);

	return c->end - c->begin >= sizeof(*first) && first->type != TLOB_PAGE_PADDING &&
	       first->time_ns > time_ns;
}

/* Not for ever where events come as fast as they are read: what is late has happened by now. */
static void drain(struct tlobctl_kernel_history *k, struct tlobctl_ring_cpu *c, struct end *end,
		  uint64_t now_ns)
{
	uint32_t parts = 2 * ((const struct tlob_page_meta *)c->meta)->pages;
	bool enough = false;

	while (!enough && parts--) {
		int r = k->ring->ops->fetch(k->ring, c);

		if (r < 0)
			break;
		enough = r == 0 || is_later(c, now_ns);
		if (r == 0)
			continue;
		check_neighbours(k, c, end);
		keep_part(k, c, end);
		if (!is_still_ours(c, end)) {
			enough = false;
			break;
		}
	}
	if (!enough)
		begin_anew(k, c->cpu, end);
}

/* Does the module write all that is needed? What it does write goes to @have. */
static bool has_types(int fd, char *have, size_t size)
{
	static const char *const types[] = {"switch", "wake", "migrate"};
	ssize_t n = pread(fd, have, size - 1, 0);

	have[n > 0 ? n : 0] = '\0';
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (!strstr(have, types[i]))
			return false;
	return true;
}

bool tlobctl_kernel_refresh(struct tlobctl *ctl)
{
	struct tlobctl_kernel_history *k = tlobctl_kernel_of(ctl)->history;
	uint64_t now = tlobctl_now_ns();
	char have[128];
	bool all;

	if (!k)
		return false;
	all = has_types(k->events, have, sizeof(have)); /* somebody may have chosen others */
	for (size_t i = 0; i < k->ring->ncpus; i++) {
		drain(k, &k->ring->cpus[i], &k->ends[i], now);
		if (!all)
			begin_anew(k, k->ring->cpus[i].cpu, &k->ends[i]);
	}
	return all;
}

/* ---- opening ---- */

static uint32_t count_cpus(void)
{
	long n = sysconf(_SC_NPROCESSORS_CONF);

	return n > 0 ? (uint32_t)n : 1;
}

/* Each event goes to one reader: whoever has them mapped keeps them. */
static int open_rings(struct tlobctl_kernel_history *k)
{
	struct tlobctl_ring_opts opts = {.size = sizeof(opts), .source = TLOBCTL_RING_MODULE};
	int r;

	opts.bytes = (uint64_t)k->capacity * EVENT_BYTES;
	if (opts.bytes > RING_MOST_BYTES)
		opts.bytes = RING_MOST_BYTES;
	r = tlobctl_ring_open(&opts, &k->ring);
	if (r == -EBUSY)
		return tlobctl_fail(
			r,
			"somebody else, another tlob perhaps, reads the module's rings, which have one reader at a time");
	return r;
}

static int check_rings(const struct tlobctl_kernel_history *k)
{
	if (!tlobctl_ring_is_mapped(k->ring))
		return tlobctl_fail(-ENODEV, "%s", tlobctl_ring_note(k->ring));
	for (size_t i = 0; i < k->ring->ncpus; i++) {
		const struct tlobctl_ring_cpu *c = &k->ring->cpus[i];
		const struct tlob_page_meta *meta = c->meta;

		if (!(meta->flags & TLOB_PAGE_META_OVERWRITE))
			return tlobctl_fail(
				-EINVAL,
				"the ring of CPU %u is set to drop new events when it is full; echo "
				"mode=overwrite > /sys/kernel/debug/rv/ring/per_cpu/cpu%u/config",
				c->cpu, c->cpu);
		if (c->cpu >= k->cpus)
			return tlobctl_fail(-ENODEV, "there is a CPU %u, more than %u", c->cpu,
					    k->cpus);
	}
	return 0;
}

/* Those that others want too stay. */
static int want_types(struct tlobctl_kernel_history *k)
{
	char path[256], text[256], have[128];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/events", tlobctl_ring_module_folder());
	k->events = open(path, O_RDWR | O_CLOEXEC);
	if (k->events < 0)
		return tlobctl_fail(-errno, "cannot open %s: %s", path, strerror(errno));
	if (has_types(k->events, have, sizeof(have)))
		return 0;
	have[strcspn(have, "\n")] = '\0';
	n = snprintf(text, sizeof(text), "%s switch wake migrate", have);
	if (write(k->events, text, (size_t)n) == n)
		return 0;
	return tlobctl_fail(
		-errno,
		"cannot write '%s' to %s: %s; is the module that is loaded an older one? modprobe -r tlob, modprobe tlob",
		text, path, strerror(errno));
}

/* The module knows threads by their first numbers. */
static int check_namespace(void)
{
	struct stat st;

	if (stat("/proc/self/ns/pid", &st) || st.st_ino == FIRST_PID_NAMESPACE)
		return 0;
	return tlobctl_fail(
		-EXDEV,
		"inside a container threads have other numbers than the module knows; run it outside");
}

static int make(struct tlobctl *ctl, struct tlobctl_kernel_history *k)
{
	size_t bytes;
	int r = check_namespace();

	k->cpus = count_cpus();
	k->capacity = tlobctl_history_entries(&ctl->opts, k->cpus, ENTRIES_PER_CPU);
	if (!r)
		r = open_rings(k);
	if (!r)
		r = check_rings(k);
	if (!r)
		r = want_types(k);
	if (r)
		return r;
	k->ends = calloc(k->ring->ncpus, sizeof(*k->ends));
	bytes = (k->cpus + (size_t)k->cpus * k->capacity) * sizeof(*k->lines);
	k->lines = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (k->lines == MAP_FAILED || !k->ends)
		return tlobctl_fail(-ENOMEM, "out of memory for a history of %zu bytes", bytes);
	/* what somebody left in the rings */
	for (size_t i = 0; i < k->ring->ncpus; i++) {
		drain(k, &k->ring->cpus[i], &k->ends[i], tlobctl_now_ns());
		k->lines[k->ring->cpus[i].cpu].head.position = 0;
	}
	memset(&k->lines[k->cpus], 0, bytes - k->cpus * sizeof(*k->lines));
	ctl->why.history = (struct why_history){k->lines, bytes, k->cpus, k->capacity};
	return 0;
}

void tlobctl_kernel_history_open(struct tlobctl *ctl)
{
	struct tlobctl_kernel *kernel = tlobctl_kernel_of(ctl);

	if (ctl->opts.why == TLOBCTL_WHY_NONE)
		return;
	kernel->history = calloc(1, sizeof(*kernel->history));
	if (kernel->history)
		kernel->history->events = -1;
	if (kernel->history && !make(ctl, kernel->history))
		return;
	snprintf(ctl->why.missing, sizeof(ctl->why.missing), "%s",
		 kernel->history ? tlobctl_error() : "out of memory");
	tlobctl_kernel_history_close(kernel);
}

void tlobctl_kernel_history_close(struct tlobctl_kernel *kernel)
{
	struct tlobctl_kernel_history *k = kernel->history;

	if (!k)
		return;
	tlobctl_ring_close(k->ring);
	if (k->events >= 0)
		close(k->events);
	free(k->ends);
	free(k);
	kernel->history = NULL;
}
