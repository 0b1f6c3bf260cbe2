/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Functions of a binary that a region can be made of. */
#ifndef TLOB_CLI_FUNCTIONS_H
#define TLOB_CLI_FUNCTIONS_H

#include <stdbool.h>
#include <sys/types.h>

#include "terminal.h"

/* List those of @binary, "FILE" or "FILE:PATTERN", on standard output. Returns an exit status, having said why. */
int cli_functions_list(const char *binary, pid_t pid, bool json, enum cli_color color);

#endif
