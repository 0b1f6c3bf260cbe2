// SPDX-License-Identifier: GPL-2.0-or-later
/* Opening, closing and serving a session. */
#include "session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "calibrate.h"
#include "error.h"
#include "ledger.h"
#include "names.h"
#include "now.h"
#include "objects.h"
#include "sampler.h"

#define EVENTS_AT_ONCE 32

/* ---- sources */

int tlobctl_source_add(struct tlobctl *ctl, int fd, struct tlobctl_source *source)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};

	if (epoll_ctl(ctl->epoll, EPOLL_CTL_ADD, fd, &event))
		return tlobctl_fail(-errno, "cannot wait for descriptor %d: %m", fd);
	return 0;
}

void tlobctl_source_remove(struct tlobctl *ctl, int fd)
{
	epoll_ctl(ctl->epoll, EPOLL_CTL_DEL, fd, NULL);
}

/* ---- engines */

/* bpf first, as it also finds out why */
static const struct tlobctl_engine_ops *const engines[] = {
	&tlobctl_engine_bpf,
	&tlobctl_engine_kernel,
	&tlobctl_engine_user,
};
#define ENGINES (sizeof(engines) / sizeof(*engines))

static int open_engine(struct tlobctl *ctl, const struct tlobctl_engine_ops *engine)
{
	int r;

	ctl->engine = engine;
	r = engine->open(ctl);
	if (r)
		ctl->engine = NULL;
	return r;
}

/* In order of preference; what the better ones lack goes into the note. */
static int open_any(struct tlobctl *ctl)
{
	int r = -ENODEV;

	for (size_t i = 0; i < ENGINES; i++) {
		r = open_engine(ctl, engines[i]);
		if (!r)
			return 0;
		if (!*ctl->note)
			snprintf(ctl->note, sizeof(ctl->note), "%s", tlobctl_error());
	}
	return r;
}

static int choose_engine(struct tlobctl *ctl)
{
	if (ctl->opts.engine == TLOBCTL_ENGINE_AUTO)
		return open_any(ctl);
	for (size_t i = 0; i < ENGINES; i++)
		if ((int)engines[i]->kind == (int)ctl->opts.engine)
			return open_engine(ctl, engines[i]);
	return tlobctl_fail(-EINVAL, "there is no engine number %d", (int)ctl->opts.engine);
}

/* ---- opening and closing */

/* Callers may be older, with a shorter struct, or newer, if what this version does not know is zero. */
static int take_opts(const struct tlobctl_opts *opts, struct tlobctl_opts *out)
{
	const unsigned char *bytes = (const unsigned char *)opts;
	size_t size = opts ? opts->size : 0;

	if (!opts)
		return 0;
	if (size < offsetof(struct tlobctl_opts, ring_bytes))
		return tlobctl_fail(
			-EINVAL,
			"struct tlobctl_opts: its size member says %zu, which is too little", size);
	for (size_t i = sizeof(*out); i < size; i++)
		if (bytes[i])
			return tlobctl_fail(
				-E2BIG,
				"struct tlobctl_opts has members set that this libtlobctl does not know");
	memcpy(out, opts, size < sizeof(*out) ? size : sizeof(*out));
	if (out->ring_bytes & (out->ring_bytes - 1))
		return tlobctl_fail(-EINVAL,
				    "the record ring must have a power of two bytes, not %u",
				    out->ring_bytes);
	if (!out->sample_hz)
		out->sample_hz = TLOBCTL_SAMPLE_HZ;
	if (out->sample_hz < TLOBCTL_SAMPLE_HZ_MIN || out->sample_hz > TLOBCTL_SAMPLE_HZ_MAX)
		return tlobctl_fail(-EINVAL,
				    "CPU samples can be taken %u to %u times a second, not %u",
				    TLOBCTL_SAMPLE_HZ_MIN, TLOBCTL_SAMPLE_HZ_MAX, out->sample_hz);
	if (!out->good_share)
		out->good_share = TLOBCTL_GOOD_SHARE;
	return 0;
}

int tlobctl_open(const struct tlobctl_opts *opts, struct tlobctl **out)
{
	struct tlobctl *ctl = calloc(1, sizeof(*ctl));
	int r;

	if (!ctl)
		return tlobctl_fail(-ENOMEM, "out of memory for a session");
	ctl->agent.listener.fd = -1;
	ctl->agent.spare_fd = ctl->agent.later_fd = -1;
	tlobctl_programs_init(&ctl->programs);
	ctl->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (ctl->epoll < 0)
		r = tlobctl_fail(-errno, "cannot make an epoll descriptor: %m");
	else
		r = take_opts(opts, &ctl->opts);
	if (!r && ctl->opts.why >= TLOBCTL_WHY_STACKS)
		r = tlobctl_names_open(ctl);
	if (!r)
		r = choose_engine(ctl);
	if (!r && !ctl->engine->collect)
		tlobctl_names_close(ctl);
	if (!r && ctl->names)
		r = tlobctl_objects_open(ctl);
	if (!r && ctl->names)
		r = tlobctl_names_serve(ctl);
	if (!r && ctl->opts.why == TLOBCTL_WHY_SAMPLES && ctl->engine->sample)
		r = ctl->engine->sample(ctl);
	if (!r)
		r = tlobctl_stacks_init(ctl);
	if (!r && ctl->opts.socket)
		r = tlobctl_agent_open(ctl, ctl->opts.socket);
	if (r) {
		tlobctl_close(ctl);
		errno = -r;
		return r;
	}
	ctl->slot_cost_ns = tlobctl_calibrate_slot();
	if (ctl->opts.socket && ctl->engine->shared_cost)
		ctl->shared_cost_ns = ctl->engine->shared_cost(ctl);
	tlobctl_why_init(ctl);
	*out = ctl;
	return 0;
}

void tlobctl_close(struct tlobctl *ctl)
{
	if (!ctl)
		return;
	ctl->fn = NULL;
	tlobctl_agent_close(ctl);
	if (ctl->engine)
		ctl->engine->close(ctl);
	tlobctl_why_deinit(ctl);
	tlobctl_held_deinit(ctl);
	tlobctl_names_close(ctl);
	tlobctl_sampler_close(ctl);
	tlobctl_objects_close(ctl);
	tlobctl_stacks_deinit(ctl);
	tlobctl_regions_deinit(&ctl->regions);
	tlobctl_table_deinit(&ctl->departed);
	if (ctl->epoll >= 0)
		close(ctl->epoll);
	free(ctl);
}

const char *tlobctl_engine_name(const struct tlobctl *ctl)
{
	return ctl->engine->name;
}

const char *tlobctl_note(const struct tlobctl *ctl)
{
	return ctl->note;
}

int tlobctl_fd(const struct tlobctl *ctl)
{
	return ctl->epoll;
}

/* ---- serving */

int tlobctl_poll(struct tlobctl *ctl, int timeout_ms, tlobctl_event_fn *fn, void *arg)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int n = epoll_wait(ctl->epoll, events, EVENTS_AT_ONCE, timeout_ms);

	if (n < 0 && errno == EINTR)
		return tlobctl_fail(-EINTR, "interrupted by a signal");
	if (n < 0)
		return tlobctl_fail(-errno, "cannot wait for events: %m");
	ctl->fn = fn;
	ctl->arg = arg;
	ctl->delivered = 0;
	for (int i = 0; i < n; i++) {
		struct tlobctl_source *source = events[i].data.ptr;

		source->ready(ctl, source);
	}
	tlobctl_agent_bury(ctl);
	if (ctl->engine->prepare)
		ctl->engine->prepare(ctl);
	tlobctl_held_try(ctl, false);
	ctl->fn = NULL;
	return ctl->delivered;
}

int tlobctl_flush(struct tlobctl *ctl, int timeout_ms, tlobctl_event_fn *fn, void *arg)
{
	uint64_t end = tlobctl_now_ns() + (uint64_t)timeout_ms * 1000000;
	int n = 0, r = 0;

	while (ctl->held.count && tlobctl_now_ns() < end &&
	       (r = tlobctl_poll(ctl, 10, fn, arg)) >= 0)
		n += r;
	if (r < 0)
		return r;
	ctl->fn = fn;
	ctl->arg = arg;
	ctl->delivered = 0;
	tlobctl_held_try(ctl, true);
	ctl->fn = NULL;
	return n + ctl->delivered;
}

static void count(struct tlobctl_seen *seen, const struct tlob_record *record)
{
	if (record->type == TLOB_REC_OVERRUN)
		seen->records++;
	else if (record->flags & TLOB_F_ABANDONED)
		seen->abandoned_late++;
}

/* False: there is no such region. */
static bool describe_probe(struct tlobctl *ctl, const struct tlob_record *record,
			   struct tlobctl_event *event)
{
	struct tlobctl_binding *b = tlobctl_binding_find(&ctl->regions, record->region);

	if (!b)
		return false;
	count(&b->seen, record);
	event->region = b->name;
	event->file = b->path;
	return true;
}

/* Likewise. Texts of the region are put into @region. */
static bool describe_slot(struct tlobctl *ctl, const struct tlob_record *record,
			  struct tlobctl_event *event, struct tlobctl_ledger_region *region)
{
	struct tlobctl_client *client = tlobctl_agent_client(ctl, record->client);

	if (!client || !client->ledger ||
	    !tlobctl_ledger_region(client->ledger, record->region, region))
		return false;
	count(&client->seen[record->region], record);
	event->program = client->program;
	event->region = region->name;
	event->file = region->file;
	event->line = region->line;
	return true;
}

void tlobctl_deliver(struct tlobctl *ctl, struct tlob_record *record)
{
	char comm[TLOB_COMM_BYTES], program[sizeof(ctl->programs.cache->name)];
	struct tlobctl_ledger_region region;
	struct tlobctl_event event = {.record = record, .region = "", .file = ""};
	struct tlobctl_chain_view view;
	bool known;

	if (record->type == TLOB_REC_STAGES) {
		tlobctl_chain_note(ctl, record);
		return;
	}

	tlobctl_printable(comm, sizeof(comm), record->comm, sizeof(record->comm));
	memcpy(record->comm, comm, sizeof(comm));
	known = record->flags & TLOB_F_PROBE ? describe_probe(ctl, record, &event) :
					       describe_slot(ctl, record, &event, &region);
	if (!known) {
		ctl->loss.strange++;
		return;
	}
	if (!event.program) {
		/* a copy: looking for the cause asks for other names, and may put one in the same place */
		snprintf(program, sizeof(program), "%s",
			 tlobctl_program_name(&ctl->programs, (pid_t)record->tgid, record->comm));
		event.program = program;
	}
	if (!(record->flags & TLOB_F_TRANSIT))
		tlobctl_sampler_late(ctl, record);
	if (!ctl->fn) {
		ctl->delivered++;
		return;
	}
	if (record->flags & TLOB_F_TRANSIT)
		tlobctl_chain_describe(ctl, &event, &view);
	event.why = tlobctl_why_of(ctl, record);
	if (event.why && ctl->why.unnamed && record->type == TLOB_REC_CLOSE &&
	    tlobctl_held_add(ctl, &event))
		return;
	ctl->delivered++;
	ctl->fn(&event, ctl->arg);
	if (ctl->why.unnamed && record->type == TLOB_REC_CLOSE && ctl->why.late)
		tlobctl_late_forget(ctl->why.late);
}

void tlobctl_abandoned(struct tlobctl *ctl, uint32_t id, uint32_t region, bool probe)
{
	struct tlobctl_binding *b = probe ? tlobctl_binding_find(&ctl->regions, region) : NULL;
	struct tlobctl_client *client = probe ? NULL : tlobctl_agent_client(ctl, id);

	if (b)
		b->seen.abandoned++;
	else if (client && region < TLOB_MAX_REGIONS)
		client->seen[region].abandoned++;
}

void tlobctl_losses(const struct tlobctl *ctl, struct tlobctl_loss *out)
{
	*out = ctl->loss;
	if (ctl->engine->dropped)
		out->dropped = ctl->engine->dropped(ctl);
}
