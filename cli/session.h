/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What run and watch have in common: open an engine, attach the regions, show and write events
 * until it is time to stop, sum up. The steps are called in the order they stand in here.
 */
#ifndef TLOB_CLI_SESSION_H
#define TLOB_CLI_SESSION_H

#include "child.h"
#include "live.h"
#include "ndjson.h"
#include "settings.h"

struct cli_session {
	const struct cli_settings *settings;
	const char *command; /* "run", "watch" */
	struct cli_signals signals;
	struct cli_terminal term;
	struct cli_json json; /* out NULL: not wanted */
	struct tlobctl *ctl;
	struct cli_regions regions;
	struct cli_live live;
	struct cli_summary summary;
	uint64_t begun_ns;
	bool stopped; /* by a signal, which a terminal shows as ^C */
	uint64_t top_ns; /* when the view is drawn next */
	uint64_t metrics_ns; /* when they are written next */
};

/*
 * Files, terminal, signals. @fd: where text for people goes. 0 or an exit status, having said why.
 */
int cli_session_init(struct cli_session *s, const char *command,
		     const struct cli_settings *settings, int fd);
/* Returns @status, or an error instead of success if text did not all arrive, which has been said. */
int cli_session_deinit(struct cli_session *s, int status);

/* Open the engine and attach all regions. 0 or an exit status, having said why. */
int cli_session_open(struct cli_session *s, const struct tlobctl_opts *opts);

/* Say what is attached. @argv and @pid are those of the program about to run; NULL and 0: none. */
void cli_session_announce(struct cli_session *s, char *const *argv, pid_t pid);

/*
 * Show events until @child has ended (@child NULL: until a signal) or @deadline_ns is reached (0:
 * none). Returns 0, or the exit status to leave with at once.
 */
int cli_session_loop(struct cli_session *s, struct cli_child *child, uint64_t deadline_ns);

/*
 * Hand out what is left, detach, sum up. Returns the exit status, given that of the program (-1:
 * none).
 */
int cli_session_finish(struct cli_session *s, int program_status);

#endif
