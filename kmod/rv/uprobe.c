// SPDX-License-Identifier: GPL-2.0-only
/* Probes on instructions of files, for any monitor. */
#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/path.h>

#include <compat/compat.h>

#include "uprobe.h"

static int consumer_hit(struct uprobe_consumer *consumer, struct pt_regs *regs COMPAT_UPROBE_DATA)
{
	struct rvc_uprobe *probe = container_of(consumer, struct rvc_uprobe, consumer);

	probe->hit(probe, regs);
	return 0;
}

static int consumer_returned(struct uprobe_consumer *consumer, unsigned long function,
			     struct pt_regs *regs COMPAT_UPROBE_DATA)
{
	struct rvc_uprobe *probe = container_of(consumer, struct rvc_uprobe, consumer);

	probe->returned(probe, regs);
	return 0;
}

struct inode *rvc_uprobe_inode(const struct path *path)
{
	return d_real_inode(path->dentry);
}

int rvc_uprobe_register(struct rvc_uprobe *probe, const struct path *path, loff_t offset)
{
	int ret;

	probe->consumer.handler = consumer_hit;
	if (probe->returned)
		probe->consumer.ret_handler = consumer_returned;
	probe->offset = offset;
	ret = compat_uprobe_register(rvc_uprobe_inode(path), offset, &probe->consumer,
				     &probe->handle);
	if (ret)
		return ret;
	probe->path = *path;
	path_get(&probe->path);
	return 0;
}

bool rvc_uprobe_is_registered(const struct rvc_uprobe *probe)
{
	return probe->path.dentry != NULL;
}

void rvc_uprobe_unregister_nosync(struct rvc_uprobe *probe)
{
	if (!rvc_uprobe_is_registered(probe))
		return;
	compat_uprobe_unregister_nosync(probe->handle, rvc_uprobe_inode(&probe->path),
					probe->offset, &probe->consumer);
	path_put(&probe->path);
	probe->path = (struct path){};
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
