/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signals as something to read: the first request to end stops and prints, the second quits at
 * once.
 */
#ifndef TLOB_CLI_SIGNALS_H
#define TLOB_CLI_SIGNALS_H

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

struct cli_signals {
	int fd; /* readable when a signal is pending */
	sigset_t before; /* mask, and SIGPIPE's action, as tlob was started with: the child's */
	struct sigaction pipe_before;
	uint64_t first_ns; /* when Ctrl-C was first seen; 0: not yet */
};

enum cli_signal {
	CLI_SIGNAL_NONE, /* nothing pending, or nothing to do about it */
	CLI_SIGNAL_CHILD, /* a child changed state */
	CLI_SIGNAL_STOP,
	CLI_SIGNAL_QUIT,
};

/* From here on signals wait to be read. Returns 0 or -1 with errno. */
int cli_signals_init(struct cli_signals *s);
void cli_signals_deinit(struct cli_signals *s);
/* For a forked child: as if cli_signals_init() had not been. */
void cli_signals_restore(const struct cli_signals *s);

/*
 * Read one. @forward, if not 0, is a process that gets what was meant for it and did not reach it.
 */
enum cli_signal cli_signals_next(struct cli_signals *s, pid_t forward);

#endif
