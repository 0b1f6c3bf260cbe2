/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an engine does for a session. A new engine is one file with such a table, and one line in session.c. */
#ifndef TLOBCTL_ENGINE_H
#define TLOBCTL_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tlob/ctl.h>

/* How much of what has piled up an engine hands out before others have their turn. */
#define TLOBCTL_TURN_RECORDS 256
#define TLOBCTL_TURN_NS 2000000ULL
#define TLOBCTL_TURN_LOOK 16 /* records between looks at the clock */

struct tlobctl_binding;
struct tlobctl_client;

/* Calls return 0 or a negative errno with tlobctl_error() set. */
struct tlobctl_engine_ops {
	const char *name;
	enum tlob_engine_kind kind;
	int (*open)(struct tlobctl *ctl);
	/* Open windows end as cancelled. */
	void (*close)(struct tlobctl *ctl);
	/* A program joined: what it needs besides its ledger. @kick stays the engine's; *@arena is the caller's to close. NULL:
	 * nothing. */
	int (*join)(struct tlobctl *ctl, struct tlobctl_client *client, struct tlob_msg_arena *msg,
		    int *kick, int *arena);
	/* It wants one more arena. NULL: engines without arenas. */
	int (*grow)(struct tlobctl *ctl, struct tlobctl_client *client, struct tlob_msg_arena *msg,
		    int *arena);
	/* It wants one more arena for windows of no thread. NULL: engines that have no such arenas. */
	int (*transit)(struct tlobctl *ctl, struct tlobctl_client *client,
		       struct tlob_msg_arena *msg, int *arena);
	/* Measures what a begin and end of a window costs that another process may end. NULL: there are none. */
	double (*shared_cost)(struct tlobctl *ctl);
	/* After answers: be ready for the next question. May take some milliseconds. NULL: always is. */
	void (*prepare)(struct tlobctl *ctl);
	/*
	 * It says that there are records. True: not through yet, come back when the others have had
	 * their turn. NULL: engines that need no telling.
	 */
	bool (*wake)(struct tlobctl *ctl, struct tlobctl_client *client);
	/* From time to time where there are objects (objects.h): hand out records nobody was woken for. NULL: it has no stacks. */
	void (*collect)(struct tlobctl *ctl);
	/* Take CPU samples (sampler.h) at the rate of the options. NULL: it cannot. */
	int (*sample)(struct tlobctl *ctl);
	/* It has gone; what it left behind is handed out first. */
	void (*leave)(struct tlobctl *ctl, struct tlobctl_client *client);

	/*
	 * The window of @record has just expired: put where its thread is now among the captures of the session. NULL: cannot.
	 */
	void (*look)(struct tlobctl *ctl, const struct tlob_record *record);

	/* Bring ctl->why.history up to now. False: it cannot be. NULL: it always is. */
	bool (*refresh)(struct tlobctl *ctl);

	/* Records that found the ring full. NULL: the programs know. */
	uint64_t (*dropped)(const struct tlobctl *ctl);

	/* Probes; NULL where an engine has none. All of @n regions attach, or none. */
	int (*attach)(struct tlobctl *ctl, struct tlobctl_binding **bindings, size_t n);
	void (*detach)(struct tlobctl *ctl, struct tlobctl_binding *binding);
	/* Budget and chain of attached regions have changed. */
	int (*update)(struct tlobctl *ctl, struct tlobctl_binding **bindings, size_t n);
	/* Adds what was counted to @stat and @hist. */
	void (*tally)(struct tlobctl *ctl, const struct tlobctl_binding *binding,
		      struct tlobctl_stat *stat, struct tlob_hist *hist);
};

extern const struct tlobctl_engine_ops tlobctl_engine_bpf;
extern const struct tlobctl_engine_ops tlobctl_engine_kernel;
extern const struct tlobctl_engine_ops tlobctl_engine_user;

#endif
