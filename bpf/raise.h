/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Asking for an interrupt on this CPU, as soon as interrupts are let in: waking the reader of the kick ring, of which there
 * need not be any, raises one. What a program may not do where it runs is done there.
 */
#ifndef TLOB_BPF_RAISE_H
#define TLOB_BPF_RAISE_H

#include "maps.h"

#define KICKS_BYTES (1 << 16)
#define KICK_BYTES 16 /* one in the ring, with its head */
#define DRAIN_STEP 1024 /* from half full on, how often the reader is told */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, KICKS_BYTES);
} kicks SEC(".maps");

__u64 wants_lost;

static __always_inline void note(__u32 kind, __u32 client, __u32 region, bool probe)
{
	struct tlob_bpf_note *n = bpf_ringbuf_reserve(&records, sizeof(*n), 0);

	if (!n) {
		tlob_add(&records_dropped, 1);
		return;
	}
	n->kind = kind;
	n->client = client;
	n->region = region;
	n->probe = probe;
	bpf_ringbuf_submit(n, BPF_RB_FORCE_WAKEUP);
}

static __always_inline void raise_interrupt(void)
{
	__u64 *cell = bpf_ringbuf_reserve(&kicks, sizeof(*cell), 0), unread;

	if (!cell) {
		tlob_add(&wants_lost, 1);
		return;
	}
	bpf_ringbuf_discard(cell, BPF_RB_FORCE_WAKEUP);
	unread = bpf_ringbuf_query(&kicks, BPF_RB_AVAIL_DATA);
	if (unread > KICKS_BYTES / 2 && unread % DRAIN_STEP < KICK_BYTES)
		note(TLOB_BPF_NOTE_DRAIN, 0, 0, true);
}

#endif
