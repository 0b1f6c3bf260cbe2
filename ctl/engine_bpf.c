// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Engine bpf, the agent's side: programs that keep thread clocks and notice deadlines in the kernel. This process
 * holds the only descriptors of their links, so that they go when it goes, however it goes.
 */
#include "engine_bpf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "ledger.h"
#include "now.h"
#include "objects.h"
#include "tlob.skel.h"

#define SMALLEST_ENTRY (8 + sizeof(struct tlob_bpf_note)) /* in the ring, with its head */

/* A storm: this many records in such a time. */
#define STORM_RECORDS 100
#define STORM_SLICE_NS 20000000ULL
#define STORM_NAP_US 5000

static void take_note(struct tlobctl *ctl, const struct tlob_bpf_note *note)
{
	if (note->kind == TLOB_BPF_NOTE_ABANDONED)
		tlobctl_abandoned(ctl, note->client, note->region, note->probe);
	else if (note->kind == TLOB_BPF_NOTE_DRAIN)
		ring_buffer__consume(tlobctl_bpf_of(ctl)->kicks);
	else if (note->kind == TLOB_BPF_NOTE_LEADER)
		tlobctl_bpf_reattach(ctl);
	else if (note->kind == TLOB_BPF_NOTE_GONE)
		tlobctl_bpf_passages_leave(ctl, note->client);
}

static void take_ended(struct tlobctl *ctl, const struct tlob_bpf_ended *ended)
{
	struct tlobctl_client *client = tlobctl_agent_client(ctl, ended->client);

	if (client && client->ledger) {
		tlobctl_ledger_ended(client->ledger, ended->region, ended->elapsed_ns, ended->over);
		if (ended->region < TLOB_MAX_REGIONS)
			client->seen[ended->region].shared++;
	}
	tlobctl_bpf_of(ctl)->passed++;
}

static bool is_turn_over(struct tlobctl_bpf *bpf)
{
	if (++bpf->turn >= bpf->turn_records)
		return true;
	return bpf->turn_end_ns && bpf->turn % TLOBCTL_TURN_LOOK == 0 &&
	       tlobctl_now_ns() >= bpf->turn_end_ns;
}

static int on_record(void *arg, void *data, size_t size)
{
	struct tlobctl *ctl = arg;
	struct tlob_record record;

	if (size == sizeof(struct tlob_bpf_note))
		take_note(ctl, data);
	if (size == sizeof(struct tlob_bpf_ended))
		take_ended(ctl, data);
	if (size == sizeof(record)) {
		memcpy(&record, data, sizeof(record));
		tlobctl_deliver(ctl, &record);
		tlobctl_bpf_of(ctl)->passed++;
	}
	return is_turn_over(tlobctl_bpf_of(ctl)) ? -EAGAIN : 0;
}

/* At most @records, and no longer than until @end_ns, if that is not 0. False: there are more. */
static bool consume(struct tlobctl_bpf *bpf, uint64_t records, uint64_t end_ns)
{
	bpf->turn = 0;
	bpf->turn_records = records;
	bpf->turn_end_ns = end_ns;
	return ring_buffer__consume(bpf->records) != -EAGAIN;
}

/* False: there are more. */
static bool consume_turn(struct tlobctl *ctl)
{
	tlobctl_objects_begin(ctl);
	if (!consume(tlobctl_bpf_of(ctl), TLOBCTL_TURN_RECORDS, tlobctl_now_ns() + TLOBCTL_TURN_NS))
		return false;
	tlobctl_objects_end(ctl);
	return true;
}

static int on_kick(void *arg, void *data, size_t size)
{
	(void)arg;
	(void)data;
	(void)size;
	return 0;
}

/*
 * Each record wakes this process. When they come faster than anybody reads them one by one, waking up for each would
 * take more than a CPU can spare: then let some gather. The ring holds thousands.
 */
static void gather(struct tlobctl_bpf *bpf)
{
	uint64_t now = tlobctl_now_ns();

	if (now - bpf->slice_ns >= STORM_SLICE_NS) {
		bpf->slice_ns = now;
		bpf->slice_passed = bpf->passed;
	} else if (bpf->passed - bpf->slice_passed >= STORM_RECORDS) {
		usleep(STORM_NAP_US);
	}
}

static void records_ready(struct tlobctl *ctl, struct tlobctl_source *self)
{
	struct tlobctl_bpf *bpf = tlobctl_bpf_of(ctl);

	(void)self;
	if (consume_turn(ctl))
		gather(bpf);
}

static void bpf_collect(struct tlobctl *ctl)
{
	consume_turn(ctl);
}

/* Where no interrupt can be hooked, probes wait for this process to set their timers. */
static void kicks_ready(struct tlobctl *ctl, struct tlobctl_source *self)
{
	struct tlobctl_bpf *bpf = tlobctl_bpf_of(ctl);
	struct tlob_bpf_agent call = {.op = TLOB_BPF_SERVE};

	(void)self;
	ring_buffer__consume(bpf->kicks);
	tlobctl_bpf_call(bpf, &call);
}

void tlobctl_bpf_drain(struct tlobctl *ctl)
{
	struct tlobctl_bpf *bpf = tlobctl_bpf_of(ctl);

	/* what the ring can hold, no more: somebody may go on filling it */
	consume(bpf, bpf_map__max_entries(bpf->skel->maps.records) / SMALLEST_ENTRY, 0);
}

static uint64_t bpf_dropped(const struct tlobctl *ctl)
{
	return __atomic_load_n(&tlobctl_bpf_of(ctl)->skel->bss->records_dropped, __ATOMIC_RELAXED);
}

static int open_rings(struct tlobctl *ctl, struct tlobctl_bpf *bpf)
{
	int r;

	bpf->records = ring_buffer__new(bpf_map__fd(bpf->skel->maps.records), on_record, ctl, NULL);
	bpf->kicks = ring_buffer__new(bpf_map__fd(bpf->skel->maps.kicks), on_kick, ctl, NULL);
	if (!bpf->records || !bpf->kicks)
		return tlobctl_fail(-errno, "engine bpf cannot map its record ring: %m");
	bpf->records_source.ready = records_ready;
	bpf->kicks_source.ready = kicks_ready;
	r = tlobctl_source_add(ctl, ring_buffer__epoll_fd(bpf->records), &bpf->records_source);
	if (!r && bpf->serves_kicks)
		r = tlobctl_source_add(ctl, ring_buffer__epoll_fd(bpf->kicks), &bpf->kicks_source);
	return r;
}

static void bpf_close(struct tlobctl *ctl)
{
	struct tlobctl_bpf *bpf = tlobctl_bpf_of(ctl);

	for (size_t i = 0; i < ctl->regions.nbindings; i++)
		tlobctl_bpf_detach(ctl, ctl->regions.bindings[i]);
	tlobctl_bpf_samples_close(bpf);
	tlobctl_bpf_time_stop(bpf);
	tlobctl_bpf_arenas_deinit(bpf);
	ring_buffer__free(bpf->records);
	ring_buffer__free(bpf->kicks);
	tlob__destroy(bpf->skel);
	free(bpf);
	ctl->engine_state = NULL;
}

static int say_where(struct tlobctl_bpf *bpf)
{
	struct tlob_bpf_agent call = {.op = TLOB_BPF_HERE};
	int r = tlobctl_bpf_call(bpf, &call);

	return r ? tlobctl_fail(r, "engine bpf cannot tell which pid namespace this is: %s",
				strerror(-r)) :
		   0;
}

static int bpf_open(struct tlobctl *ctl)
{
	struct tlobctl_bpf *bpf = calloc(1, sizeof(*bpf));
	int r;

	if (!bpf)
		return tlobctl_fail(-ENOMEM, "out of memory for engine bpf");
	ctl->engine_state = bpf;
	r = tlobctl_bpf_load(ctl, bpf);
	if (!r && ctl->programs.foreign)
		r = say_where(bpf);
	if (!r)
		r = tlobctl_bpf_filters(ctl, bpf);
	if (!r)
		r = open_rings(ctl, bpf);
	if (!r && !bpf->skel->rodata->kernel_timers)
		r = tlobctl_bpf_time_start(bpf);
	if (!r)
		r = tlobctl_bpf_history_map(ctl, bpf);
	if (!r)
		r = tlobctl_bpf_stacks_map(ctl, bpf);
	if (!r)
		tlobctl_bpf_prepare(ctl);
	if (r)
		bpf_close(ctl);
	return r;
}

const struct tlobctl_engine_ops tlobctl_engine_bpf = {
	.name = "bpf",
	.kind = TLOB_ENGINE_BPF,
	.open = bpf_open,
	.close = bpf_close,
	.join = tlobctl_bpf_join,
	.grow = tlobctl_bpf_grow,
	.transit = tlobctl_bpf_transit,
	.shared_cost = tlobctl_bpf_shared_cost,
	.prepare = tlobctl_bpf_prepare,
	.leave = tlobctl_bpf_leave,
	.collect = bpf_collect,
	.sample = tlobctl_bpf_samples_open,
	.dropped = bpf_dropped,
	.attach = tlobctl_bpf_attach,
	.detach = tlobctl_bpf_detach,
	.update = tlobctl_bpf_update,
	.tally = tlobctl_bpf_tally,
	.look = tlobctl_bpf_look,
};
