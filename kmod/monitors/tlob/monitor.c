// SPDX-License-Identifier: GPL-2.0-only
/* The monitor as the core sees it, and its control file. */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <compat/compat.h>

#include "tlob.h"

#define LINE_BYTES 2048 /* longer than any line that can be right */

static void monitor_disable(void)
{
	tlob_standing_clear();
	tlob_tasks_disable();
}

static int monitor_show(struct seq_file *m, void *v)
{
	tlob_standing_show(m);
	return 0;
}

static ssize_t monitor_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	char *text;
	int ret;

	if (count >= LINE_BYTES)
		return -EINVAL;
	text = memdup_user_nul(ubuf, count);
	if (IS_ERR(text))
		return PTR_ERR(text);
	ret = tlob_standing_command(text);
	kfree(text);
	return ret ? ret : count;
}
DEFINE_SHOW_STORE_ATTRIBUTE(monitor);

static int tasks_show(struct seq_file *m, void *v)
{
	seq_printf(m, "%u\n", tlob_task_count());
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(tasks);

static void monitor_files(struct dentry *dir)
{
	debugfs_create_file("tasks", 0444, dir, NULL, &tasks_fops);
	debugfs_create_file("monitor", 0644, dir, NULL, &monitor_fops);
}

struct rvc_monitor tlob_monitor = {
	.name = "tlob",
	.desc = "Per-task latency-over-budget monitor.",
	.enable = tlob_tasks_enable,
	.disable = monitor_disable,
	.remove = tlob_standing_clear, /* added while disabled */
	.files = monitor_files,
};
