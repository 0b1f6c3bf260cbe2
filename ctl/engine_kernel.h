/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Engine kernel, the agent's side: what its files share. */
#ifndef TLOBCTL_ENGINE_KERNEL_H
#define TLOBCTL_ENGINE_KERNEL_H

#include <tlob/rv.h>

#include "session.h"

#define TLOBCTL_DEVICE "/dev/rv"

/* A descriptor of the device, with its ring. */
struct tlobctl_rv {
	int fd;
	const struct tlob_mmap_page *page; /* NULL: not mapped */
	size_t bytes;
};

struct tlobctl_guest;
struct tlobctl_kernel_history;

struct tlobctl_kernel {
	struct tlobctl_source source; /* records of probes; added with the first one */
	struct tlobctl_rv rv; /* keeps the monitor enabled, has the probes */
	bool has_probes;
	uint64_t dropped; /* by rings that have gone */
	struct tlobctl_kernel_history *history; /* NULL: none */
	struct tlobctl_guest *guests;
	struct tlobctl_guest
		*gone; /* an event of theirs may still be on its way; freed at the next poll */
};

static inline struct tlobctl_kernel *tlobctl_kernel_of(struct tlobctl *ctl)
{
	return ctl->engine_state;
}

/* Says why the device could not be opened and what to do, @else_do too; returns @err. */
int tlobctl_rv_missing(int err, const char *else_do);
/* The ready() of the probes' source. */
void tlobctl_kernel_ready(struct tlobctl *ctl, struct tlobctl_source *self);

/* engine_kernel_history.c. If it cannot be had, ctl->why.missing says why. */
void tlobctl_kernel_history_open(struct tlobctl *ctl);
void tlobctl_kernel_history_close(struct tlobctl_kernel *kernel);
bool tlobctl_kernel_refresh(struct tlobctl *ctl);

int tlobctl_kernel_attach(struct tlobctl *ctl, struct tlobctl_binding **bindings, size_t n);
void tlobctl_kernel_detach(struct tlobctl *ctl, struct tlobctl_binding *binding);
void tlobctl_kernel_tally(struct tlobctl *ctl, const struct tlobctl_binding *binding,
			  struct tlobctl_stat *stat, struct tlob_hist *hist);

#endif
