/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TLOB_LOG: one line of text per record, for a program that runs without an agent. */
#ifndef TLOB_LIB_LOG_H
#define TLOB_LIB_LOG_H

#include <stdbool.h>

#include <tlob/abi.h>

/* @where: "stderr", the number of an open descriptor, or a file to append to. */
void tlob_log_open(const char *where);
bool tlob_log_is_open(void);
/*
 * Never waits: a line that cannot be written at once is dropped, and counted in the next one.
 * Signal-safe.
 */
void tlob_log_record(const struct tlob_record *r, const struct tlob_ledger_region *region);

#endif
