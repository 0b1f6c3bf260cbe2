/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why a cycle passed its limit: from the switch history of engine bpf, which is kept as long as it is measured. */
#ifndef TLOBCTL_TIMERLAT_WHY_H
#define TLOBCTL_TIMERLAT_WHY_H

#include "timerlat.h"

/* Keep the history, if there is a limit and the options want to know. What cannot be had is noted. */
void timerlat_why_open(struct tlobctl_timerlat *t);
void timerlat_why_close(struct tlobctl_timerlat *t);
/* Fills in what is known of @out, whose cycle was that of @lane. */
void timerlat_why_ask(struct tlobctl_timerlat *t, const struct timerlat_lane *lane,
		      struct tlobctl_timerlat_hit *out);

#endif
