/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recorded buffers as text, played through why/sync; what comes out is text again. A line of a recording:
 *
 *	@TIME CPU exec TGID
 *	@TIME CPU fork PARENT TGID		the same number twice: a thread
 *	@TIME CPU exit TGID/TID
 *	@TIME CPU map TGID START LENGTH NAME OFFSET	NAME "-": no file
 *	@TIME CPU unmap TGID START LENGTH
 *	@TIME CPU sample TGID/TID k A B u C D	addresses in the kernel, in the program; innermost first
 *	found TGID THREADS, and for each of its mappings: has TGID START LENGTH NAME OFFSET
 *	lost RECORDS
 *	begin CPU TIME, end CPU			one source's pass
 *	pass TIME				one of all that are online, and what is known by then is handed on
 *	flush, offline CPU, online CPU
 *
 * Addresses and offsets are hexadecimal, and so is what comes out. Lines are read one after another: their order is that in which
 * buffers are read, whatever the times say.
 */
#ifndef TLOB_TESTS_UNIT_RECORDED_H
#define TLOB_TESTS_UNIT_RECORDED_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "why/symbolize.h"
#include "why/sync.h"

#define RECORDED_CPUS 4
#define RECORDED_OBJECTS 32
#define RECORDED_KERNEL 0xf000ull /* where addresses of the kernel are counted from */

struct recorded {
	struct why_sync sync;
	struct why_object objects[RECORDED_OBJECTS];
	char names[RECORDED_OBJECTS][16];
	size_t nobjects;
	char *out;
	size_t size, length;
	uint64_t traces, lost;
};

__attribute__((format(printf, 2, 3))) static inline void recorded_put(struct recorded *r,
								      const char *fmt, ...)
{
	va_list args;
	int n;

	if (!r->out)
		return;
	va_start(args, fmt);
	n = vsnprintf(r->out + r->length, r->size - r->length, fmt, args);
	va_end(args);
	if (n > 0 && (size_t)n < r->size - r->length)
		r->length += (size_t)n;
}

static inline const struct why_object *recorded_object(struct recorded *r, const char *name)
{
	if (!strcmp(name, "-"))
		return NULL;
	for (size_t i = 0; i < r->nobjects; i++)
		if (!strcmp(r->names[i], name))
			return &r->objects[i];
	if (r->nobjects == RECORDED_OBJECTS)
		return &r->objects[0];
	snprintf(r->names[r->nobjects], sizeof(r->names[0]), "%s", name);
	r->objects[r->nobjects].path = r->names[r->nobjects];
	return &r->objects[r->nobjects++];
}

static inline void recorded_event(const struct why_event *e, void *arg)
{
	struct recorded *r = arg;

	switch (e->kind) {
	case WHY_CPU_SWITCH:
		recorded_put(r, "cpu %u\n", e->cpu);
		break;
	case WHY_CONTEXT_SWITCH:
		recorded_put(r, "context %u/%u #%" PRIu64 "\n", e->context.tgid, e->context.tid,
			     e->context.space);
		break;
	case WHY_TRACE_BEGIN:
		r->traces++;
		recorded_put(r, "trace %" PRIu64 "\n", e->time_ns);
		break;
	case WHY_KERNEL_ENTER:
		recorded_put(r, "kernel\n");
		break;
	case WHY_KERNEL_LEAVE:
		recorded_put(r, "user\n");
		break;
	case WHY_OBJECT_SWITCH:
		recorded_put(r, "object %s\n", e->object ? e->object->path : "-");
		break;
	case WHY_PLACE:
		recorded_put(r, "%" PRIx64 "\n", e->offset);
		break;
	case WHY_TRACE_END:
		recorded_put(r, e->cut ? "cut\n" : "end\n");
		break;
	case WHY_TRACE_LOST:
		r->lost++;
		recorded_put(r, "lost\n");
		break;
	case WHY_THREAD_EXIT:
		recorded_put(r, "exit %u\n", e->context.tid);
		break;
	}
}

static inline int recorded_begin(struct recorded *r, char *out, size_t size)
{
	memset(r, 0, sizeof(*r));
	r->out = out;
	r->size = size;
	return why_sync_init(&r->sync, RECORDED_CPUS, recorded_object(r, "[kernel]"),
			     RECORDED_KERNEL);
}

static inline void recorded_end(struct recorded *r)
{
	why_sync_deinit(&r->sync);
}

static inline bool recorded_sample(struct why_raw *raw, const char *text, uint64_t chain[64])
{
	bool kernel = false;
	int n = 0;

	raw->kind = WHY_RAW_SAMPLE;
	raw->sample.chain = chain;
	raw->sample.token = raw->time_ns;
	while (n < 64) {
		char word[20];
		int used = 0;

		if (sscanf(text, "%19s%n", word, &used) != 1)
			return true;
		text += used;
		if (!strcmp(word, "k") || !strcmp(word, "u")) {
			kernel = *word == 'k';
			continue;
		}
		chain[n++] = strtoull(word, NULL, 16);
		if (kernel && !raw->sample.nuser)
			raw->sample.nkernel++;
		else
			raw->sample.nuser++;
	}
	return true;
}

static inline bool recorded_map(struct recorded *r, struct why_raw *raw, const char *text)
{
	char name[16] = "-";
	int n = sscanf(text, "%u %" SCNx64 " %" SCNx64 " %15s %" SCNx64, &raw->tgid,
		       &raw->map.start, &raw->map.length, name, &raw->map.file_offset);

	raw->map.object = recorded_object(r, name);
	return n == (raw->kind == WHY_RAW_UNMAP ? 3 : 5);
}

static inline bool recorded_change(struct recorded *r, struct why_raw *raw, const char *what,
				   const char *rest)
{
	if (!strcmp(what, "map") || !strcmp(what, "unmap")) {
		raw->kind = *what == 'm' ? WHY_RAW_MAP : WHY_RAW_UNMAP;
		return recorded_map(r, raw, rest);
	}
	if (!strcmp(what, "exec")) {
		raw->kind = WHY_RAW_EXEC;
		return sscanf(rest, "%u", &raw->tgid) == 1;
	}
	if (!strcmp(what, "fork")) {
		raw->kind = WHY_RAW_FORK;
		return sscanf(rest, "%u %u", &raw->parent, &raw->tgid) == 2;
	}
	raw->kind = WHY_RAW_EXIT;
	return !strcmp(what, "exit") && sscanf(rest, "%u/%u", &raw->tgid, &raw->tid) == 2;
}

static inline bool recorded_raw(struct recorded *r, const char *line)
{
	struct why_raw raw = {0};
	uint64_t chain[64];
	char what[8];
	int at = 0, used = 0;
	bool ok;

	if (sscanf(line, "@%" SCNu64 " %u %7s%n", &raw.time_ns, &raw.cpu, what, &at) != 3)
		return false;
	if (!strcmp(what, "sample"))
		ok = sscanf(line + at, "%u/%u%n", &raw.tgid, &raw.tid, &used) == 2 &&
		     recorded_sample(&raw, line + at + used, chain);
	else
		ok = recorded_change(r, &raw, what, line + at);
	if (ok)
		why_sync_push(&r->sync, &raw);
	return ok;
}

static inline bool recorded_found(struct recorded *r, const char *line)
{
	struct why_raw raw = {.kind = WHY_RAW_FOUND};

	if (sscanf(line, "found %u %u", &raw.tgid, &raw.threads) == 2) {
		why_sync_push(&r->sync, &raw);
		return true;
	}
	raw = (struct why_raw){.kind = WHY_RAW_FOUND_MAP};
	if (strncmp(line, "has ", 4) || !recorded_map(r, &raw, line + 4))
		return false;
	why_sync_push(&r->sync, &raw);
	return true;
}

static inline void recorded_pass(struct recorded *r, uint64_t time)
{
	for (size_t i = 0; i < RECORDED_CPUS; i++)
		if (!r->sync.sources[i].offline)
			why_sync_pass_begin(&r->sync, i, time);
	for (size_t i = 0; i < RECORDED_CPUS; i++)
		if (!r->sync.sources[i].offline)
			why_sync_pass_end(&r->sync, i);
	why_sync_flush(&r->sync, recorded_event, r);
}

static inline bool recorded_control(struct recorded *r, const char *line)
{
	uint64_t time = 0, records;
	unsigned int cpu = 0;
	char word[12];

	if (sscanf(line, "lost %" SCNu64, &records) == 1) {
		why_sync_lost(&r->sync, records);
		return true;
	}
	if (sscanf(line, "pass %" SCNu64, &time) == 1) {
		recorded_pass(r, time);
		return true;
	}
	if (sscanf(line, "%11s %u %" SCNu64, word, &cpu, &time) < 1 || cpu >= RECORDED_CPUS)
		return false;
	if (!strcmp(word, "begin"))
		why_sync_pass_begin(&r->sync, cpu, time);
	else if (!strcmp(word, "end"))
		why_sync_pass_end(&r->sync, cpu);
	else if (!strcmp(word, "offline") || !strcmp(word, "online"))
		why_sync_set_offline(&r->sync, cpu, word[1] == 'f');
	else if (!strcmp(word, "flush"))
		why_sync_flush(&r->sync, recorded_event, r);
	else
		return false;
	return true;
}

/* False: a line is not understood; the others are played. */
static inline bool recorded_play(struct recorded *r, const char *text)
{
	char line[512];
	bool ok = true;

	while (*text) {
		size_t n = strcspn(text, "\n"), length = n < sizeof(line) ? n : sizeof(line) - 1;

		memcpy(line, text, length);
		line[length] = '\0';
		text += n + (text[n] == '\n');
		if (line[0] == '@')
			ok &= recorded_raw(r, line);
		else if (line[0])
			ok &= recorded_control(r, line) || recorded_found(r, line);
	}
	return ok;
}

#endif
