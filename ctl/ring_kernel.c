// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel's trace buffers: mapped from Linux 6.10 on, else read. A page of theirs is what trace_pipe_raw gives: libtraceevent
 * takes it apart.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <traceevent/event-parse.h>
#include <traceevent/kbuffer.h>

#include "error.h"
#include "rings.h"

/* Of linux/trace_mmap.h, which is newer than the headers this is built with. */
struct buffer_meta {
	uint32_t meta_page_size;
	uint32_t meta_struct_len;
	uint32_t subbuf_size;
	uint32_t nr_subbufs;
	struct {
		uint64_t lost_events;
		uint32_t id;
		uint32_t read;
	} reader;
	uint64_t flags;
	uint64_t entries;
	uint64_t overrun;
	uint64_t read;
};
#define GET_READER _IO('R', 0x20)

#define HEAD_BYTES 16u /* time stamp, and bytes of events */
#define DEFAULT_BYTES (1ULL << 20)

static const char *const default_events[] = {"sched:sched_switch", "sched:sched_waking"};

/* ---- which events ---- */

static char *file_text(const char *path, size_t *bytes)
{
	size_t room = 65536;
	char *text = malloc(room);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	*bytes = 0;
	while (text && fd >= 0 && (n = read(fd, text + *bytes, room - *bytes - 1)) > 0)
		*bytes += (size_t)n;
	if (fd >= 0)
		close(fd);
	if (text)
		text[*bytes] = '\0';
	return text;
}

void tlobctl_ring_kernel_learn(struct tlobctl_ring *ring, const struct tlobctl_ring_format *format)
{
	static const char key[] = "name: ";
	size_t skip = strncmp(format->text, key, strlen(key)) == 0 ? strlen(key) : 0;
	const char *name = format->text + skip;

	if (tep_parse_event(ring->tep, format->text, format->bytes, format->system))
		tlobctl_ring_noted(
			ring, "the format of %.*s is beyond libtraceevent, events show as numbers",
			(int)strcspn(name, "\n"), name);
}

/* .../events/SYSTEM/EVENT, a folder: switch it on and learn its format. */
static int enable(struct tlobctl_ring *ring, const char *folder)
{
	char path[640], *text, *system;
	size_t bytes;
	int r = tlobctl_ring_control("1", "%s/enable", folder);

	if (r)
		return tlobctl_fail(r, "cannot write 1 to %s/enable: %s", folder, strerror(-r));
	snprintf(path, sizeof(path), "%s/format", folder);
	text = file_text(path, &bytes);
	if (!text)
		return tlobctl_fail(-ENOMEM, "out of memory");
	system = strstr(folder, "/events/") + strlen("/events/");
	snprintf(path, sizeof(path), "%.*s", (int)strcspn(system, "/"), system);
	r = tlobctl_ring_head_add_format(&ring->file, path, text, bytes);
	free(text);
	if (r)
		return tlobctl_fail(r, "out of memory");
	tlobctl_ring_kernel_learn(ring, &ring->file.formats[ring->file.nformats - 1]);
	return 0;
}

/* SYSTEM:EVENT, SYSTEM:*, SYSTEM, or EVENT of whatever system. */
static int enable_pattern(struct tlobctl_ring *ring, const char *event)
{
	const char *colon = strchr(event, ':');
	char pattern[512];
	glob_t found;
	int r;

	if (strchr(event, '/') || !*event)
		return tlobctl_fail(-EINVAL, "'%s' is no event; say SYSTEM:EVENT, such as %s",
				    event, default_events[0]);
	if (colon)
		snprintf(pattern, sizeof(pattern), "%s/events/%.*s/%s/format", ring->instance,
			 (int)(colon - event), event, colon[1] ? colon + 1 : "*");
	else
		snprintf(pattern, sizeof(pattern), "%s/events/%s/*/format", ring->instance, event);
	r = glob(pattern, GLOB_NOSORT, NULL, &found);
	if (r == GLOB_NOMATCH && !colon) {
		snprintf(pattern, sizeof(pattern), "%s/events/*/%s/format", ring->instance, event);
		r = glob(pattern, GLOB_NOSORT, NULL, &found);
	}
	if (r == GLOB_NOMATCH)
		return tlobctl_fail(
			-ENOENT,
			"this kernel has no event '%s'; /sys/kernel/tracing/available_events lists them",
			event);
	if (r)
		return tlobctl_fail(-ENOMEM, "cannot look for the event '%s'", event);
	for (size_t i = 0; r == 0 && i < found.gl_pathc; i++) {
		*strrchr(found.gl_pathv[i], '/') = '\0';
		r = enable(ring, found.gl_pathv[i]);
	}
	globfree(&found);
	return r;
}

/* ---- opening ---- */

static int map(struct tlobctl_ring *ring, struct tlobctl_ring_cpu *c)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct buffer_meta *meta = mmap(NULL, page, PROT_READ, MAP_SHARED, c->fd, 0);

	if (meta == MAP_FAILED) {
		tlobctl_ring_noted(
			ring,
			"the kernel's trace buffers cannot be mapped (%s; Linux 6.10 can): they are read",
			strerror(errno));
		return 1;
	}
	c->meta = meta;
	c->meta_bytes = page;
	c->page_bytes = meta->subbuf_size;
	c->pages_bytes = (size_t)meta->nr_subbufs * meta->subbuf_size;
	c->pages = mmap(NULL, c->pages_bytes, PROT_READ, MAP_SHARED, c->fd,
			(off_t)meta->meta_page_size);
	if (c->pages != MAP_FAILED)
		return 0;
	tlobctl_ring_noted(
		ring,
		"the pages of the kernel's trace buffers cannot be mapped (%s): they are read",
		strerror(errno));
	munmap(meta, page);
	c->pages = c->meta = NULL;
	return 1;
}

static int open_cpu(struct tlobctl_ring *ring, uint32_t cpu, const struct tlobctl_ring_opts *opts)
{
	struct tlobctl_ring_cpu *c;
	char path[512];
	int r;

	snprintf(path, sizeof(path), "%s/per_cpu/cpu%u/trace_pipe_raw", ring->instance, cpu);
	r = tlobctl_ring_open_cpu(ring, cpu, path, &c);
	if (r)
		return r;
	ring->head_bytes = HEAD_BYTES;
	c->page_bytes = (uint32_t)sysconf(_SC_PAGESIZE);
	r = tlobctl_ring_kernel_decoder(c);
	if (r)
		return r;
	if (!opts->copy && map(ring, c) == 0)
		return 0;
	c->copy = malloc(c->page_bytes);
	return c->copy ? 0 : tlobctl_fail(-ENOMEM, "out of memory");
}

int tlobctl_ring_kernel_set_up(struct tlobctl_ring *ring, uint32_t memory_page_bytes)
{
	ring->tep = tep_alloc();
	if (!ring->tep)
		return tlobctl_fail(-ENOMEM, "out of memory");
	tep_set_long_size(ring->tep, sizeof(long));
	tep_set_page_size(ring->tep, (int)memory_page_bytes);
	tep_set_loglevel(TEP_LOG_NONE);
	return 0;
}

int tlobctl_ring_kernel_decoder(struct tlobctl_ring_cpu *cpu)
{
	cpu->kbuffer = kbuffer_alloc(sizeof(long) == 8 ? KBUFFER_LSIZE_8 : KBUFFER_LSIZE_4,
				     __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ?
					     KBUFFER_ENDIAN_LITTLE :
					     KBUFFER_ENDIAN_BIG);
	return cpu->kbuffer ? 0 : tlobctl_fail(-ENOMEM, "out of memory");
}

static int set_up(struct tlobctl_ring *ring, uint64_t bytes)
{
	char text[32];
	int r = tlobctl_ring_control("mono", "%s/trace_clock", ring->instance);

	if (r)
		return tlobctl_fail(r, "cannot set the clock of %s: %s", ring->instance,
				    strerror(-r));
	snprintf(text, sizeof(text), "%llu",
		 (unsigned long long)((bytes ? bytes : DEFAULT_BYTES) + 1023) / 1024);
	r = tlobctl_ring_control(text, "%s/buffer_size_kb", ring->instance);
	if (r)
		return tlobctl_fail(r, "cannot have trace buffers of %s KiB: %s", text,
				    strerror(-r));
	return tlobctl_ring_kernel_set_up(ring, (uint32_t)sysconf(_SC_PAGESIZE));
}

static int kernel_open(struct tlobctl_ring *ring, const struct tlobctl_ring_opts *opts)
{
	bool given = opts->events && opts->nevents;
	const char *const *events = given ? opts->events : default_events;
	size_t nevents = given ? opts->nevents : sizeof(default_events) / sizeof(*default_events);
	int r = tlobctl_ring_instance_make(ring);

	if (r == 0)
		r = set_up(ring, opts->bytes);
	if (r == 0)
		r = tlobctl_ring_each_cpu(ring, opts, open_cpu);
	for (size_t i = 0; r == 0 && i < nevents; i++)
		r = enable_pattern(ring, events[i]);
	return r;
}

static void kernel_close(struct tlobctl_ring *ring)
{
	for (size_t i = 0; i < ring->ncpus; i++)
		kbuffer_free(ring->cpus[i].kbuffer);
	if (ring->tep)
		tep_free(ring->tep);
	tlobctl_ring_instance_remove(ring);
}

/* ---- reading ---- */

static int fetch_mapped(struct tlobctl_ring_cpu *c)
{
	const struct buffer_meta *meta = c->meta;
	uint32_t id = meta->reader.id, read = meta->reader.read;
	bool first = c->id == UINT32_MAX;

	if (ioctl(c->fd, GET_READER))
		return tlobctl_fail(-errno, "cannot fetch events of CPU %u: %s", c->cpu,
				    strerror(errno));
	if (meta->reader.id == id && meta->reader.read == read)
		return 0;
	if (meta->reader.id != id || first)
		c->page_count++;
	c->id = meta->reader.id;
	c->page = c->pages + (size_t)c->id * meta->subbuf_size;
	c->begin = HEAD_BYTES + (meta->reader.id == id ? read : 0);
	c->end = HEAD_BYTES + meta->reader.read;
	/* reader.lost_events is cleared before it is copied there (seen on 6.18) */
	c->counts.lost += meta->overrun - c->overrun;
	c->overrun = meta->overrun;
	return 1;
}

static int fetch_read(struct tlobctl_ring_cpu *c)
{
	ssize_t n = read(c->fd, c->copy, c->page_bytes);
	uint64_t commit;

	if (n < 0 && errno != EAGAIN)
		return tlobctl_fail(-errno, "cannot read events of CPU %u: %s", c->cpu,
				    strerror(errno));
	if (n <= (ssize_t)HEAD_BYTES)
		return 0;
	memcpy(&commit, c->copy + 8, sizeof(commit));
	c->page_count++;
	c->page = c->copy;
	c->begin = HEAD_BYTES;
	c->end = HEAD_BYTES + (uint32_t)(commit & 0xfffff);
	if (c->end > c->page_bytes)
		c->end = c->page_bytes;
	return 1;
}

void tlobctl_ring_kernel_load(struct tlobctl_ring_cpu *cpu)
{
	kbuffer_load_subbuffer(cpu->kbuffer, (void *)cpu->page);
	cpu->at = 0; /* nothing of the page was looked at */
}

static int kernel_fetch(struct tlobctl_ring *ring, struct tlobctl_ring_cpu *c)
{
	int r = c->meta ? fetch_mapped(c) : fetch_read(c);

	(void)ring;
	if (r <= 0)
		return r;
	tlobctl_ring_kernel_load(c);
	if (!c->meta && kbuffer_missed_events(c->kbuffer) > 0)
		c->counts.lost += (uint64_t)kbuffer_missed_events(c->kbuffer);
	return 1;
}

/* Time runs from event to event, so what was returned before is passed over rather than left out. */
bool tlobctl_ring_kernel_take(struct tlobctl_ring_cpu *c)
{
	unsigned long long time;
	void *data;

	do {
		data = c->at ? kbuffer_next_event(c->kbuffer, &time) :
			       kbuffer_read_event(c->kbuffer, &time);
		c->at = 1;
		if (!data || (uint32_t)((char *)data - c->page) >= c->end)
			return false;
	} while ((uint32_t)((char *)data - c->page) < c->begin);
	c->event = (struct tlobctl_ring_event){
		.time_ns = time,
		.cpu = c->cpu,
		.data = data,
		.bytes = (size_t)kbuffer_event_size(c->kbuffer),
	};
	return true;
}

const char *tlobctl_ring_kernel_name(struct tlobctl_ring *ring, struct tlobctl_ring_event *event)
{
	struct tep_record record = {.data = (void *)event->data, .size = (int)event->bytes};
	const struct tep_event *known = tep_find_event_by_record(ring->tep, &record);

	event->name = known ? known->name : "unknown";
	return known ? known->system : "";
}

static bool kernel_next(struct tlobctl_ring *ring, struct tlobctl_ring_cpu *c)
{
	bool some = tlobctl_ring_kernel_take(c);

	if (some)
		tlobctl_ring_kernel_name(ring, &c->event);
	return some;
}

static int kernel_text(struct tlobctl_ring *ring, const struct tlobctl_ring_event *event, char *buf,
		       size_t bytes)
{
	struct tep_record record = {.ts = event->time_ns,
				    .cpu = (int)event->cpu,
				    .data = (void *)event->data,
				    .size = (int)event->bytes};
	struct trace_seq seq;

	trace_seq_init(&seq);
	trace_seq_printf(&seq, "%d ", tep_data_pid(ring->tep, &record));
	tep_print_event(ring->tep, &seq, &record, "%s", TEP_PRINT_INFO);
	trace_seq_terminate(&seq);
	snprintf(buf, bytes, "%s", seq.buffer);
	trace_seq_destroy(&seq);
	return 0;
}

static void kernel_head(const struct tlobctl_ring_cpu *c, char head[16])
{
	uint64_t commit = c->end - HEAD_BYTES;

	memcpy(head, c->page, 8);
	memcpy(head + 8, &commit, sizeof(commit));
}

const struct tlobctl_ring_ops tlobctl_ring_kernel = {
	.name = "kernel",
	.open = kernel_open,
	.fetch = kernel_fetch,
	.next = kernel_next,
	.text = kernel_text,
	.head = kernel_head,
	.close = kernel_close,
};
