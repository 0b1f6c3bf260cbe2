// SPDX-License-Identifier: GPL-2.0-only
/* /dev/rv: see include/tlob/rv.h. Anybody may open it: the calls act on the caller only. */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "arena.h"
#include "tlob.h"

struct tlob_file {
	struct rv_ring *ring;
	struct rv_user *user;
	struct tlob_arena *arena; /* made when first mapped; then stays */
	struct mutex mutex; /* its making */
	bool started; /* a window was opened through it: closing has to look for some */
};

static const struct file_operations device_fops;

static int device_open(struct inode *inode, struct file *file)
{
	struct tlob_file *f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);
	int ret = -ENOMEM;

	if (!f)
		return -ENOMEM;
	mutex_init(&f->mutex);
	f->user = rv_user_get();
	if (!f->user)
		goto free;
	ret = -EMFILE;
	if (!rv_user_charge(f->user, RV_USER_FILES, 1))
		goto put;
	ret = -ENOMEM;
	f->ring = rv_ring_new(f->user, sizeof(struct tlob_record));
	if (!f->ring)
		goto uncharge;
	file->private_data = f;
	return nonseekable_open(inode, file);
uncharge:
	rv_user_uncharge(f->user, RV_USER_FILES, 1);
put:
	rv_user_put(f->user);
free:
	kfree(f);
	return ret;
}

static int device_release(struct inode *inode, struct file *file)
{
	struct tlob_file *f = file->private_data;

	tlob_arena_free(f->arena);
	if (READ_ONCE(f->started) || f->arena)
		tlob_window_drop(f);
	rv_ring_put(f->ring);
	rv_user_uncharge(f->user, RV_USER_FILES, 1);
	rv_user_put(f->user);
	kfree(f);
	return 0;
}

/* The ring behind @fd, with a reference; NULL if @fd is negative. */
static struct rv_ring *ring_of_fd(int fd)
{
	struct rv_ring *ring;
	struct file *file;

	if (fd < 0)
		return NULL;
	file = fget(fd);
	if (!file)
		return ERR_PTR(-EBADF);
	if (file->f_op != &device_fops) {
		fput(file);
		return ERR_PTR(-EINVAL);
	}
	ring = ((struct tlob_file *)file->private_data)->ring;
	/* the ring, not the file: a window does not keep a descriptor from being closed */
	rv_ring_hold(ring);
	fput(file);
	return ring;
}

static long device_start(struct tlob_file *f, const struct tlob_start_args __user *uargs)
{
	struct tlob_start start = {.owner = f, .user = f->user};
	struct tlob_start_args args;
	long ret;

	if (copy_from_user(&args, uargs, sizeof(args)))
		return -EFAULT;
	if (args.threshold_ns == 0 || (args.flags & ~TLOB_START_CLOSE))
		return -EINVAL;
	start.ring = ring_of_fd(args.notify_fd);
	if (IS_ERR(start.ring))
		return PTR_ERR(start.ring);
	start.budget_ns = args.threshold_ns;
	start.tag = args.tag;
	start.close_record = args.flags & TLOB_START_CLOSE;

	if (!tlob_is_enabled())
		ret = -ENODEV;
	else if (args.threshold_ns < TLOB_BUDGET_MIN_NS || args.threshold_ns > TLOB_BUDGET_MAX_NS)
		ret = -ERANGE;
	else
		ret = start.ring ? rv_ring_store(start.ring) : 0;
	if (ret == 0) {
		WRITE_ONCE(f->started, true);
		ret = tlob_window_start(&start);
	}
	rv_ring_put(start.ring);
	return ret;
}

static long device_kick(struct tlob_file *f, const struct tlob_kick __user *ukick)
{
	struct tlob_arena *arena = smp_load_acquire(&f->arena);
	struct tlob_kick kick;

	if (copy_from_user(&kick, ukick, sizeof(kick)))
		return -EFAULT;
	return arena ? tlob_arena_kick(arena, &kick, f->user) : -EINVAL;
}

static long device_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct tlob_file *f = file->private_data;

	switch (cmd) {
	case TLOB_IOCTL_TRACE_START:
		return device_start(f, (const struct tlob_start_args __user *)arg);
	case TLOB_IOCTL_TRACE_STOP:
		return tlob_window_stop(f);
	case TLOB_IOCTL_KICK:
		return device_kick(f, (const struct tlob_kick __user *)arg);
	default:
		return -ENOTTY;
	}
}

static ssize_t device_read(struct file *file, char __user *ubuf, size_t count, loff_t *pos)
{
	struct tlob_file *f = file->private_data;

	return rv_ring_read(f->ring, ubuf, count, file->f_flags & O_NONBLOCK);
}

static __poll_t device_poll(struct file *file, poll_table *wait)
{
	struct tlob_file *f = file->private_data;

	return rv_ring_poll(f->ring, file, wait);
}

static int device_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct tlob_file *f = file->private_data;
	struct tlob_arena *arena;

	if (vma->vm_pgoff != TLOB_ARENA_MMAP_OFFSET >> PAGE_SHIFT)
		return rv_ring_mmap(f->ring, vma);
	mutex_lock(&f->mutex);
	arena = f->arena;
	if (!arena) {
		arena = tlob_arena_new(f, f->ring, f->user);
		smp_store_release(&f->arena, arena);
	}
	mutex_unlock(&f->mutex);
	return arena ? tlob_arena_mmap(arena, vma) : -ENOMEM;
}

static const struct file_operations device_fops = {
	.owner = THIS_MODULE,
	.open = device_open,
	.release = device_release,
	.unlocked_ioctl = device_ioctl,
	.compat_ioctl = compat_ptr_ioctl, /* the same layout at 32 bits */
	.read = device_read,
	.poll = device_poll,
	.mmap = device_mmap,
	.llseek = noop_llseek,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "rv",
	.fops = &device_fops,
	.mode = 0666,
};

int tlob_device_register(void)
{
	return misc_register(&device);
}

void tlob_device_unregister(void)
{
	misc_deregister(&device);
}
