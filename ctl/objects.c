// SPDX-License-Identifier: GPL-2.0-or-later
/* See objects.h. */
#include "objects.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "error.h"
#include "now.h"
#include "objects_maps.h"
#include "perf_ring.h"
#include "session.h"

/* For each CPU: half a second of a thousand exec calls a second; in all at most as much as 16 CPUs take. */
#define RING_BYTES (1u << 20)
#define RING_CPUS 16
#define RING_BYTES_MIN (16u << 10)
#define TICK_NS 250000000L
#define OPEN_AGAIN_NS 1000000000ULL /* CPUs that were offline */
#define ASKED 64 /* power of two */

struct ring {
	struct tlobctl_source source;
	struct tlobctl_perf_ring perf;
};

struct tlobctl_objects {
	struct why_sync sync;
	struct why_symbolizer *symbolizer;
	struct tlobctl_files files;
	struct ring *rings; /* one for each CPU */
	size_t ncpus, nopen;
	size_t ring_bytes;
	uint64_t opened_ns; /* when the rings were last tried */
	struct tlobctl_source tick;
	int tick_fd;
	uint32_t asked[ASKED]; /* processes looked at in this pass */
	void (*read)(struct tlobctl *ctl);
	why_event_fn *fn;
	char note[256];
};

/* Sources of the sync: the CPUs, and then */
#define SAMPLES(o) ((o)->ncpus)
#define RECORDS(o) ((o)->ncpus + 1)
#define SOURCES(o) ((o)->ncpus + 2)

/* ---- records of perf events */

/* At the end of each record, as asked for in sample_type. */
struct trailer {
	uint32_t pid, tid;
	uint64_t time;
	uint32_t cpu, reserved;
};

struct mmap2 {
	struct perf_event_header header;
	uint32_t pid, tid;
	uint64_t address, length, page_offset;
	union {
		struct {
			uint32_t major, minor;
			uint64_t inode, inode_generation;
		};
		struct {
			uint8_t bytes, reserved[3];
			uint8_t id[WHY_BUILD_ID_BYTES];
		} build;
	};
	uint32_t protection, flags;
	char path[];
};

struct comm {
	struct perf_event_header header;
	uint32_t pid, tid;
};

struct task {
	struct perf_event_header header;
	uint32_t pid, parent, tid, parent_tid;
	uint64_t time;
};

struct lost {
	struct perf_event_header header;
	uint64_t id, lost;
};

static void take_mmap(struct tlobctl_objects *o, const struct mmap2 *m, struct why_raw *raw)
{
	bool has_id = m->header.misc & PERF_RECORD_MISC_MMAP_BUILD_ID;
	size_t bytes = m->build.bytes < WHY_BUILD_ID_BYTES ? m->build.bytes : WHY_BUILD_ID_BYTES;
	struct tlobctl_file file = {.tgid = m->pid,
				    .path = m->path,
				    .build_id = has_id ? m->build.id : NULL,
				    .build_id_bytes = has_id ? bytes : 0,
				    .offset = m->page_offset};

	raw->kind = WHY_RAW_MAP;
	raw->tgid = m->pid;
	raw->tid = m->tid;
	raw->map.object = tlobctl_files_object(&o->files, &file);
	raw->map.start = m->address;
	raw->map.length = m->length;
	raw->map.file_offset = file.offset;
	why_sync_push(&o->sync, raw);
}

static void take_task(struct tlobctl_objects *o, const struct task *t, struct why_raw *raw)
{
	raw->kind = t->header.type == PERF_RECORD_FORK ? WHY_RAW_FORK : WHY_RAW_EXIT;
	raw->tgid = t->pid;
	raw->tid = t->tid;
	if (raw->kind == WHY_RAW_FORK)
		raw->parent = t->parent;
	why_sync_push(&o->sync, raw);
}

static void take_exec(struct tlobctl_objects *o, const struct comm *c, struct why_raw *raw)
{
	if (!(c->header.misc & PERF_RECORD_MISC_COMM_EXEC))
		return;
	raw->kind = WHY_RAW_EXEC;
	raw->tgid = c->pid;
	raw->tid = c->tid;
	why_sync_push(&o->sync, raw);
}

static void take_record(const struct perf_event_header *header, void *arg)
{
	struct tlobctl_objects *o = arg;
	const struct trailer *t;
	struct why_raw raw = {0};

	if (header->type == PERF_RECORD_LOST) {
		why_sync_lost(&o->sync, ((const struct lost *)header)->lost);
		return;
	}
	if (header->size < sizeof(*header) + sizeof(*t))
		return;
	t = (const void *)((const char *)header + header->size - sizeof(*t));
	raw.time_ns = t->time;
	raw.cpu = t->cpu;
	if (header->type == PERF_RECORD_MMAP2)
		take_mmap(o, (const struct mmap2 *)header, &raw);
	else if (header->type == PERF_RECORD_COMM)
		take_exec(o, (const struct comm *)header, &raw);
	else if (header->type == PERF_RECORD_FORK || header->type == PERF_RECORD_EXIT)
		take_task(o, (const struct task *)header, &raw);
}

/* ---- passes */

void tlobctl_objects_pass(struct tlobctl *ctl)
{
	struct tlobctl_objects *o = ctl->objects;
	uint64_t now = tlobctl_now_ns();

	memset(o->asked, 0, sizeof(o->asked));
	for (size_t i = 0; i <= SAMPLES(o); i++)
		why_sync_pass_begin(&o->sync, i, now);
	for (size_t i = 0; i < o->ncpus; i++)
		tlobctl_perf_ring_read(&o->rings[i].perf, take_record, o);
	if (o->read)
		o->read(ctl);
	for (size_t i = 0; i <= SAMPLES(o); i++)
		why_sync_pass_end(&o->sync, i);
	why_sync_flush(&o->sync, o->fn, ctl);
}

void tlobctl_objects_settle(struct tlobctl *ctl, uint64_t time_ns)
{
	/* two do it, unless that time is still to come */
	for (int i = 0; i < 2 && why_sync_horizon(&ctl->objects->sync) <= time_ns; i++)
		tlobctl_objects_pass(ctl);
}

void tlobctl_objects_begin(struct tlobctl *ctl)
{
	struct tlobctl_objects *o = ctl->objects;

	if (o)
		why_sync_pass_begin(&o->sync, RECORDS(o), tlobctl_now_ns());
}

void tlobctl_objects_end(struct tlobctl *ctl)
{
	struct tlobctl_objects *o = ctl->objects;

	if (o)
		why_sync_pass_end(&o->sync, RECORDS(o));
}

void tlobctl_objects_feed(struct tlobctl *ctl, void (*read)(struct tlobctl *ctl), why_event_fn *fn)
{
	ctl->objects->read = read;
	ctl->objects->fn = fn;
}

struct why_sync *tlobctl_objects_sync(struct tlobctl *ctl)
{
	return &ctl->objects->sync;
}

static void ring_ready(struct tlobctl *ctl, struct tlobctl_source *self)
{
	(void)self;
	tlobctl_objects_pass(ctl);
}

/* ---- questions */

bool tlobctl_objects_know(struct tlobctl *ctl, uint32_t tgid)
{
	struct tlobctl_objects *o = ctl->objects;
	uint32_t *asked = &o->asked[tgid & (ASKED - 1)];

	if (!tgid || *asked == tgid || why_sync_knows(&o->sync, tgid))
		return false;
	*asked = tgid;
	return tlobctl_files_found(&o->files, &o->sync, tgid);
}

static bool is_kernel(uint64_t address)
{
	return address >> 63;
}

bool tlobctl_place_of(struct tlobctl *ctl, uint32_t tgid, uint64_t time_ns, uint64_t address,
		      bool call, const struct why_object **object, uint64_t *offset)
{
	struct tlobctl_objects *o = ctl->objects;

	if (!o)
		return false;
	if (is_kernel(address)) {
		*object = o->sync.kernel;
		*offset = address - o->sync.kernel_base;
		return true;
	}
	if (tlobctl_objects_know(ctl, tgid))
		tlobctl_objects_pass(ctl);
	tlobctl_objects_settle(ctl, time_ns);
	return why_sync_place(&o->sync, tgid, time_ns, address, call, object, offset);
}

struct why_symbolizer *tlobctl_symbolizer(struct tlobctl *ctl)
{
	return ctl->objects ? ctl->objects->symbolizer : NULL;
}

const char *tlobctl_objects_note(const struct tlobctl *ctl)
{
	return ctl->objects ? ctl->objects->note : "";
}

/* ---- opening and closing */

static struct perf_event_attr tracking(const struct tlobctl_objects *o)
{
	return (struct perf_event_attr){
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(struct perf_event_attr),
		.config = PERF_COUNT_SW_DUMMY,
		.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU,
		.mmap = 1,
		.mmap2 = 1,
		.build_id = 1,
		.comm = 1,
		.comm_exec = 1,
		.task = 1,
		.sample_id_all = 1,
		.exclude_kernel = 1,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
		.watermark = 1,
		.wakeup_watermark = (uint32_t)o->ring_bytes / 2,
	};
}

/* What may be locked is limited for those without CAP_IPC_LOCK: then smaller ones. */
static int open_ring(struct tlobctl_objects *o, size_t cpu)
{
	int r;

	for (;; o->ring_bytes /= 2) {
		struct perf_event_attr attr = tracking(o);

		r = tlobctl_perf_ring_open(&o->rings[cpu].perf, &attr, (int)cpu, o->ring_bytes);
		if ((r != -EPERM && r != -ENOMEM) || o->ring_bytes == RING_BYTES_MIN)
			return r;
	}
}

static int open_rings(struct tlobctl *ctl)
{
	struct tlobctl_objects *o = ctl->objects;
	int r = -ENODEV;

	o->opened_ns = tlobctl_now_ns();
	for (size_t i = 0; i < o->ncpus; i++) {
		struct ring *ring = &o->rings[i];

		if (ring->perf.fd >= 0)
			continue;
		r = open_ring(o, i);
		why_sync_set_offline(&o->sync, i, r != 0);
		if (r == -ENODEV)
			continue;
		if (r)
			return r;
		o->nopen++;
		ring->source.ready = ring_ready;
		r = tlobctl_source_add(ctl, ring->perf.fd, &ring->source);
		if (r)
			return r;
	}
	return o->nopen ? 0 : r;
}

static void tick_ready(struct tlobctl *ctl, struct tlobctl_source *self)
{
	struct tlobctl_objects *o = ctl->objects;
	uint64_t times;

	(void)self;
	if (read(o->tick_fd, &times, sizeof(times)) < 0)
		return;
	if (o->nopen && o->nopen < o->ncpus && tlobctl_now_ns() - o->opened_ns >= OPEN_AGAIN_NS)
		open_rings(ctl);
	if (ctl->engine->collect)
		ctl->engine->collect(ctl);
	tlobctl_objects_pass(ctl);
}

static int open_tick(struct tlobctl *ctl)
{
	const struct itimerspec period = {{0, TICK_NS}, {0, TICK_NS}};
	struct tlobctl_objects *o = ctl->objects;

	o->tick.ready = tick_ready;
	o->tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (o->tick_fd < 0 || timerfd_settime(o->tick_fd, 0, &period, NULL))
		return tlobctl_fail(-errno, "cannot make a timer: %m");
	return tlobctl_source_add(ctl, o->tick_fd, &o->tick);
}

static int make_objects(struct tlobctl *ctl)
{
	struct tlobctl_objects *o = calloc(1, sizeof(*o));
	const struct why_object *kernel;
	int r;

	if (!o)
		return -ENOMEM;
	ctl->objects = o;
	o->tick_fd = -1;
	o->ncpus = (size_t)sysconf(_SC_NPROCESSORS_CONF);
	o->ring_bytes = RING_BYTES;
	for (size_t n = RING_CPUS; n < o->ncpus && o->ring_bytes > 4 * RING_BYTES_MIN; n *= 2)
		o->ring_bytes /= 2;
	o->rings = calloc(o->ncpus, sizeof(*o->rings));
	if (!o->rings)
		return -ENOMEM;
	for (size_t i = 0; i < o->ncpus; i++)
		o->rings[i].perf.fd = -1;
	r = why_symbolizer_new(&o->symbolizer);
	if (r)
		return r;
	kernel = tlobctl_files_init(&o->files, o->symbolizer);
	return why_sync_init(&o->sync, SOURCES(o), kernel, tlobctl_files_kernel_start(&o->files));
}

int tlobctl_objects_open(struct tlobctl *ctl)
{
	int r = make_objects(ctl);

	if (r)
		return tlobctl_fail(r, "out of memory for what programs have mapped");
	for (size_t i = 0; i < ctl->objects->ncpus; i++)
		why_sync_set_offline(&ctl->objects->sync, i, true);
	ctl->objects->sync.sources[RECORDS(ctl->objects)].silent = true;
	r = open_rings(ctl);
	if (r)
		snprintf(
			ctl->objects->note, sizeof(ctl->objects->note),
			"The kernel does not tell what programs map (perf_event_open: %s): code that "
			"is gone when a window has ended has no names.",
			strerror(-r));
	return open_tick(ctl);
}

void tlobctl_objects_close(struct tlobctl *ctl)
{
	struct tlobctl_objects *o = ctl->objects;

	if (!o)
		return;
	for (size_t i = 0; o->rings && i < o->ncpus; i++)
		tlobctl_perf_ring_close(&o->rings[i].perf);
	free(o->rings);
	if (o->tick_fd >= 0)
		close(o->tick_fd);
	why_sync_deinit(&o->sync);
	tlobctl_files_deinit(&o->files);
	why_symbolizer_free(o->symbolizer);
	free(o);
	ctl->objects = NULL;
}
