// SPDX-License-Identifier: GPL-2.0-only
/*
 * The files in debugfs. Those that are read or written and closed are the usual ones, which removal waits for; timerlat_fd, in which a
 * thread lives, has its calls go straight to it ("unsafe"): as long as one is open the module stays, and with it the file.
 */
#include <linux/cpumask.h>
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "timerlat.h"

static struct dentry *timerlat_dir;

/* ---- timerlat_fd ---- */

static int fd_open(struct inode *inode, struct file *file)
{
	struct timerlat_holder *h = timerlat_holder_new((unsigned long)inode->i_private);

	if (IS_ERR(h))
		return PTR_ERR(h);
	file->private_data = h;
	return nonseekable_open(inode, file);
}

static int fd_release(struct inode *inode, struct file *file)
{
	timerlat_holder_free(file->private_data);
	return 0;
}

static ssize_t fd_read(struct file *file, char __user *ubuf, size_t count, loff_t *pos)
{
	struct timerlat_holder *h = file->private_data;
	int ret = timerlat_holder_check(h);

	return ret ? ret : timerlat_cycle_wait(h);
}

static long fd_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct timerlat_holder *h = file->private_data;
	struct tlob_timerlat_sample sample;
	int ret;

	if (cmd != TLOB_TIMERLAT_SAMPLE)
		return -ENOTTY;
	ret = timerlat_holder_check(h);
	if (ret)
		return ret;
	timerlat_cycle_return(h);
	sample = h->last;
	if (sample.seq == 0)
		return -ENODATA;
	sample.flags = timerlat_is_stopped() ? TLOB_TIMERLAT_STOPPED : 0;
	return copy_to_user((void __user *)arg, &sample, sizeof(sample)) ? -EFAULT : 0;
}

static const struct file_operations fd_fops = {
	.owner = THIS_MODULE,
	.open = fd_open,
	.release = fd_release,
	.read = fd_read,
	.unlocked_ioctl = fd_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

/* ---- numbers ---- */

static int enable_get(void *data, u64 *value)
{
	*value = timerlat_is_enabled();
	return 0;
}

static int enable_set(void *data, u64 value)
{
	return value > 1 ? -EINVAL : timerlat_set_enabled(value);
}

DEFINE_DEBUGFS_ATTRIBUTE(enable_fops, enable_get, enable_set, "%llu\n");

static int us_get(void *data, u64 *value)
{
	*value = READ_ONCE(*(u64 *)data);
	return 0;
}

static int period_set(void *data, u64 value)
{
	if (value < TLOB_TIMERLAT_PERIOD_MIN_US || value > TLOB_TIMERLAT_PERIOD_MAX_US)
		return -EINVAL;
	WRITE_ONCE(timerlat_period_us, value);
	return 0;
}

DEFINE_DEBUGFS_ATTRIBUTE(period_fops, us_get, period_set, "%llu\n");

static int limit_set(void *data, u64 value)
{
	if (value > U64_MAX / NSEC_PER_USEC)
		return -EINVAL;
	WRITE_ONCE(*(u64 *)data, value);
	return 0;
}

DEFINE_DEBUGFS_ATTRIBUTE(limit_fops, us_get, limit_set, "%llu\n");

/* ---- what can be waited for ---- */

struct max_reader {
	u64 seen; /* by whoever reads this descriptor */
};

static int max_open(struct inode *inode, struct file *file)
{
	struct max_reader *r = kzalloc(sizeof(*r), GFP_KERNEL_ACCOUNT);

	if (!r)
		return -ENOMEM;
	r->seen = timerlat_max_ns();
	file->private_data = r;
	return 0;
}

static int max_release(struct inode *inode, struct file *file)
{
	kfree(file->private_data);
	return 0;
}

static ssize_t max_read(struct file *file, char __user *ubuf, size_t count, loff_t *pos)
{
	struct max_reader *r = file->private_data;
	char text[24];

	WRITE_ONCE(r->seen, timerlat_max_ns());
	return simple_read_from_buffer(ubuf, count, pos, text,
				       scnprintf(text, sizeof(text), "%llu\n", r->seen));
}

static ssize_t max_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	u64 value;
	int ret = kstrtoull_from_user(ubuf, count, 10, &value);

	if (ret)
		return ret;
	timerlat_set_max_ns(value);
	return count;
}

static __poll_t max_poll(struct file *file, poll_table *wait)
{
	struct max_reader *r = file->private_data;

	poll_wait(file, &timerlat_news, wait);
	return timerlat_max_ns() != READ_ONCE(r->seen) ? EPOLLIN | EPOLLRDNORM : 0;
}

static const struct file_operations max_fops = {
	.owner = THIS_MODULE,
	.open = max_open,
	.release = max_release,
	.read = max_read,
	.write = max_write,
	.poll = max_poll,
	.llseek = default_llseek,
};

static const char *context_name(enum tlob_timerlat_context context)
{
	static const char *const names[] = {"irq", "thread", "user-ret", "migrated"};

	return names[context];
}

static ssize_t stopped_read(struct file *file, char __user *ubuf, size_t count, loff_t *pos)
{
	struct timerlat_stop stop;
	char text[256];
	int n;

	if (!timerlat_stop_get(&stop))
		return 0;
	n = scnprintf(
		text, sizeof(text),
		"cpu=%u context=%s latency_ns=%llu limit_ns=%llu expected_ns=%llu time_ns=%llu pid=%d comm=%s\n",
		stop.cpu, context_name(stop.context), stop.latency_ns, stop.limit_ns,
		stop.expected_ns, stop.time_ns, stop.pid, stop.comm);
	return simple_read_from_buffer(ubuf, count, pos, text, n);
}

static ssize_t stopped_write(struct file *file, const char __user *ubuf, size_t count, loff_t *pos)
{
	timerlat_stop_clear();
	return count;
}

static __poll_t stopped_poll(struct file *file, poll_table *wait)
{
	poll_wait(file, &timerlat_news, wait);
	return timerlat_is_stopped() ? EPOLLIN | EPOLLRDNORM : 0;
}

static const struct file_operations stopped_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.read = stopped_read,
	.write = stopped_write,
	.poll = stopped_poll,
	.llseek = default_llseek,
};

/* ---- */

static void create_cpu_files(struct dentry *parent)
{
	struct dentry *dir;
	unsigned long cpu;
	char name[16];

	for_each_possible_cpu(cpu)
	{
		scnprintf(name, sizeof(name), "cpu%lu", cpu);
		dir = debugfs_create_dir(name, parent);
		debugfs_create_file_unsafe("timerlat_fd", 0440, dir, (void *)cpu, &fd_fops);
	}
}

/* The modes are those of the kernel's osnoise folder. */
int timerlat_init(struct dentry *parent)
{
	int ret = timerlat_holders_init();

	if (ret)
		return ret;
	timerlat_dir = debugfs_create_dir("timerlat", parent);
	debugfs_create_file_unsafe("enable", 0640, timerlat_dir, NULL, &enable_fops);
	debugfs_create_file_unsafe("timerlat_period_us", 0640, timerlat_dir, &timerlat_period_us,
				   &period_fops);
	debugfs_create_file_unsafe("stop_tracing_us", 0640, timerlat_dir, &timerlat_stop_irq_us,
				   &limit_fops);
	debugfs_create_file_unsafe("stop_tracing_total_us", 0640, timerlat_dir,
				   &timerlat_stop_total_us, &limit_fops);
	debugfs_create_file("max_latency_ns", 0640, timerlat_dir, NULL, &max_fops);
	debugfs_create_file("stopped", 0640, timerlat_dir, NULL, &stopped_fops);
	create_cpu_files(debugfs_create_dir("per_cpu", timerlat_dir));
	return 0;
}

void timerlat_exit(void)
{
	debugfs_remove(timerlat_dir);
	timerlat_holders_deinit();
	timerlat_news_deinit();
}
