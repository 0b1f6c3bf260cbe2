/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The watcher's own reading of /proc: the files of the threads that were over last stay open,
 * because opening them is what takes time, and whoever was over will be again. Only the watcher
 * calls this.
 */
#ifndef TLOB_LIB_PEEK_H
#define TLOB_LIB_PEEK_H

#include "procfile.h"

bool tlob_peek_stat(__u32 tid, struct tlob_procfile_stat *out);
bool tlob_peek_schedstat(__u32 tid, __u64 values[3]);
/* The watcher ends; or, in a forked child, there is none. */
void tlob_peek_close(void);

#endif
