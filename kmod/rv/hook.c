// SPDX-License-Identifier: GPL-2.0-only
/* Attach probes to tracepoints that are found by name. */
#include <linux/tracepoint.h>

#include "rv.h"

struct search {
	struct rvc_hook *hooks;
	unsigned int count;
};

static void match(struct tracepoint *tp, void *priv)
{
	struct search *search = priv;
	unsigned int i;

	for (i = 0; i < search->count; i++)
		if (strcmp(tp->name, search->hooks[i].name) == 0)
			search->hooks[i].tp = tp;
}

int rvc_hooks_attach(struct rvc_hook *hooks, unsigned int count)
{
	struct search search = {hooks, count};
	unsigned int i;
	int ret;

	for_each_kernel_tracepoint(match, &search);
	for (i = 0; i < count; i++) {
		ret = hooks[i].tp ? tracepoint_probe_register(hooks[i].tp, hooks[i].probe, NULL) :
				    -ENOENT;
		if (ret) {
			pr_err("rv: tracepoint %s: probe not attached (%d)\n", hooks[i].name, ret);
			rvc_hooks_detach(hooks, count);
			return ret;
		}
		hooks[i].attached = true;
	}
	return 0;
}

void rvc_hooks_detach(struct rvc_hook *hooks, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (hooks[i].attached)
			tracepoint_probe_unregister(hooks[i].tp, hooks[i].probe, NULL);
		hooks[i].attached = false;
	}
	tracepoint_synchronize_unregister();
}
