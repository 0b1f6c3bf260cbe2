// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registry of monitors and its control files in debugfs:
 *	rv/available_monitors  enabled_monitors  monitoring_on  reacting_on  available_reactors
 *	rv/monitors/NAME/enable  desc  reactors
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <compat/compat.h>

#include "rv.h"

static DEFINE_MUTEX(rvc_mutex); /* the list, and enabling and disabling */
static LIST_HEAD(monitors);
static struct dentry *rvc_dir;
static struct dentry *monitors_dir;
static bool monitoring = true;

bool rvc_monitoring_on(void)
{
	return READ_ONCE(monitoring);
}

static int monitor_set(struct rvc_monitor *mon, bool on)
{
	int ret = 0;

	lockdep_assert_held(&rvc_mutex);
	mon->held = false;
	if (mon->enabled == on)
		return 0;
	if (on)
		ret = mon->enable();
	else
		mon->disable();
	if (ret == 0)
		mon->enabled = on;
	return ret;
}

int rvc_monitor_hold(struct rvc_monitor *mon)
{
	int ret = 0;

	mutex_lock(&rvc_mutex);
	if (!mon->enabled) {
		ret = monitor_set(mon, true);
		mon->held = ret == 0;
	}
	if (ret == 0)
		mon->holds++;
	mutex_unlock(&rvc_mutex);
	return ret;
}

void rvc_monitor_release(struct rvc_monitor *mon)
{
	mutex_lock(&rvc_mutex);
	if (--mon->holds == 0 && mon->held)
		monitor_set(mon, false);
	mutex_unlock(&rvc_mutex);
}

/* A short word written by the user, without blanks around it. */
static char *word_from_user(const char __user *ubuf, size_t count, char *buf, size_t size)
{
	if (count >= size)
		return ERR_PTR(-EINVAL);
	if (copy_from_user(buf, ubuf, count))
		return ERR_PTR(-EFAULT);
	buf[count] = '\0';
	return strim(buf);
}

/* ---- one monitor ---- */

static int enable_show(struct seq_file *m, void *v)
{
	struct rvc_monitor *mon = m->private;

	seq_printf(m, "%d\n", READ_ONCE(mon->enabled));
	return 0;
}

static ssize_t enable_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	struct rvc_monitor *mon = ((struct seq_file *)file->private_data)->private;
	bool on;
	int ret;

	ret = kstrtobool_from_user(ubuf, count, &on);
	if (ret)
		return ret;
	mutex_lock(&rvc_mutex);
	ret = monitor_set(mon, on);
	mutex_unlock(&rvc_mutex);
	return ret ? ret : count;
}

static int desc_show(struct seq_file *m, void *v)
{
	struct rvc_monitor *mon = m->private;

	seq_printf(m, "%s\n", mon->desc);
	return 0;
}

static int reactors_show(struct seq_file *m, void *v)
{
	struct rvc_monitor *mon = m->private;
	const struct rvc_reactor *current_one = READ_ONCE(mon->reactor);
	unsigned int i;

	for (i = 0; rvc_reactors[i]; i++)
		seq_printf(m, rvc_reactors[i] == current_one ? "[%s]\n" : "%s\n",
			   rvc_reactors[i]->name);
	return 0;
}

static ssize_t reactors_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	struct rvc_monitor *mon = ((struct seq_file *)file->private_data)->private;
	const struct rvc_reactor *reactor;
	char buf[32], *word;

	word = word_from_user(ubuf, count, buf, sizeof(buf));
	if (IS_ERR(word))
		return PTR_ERR(word);
	reactor = rvc_reactor_find(word);
	if (!reactor)
		return -EINVAL;
	WRITE_ONCE(mon->reactor, reactor);
	return count;
}

/* ---- all of them ---- */

static int available_show(struct seq_file *m, void *v)
{
	struct rvc_monitor *mon;

	mutex_lock(&rvc_mutex);
	list_for_each_entry(mon, &monitors, list) seq_printf(m, "%s\n", mon->name);
	mutex_unlock(&rvc_mutex);
	return 0;
}

static int enabled_show(struct seq_file *m, void *v)
{
	struct rvc_monitor *mon;

	mutex_lock(&rvc_mutex);
	list_for_each_entry(mon, &monitors, list) if (mon->enabled)
		seq_printf(m, "%s\n", mon->name);
	mutex_unlock(&rvc_mutex);
	return 0;
}

static void disable_all(void)
{
	struct rvc_monitor *mon;

	list_for_each_entry(mon, &monitors, list) monitor_set(mon, false);
}

/* NAME enables, !NAME disables, an empty write (of a file opened for truncation, say) disables all. */
static ssize_t enabled_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	struct rvc_monitor *mon;
	char buf[40], *word;
	bool on = true;
	int ret = -EINVAL;

	word = word_from_user(ubuf, count, buf, sizeof(buf));
	if (IS_ERR(word))
		return PTR_ERR(word);
	if (*word == '!') {
		on = false;
		word++;
	}
	mutex_lock(&rvc_mutex);
	if (on && *word == '\0') {
		disable_all();
		ret = 0;
	}
	list_for_each_entry(mon, &monitors, list) if (strcmp(mon->name, word) == 0)
		ret = monitor_set(mon, on);
	mutex_unlock(&rvc_mutex);
	return ret ? ret : count;
}

static int monitoring_on_show(struct seq_file *m, void *v)
{
	seq_printf(m, "%d\n", rvc_monitoring_on());
	return 0;
}

static ssize_t monitoring_on_write(struct file *file, const char __user *ubuf, size_t count,
				   loff_t *pos)
{
	bool on;
	int ret = kstrtobool_from_user(ubuf, count, &on);

	if (ret)
		return ret;
	WRITE_ONCE(monitoring, on);
	return count;
}

static int reacting_on_show(struct seq_file *m, void *v)
{
	seq_printf(m, "%d\n", rvc_reacting_on());
	return 0;
}

static ssize_t reacting_on_write(struct file *file, const char __user *ubuf, size_t count,
				 loff_t *pos)
{
	bool on;
	int ret = kstrtobool_from_user(ubuf, count, &on);

	if (ret)
		return ret;
	rvc_reacting_set(on);
	return count;
}

static int available_reactors_show(struct seq_file *m, void *v)
{
	unsigned int i;

	for (i = 0; rvc_reactors[i]; i++)
		seq_printf(m, "%s\n", rvc_reactors[i]->name);
	return 0;
}

DEFINE_SHOW_STORE_ATTRIBUTE(enable);
DEFINE_SHOW_ATTRIBUTE(desc);
DEFINE_SHOW_STORE_ATTRIBUTE(reactors);
DEFINE_SHOW_ATTRIBUTE(available);
DEFINE_SHOW_STORE_ATTRIBUTE(enabled);
DEFINE_SHOW_STORE_ATTRIBUTE(monitoring_on);
DEFINE_SHOW_STORE_ATTRIBUTE(reacting_on);
DEFINE_SHOW_ATTRIBUTE(available_reactors);

int rvc_monitor_register(struct rvc_monitor *mon)
{
	mon->reactor = rvc_reactors[0];
	mon->enabled = false;
	mutex_lock(&rvc_mutex);
	list_add_tail(&mon->list, &monitors);
	mutex_unlock(&rvc_mutex);

	mon->dir = debugfs_create_dir(mon->name, monitors_dir);
	debugfs_create_file("enable", 0644, mon->dir, mon, &enable_fops);
	debugfs_create_file("desc", 0444, mon->dir, mon, &desc_fops);
	debugfs_create_file("reactors", 0644, mon->dir, mon, &reactors_fops);
	if (mon->files)
		mon->files(mon->dir);
	return 0;
}

void rvc_monitor_unregister(struct rvc_monitor *mon)
{
	/* waits for writers in its files, and no new ones come */
	debugfs_remove(mon->dir);
	mutex_lock(&rvc_mutex);
	monitor_set(mon, false);
	list_del(&mon->list);
	mutex_unlock(&rvc_mutex);
	if (mon->remove)
		mon->remove();
}

int rvc_core_init(void)
{
	rvc_dir = debugfs_create_dir("rv", NULL);
	if (IS_ERR(rvc_dir) && PTR_ERR(rvc_dir) == -EEXIST)
		rvc_dir = debugfs_create_dir("rv_tlob", NULL);
	if (IS_ERR(rvc_dir)) /* no debugfs here: the device still works, with the monitor enabled by parameter */
		pr_warn("rv: no control files in debugfs (%ld)\n", PTR_ERR(rvc_dir));
	monitors_dir = debugfs_create_dir("monitors", rvc_dir);
	debugfs_create_file("available_monitors", 0444, rvc_dir, NULL, &available_fops);
	debugfs_create_file("enabled_monitors", 0644, rvc_dir, NULL, &enabled_fops);
	debugfs_create_file("monitoring_on", 0644, rvc_dir, NULL, &monitoring_on_fops);
	debugfs_create_file("reacting_on", 0644, rvc_dir, NULL, &reacting_on_fops);
	debugfs_create_file("available_reactors", 0444, rvc_dir, NULL, &available_reactors_fops);
	return 0;
}

struct dentry *rvc_core_dir(void)
{
	return rvc_dir;
}

void rvc_core_exit(void)
{
	debugfs_remove(rvc_dir);
}
