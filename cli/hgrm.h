/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Distributions as files that HdrHistogram's plotters read. */
#ifndef TLOB_CLI_HGRM_H
#define TLOB_CLI_HGRM_H

#include <tlob/ctl.h>

/* Make @folder if it is missing. 0, or an exit status having said why. */
int cli_hgrm_prepare(const char *folder);
/*
 * FOLDER/REGION-PROGRAM.hgrm, without -PROGRAM if it has no name. 0 or a negative errno, having
 * said why.
 */
int cli_hgrm_write(const char *folder, const struct tlobctl_stat *stat);

#endif
