/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What every slow path does first: a program that marks its code must not find errno changed by it,
 * nor be cancelled inside it. TLOB_CALM holds for the rest of the block.
 */
#ifndef TLOB_LIB_CALM_H
#define TLOB_LIB_CALM_H

#include <errno.h>
#include <pthread.h>
#include <signal.h>

struct tlob_calm {
	int error;
	int cancel;
};

static inline struct tlob_calm tlob_calm_begin(void)
{
	struct tlob_calm calm = {.error = errno};

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &calm.cancel);
	return calm;
}

static inline void tlob_calm_end(struct tlob_calm *calm)
{
	pthread_setcancelstate(calm->cancel, NULL);
	errno = calm->error;
}

#define TLOB_CALM \
	struct tlob_calm tlob_calm \
		__attribute__((cleanup(tlob_calm_end), unused)) = tlob_calm_begin()

/* No signal handler runs in this thread for the rest of the block. */
static inline sigset_t tlob_quiet_begin(void)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	return before;
}

static inline void tlob_quiet_end(sigset_t *before)
{
	pthread_sigmask(SIG_SETMASK, before, NULL);
}

#define TLOB_QUIET \
	sigset_t tlob_quiet __attribute__((cleanup(tlob_quiet_end), unused)) = tlob_quiet_begin()

#endif
