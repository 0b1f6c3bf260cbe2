/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of functions where there is little room; those of C++ and Rust are long, and differ at their end. */
#ifndef TLOB_CLI_SHORTEN_H
#define TLOB_CLI_SHORTEN_H

#include <stddef.h>

/*
 * Copy of @name for a terminal, as cli_printable() makes one, of at most @columns characters (0: as it is).
 * What is in angle brackets goes first, then namespaces, then parameters: "~Arm::plan(..)". Returns @buf.
 */
char *cli_shorten(char *buf, size_t size, const char *name, size_t columns);

#endif
