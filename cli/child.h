/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program that tlob run starts: forked early, so that probes can be limited to it, let go when
 * they are in place.
 */
#ifndef TLOB_CLI_CHILD_H
#define TLOB_CLI_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "signals.h"

struct cli_child {
	pid_t pid; /* 0: none */
	int gate; /* written to let the child go; closed unwritten it ends */
	int verdict; /* the child writes errno here if it cannot execute the program */
	bool ended;
	int status; /* of waitpid(2), once ended */
};

/* 0, or CLI_NOT_FOUND or CLI_NOT_EXECUTABLE having said why: known before anything is attached. */
int cli_child_check(const char *program);
/* @agent becomes TLOB_AGENT in the child. Returns 0 or -1 with errno. */
int cli_child_fork(struct cli_child *c, char **argv, const char *agent,
		   const struct cli_signals *signals);
/*
 * Let it execute the program. Returns 0, or an errno of execvp(3); then it has ended and been
 * reaped.
 */
int cli_child_release(struct cli_child *c);
/* Has it ended? Never blocks. */
bool cli_child_reap(struct cli_child *c);
/* As a shell reports it: the exit status, or 128 plus the signal. */
int cli_child_exit_status(const struct cli_child *c);
/* A child not released ends and is reaped; one that runs is left alone. */
void cli_child_deinit(struct cli_child *c);

#endif
