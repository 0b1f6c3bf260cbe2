/* SPDX-License-Identifier: GPL-2.0-only */
/* Bindings of a descriptor of /dev/rv. Calls are those of its ioctls, see include/tlob/rv.h, without the check of privilege. */
#ifndef MONITORS_TLOB_PROBES_H
#define MONITORS_TLOB_PROBES_H

#include <linux/list.h>
#include <linux/mutex.h>

#include <tlob/rv.h>

struct rvc_ring;
struct tlob_filter;

struct tlob_probes {
	struct mutex mutex; /* all below */
	struct list_head bindings;
	struct tlob_filter *filter;
	bool filtered; /* the filter was given, or it is too late for one */
};

void tlob_probes_init(struct tlob_probes *probes);
void tlob_probes_deinit(struct tlob_probes *probes);
/* @ring: gets the records; the descriptor's. */
long tlob_probes_bind(struct tlob_probes *probes, struct rvc_ring *ring,
		      const struct tlob_bind_args __user *uargs);
long tlob_probes_unbind(struct tlob_probes *probes, const u32 __user *uid);
long tlob_probes_tally(struct tlob_probes *probes, struct tlob_tally_args __user *uargs);
long tlob_probes_filter(struct tlob_probes *probes, const struct tlob_filter_args __user *uargs);

#endif
