/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Chains of regions: what their records say of the stages. */
#ifndef TLOBCTL_CHAIN_H
#define TLOBCTL_CHAIN_H

#include <tlob/ctl.h>

#define TLOBCTL_CHAIN_NOTES 64

/* Records of stages whose chain's own record is on its way; the oldest give way. */
struct tlobctl_chains {
	struct tlob_stages notes[TLOBCTL_CHAIN_NOTES];
	size_t next;
};

/* What an event tells of them, for the time of the call. */
struct tlobctl_chain_view {
	struct tlobctl_stage stages[TLOB_MAX_STAGES];
	char names[TLOB_MAX_STAGES][TLOB_NAME_BYTES];
};

/* A record of type STAGES. */
void tlobctl_chain_note(struct tlobctl *ctl, const struct tlob_record *record);
/* Fills in the stages of @event, whose record is of no thread; none if it is no chain's. */
void tlobctl_chain_describe(struct tlobctl *ctl, struct tlobctl_event *event,
			    struct tlobctl_chain_view *view);

#endif
