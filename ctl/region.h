/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the user of a session asked for: probed regions, and budgets that override those in linked programs. */
#ifndef TLOBCTL_REGION_H
#define TLOBCTL_REGION_H

#include <tlob/ctl.h>

#define TLOBCTL_REGION_BYTES 704 /* a name made of two symbols; those that are given are shorter */

struct bpf_link;
struct tlobctl_site;

/* What the session itself has seen of a region. */
struct tlobctl_seen {
	uint64_t records; /* overrun records handed out */
	uint64_t abandoned; /* windows ended by exit or exec while in time */
	uint64_t abandoned_late; /* and after their overrun */
	uint64_t shared; /* windows that were ended by call of the engine, as any process may */
};

/* A region with probes. */
struct tlobctl_binding {
	uint32_t id; /* what a record's region means when TLOB_F_PROBE is set */
	uint64_t budget_ns;
	char *name, *path, *start, *stop; /* stop NULL: function return */
	char *onward; /* see struct tlobctl_region */
	char *stop_path; /* of @stop: another binary, in any process; NULL: the same */
	unsigned int start_argument,
		stop_argument; /* the tag, from 1; 0: windows belong to threads */
	uint32_t chain; /* binding of the chain that this is stage @stage of; 0: none */
	uint8_t stage;
	uint8_t stages; /* of a chain, which has no probes of its own; 0: this is none */
	uint32_t stage_ids[TLOB_MAX_STAGES]; /* of a chain: its bindings */
	uint64_t start_offset, stop_offset;
	uint64_t *exits; /* stop NULL: probes on these instead of one on the return; NULL: not here */
	size_t nexits;
	enum tlobctl_probe_kind start_kind, stop_kind;
	bool anyone; /* the session's filters do not apply */
	double cost_ns;
	struct tlobctl_seen seen;
	/* engine bpf: start and stop; those of regions that were added together may hang on the first of them */
	struct bpf_link *links[2];
	struct bpf_link **exit_links; /* @nexits, where each probe has its own link */
	int multi_fds[2]; /* -1: none */
	int tally_fd;
};

#define TLOBCTL_CALIBRATION_ID 4095 /* regions have lower ids */

struct tlobctl_regions {
	struct tlobctl_binding **bindings; /* by position; an id is a position + 1 */
	size_t nbindings;
	struct tlob_override overrides[TLOB_MAX_OVERRIDES];
	size_t noverrides;
};

/* Takes over the texts of @site, leaving NULL behind. NULL when memory is short. */
struct tlobctl_binding *tlobctl_binding_new(struct tlobctl_site *site, uint64_t budget_ns);
void tlobctl_binding_free(struct tlobctl_binding *binding);
/* What the engine put into it. */
void tlobctl_binding_deinit(struct tlobctl_binding *binding);
/* By what a record says; NULL if there is none. */
struct tlobctl_binding *tlobctl_binding_find(const struct tlobctl_regions *regions, uint32_t id);
void tlobctl_regions_deinit(struct tlobctl_regions *regions);

#endif
