// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Engine user, the agent's side. The programs measure themselves; here their records are collected from the rings in
 * their ledgers, checked, and given the identity that the socket vouches for.
 */
#include "clock.h"
#include "ledger.h"
#include "now.h"
#include "session.h"

static int user_open(struct tlobctl *ctl)
{
	(void)ctl;
	return 0;
}

static void user_close(struct tlobctl *ctl)
{
	(void)ctl;
}

/* Make a record of foreign making one that its readers can rely on. False: it is none. */
static bool vet(const struct tlobctl_client *client, struct tlob_record *r)
{
	const uint16_t known = TLOB_F_AT_STOP | TLOB_F_ABANDONED | TLOB_F_ESTIMATED |
			       TLOB_F_SPOILED | TLOB_F_CANCELLED | TLOB_F_TRANSIT;

	if ((r->type != TLOB_REC_OVERRUN && r->type != TLOB_REC_CLOSE) ||
	    r->region >= TLOB_MAX_REGIONS)
		return false;
	r->flags &= known;
	r->client = client->id;
	if (client->pid > 0)
		r->tgid = (uint32_t)client->pid;
	if (r->state > TLOB_SLEEPING)
		r->state = TLOB_RUNNING;
	if (r->flags & TLOB_F_TRANSIT) {
		r->running_ns = r->waiting_ns = r->sleeping_ns = 0;
		return true;
	}
	if (r->waiting_ns > r->elapsed_ns || r->sleeping_ns > r->elapsed_ns - r->waiting_ns ||
	    r->running_ns != r->elapsed_ns - r->waiting_ns - r->sleeping_ns) {
		r->running_ns = r->elapsed_ns;
		r->waiting_ns = 0;
		r->sleeping_ns = 0;
		r->flags |= TLOB_F_SPOILED;
	}
	return true;
}

static void hand_out(struct tlobctl *ctl, struct tlobctl_client *client, struct tlob_record *record)
{
	if (record->type == TLOB_REC_STAGES) {
		record->client = client->id;
		if (client->pid > 0)
			record->tgid = (uint32_t)client->pid;
		tlobctl_deliver(ctl, record);
		return;
	}
	if (!vet(client, record))
		return;
	tlobctl_unclosed_note(&client->unclosed, record);
	tlobctl_deliver(ctl, record);
}

static bool user_wake(struct tlobctl *ctl, struct tlobctl_client *client)
{
	uint64_t end = tlobctl_now_ns() + TLOBCTL_TURN_NS;
	struct tlob_record record;

	for (unsigned int i = 1; i <= TLOBCTL_TURN_RECORDS; i++) {
		if (!tlobctl_ledger_pop(client->ledger, &record))
			return false;
		hand_out(ctl, client, &record);
		if (i % TLOBCTL_TURN_LOOK == 0 && tlobctl_now_ns() >= end)
			break;
	}
	return true;
}

/* Its memory may still be written to by another process: what the ring holds is looked at, and no more. */
static void collect_rest(struct tlobctl *ctl, struct tlobctl_client *client)
{
	struct tlob_record record;

	for (unsigned int i = 0; i < 2 * TLOB_LEDGER_RING_CAPACITY; i++) {
		if (tlobctl_ledger_pop(client->ledger, &record)) {
			hand_out(ctl, client, &record);
		} else if (!tlobctl_ledger_skip(client->ledger)) {
			break;
		}
	}
}

static void user_leave(struct tlobctl *ctl, struct tlobctl_client *client)
{
	uint64_t now = tlobctl_now_ns();
	struct tlob_record close;

	collect_rest(ctl, client);
	/* where records were lost, those that are missing may be among them: nothing is known of their windows */
	if (tlobctl_ledger_dropped(client->ledger)) {
		ctl->loss.ends += client->unclosed.n;
		return;
	}
	while (tlobctl_unclosed_take(&client->unclosed, now, &close))
		tlobctl_deliver(ctl, &close);
}

const struct tlobctl_engine_ops tlobctl_engine_user = {
	.name = "user",
	.kind = TLOB_ENGINE_USER,
	.open = user_open,
	.close = user_close,
	.wake = user_wake,
	.leave = user_leave,
};
