// SPDX-License-Identifier: GPL-2.0-or-later
/* Windows that belong to no thread: what becomes of them when their process goes. */
#include <string.h>

#include <bpf/bpf.h>

#include "engine_bpf.h"
#include "now.h"
#include "tlob.skel.h"
#include "transit_table.h"

/* Its memory is the program's: what the record says spoils its own statistics only. */
static void tell_abandoned(struct tlobctl *ctl, const struct tlobctl_client *client,
			   const struct tlob_window *w, uint64_t window)
{
	uint64_t start = tlob_load(&w->start_ns), now = tlobctl_now_ns();
	struct tlob_record r = {.type = TLOB_REC_CLOSE,
				.flags = TLOB_F_TRANSIT | TLOB_F_ABANDONED,
				.region = tlob_load(&w->region),
				.client = client->id,
				.tgid = (uint32_t)client->pid,
				.tid = tlob_load(&w->switches),
				.time_ns = now,
				.start_ns = start < now ? start : now,
				.budget_ns = tlob_load(&w->deadline_ns) - start,
				.tag = tlob_load(&w->tag),
				.window = window};

	r.elapsed_ns = now - r.start_ns;
	memcpy(r.comm, client->program, strnlen(client->program, sizeof(r.comm) - 1));
	tlobctl_deliver(ctl, &r);
}

static void leave_window(struct tlobctl *ctl, const struct tlobctl_client *client,
			 struct tlob_window *w, uint64_t window)
{
	uint64_t word = tlob_load_acquire(&w->state);

	if (TLOB_WINDOW_STATE(word) == TLOB_ARMED && tlob_window_take(w, word, TLOB_IDLE))
		tlobctl_abandoned(ctl, client->id, tlob_load(&w->region), false);
	else if (TLOB_WINDOW_STATE(word) == TLOB_EXPIRED && tlob_window_take(w, word, TLOB_IDLE))
		tell_abandoned(ctl, client, w,
			       window | (word >> 2 << 22 & (TLOB_TRANSIT_WINDOW - 1)));
}

void tlobctl_bpf_transit_leave(struct tlobctl *ctl, struct tlobctl_client *client)
{
	struct tlobctl_bpf *bpf = tlobctl_bpf_of(ctl);

	if (ctl->agent.closing)
		return;
	for (size_t a = 0; a < client->ntransits; a++) {
		uint32_t arena = client->transits[a];

		for (uint32_t i = 0; i < TLOB_BPF_SLOTS_PER_ARENA * TLOB_MAX_DEPTH; i++) {
			uint32_t number = 1 + i / TLOB_MAX_DEPTH, index = i % TLOB_MAX_DEPTH;

			leave_window(ctl, client,
				     &bpf->arenas[arena].entries[number].transit.windows[index],
				     tlob_transit_window(0, arena, number, index));
		}
	}
}

/* ---- passages: windows of probes. Their memory is this process's own. */

static struct tlob_bpf_passage_key key_of(const struct tlob_window *w)
{
	return (struct tlob_bpf_passage_key){
		.tag = w->tag, .binding = w->region, .tgid = w->switches};
}

static void tell_passage(struct tlobctl *ctl, const struct tlob_window *w, uint64_t window)
{
	uint64_t now = tlobctl_now_ns();
	struct tlob_record r = {.type = TLOB_REC_CLOSE,
				.flags = TLOB_F_TRANSIT | TLOB_F_ABANDONED | TLOB_F_PROBE,
				.region = w->region,
				.tgid = (uint32_t)(w->running_ns >> 32),
				.tid = (uint32_t)w->running_ns,
				.time_ns = now,
				.start_ns = w->start_ns,
				.budget_ns = w->deadline_ns - w->start_ns,
				.elapsed_ns = now - w->start_ns,
				.tag = w->tag,
				.window = window};

	memcpy(r.comm, &w->waiting_ns, sizeof(r.comm));
	tlobctl_deliver(ctl, &r);
}

/* As the programs do it: whoever takes the window's state takes it out of the hash. */
static void leave_passage(struct tlobctl *ctl, struct tlob_transit *slot, uint32_t index,
			  uint64_t window)
{
	struct tlobctl_bpf *bpf = tlobctl_bpf_of(ctl);
	struct tlob_window *w = &slot->windows[index];
	const struct tlobctl_binding *b = tlobctl_binding_find(&ctl->regions, w->region);
	struct tlob_bpf_passage_key key = key_of(w);
	uint64_t word = tlob_load_acquire(&w->state);
	uint32_t state = TLOB_WINDOW_STATE(word);

	if (state == TLOB_IDLE || !tlob_window_take(w, word, TLOB_IDLE))
		return;
	if (state == TLOB_ARMED)
		tlobctl_abandoned(ctl, 0, key.binding, true);
	else if (state == TLOB_EXPIRED)
		tell_passage(ctl, w, window | (word >> 2 << 22 & (TLOB_TRANSIT_WINDOW - 1)));
	bpf_map_delete_elem(bpf_map__fd(bpf->skel->maps.passages), &key);
	__atomic_fetch_and(&slot->used, ~((b && b->stages ? 3u : 1u) << index), __ATOMIC_RELEASE);
}

void tlobctl_bpf_passages_leave(struct tlobctl *ctl, uint32_t tgid)
{
	struct tlobctl_bpf *bpf = tlobctl_bpf_of(ctl);
	uint32_t first = bpf->skel->rodata->probe_pieces;

	for (uint32_t i = first * TLOB_ARENA_SLOTS; i < bpf->pieces * TLOB_ARENA_SLOTS; i++) {
		struct tlob_transit *slot = &bpf->arenas[0].entries[i].transit;
		uint32_t used = i % TLOB_ARENA_SLOTS ? tlob_load_acquire(&slot->used) : 0;

		for (uint32_t k = 0; k < TLOB_MAX_DEPTH; k++)
			if (used >> k & 1 && (uint32_t)(slot->windows[k].running_ns >> 32) == tgid)
				leave_passage(ctl, slot, k,
					      tlob_transit_window(0, i / TLOB_ARENA_SLOTS,
								  i % TLOB_ARENA_SLOTS, k));
	}
}
