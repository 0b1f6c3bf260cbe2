/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A session: one engine, the programs that joined, and what is known of them. Everything below the public calls. */
#ifndef TLOBCTL_SESSION_H
#define TLOBCTL_SESSION_H

#include <sys/epoll.h>

#include <tlob/ctl.h>

#include "agent.h"
#include "chain.h"
#include "engine.h"
#include "held.h"
#include "program.h"
#include "region.h"
#include "stacks.h"
#include "stats.h"
#include "why.h"

struct tlobctl_objects;
struct tlobctl_sampler;
struct tlobctl_names;

struct tlobctl {
	struct tlobctl_opts opts;
	char note[512]; /* why engine auto did not take the first choice */
	int epoll;
	const struct tlobctl_engine_ops *engine;
	void *engine_state; /* the engine's own */
	struct tlobctl_agent agent;
	struct tlobctl_programs programs;
	struct tlobctl_regions regions;
	struct tlobctl_chains chains;
	struct tlobctl_why_state why;
	struct tlobctl_objects *objects; /* NULL: nobody asks for places */
	struct tlobctl_sampler *sampler; /* NULL: no CPU samples */
	struct tlobctl_stacks stacks;
	struct tlobctl_names *names; /* NULL: nobody reads files for names */
	struct tlobctl_holding held;
	struct tlobctl_table departed; /* statistics of programs that have gone */
	struct tlobctl_loss loss; /* but what the engine counts */
	double slot_cost_ns; /* of one start and stop in a linked program */
	double shared_cost_ns; /* of one begin and end of a window that another process may end */
	double probe_cost_ns[TLOBCTL_PROBE_STEPPED + 1]
			    [2]; /* by kind; [1]: entry to return; 0: not measured yet */
	/* during tlobctl_poll() */
	tlobctl_event_fn *fn;
	void *arg;
	int delivered;
};

/* Wait for @fd to become readable. */
int tlobctl_source_add(struct tlobctl *ctl, int fd, struct tlobctl_source *source);
void tlobctl_source_remove(struct tlobctl *ctl, int fd);

/* Count @record and hand it out. It is the caller's own copy: nobody changes it meanwhile. */
void tlobctl_deliver(struct tlobctl *ctl, struct tlob_record *record);
/* A window in time was ended by exit or exec. */
void tlobctl_abandoned(struct tlobctl *ctl, uint32_t client, uint32_t region, bool probe);

#endif
