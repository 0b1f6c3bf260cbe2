/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counters for Prometheus: a text file that is replaced as a whole every few seconds, where the textfile collector of its node
 * exporter, or any other reader, picks it up. No port is opened for it.
 */
#ifndef TLOB_CLI_METRICS_H
#define TLOB_CLI_METRICS_H

#include <tlob/ctl.h>

#include "why.h"

#define CLI_METRICS_INTERVAL_NS 5000000000ULL

/* What is known so far. Returns 0 or an exit status, having said why; a file that was there stays whole. */
int cli_metrics_write(const char *path, struct tlobctl *ctl, const struct cli_why_ranking *why);

#endif
