/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small text forms: names that are safe to print, their width, and counts. */
#ifndef TLOB_CLI_TEXT_H
#define TLOB_CLI_TEXT_H

#include <stddef.h>
#include <stdint.h>

#define CLI_COUNT_BYTES 28

/*
 * Length of the valid UTF-8 sequence at @s, 1 to 4, or 0 if there is none (also at the terminating
 * NUL). *code, if given, receives the character.
 */
int cli_utf8(const char *s, uint32_t *code);

/*
 * Copy of @s for a terminal: control characters and broken UTF-8 become '?'. Names come from
 * watched programs, which may put anything there. Cut to @columns characters, a '~' then marking
 * the cut; 0: as long as fits. Returns @buf.
 */
char *cli_printable(char *buf, size_t size, const char *s, size_t columns);

/* Columns that @s takes, one for each character. */
size_t cli_columns(const char *s);

/* "1,234,567". Returns @buf, of CLI_COUNT_BYTES. */
char *cli_count(char *buf, uint64_t n);

#endif
