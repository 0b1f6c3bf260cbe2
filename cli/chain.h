/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the time of a chain has gone: a few lines below its overrun and its end. */
#ifndef TLOB_CLI_CHAIN_H
#define TLOB_CLI_CHAIN_H

#include <tlob/ctl.h>

#include "json.h"
#include "terminal.h"

void cli_chain_print(const struct tlobctl_event *event, const struct cli_terminal *term);
/* Member "stages" of an object that is under way. */
void cli_chain_json(struct cli_json *j, const struct tlobctl_event *event);

#endif
