/* SPDX-License-Identifier: GPL-2.0-only */
/* Whose hits a descriptor's bindings count. */
#ifndef MONITORS_TLOB_FILTER_H
#define MONITORS_TLOB_FILTER_H

#include <tlob/rv.h>

struct tlob_filter;

/* -EINVAL, -ESRCH, -ENOMEM, as an error pointer; NULL: it lets all through. Sleeps. */
struct tlob_filter *tlob_filter_new(const struct tlob_filter_args *args);
/* Nobody asks it any more. NULL is fine. Sleeps. */
void tlob_filter_free(struct tlob_filter *filter);
/* The current task. NULL lets all through. */
bool tlob_filter_passes(const struct tlob_filter *filter);

#endif
