/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs that joined a session: who they are, and the few messages they send. */
#ifndef TLOBCTL_AGENT_H
#define TLOBCTL_AGENT_H

#include <stdbool.h>

#include <tlob/ctl.h>

#include "engine.h"
#include "listener.h"
#include "program.h"
#include "region.h"
#include "unclosed.h"

#define TLOBCTL_MAX_CLIENTS 1024 /* power of two */
#define TLOBCTL_MAX_CLIENTS_OF_USER 256 /* root excepted */
#define TLOBCTL_MAX_ARENAS_OF_CLIENT 256

/* Something that tlobctl_poll() waits for. */
struct tlobctl_source {
	void (*ready)(struct tlobctl *ctl, struct tlobctl_source *self);
};

struct tlobctl_client {
	struct tlobctl_source source; /* the connection */
	int fd;
	bool woken; /* it has just said that there are records in its ledger */
	bool put_off; /* engine user: it is on the agent's list of those */
	struct tlobctl_client *next_later;
	uint32_t id; /* what records say; never 0 */
	uid_t uid;
	pid_t pid; /* as this process sees it; 0: it does not */
	char program[TLOBCTL_PROGRAM_BYTES];
	struct tlob_ledger *ledger; /* NULL: it has not said hello yet */
	int ledger_fd; /* -1: likewise */
	struct tlobctl_unclosed unclosed; /* engine user */
	struct tlobctl_seen seen[TLOB_MAX_REGIONS];
	uint32_t arenas[TLOBCTL_MAX_ARENAS_OF_CLIENT]; /* engine bpf */
	size_t narenas;
	uint32_t transits[TLOB_TRANSIT_ARENAS]; /* those of them that are for windows of no thread */
	size_t ntransits;
	struct tlobctl_client *next_dead;
};

struct tlobctl_agent {
	struct tlobctl_listener listener;
	struct tlobctl_source source;
	int spare_fd;
	char token[TLOB_TOKEN_BYTES]; /* "": anybody may join */
	/* clients whose records are not all collected yet, and what makes the session come back to them */
	struct tlobctl_client *later;
	struct tlobctl_source later_source;
	int later_fd;
	struct tlobctl_client *clients[TLOBCTL_MAX_CLIENTS]; /* by the low bits of the id */
	uint32_t serial;
	bool closing; /* the session ends, not the programs */
	struct tlobctl_client *dead; /* freed when nobody can be looking at them any more */
};

int tlobctl_agent_open(struct tlobctl *ctl, const char *where);
void tlobctl_agent_close(struct tlobctl *ctl);
/* NULL if there is no such client, or not any more. */
struct tlobctl_client *tlobctl_agent_client(struct tlobctl *ctl, uint32_t id);
/* The client has gone or misbehaved. */
void tlobctl_agent_drop(struct tlobctl *ctl, struct tlobctl_client *client);
void tlobctl_agent_bury(struct tlobctl *ctl);

#endif
