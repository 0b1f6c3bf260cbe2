/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A probe on one instruction of a file, embedded in its owner's struct:
 *
 *	struct thing { struct rvc_uprobe probe; ... };
 *	static void hit(struct rvc_uprobe *probe, struct pt_regs *regs) { container_of(probe, struct thing, probe) ... }
 *
 * Monitors share this, so that a kernel's ways with uprobes are known in one place only.
 */
#ifndef RV_UPROBE_H
#define RV_UPROBE_H

#include <linux/path.h>
#include <linux/types.h>
#include <linux/uprobes.h>

struct rvc_uprobe {
	/* in the context of the task that hit the probe; may sleep */
	void (*hit)(struct rvc_uprobe *probe, struct pt_regs *regs);
	/* likewise, where the function that begins at the probe returns to; NULL: not wanted */
	void (*returned)(struct rvc_uprobe *probe, struct pt_regs *regs);

	/* the helper's */
	struct uprobe_consumer consumer;
	struct uprobe *handle;
	struct path
		path; /* of the file, with a reference while registered: an inode alone does not keep its file system from being unmounted */
	loff_t offset;
};

/* Set @hit, and @returned if wanted, and zero the rest before. Errors: those of the kernel's uprobes. Sleeps. */
int rvc_uprobe_register(struct rvc_uprobe *probe, const struct path *path, loff_t offset);
/* The inode that probes on @path are on. */
struct inode *rvc_uprobe_inode(const struct path *path);
bool rvc_uprobe_is_registered(const struct rvc_uprobe *probe);
/* No new hits from now on, but some may be running until rvc_uprobe_sync(). Nothing if not registered. */
void rvc_uprobe_unregister_nosync(struct rvc_uprobe *probe);
/* All probes unregistered before may be freed. */
void rvc_uprobe_sync(void);
/* Both. */
void rvc_uprobe_unregister(struct rvc_uprobe *probe);

#endif
