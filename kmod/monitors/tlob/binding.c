// SPDX-License-Identifier: GPL-2.0-only
/*
 * Windows of unmodified programs: from the hit of one instruction to the hit of another, in each task that executes
 * them. Two entry probes, so that a mistyped offset cannot corrupt a stack.
 */
#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/namei.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include <rv/uprobe.h>

#include "line.h"
#include "tlob.h"

#define PATH_BYTES 256

struct tlob_binding {
	struct list_head list;
	struct rvc_uprobe start;
	struct rvc_uprobe stop; /* not registered if it is the same instruction */
	struct inode *inode; /* with a reference: a name may come to mean another file */
	u64 start_offset;
	u64 stop_offset;
	u64 budget_ns;
	u32 id;
	char path[PATH_BYTES];
};

static DEFINE_MUTEX(bindings_mutex); /* the list */
static LIST_HEAD(bindings);
static u32 last_id;

static void start_hit(struct rvc_uprobe *probe, struct pt_regs *regs)
{
	struct tlob_binding *b = container_of(probe, struct tlob_binding, start);
	struct tlob_start start = {
		.owner = b,
		.budget_ns = b->budget_ns,
		.tag = b->start_offset,
		.region = b->id,
		.flags = TLOB_F_PROBE,
		.nest = true,
	};

	if (b->start_offset == b->stop_offset)
		tlob_window_stop(b);
	/* a start that is refused is counted in the task, and does not harm the program */
	(void)tlob_window_start(&start);
}

static void stop_hit(struct rvc_uprobe *probe, struct pt_regs *regs)
{
	tlob_window_stop(container_of(probe, struct tlob_binding, stop));
}

static struct tlob_binding *binding_find(const struct inode *inode, u64 start)
{
	struct tlob_binding *b;

	list_for_each_entry(b, &bindings,
			    list) if (b->inode == inode && b->start_offset == start) return b;
	return NULL;
}

/* The list's lock is held; the binding is on no list. */
static void binding_free(struct tlob_binding *b)
{
	rvc_uprobe_unregister_nosync(&b->start);
	rvc_uprobe_unregister_nosync(&b->stop);
	/* at once, as waiting for hits under way may take long; and what those have opened meanwhile */
	tlob_window_drop(b);
	rvc_uprobe_sync();
	tlob_window_drop(b);
	iput(b->inode);
	kfree(b);
}

static int binding_name(struct tlob_binding *b, const struct path *path)
{
	char buf[PATH_BYTES];
	char *name = d_path(path, buf, sizeof(buf));

	if (IS_ERR(name))
		return PTR_ERR(name);
	strscpy(b->path, name, sizeof(b->path));
	return 0;
}

static int binding_attach(struct tlob_binding *b)
{
	int ret;

	/* the stop first: no window that nothing ends */
	if (b->start_offset != b->stop_offset) {
		ret = rvc_uprobe_register(&b->stop, b->inode, b->stop_offset);
		if (ret)
			return ret;
	}
	return rvc_uprobe_register(&b->start, b->inode, b->start_offset);
}

static int binding_add(const struct tlob_line *line, const struct path *path, struct inode *inode)
{
	struct tlob_binding *b;
	int ret;

	if (!S_ISREG(inode->i_mode))
		return -EINVAL;
	if (binding_find(inode, line->start))
		return -EEXIST;
	b = kzalloc(sizeof(*b), GFP_KERNEL_ACCOUNT);
	if (!b)
		return -ENOMEM;
	b->start.hit = start_hit;
	b->stop.hit = stop_hit;
	b->start_offset = line->start;
	b->stop_offset = line->stop;
	b->budget_ns = line->budget_ns;
	b->id = ++last_id;
	b->inode = igrab(inode);
	ret = b->inode ? binding_name(b, path) : -ENOENT;
	if (ret == 0)
		ret = binding_attach(b);
	if (ret)
		binding_free(b);
	else
		list_add_tail(&b->list, &bindings);
	return ret;
}

static int binding_remove(const struct tlob_line *line, const struct inode *inode)
{
	struct tlob_binding *b = binding_find(inode, line->start);

	if (!b)
		return -ENOENT;
	list_del(&b->list);
	binding_free(b);
	return 0;
}

int tlob_binding_command(char *text)
{
	struct tlob_line line;
	struct inode *inode;
	struct path path;
	int ret;

	ret = tlob_line_parse(text, &line);
	if (ret)
		return ret;
	ret = kern_path(line.path, LOOKUP_FOLLOW, &path);
	if (ret)
		return ret;
	inode = d_real_inode(path.dentry);
	mutex_lock(&bindings_mutex);
	ret = line.remove ? binding_remove(&line, inode) : binding_add(&line, &path, inode);
	mutex_unlock(&bindings_mutex);
	path_put(&path);
	return ret;
}

void tlob_binding_show(struct seq_file *m)
{
	struct tlob_binding *b;

	mutex_lock(&bindings_mutex);
	list_for_each_entry(b, &bindings, list)
		seq_printf(m, "p %s:0x%llx 0x%llx threshold=%llu\n", b->path, b->start_offset,
			   b->stop_offset, b->budget_ns);
	mutex_unlock(&bindings_mutex);
}

void tlob_binding_clear(void)
{
	struct tlob_binding *b, *next;

	mutex_lock(&bindings_mutex);
	list_for_each_entry_safe(b, next, &bindings, list)
	{
		list_del(&b->list);
		binding_free(b);
	}
	mutex_unlock(&bindings_mutex);
}
