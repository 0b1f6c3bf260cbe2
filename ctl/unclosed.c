// SPDX-License-Identifier: GPL-2.0-or-later
/* See unclosed.h. */
#include "unclosed.h"

#include <stdlib.h>

static void append(struct tlobctl_unclosed *u, const struct tlob_record *record)
{
	size_t room = u->room ? 2 * u->room : 8;
	struct tlob_record *records;

	if (u->n == TLOBCTL_UNCLOSED_MAX)
		return;
	if (u->n == u->room) {
		records = reallocarray(u->records, room, sizeof(*records));
		if (!records)
			return;
		u->records = records;
		u->room = room;
	}
	u->records[u->n++] = *record;
}

/* The last first: windows are mostly closed soon. */
static void take_out(struct tlobctl_unclosed *u, const struct tlob_record *close)
{
	for (size_t i = u->n; i--;) {
		const struct tlob_record *r = &u->records[i];

		if (r->tid != close->tid || r->window != close->window ||
		    r->region != close->region)
			continue;
		u->records[i] = u->records[--u->n];
		return;
	}
}

void tlobctl_unclosed_note(struct tlobctl_unclosed *unclosed, const struct tlob_record *record)
{
	if (record->type == TLOB_REC_OVERRUN)
		append(unclosed, record);
	else
		take_out(unclosed, record);
}

/* What happened after the overrun nobody has seen: it is taken to have gone on as it was, and that is an estimate. */
static void prolong(struct tlob_record *r, uint64_t now_ns)
{
	__u64 *const sums[] = {&r->running_ns, &r->waiting_ns, &r->sleeping_ns};
	uint64_t more = now_ns - r->time_ns;

	if (now_ns < r->time_ns || r->elapsed_ns + more < more)
		return;
	r->time_ns = now_ns;
	r->elapsed_ns += more;
	if (r->flags & TLOB_F_TRANSIT)
		return;
	*sums[r->state <= TLOB_SLEEPING ? r->state : TLOB_RUNNING] += more;
	r->flags |= TLOB_F_ESTIMATED;
	if (r->uncertain_ns < more)
		r->uncertain_ns = more;
}

bool tlobctl_unclosed_take(struct tlobctl_unclosed *unclosed, uint64_t now_ns,
			   struct tlob_record *close)
{
	if (!unclosed->n)
		return false;
	*close = unclosed->records[--unclosed->n];
	close->type = TLOB_REC_CLOSE;
	close->flags = (close->flags & ~TLOB_F_AT_STOP) | TLOB_F_ABANDONED;
	prolong(close, now_ns);
	return true;
}

void tlobctl_unclosed_deinit(struct tlobctl_unclosed *unclosed)
{
	free(unclosed->records);
	*unclosed = (struct tlobctl_unclosed){0};
}
