// SPDX-License-Identifier: GPL-2.0-or-later
/* See timerlat_sample.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <traceevent/kbuffer.h>

#include "timerlat_sample.h"

#define CONTEXT_IRQ 0
#define CONTEXT_THREAD 1

/* "field:TYPE NAME;	offset:8;	size:4;": its offset, if it is that size. */
static bool find_field(const char *text, const char *name, size_t want, size_t *offset)
{
	char key[64];
	const char *at;
	size_t size;

	snprintf(key, sizeof(key), " %s;", name);
	at = strstr(text, key);
	if (!at || sscanf(at + strlen(key), " offset:%zu; size:%zu;", offset, &size) != 2)
		return false;
	return size == want && *offset < 4096;
}

bool timerlat_format_parse(const char *text, struct timerlat_format *out)
{
	const char *id = strstr(text, "ID:");
	struct timerlat_format f = {.id = id ? atoi(id + 3) : 0};

	if (f.id <= 0 || !find_field(text, "seqnum", 4, &f.seqnum) ||
	    !find_field(text, "context", 4, &f.context) ||
	    !find_field(text, "timer_latency", 8, &f.latency))
		return false;
	f.bytes = f.seqnum + 4;
	f.bytes = f.context + 4 > f.bytes ? f.context + 4 : f.bytes;
	f.bytes = f.latency + 8 > f.bytes ? f.latency + 8 : f.bytes;
	*out = f;
	return true;
}

static void take_event(const unsigned char *data, uint64_t time_ns,
		       const struct timerlat_format *format, struct timerlat_sample *sample)
{
	uint16_t id;
	uint32_t seqnum, context;
	uint64_t latency;

	memcpy(&id, data, sizeof(id));
	if (id != format->id)
		return;
	memcpy(&seqnum, data + format->seqnum, sizeof(seqnum));
	memcpy(&context, data + format->context, sizeof(context));
	memcpy(&latency, data + format->latency, sizeof(latency));
	if (context == CONTEXT_IRQ) {
		sample->irq.seqnum = seqnum;
		sample->irq.latency_ns = latency;
		sample->irq.time_ns = time_ns;
	} else if (context == CONTEXT_THREAD) {
		sample->thread.seqnum = seqnum;
		sample->thread.latency_ns = latency;
		sample->thread.time_ns = time_ns;
		sample->any = true;
	}
}

void timerlat_sample_take(struct kbuffer *buffer, void *page, const struct timerlat_format *format,
			  struct timerlat_sample *sample)
{
	unsigned long long time_ns;
	const void *data;

	if (kbuffer_load_subbuffer(buffer, page))
		return;
	for (data = kbuffer_read_event(buffer, &time_ns); data;
	     data = kbuffer_next_event(buffer, &time_ns))
		if (kbuffer_event_size(buffer) >= (int)format->bytes)
			take_event(data, time_ns, format, sample);
}
