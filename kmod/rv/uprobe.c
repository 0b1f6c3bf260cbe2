// SPDX-License-Identifier: GPL-2.0-only
/* Probes on instructions of files, for any monitor. */
#include <linux/fs.h>

#include <compat/compat.h>

#include "uprobe.h"

static int consumer_hit(struct uprobe_consumer *consumer, struct pt_regs *regs COMPAT_UPROBE_DATA)
{
	struct rvc_uprobe *probe = container_of(consumer, struct rvc_uprobe, consumer);

	probe->hit(probe, regs);
	return 0;
}

int rvc_uprobe_register(struct rvc_uprobe *probe, struct inode *inode, loff_t offset)
{
	int ret;

	probe->consumer.handler = consumer_hit;
	probe->offset = offset;
	probe->inode = igrab(inode);
	if (!probe->inode)
		return -ENOENT;
	ret = compat_uprobe_register(inode, offset, &probe->consumer, &probe->handle);
	if (ret) {
		iput(probe->inode);
		probe->inode = NULL;
	}
	return ret;
}

bool rvc_uprobe_is_registered(const struct rvc_uprobe *probe)
{
	return probe->inode != NULL;
}

void rvc_uprobe_unregister_nosync(struct rvc_uprobe *probe)
{
	if (!probe->inode)
		return;
	compat_uprobe_unregister_nosync(probe->handle, probe->inode, probe->offset,
					&probe->consumer);
	iput(probe->inode);
	probe->inode = NULL;
}

void rvc_uprobe_sync(void)
{
	compat_uprobe_unregister_sync();
}

void rvc_uprobe_unregister(struct rvc_uprobe *probe)
{
	rvc_uprobe_unregister_nosync(probe);
	rvc_uprobe_sync();
}
