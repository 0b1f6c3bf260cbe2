// SPDX-License-Identifier: GPL-2.0-only
/*
 * The files of the page ring in debugfs:
 *	rv/ring/events                     which events are written: switch wake record mark migrate
 *	rv/ring/mark                       what is written here becomes an event
 *	rv/ring/per_cpu/cpuN/raw           the ring
 *	rv/ring/per_cpu/cpuN/snapshot_raw  the one it was last swapped with
 *	rv/ring/per_cpu/cpuN/snapshot      1 swaps them
 *	rv/ring/per_cpu/cpuN/config        pages=64 order=0 mode=overwrite; writing any of them empties the ring
 *	rv/ring/per_cpu/cpuN/stats         how many have it open, and its counts
 * The raw files have calls that debugfs does not guard against the file's removal. As long as one is open the module stays.
 */
#include <linux/cpumask.h>
#include <linux/debugfs.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <compat/compat.h>
#include <rv/rv.h>

#include "ring.h"

#define MARK_BYTES 256 /* at most, and less than a page */

static struct pring_cpu __percpu *cpus;
static struct dentry *ring_dir;

struct pring_cpu *pring_cpu_of(int cpu)
{
	return per_cpu_ptr(cpus, cpu);
}

/* A line written by the user, to be freed. */
static char *line_from_user(const char __user *ubuf, size_t count)
{
	if (count > MARK_BYTES)
		return ERR_PTR(-E2BIG);
	return memdup_user_nul(ubuf, count);
}

/* ---- of all CPUs ---- */

static int events_show(struct seq_file *m, void *v)
{
	u32 types = pring_types(), i;
	const char *blank = "";

	for (i = 0; i < TLOB_PAGE_TYPES; i++) {
		if (!pring_type_names[i] || !(types & 1u << i))
			continue;
		seq_printf(m, "%s%s", blank, pring_type_names[i]);
		blank = " ";
	}
	seq_putc(m, '\n');
	return 0;
}

static int type_of(const char *word)
{
	int i;

	for (i = 0; i < TLOB_PAGE_TYPES; i++)
		if (pring_type_names[i] && strcmp(pring_type_names[i], word) == 0)
			return i;
	return -EINVAL;
}

static ssize_t events_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	char *line = line_from_user(ubuf, count), *at, *word;
	u32 types = 0;
	int ret = 0;

	if (IS_ERR(line))
		return PTR_ERR(line);
	at = line;
	while (ret >= 0 && (word = strsep(&at, " \t\n"))) {
		if (*word == '\0')
			continue;
		ret = type_of(word);
		if (ret >= 0)
			types |= 1u << ret;
	}
	if (ret >= 0)
		ret = pring_types_set(types);
	kfree(line);
	return ret < 0 ? ret : count;
}
DEFINE_SHOW_STORE_ATTRIBUTE(events);

static ssize_t mark_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	char text[MARK_BYTES];
	int ret;

	if (count > sizeof(text))
		return -E2BIG;
	if (copy_from_user(text, ubuf, count))
		return -EFAULT;
	ret = pring_mark(text, count);
	return ret ? ret : count;
}

static const struct file_operations mark_fops = {
	.owner = THIS_MODULE,
	.open = nonseekable_open,
	.write = mark_write,
};

/* ---- of one ---- */

static int config_show(struct seq_file *m, void *v)
{
	struct pring_cpu *cpu = m->private;
	struct pring_config c;

	mutex_lock(&cpu->mutex);
	c = cpu->config;
	mutex_unlock(&cpu->mutex);
	seq_printf(m, "pages=%u order=%u mode=%s\n", c.slots, c.order,
		   c.overwrite ? "overwrite" : "drop");
	return 0;
}

static int config_word(struct pring_config *c, char *word)
{
	char *value = strchr(word, '=');

	if (!value)
		return -EINVAL;
	*value++ = '\0';
	if (strcmp(word, "pages") == 0)
		return kstrtou32(value, 0, &c->slots);
	if (strcmp(word, "order") == 0)
		return kstrtou32(value, 0, &c->order);
	if (strcmp(word, "mode") != 0)
		return -EINVAL;
	c->overwrite = strcmp(value, "overwrite") == 0;
	return c->overwrite || strcmp(value, "drop") == 0 ? 0 : -EINVAL;
}

static ssize_t config_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	struct pring_cpu *cpu = ((struct seq_file *)file->private_data)->private;
	char *line = line_from_user(ubuf, count), *at, *word;
	struct pring_config c;
	int ret = 0;

	if (IS_ERR(line))
		return PTR_ERR(line);
	mutex_lock(&cpu->mutex);
	c = cpu->config;
	mutex_unlock(&cpu->mutex);
	at = line;
	while (ret == 0 && (word = strsep(&at, " \t\n")))
		if (*word)
			ret = config_word(&c, word);
	kfree(line);
	if (ret)
		return ret;
	if (!is_power_of_2(c.slots) || c.slots < 2 || c.slots > TLOB_PAGE_MAX_SLOTS ||
	    c.order > PRING_MAX_ORDER || PAGE_SIZE << c.order > TLOB_PAGE_MAX_BYTES)
		return -EINVAL;
	ret = pring_configure(cpu, &c);
	return ret ? ret : count;
}
DEFINE_SHOW_STORE_ATTRIBUTE(config);

static int stats_show(struct seq_file *m, void *v)
{
	struct pring_cpu *cpu = m->private;
	const struct pring_buffer *buffer;

	seq_printf(m, "readers %u\n", READ_ONCE(cpu->live.open));
	rcu_read_lock();
	buffer = rcu_dereference(cpu->live.buffer);
	if (buffer)
		seq_printf(m, "written %llu\nread %llu\noverrun %llu\nlost %llu\n",
			   READ_ONCE(buffer->ring.written), READ_ONCE(buffer->ring.reader.events),
			   READ_ONCE(buffer->ring.overrun), READ_ONCE(buffer->ring.dropped));
	rcu_read_unlock();
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

static ssize_t snapshot_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	bool on;
	int ret = kstrtobool_from_user(ubuf, count, &on);

	if (ret == 0)
		ret = on ? pring_swap(file->private_data) : -EINVAL;
	return ret ? ret : count;
}

static const struct file_operations snapshot_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = snapshot_write,
};

static void cpu_files(int cpu, struct dentry *per_cpu)
{
	struct pring_cpu *c = pring_cpu_of(cpu);
	struct dentry *dir;
	char name[16];

	snprintf(name, sizeof(name), "cpu%d", cpu);
	dir = debugfs_create_dir(name, per_cpu);
	debugfs_create_file_unsafe("raw", 0400, dir, &c->live, &pring_view_fops);
	debugfs_create_file_unsafe("snapshot_raw", 0400, dir, &c->snapshot, &pring_view_fops);
	debugfs_create_file("snapshot", 0200, dir, c, &snapshot_fops);
	debugfs_create_file("config", 0600, dir, c, &config_fops);
	debugfs_create_file("stats", 0400, dir, c, &stats_fops);
}

int pring_init(void)
{
	struct dentry *per_cpu;
	int cpu;

	cpus = alloc_percpu(struct pring_cpu);
	if (!cpus)
		return -ENOMEM;
	for_each_possible_cpu(cpu)
	{
		struct pring_cpu *c = pring_cpu_of(cpu);

		mutex_init(&c->mutex);
		pring_view_init(&c->live, cpu, true);
		pring_view_init(&c->snapshot, cpu, false);
		c->config.slots = PRING_DEFAULT_PAGES;
		c->config.overwrite = true;
	}
	ring_dir = debugfs_create_dir("ring", rvc_core_dir());
	debugfs_create_file("events", 0600, ring_dir, NULL, &events_fops);
	debugfs_create_file("mark", 0200, ring_dir, NULL, &mark_fops);
	per_cpu = debugfs_create_dir("per_cpu", ring_dir);
	for_each_possible_cpu(cpu) cpu_files(cpu, per_cpu);
	return 0;
}

/* Nobody has a file open, and the monitors no longer write. */
void pring_exit(void)
{
	int cpu;

	debugfs_remove(ring_dir);
	for_each_possible_cpu(cpu)
	{
		pring_view_deinit(&pring_cpu_of(cpu)->live);
		pring_view_deinit(&pring_cpu_of(cpu)->snapshot);
	}
	free_percpu(cpus);
}
