// SPDX-License-Identifier: GPL-2.0-or-later
/* See sync.h. */
#include "sync.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PENDING (1u << 18) /* records that wait for their horizon */
#define MAX_COPIED (64u << 20) /* bytes of stacks, likewise */

struct why_pending {
	struct why_raw raw;
	uint64_t serial;
	uint64_t *chain; /* its own copy, and behind it that of the stack */
	size_t copied_bytes;
};

/* A frame of a sample whose place is known. */
struct place {
	const struct why_object *object;
	uint64_t offset;
	bool kernel;
};

int why_sync_init(struct why_sync *sync, size_t nsources, const struct why_object *kernel,
		  uint64_t kernel_base)
{
	struct why_sync s = {.nsources = nsources, .kernel = kernel, .kernel_base = kernel_base};
	int r;

	s.sources = calloc(nsources ? nsources : 1, sizeof(*s.sources));
	if (!s.sources)
		return -ENOMEM;
	r = why_spaces_init(&s.spaces);
	if (r) {
		free(s.sources);
		return r;
	}
	*sync = s;
	return 0;
}

void why_sync_deinit(struct why_sync *sync)
{
	for (size_t i = 0; i < sync->npending; i++)
		free(sync->pending[i].chain);
	free(sync->pending);
	free(sync->sources);
	if (sync->spaces.chains)
		why_spaces_deinit(&sync->spaces);
	*sync = (struct why_sync){0};
}

/* ---- passes */

void why_sync_pass_begin(struct why_sync *sync, size_t i, uint64_t now_ns)
{
	sync->sources[i].began_ns = now_ns;
}

void why_sync_pass_end(struct why_sync *sync, size_t i)
{
	struct why_source *s = &sync->sources[i];

	if (!s->began_ns)
		return;
	s->before_ns = s->last_ns;
	s->last_ns = s->began_ns;
	s->began_ns = 0;
}

void why_sync_set_offline(struct why_sync *sync, size_t i, bool offline)
{
	struct why_source *s = &sync->sources[i];

	if (s->offline && !offline) /* the passes before tell nothing of what is written now */
		s->last_ns = s->before_ns = 0;
	s->offline = offline;
}

static uint64_t horizon(const struct why_sync *sync, bool release)
{
	uint64_t earliest = UINT64_MAX;

	for (size_t i = 0; i < sync->nsources; i++) {
		const struct why_source *s = &sync->sources[i];

		if (!s->offline && (release || !s->silent) && s->before_ns < earliest)
			earliest = s->before_ns;
	}
	return earliest == UINT64_MAX ? 0 : earliest;
}

uint64_t why_sync_horizon(const struct why_sync *sync)
{
	uint64_t now = horizon(sync, false);

	/* a CPU that comes back does not take back what was said */
	return now > sync->done_ns ? now : sync->done_ns;
}

uint64_t why_sync_release_horizon(const struct why_sync *sync)
{
	return horizon(sync, true);
}

/* ---- records in */

static int make_room(struct why_sync *sync)
{
	size_t room = sync->pending_room ? sync->pending_room * 2 : 256;
	struct why_pending *pending;

	if (sync->npending < sync->pending_room)
		return 0;
	if (sync->npending >= MAX_PENDING)
		return -ENOSPC;
	pending = reallocarray(sync->pending, room, sizeof(*pending));
	if (!pending)
		return -ENOMEM;
	sync->pending = pending;
	sync->pending_room = room;
	return 0;
}

static int keep_chain(struct why_sync *sync, struct why_pending *p)
{
	size_t n;

	if (p->raw.sample.nkernel > WHY_MAX_CHAIN)
		p->raw.sample.nkernel = WHY_MAX_CHAIN;
	n = WHY_MAX_CHAIN - p->raw.sample.nkernel;
	if (p->raw.sample.nuser > n) {
		p->raw.sample.nuser = (uint16_t)n;
		p->raw.sample.cut = true;
	}
	n = ((size_t)p->raw.sample.nkernel + p->raw.sample.nuser) * sizeof(*p->chain);
	if (!sync->callers || !p->raw.sample.copy ||
	    p->raw.sample.copy_bytes > MAX_COPIED - sync->copied_bytes)
		p->raw.sample.copy_bytes = 0;
	p->chain = malloc(n + p->raw.sample.copy_bytes + 1);
	if (!p->chain)
		return -ENOMEM;
	if (n)
		memcpy(p->chain, p->raw.sample.chain, n);
	p->raw.sample.chain = p->chain;
	p->copied_bytes = p->raw.sample.copy_bytes;
	if (p->copied_bytes)
		p->raw.sample.copy =
			memcpy((char *)p->chain + n, p->raw.sample.copy, p->copied_bytes);
	else
		p->raw.sample.copy = NULL;
	sync->copied_bytes += p->copied_bytes;
	return 0;
}

int why_sync_push(struct why_sync *sync, const struct why_raw *raw)
{
	struct why_pending p = {.raw = *raw};
	int r = make_room(sync);

	if (!r && raw->kind == WHY_RAW_SAMPLE)
		r = keep_chain(sync, &p);
	if (r) {
		sync->losses.buffer++;
		return r;
	}
	p.serial = sync->serial++;
	if (raw->kind > WHY_RAW_FOUND_MAP && raw->time_ns < sync->done_ns)
		sync->losses.late++;
	sync->pending[sync->npending++] = p;
	return 0;
}

void why_sync_lost(struct why_sync *sync, uint64_t records)
{
	sync->losses.buffer += records;
	if (records)
		why_spaces_doubt(&sync->spaces);
}

bool why_sync_knows(const struct why_sync *sync, uint32_t tgid)
{
	const struct why_space *space = why_spaces_current(&sync->spaces, tgid);

	return space && space->complete;
}

/* ---- places */

static bool is_known(struct why_losses *losses, const struct why_space *space, uint64_t time_ns,
		     uint64_t address, bool call, struct place *place)
{
	const struct why_mapping *m;

	if (!space) {
		losses->no_space++;
		return false;
	}
	m = why_space_find(space, time_ns, address - call);
	if (!m) {
		losses->no_mapping++;
		return false;
	}
	place->object = m->object;
	place->offset = why_mapping_offset(m, address);
	place->kernel = false;
	return true;
}

bool why_sync_place(struct why_sync *sync, uint32_t tgid, uint64_t time_ns, uint64_t address,
		    bool call, const struct why_object **object, uint64_t *offset)
{
	struct place place;

	if (!is_known(&sync->asked, why_spaces_find(&sync->spaces, tgid, time_ns), time_ns, address,
		      call, &place))
		return false;
	*object = place.object;
	*offset = place.offset;
	return true;
}

/* ---- the stream out */

struct out {
	struct why_sync *sync;
	why_event_fn *fn;
	void *arg;
};

static void emit(const struct out *o, const struct why_event *event)
{
	if (o->fn)
		o->fn(event, o->arg);
}

static void tell_cpu(const struct out *o, uint32_t cpu)
{
	struct why_sync *sync = o->sync;

	if (sync->said.cpu_told && sync->said.cpu == cpu)
		return;
	emit(o, &(struct why_event){.kind = WHY_CPU_SWITCH, .cpu = cpu});
	sync->said.cpu = cpu;
	sync->said.cpu_told = true;
	sync->said.object_told = false;
}

static void tell_context(const struct out *o, const struct why_raw *raw, uint64_t space)
{
	struct why_sync *sync = o->sync;

	if (sync->said.context_told && sync->said.tid == raw->tid && sync->said.tgid == raw->tgid &&
	    sync->said.space == space)
		return;
	emit(o, &(struct why_event){.kind = WHY_CONTEXT_SWITCH,
				    .context = {raw->tid, raw->tgid, space}});
	sync->said.tid = raw->tid;
	sync->said.tgid = raw->tgid;
	sync->said.space = space;
	sync->said.context_told = true;
}

static void tell_place(const struct out *o, const struct place *p)
{
	struct why_sync *sync = o->sync;

	if (sync->said.kernel != p->kernel) {
		sync->said.kernel = p->kernel;
		emit(o,
		     &(struct why_event){.kind = p->kernel ? WHY_KERNEL_ENTER : WHY_KERNEL_LEAVE});
	}
	if (!sync->said.object_told || sync->said.object != p->object) {
		sync->said.object = p->object;
		sync->said.object_told = true;
		emit(o, &(struct why_event){.kind = WHY_OBJECT_SWITCH, .object = p->object});
	}
	emit(o, &(struct why_event){.kind = WHY_PLACE, .offset = p->offset});
}

/* Up to the first address that cannot be told: what seems to lie behind it is a guess. */
static size_t places_of(struct why_sync *sync, const struct why_raw *raw,
			const struct why_space *space, struct place places[WHY_MAX_CHAIN])
{
	size_t nkernel = raw->sample.nkernel, n = nkernel + raw->sample.nuser;
	struct why_losses callers = {0};

	for (size_t i = 0; i < n; i++) {
		uint64_t address = raw->sample.chain[i];

		if (i < nkernel) {
			places[i] = (struct place){sync->kernel, address - sync->kernel_base, true};
		} else if (!is_known(i == nkernel ? &sync->losses : &callers, space, raw->time_ns,
				     address, i > 0, &places[i])) {
			sync->losses.cut += i > nkernel;
			return i;
		}
	}
	return n;
}

static void hand_on_trace(const struct out *o, const struct why_raw *raw,
			  const struct why_space *space)
{
	struct why_sync *sync = o->sync;
	struct place places[WHY_MAX_CHAIN];
	size_t n = places_of(sync, raw, space, places);
	size_t all = (size_t)raw->sample.nkernel + raw->sample.nuser;

	if (!n) {
		sync->losses.backtraces++;
		emit(o, &(struct why_event){.kind = WHY_TRACE_LOST,
					    .time_ns = raw->time_ns,
					    .token = raw->sample.token});
		return;
	}
	tell_cpu(o, raw->cpu);
	tell_context(o, raw, space ? space->serial : 0);
	emit(o, &(struct why_event){.kind = WHY_TRACE_BEGIN,
				    .time_ns = raw->time_ns,
				    .token = raw->sample.token});
	for (size_t i = 0; i < n; i++)
		tell_place(o, &places[i]);
	emit(o, &(struct why_event){.kind = WHY_TRACE_END, .cut = raw->sample.cut || n < all});
}

static void hand_on_sample(const struct out *o, const struct why_raw *raw)
{
	struct why_sync *sync = o->sync;
	const struct why_space *space = why_spaces_find(&sync->spaces, raw->tgid, raw->time_ns);
	size_t nkernel = raw->sample.nkernel, n = 0;
	uint64_t chain[WHY_MAX_CHAIN];
	struct why_raw better = *raw;
	bool cut = false;

	if (space && raw->sample.copy && nkernel < WHY_MAX_CHAIN)
		n = sync->callers(raw, space, chain + nkernel, WHY_MAX_CHAIN - nkernel, &cut,
				  sync->callers_arg);
	if (n) {
		if (nkernel)
			memcpy(chain, raw->sample.chain, nkernel * sizeof(*chain));
		better.sample.chain = chain;
		better.sample.nuser = (uint16_t)n;
		better.sample.cut = cut;
	}
	hand_on_trace(o, &better, space);
}

/* ---- changes of address spaces; what there is no memory for is not known later, and counted then */

static struct why_mapping mapping_of(const struct why_raw *raw)
{
	return (struct why_mapping){.start = raw->map.start,
				    .length = raw->map.length,
				    .file_offset = raw->map.file_offset,
				    .object = raw->map.object};
}

static void hand_on_found(struct why_spaces *spaces, const struct why_raw *raw)
{
	struct why_space *space = why_spaces_current(spaces, raw->tgid);
	const struct why_mapping m = mapping_of(raw);

	if (space)
		why_space_found_map(spaces, space, &m);
}

static void hand_on_map(struct why_sync *sync, const struct why_raw *raw)
{
	struct why_space *space = why_spaces_find(&sync->spaces, raw->tgid, raw->time_ns);
	const struct why_mapping m = mapping_of(raw);

	/* of a process of which nothing else is known, this is */
	if (!space && (raw->kind == WHY_RAW_UNMAP ||
		       why_spaces_begin(&sync->spaces, raw->tgid, raw->time_ns, 0, &space)))
		return;
	if (raw->kind == WHY_RAW_MAP)
		why_space_map(&sync->spaces, space, raw->time_ns, &m);
	else
		why_space_unmap(&sync->spaces, space, raw->time_ns, m.start, m.length);
}

static void hand_on_exit(const struct out *o, const struct why_raw *raw)
{
	why_spaces_exit(&o->sync->spaces, raw->tgid, raw->time_ns);
	emit(o, &(struct why_event){.kind = WHY_THREAD_EXIT,
				    .time_ns = raw->time_ns,
				    .context = {.tid = raw->tid, .tgid = raw->tgid}});
}

static void hand_on(const struct out *o, const struct why_raw *raw)
{
	struct why_spaces *spaces = &o->sync->spaces;

	switch (raw->kind) {
	case WHY_RAW_FORK:
		why_spaces_fork(spaces, raw->parent, raw->tgid, raw->time_ns);
		break;
	case WHY_RAW_EXEC:
		why_spaces_exec(spaces, raw->tgid, raw->time_ns);
		break;
	case WHY_RAW_FOUND:
		why_spaces_found(spaces, raw->tgid, raw->threads);
		break;
	case WHY_RAW_FOUND_MAP:
		hand_on_found(spaces, raw);
		break;
	case WHY_RAW_UNMAP:
	case WHY_RAW_MAP:
		hand_on_map(o->sync, raw);
		break;
	case WHY_RAW_SAMPLE:
		hand_on_sample(o, raw);
		break;
	case WHY_RAW_EXIT:
		hand_on_exit(o, raw);
		break;
	}
}

static int by_time(const void *a, const void *b)
{
	const struct why_pending *x = a, *y = b;

	if (x->raw.time_ns != y->raw.time_ns)
		return x->raw.time_ns < y->raw.time_ns ? -1 : 1;
	if (x->raw.kind != y->raw.kind)
		return x->raw.kind < y->raw.kind ? -1 : 1;
	return x->serial < y->serial ? -1 : 1;
}

void why_sync_flush(struct why_sync *sync, why_event_fn *fn, void *arg)
{
	const struct out o = {sync, fn, arg};
	uint64_t until = why_sync_horizon(sync);
	size_t n = 0;

	if (sync->npending)
		qsort(sync->pending, sync->npending, sizeof(*sync->pending), by_time);
	while (n < sync->npending && sync->pending[n].raw.time_ns < until) {
		hand_on(&o, &sync->pending[n].raw);
		free(sync->pending[n].chain);
		sync->copied_bytes -= sync->pending[n].copied_bytes;
		n++;
	}
	sync->npending -= n;
	if (n)
		memmove(sync->pending, sync->pending + n, sync->npending * sizeof(*sync->pending));
	sync->done_ns = until;
	why_spaces_release(&sync->spaces, why_sync_release_horizon(sync));
}

/* ---- cyclic buffers */

void why_cyclic_copy(void *to, const void *buffer, size_t size, uint64_t start, uint64_t stop)
{
	size_t bytes = (size_t)(stop - start), at = (size_t)(start & (size - 1)), first;

	if (bytes > size)
		bytes = size;
	first = bytes < size - at ? bytes : size - at;
	memcpy(to, (const char *)buffer + at, first);
	memcpy((char *)to + first, buffer, bytes - first);
}
