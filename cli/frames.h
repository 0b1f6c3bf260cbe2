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
/* How many places of where the code was when the budget expired have no name, for now or for good. */
size_t cli_snapshots_nameless(const struct tlobctl_why *why);
/*
 * Below an overrun: where the code was; below its end: where it slept for long, and where the code was if that had no names
 * before that it has now: @nameless is how many it had not, SIZE_MAX: nothing was told. *@last, 0 to begin with: what was
 * printed last, of which the callers are not told again.
 */
void cli_snapshots_print(const struct tlobctl_event *event, size_t nameless, uint64_t *last,
			 const struct cli_terminal *term);

#endif
