/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stacks, for people and as JSON. */
#ifndef TLOB_CLI_FRAMES_H
#define TLOB_CLI_FRAMES_H

#include <tlob/ctl.h>

#include "json.h"
#include "terminal.h"

/* "frames" and "cut" of the object under way. */
void cli_frames_json(struct cli_json *j, const struct tlobctl_stack *stack);
/* The member "stacks" of the object under way. */
void cli_snapshots_json(struct cli_json *j, const struct tlobctl_why *why);
/*
 * Below an overrun: where the code was; below its end: where it slept for long. *@last, 0 to begin with: what was printed last,
 * of which the callers are not told again.
 */
void cli_snapshots_print(const struct tlobctl_event *event, uint64_t *last,
			 const struct cli_terminal *term);

#endif
