// SPDX-License-Identifier: GPL-2.0-or-later
/* Page rings of tlob.ko: tlob/page_ring.h says what is mapped. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <tlob/page_ring.h>

#include "error.h"
#include "rings.h"

/* the second where the kernel has files of its own under the first name */
static const char *const folders[] = {"/sys/kernel/debug/rv/ring",
				      "/sys/kernel/debug/rv_tlob/ring"};

const char *tlobctl_ring_module_folder(void)
{
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		if (access(folders[i], F_OK) == 0)
			return folders[i];
	return NULL;
}

int tlobctl_ring_module_probe(void)
{
	if (tlobctl_ring_module_folder())
		return 0;
	if (errno == EACCES)
		return tlobctl_fail(-EACCES, "%s cannot be looked at: %s; run as root", folders[0],
				    strerror(EACCES));
	if (access("/sys/module/tlob", F_OK) == 0)
		return tlobctl_fail(
			-ENOENT,
			"the module is loaded but %s is not there; mount -t debugfs none /sys/kernel/debug",
			folders[0]);
	return tlobctl_fail(-ENOENT, "the module tlob is not loaded");
}

/* ---- opening ---- */

static bool read_text(char *text, size_t bytes, const char *dir, const char *file)
{
	char path[512];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	f = fopen(path, "re");
	if (!f)
		return false;
	n = fread(text, 1, bytes - 1, f);
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	fclose(f);
	return true;
}

/* Has anybody a ring open? This process has none yet. */
static bool others_read(const char *dir)
{
	char text[64];
	unsigned int readers;

	return read_text(text, sizeof(text), dir, "per_cpu/cpu0/stats") &&
	       sscanf(text, "readers %u", &readers) == 1 && readers > 0;
}

/*
 * What is recorded is the same for all who read at a time. So nothing is taken from those who do: what they have chosen is recorded as
 * well, and each passes over what it has not.
 */
static int set_events(struct tlobctl_ring *ring, const char *dir,
		      const struct tlobctl_ring_opts *opts)
{
	char text[512] = "";
	int r;

	if (others_read(dir)) {
		tlobctl_ring_noted(
			ring,
			"somebody else reads the module's rings: each event goes to one of you, so both miss some");
		if (!read_text(text, 256, dir, "events"))
			text[0] = '\0';
	}
	if (!opts->events || !opts->nevents)
		return 0;
	r = tlobctl_ring_want(ring, opts);
	if (r)
		return r;
	for (size_t i = 0; i < opts->nevents; i++) {
		size_t used = strlen(text);

		snprintf(text + used, sizeof(text) - used, "%s%s", used ? " " : "",
			 opts->events[i]);
	}
	r = tlobctl_ring_control(text, "%s/events", dir);
	if (r == -EINVAL)
		return tlobctl_fail(
			r,
			"the module's rings have no such events: '%s'; there are switch, wake, record, mark and migrate",
			text);
	return r ? tlobctl_fail(r, "cannot write '%s' to %s/events: %s", text, dir, strerror(-r)) :
		   0;
}

static int set_size(const char *dir, uint32_t cpu, uint64_t bytes)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), pages = 2;
	char text[32];
	int r;

	while (pages * page < bytes && pages < 1u << 15)
		pages *= 2;
	snprintf(text, sizeof(text), "pages=%llu order=0", (unsigned long long)pages);
	r = tlobctl_ring_control(text, "%s/per_cpu/cpu%u/config", dir, cpu);
	if (r == -EBUSY)
		return tlobctl_fail(
			r,
			"the ring of CPU %u is mapped by somebody else, and cannot be resized; leave the size as it is",
			cpu);
	return r ? tlobctl_fail(r, "cannot resize the ring of CPU %u to %llu pages: %s", cpu,
				(unsigned long long)pages, strerror(-r)) :
		   0;
}

/* 0; or 1, with the reason noted: it has to be read. */
static int map(struct tlobctl_ring *ring, struct tlobctl_ring_cpu *c)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct tlob_page_meta *meta = mmap(NULL, page, PROT_READ, MAP_SHARED, c->fd, 0);

	if (meta == MAP_FAILED) {
		tlobctl_ring_noted(ring, "cannot map the rings: %s", strerror(errno));
		return 1;
	}
	c->meta = meta;
	c->meta_bytes = page;
	c->page_bytes = meta->page_bytes;
	c->pages_bytes = (size_t)meta->pages * meta->page_bytes;
	c->pages = mmap(NULL, c->pages_bytes, PROT_READ, MAP_SHARED, c->fd, meta->meta_bytes);
	if (c->pages != MAP_FAILED && meta->struct_bytes >= sizeof(*meta))
		return 0;
	tlobctl_ring_noted(ring, "cannot map the rings' pages: %s",
			   c->pages == MAP_FAILED ? strerror(errno) : "unknown layout");
	if (c->pages != MAP_FAILED)
		munmap(c->pages, c->pages_bytes);
	munmap(meta, page);
	c->pages = c->meta = NULL;
	return 1;
}

static int open_cpu(struct tlobctl_ring *ring, uint32_t cpu, const struct tlobctl_ring_opts *opts)
{
	const char *dir = tlobctl_ring_module_folder();
	struct tlobctl_ring_cpu *c;
	char path[512];
	int r;

	if (!dir)
		return tlobctl_ring_module_probe();
	r = opts->bytes ? set_size(dir, cpu, opts->bytes) : 0;
	if (r)
		return r;
	snprintf(path, sizeof(path), "%s/per_cpu/cpu%u/raw", dir, cpu);
	r = tlobctl_ring_open_cpu(ring, cpu, path, &c);
	if (r)
		return r;
	ring->head_bytes = sizeof(struct tlob_page_head);
	if (!opts->copy && map(ring, c) == 0)
		return 0;
	c->page_bytes = 65536;
	c->copy = malloc(c->page_bytes);
	return c->copy ? 0 : tlobctl_fail(-ENOMEM, "out of memory");
}

static int module_open(struct tlobctl_ring *ring, const struct tlobctl_ring_opts *opts)
{
	const char *dir = tlobctl_ring_module_folder();
	int r;

	if (!dir)
		return tlobctl_ring_module_probe();
	r = set_events(ring, dir, opts);
	return r ? r : tlobctl_ring_each_cpu(ring, opts, open_cpu);
}

/* ---- reading ---- */

static int fetch_mapped(struct tlobctl_ring_cpu *c)
{
	const struct tlob_page_meta *meta = c->meta;
	uint32_t id = meta->reader.id, read = meta->reader.read;

	if (ioctl(c->fd, TLOB_RING_GET_READER))
		return tlobctl_fail(-errno, "cannot fetch events of CPU %u: %s", c->cpu,
				    strerror(errno));
	if (meta->reader.id == id && meta->reader.read == read)
		return 0;
	c->page_count += meta->reader.id != c->id;
	c->id = meta->reader.id;
	c->page = c->pages + (size_t)meta->reader.id * meta->page_bytes;
	c->begin = meta->reader.begin;
	c->end = meta->reader.read;
	c->counts.lost += meta->reader.lost;
	return 1;
}

static int fetch_read(struct tlobctl_ring *ring, struct tlobctl_ring_cpu *c)
{
	ssize_t n = read(c->fd, c->copy + ring->head_bytes, c->page_bytes - ring->head_bytes);

	if (n < 0 && errno != EAGAIN)
		return tlobctl_fail(-errno, "cannot read events of CPU %u: %s", c->cpu,
				    strerror(errno));
	if (n <= 0)
		return 0;
	c->page_count++;
	c->page = c->copy;
	c->begin = ring->head_bytes;
	c->end = ring->head_bytes + (uint32_t)n;
	return 1;
}

static int module_fetch(struct tlobctl_ring *ring, struct tlobctl_ring_cpu *c)
{
	int r = c->meta ? fetch_mapped(c) : fetch_read(ring, c);

	c->at = c->begin;
	return r;
}

const char *const tlobctl_ring_module_names[TLOB_PAGE_TYPES] = {"padding", "switch", "wake",
								"record",  "mark",   "migrate"};

static bool module_next(struct tlobctl_ring *ring, struct tlobctl_ring_cpu *c)
{
	(void)ring;
	while (c->at < c->end) {
		const struct tlob_page_event *e = (const void *)(c->page + c->at);

		if (e->bytes < 8 || e->bytes > c->end - c->at)
			return false; /* not a page of this layout */
		c->at += e->bytes;
		if (e->type == TLOB_PAGE_PADDING)
			continue;
		c->event = (struct tlobctl_ring_event){
			.time_ns = e->time_ns,
			.cpu = c->cpu,
			.name = e->type < TLOB_PAGE_TYPES ? tlobctl_ring_module_names[e->type] :
							    "unknown",
			.data = e + 1,
			.bytes = e->bytes - sizeof(*e),
		};
		return true;
	}
	return false;
}

/* ---- for people ---- */

static const char *left_for(uint32_t state)
{
	switch (state) {
	case 0:
		return "preempted";
	case 1:
		return "sleeps";
	case 2:
		return "blocked";
	case 4:
	case 8:
		return "stopped";
	default:
		return "exits";
	}
}

static int line_bytes(const char *text, size_t room)
{
	const char *newline = memchr(text, '\n', strnlen(text, room));

	return newline ? (int)(newline - text) : (int)room;
}

static int module_text(struct tlobctl_ring *ring, const struct tlobctl_ring_event *event, char *buf,
		       size_t bytes)
{
	const struct tlob_page_switch *s = event->data;
	const struct tlob_page_wake *w = event->data;
	const struct tlob_record *r = event->data;
	const struct tlob_page_migrate *m = event->data;

	(void)ring;
	if (!strcmp(event->name, "switch") && event->bytes >= sizeof(*s) && s->prev_tid)
		snprintf(buf, bytes, "%u %s -> %u %.*s", s->prev_tid, left_for(s->prev_state),
			 s->tid, TLOB_COMM_BYTES, s->comm);
	else if (!strcmp(event->name, "switch") && event->bytes >= sizeof(*s))
		snprintf(buf, bytes, "idle -> %u %.*s", s->tid, TLOB_COMM_BYTES, s->comm);
	else if (!strcmp(event->name, "wake") && event->bytes >= sizeof(*w))
		snprintf(buf, bytes, "%u by %s%u", w->tid,
			 w->flags & TLOB_PAGE_WAKE_INTERRUPT ? "an interrupt of " : "",
			 w->waker_tid);
	else if (!strcmp(event->name, "record") && event->bytes >= sizeof(*r))
		snprintf(
			buf, bytes,
			"%s %.*s[%u] elapsed %llu ns of %llu (running %llu waiting %llu sleeping %llu) tag %#llx",
			r->type == TLOB_REC_OVERRUN ? "overrun" : "end", TLOB_COMM_BYTES, r->comm,
			r->tid, (unsigned long long)r->elapsed_ns, (unsigned long long)r->budget_ns,
			(unsigned long long)r->running_ns, (unsigned long long)r->waiting_ns,
			(unsigned long long)r->sleeping_ns, (unsigned long long)r->tag);
	else if (!strcmp(event->name, "migrate") && event->bytes >= sizeof(*m))
		snprintf(buf, bytes, "%u to cpu%u", m->tid, m->cpu);
	else if (!strcmp(event->name, "mark"))
		snprintf(buf, bytes, "%.*s", line_bytes(event->data, event->bytes),
			 (const char *)event->data);
	else
		snprintf(buf, bytes, "%zu bytes", event->bytes);
	return 0;
}

static void module_head(const struct tlobctl_ring_cpu *c, char head[16])
{
	struct tlob_page_head h = {0};

	if (c->meta)
		memcpy(&h, c->page, sizeof(h));
	/* number and events are the page's own */
	h.readable = (h.readable & ~0xffff0000ULL) | (__u64)(c->end / 8) << 16;
	memcpy(head, &h, sizeof(h));
}

const struct tlobctl_ring_ops tlobctl_ring_module = {
	.name = "module",
	.open = module_open,
	.fetch = module_fetch,
	.next = module_next,
	.text = module_text,
	.head = module_head,
};
