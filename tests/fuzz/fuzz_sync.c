// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Buffers, however senseless: whatever they say, each sample comes out once or is counted as lost, what is known never shrinks, mappings
 * never overlap, and the counts of what is kept are right. The input is a row of records of six bytes.
 */
#include "fuzz.h"
#include "why/space.c"
#include "why/symbolize.h"
#include "why/sync.c"

#define CPUS 3
#define OBJECTS 4
#define CHAIN 4
#define RECORD 6

enum op {
	OP_RAW, /* as many as there are kinds */
	OP_PASS = WHY_RAW_EXIT + 1,
	OP_BEGIN,
	OP_END,
	OP_OFFLINE,
	OP_LOST,
	OP_PLACE,
	OP_COUNT,
};

static struct why_object objects[OBJECTS];
static uint64_t begun, finished;

static void take(const struct why_event *e, void *arg)
{
	(void)arg;
	begun += e->kind == WHY_TRACE_BEGIN;
	finished += e->kind == WHY_TRACE_END || e->kind == WHY_TRACE_LOST;
	CHECK(begun <= finished + 1);
}

static size_t samples_waiting(const struct why_sync *sync)
{
	size_t n = 0;

	for (size_t i = 0; i < sync->npending; i++)
		n += sync->pending[i].raw.kind == WHY_RAW_SAMPLE;
	return n;
}

static void check_space(const struct why_space *space)
{
	for (size_t i = 0; i < space->live.count; i++) {
		const struct why_mapping *m = &space->live.list[i];

		CHECK(m->length && m->until_ns == WHY_LASTS);
		CHECK(i == 0 || m->start > last_of(m - 1));
	}
}

static void check_spaces(const struct why_spaces *spaces)
{
	size_t count = 0, mappings = 0, ended = 0;

	for (size_t i = 0; i < spaces->nchains; i++) {
		for (const struct why_space *s = spaces->chains[i]; s; s = s->next) {
			check_space(s);
			count++;
			mappings += s->live.count + s->past.count;
			ended += s->past.count + (s->until_ns != WHY_LASTS);
		}
	}
	CHECK(count == spaces->count && mappings == spaces->nmappings && ended == spaces->nended);
}

/* Bytes: op, number of the process and thread, time, and three more. */
static void push(struct why_sync *sync, const uint8_t *b)
{
	uint64_t chain[CHAIN] = {b[3], b[4], b[5], b[3] ^ b[4]};
	struct why_raw raw = {.kind = b[0],
			      .time_ns = b[2],
			      .cpu = b[1] % CPUS,
			      .tgid = b[1] & 3,
			      .tid = b[1] & 7};

	if (raw.kind == WHY_RAW_SAMPLE) {
		raw.sample.chain = chain;
		raw.sample.nkernel = b[5] & 1;
		raw.sample.nuser = b[5] >> 1 & 3;
	} else if (raw.kind == WHY_RAW_FORK) {
		raw.parent = b[3] & 3;
	} else if (raw.kind == WHY_RAW_FOUND) {
		raw.threads = b[3] & 3;
	} else {
		raw.map.start = b[5] & 0x80 ? UINT64_MAX - b[3] : b[3];
		raw.map.length = b[4];
		raw.map.object = &objects[b[5] % OBJECTS];
	}
	why_sync_push(sync, &raw);
}

static void control(struct why_sync *sync, const uint8_t *b)
{
	const struct why_object *object;
	size_t cpu = b[1] % CPUS;
	uint64_t offset;

	switch ((enum op)b[0]) {
	case OP_BEGIN:
		why_sync_pass_begin(sync, cpu, b[2]);
		break;
	case OP_END:
		why_sync_pass_end(sync, cpu);
		break;
	case OP_OFFLINE:
		why_sync_set_offline(sync, cpu, b[3] & 1);
		break;
	case OP_LOST:
		why_sync_lost(sync, b[3]);
		break;
	case OP_PLACE:
		why_sync_place(sync, b[1] & 3, b[2], b[3], b[4] & 1, &object, &offset);
		break;
	default:
		for (size_t i = 0; i < CPUS; i++)
			why_sync_pass_begin(sync, i, b[2]);
		for (size_t i = 0; i < CPUS; i++)
			why_sync_pass_end(sync, i);
		why_sync_flush(sync, take, NULL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t samples = 0, known = 0;
	struct why_sync sync;

	begun = finished = 0;
	CHECK(!why_sync_init(&sync, CPUS, &objects[0], 100));
	for (; size >= RECORD; data += RECORD, size -= RECORD) {
		uint8_t b[RECORD];

		memcpy(b, data, RECORD);
		b[0] %= OP_COUNT;
		if (b[0] < OP_PASS)
			push(&sync, b);
		else
			control(&sync, b);
		samples += b[0] == WHY_RAW_SAMPLE;
		CHECK(why_sync_horizon(&sync) >= known);
		known = sync.done_ns;
	}
	CHECK(samples == samples_waiting(&sync) + finished);
	check_spaces(&sync.spaces);
	why_sync_deinit(&sync);
	return 0;
}
