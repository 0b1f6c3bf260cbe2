// SPDX-License-Identifier: GPL-2.0-or-later
/* Windows that belong to no thread: what becomes of them when their process goes. */
#include <string.h>

#include "engine_bpf.h"
#include "now.h"
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
