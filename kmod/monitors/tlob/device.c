// SPDX-License-Identifier: GPL-2.0-only
/* /dev/rv: see include/tlob/rv.h. Anybody may open it: the calls act on the caller only. */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "arena.h"
#include "probes.h"
#include "tlob.h"

struct tlob_file {
	struct rvc_ring *ring;
	struct rvc_ring *notify; /* another file's, for the arenas' records; NULL: its own */
	struct rvc_user *user;
	struct tlob_arena *arenas[TLOB_MAX_FILE_ARENAS]; /* made when first mapped; then stay */
	struct tlob_probes probes;
	struct mutex mutex; /* the arenas' making, notify, holds */
	bool holds; /* the monitor, enabled */
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
	tlob_probes_init(&f->probes);
	f->user = rvc_user_get();
	if (!f->user)
		goto free;
	ret = -EMFILE;
	if (!rvc_user_charge(f->user, RVC_USER_FILES, 1))
		goto put;
	ret = -ENOMEM;
	f->ring = rvc_ring_new(f->user, sizeof(struct tlob_record));
	if (!f->ring)
		goto uncharge;
	file->private_data = f;
	return nonseekable_open(inode, file);
uncharge:
	rvc_user_uncharge(f->user, RVC_USER_FILES, 1);
put:
	rvc_user_put(f->user);
free:
	kfree(f);
	return ret;
}

static int device_release(struct inode *inode, struct file *file)
{
	struct tlob_file *f = file->private_data;
	unsigned int i;

	tlob_probes_deinit(&f->probes);
	for (i = 0; i < TLOB_MAX_FILE_ARENAS; i++)
		tlob_arena_free(f->arenas[i]);
	if (READ_ONCE(f->started))
		tlob_window_drop(f);
	if (f->holds)
		rvc_monitor_release(&tlob_monitor);
	rvc_ring_put(f->notify);
	rvc_ring_put(f->ring);
	rvc_user_uncharge(f->user, RVC_USER_FILES, 1);
	rvc_user_put(f->user);
	kfree(f);
	return 0;
}

/* The ring behind @fd, with a reference; NULL if @fd is negative. */
static struct rvc_ring *ring_of_fd(int fd)
{
	struct rvc_ring *ring;
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
	rvc_ring_hold(ring);
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
		ret = start.ring ? rvc_ring_store(start.ring) : 0;
	if (ret == 0) {
		WRITE_ONCE(f->started, true);
		ret = tlob_window_start(&start);
	}
	rvc_ring_put(start.ring);
	return ret;
}

static struct tlob_arena *arena_of(struct tlob_file *f, u32 number)
{
	if (number >= TLOB_MAX_FILE_ARENAS)
		return NULL;
	return smp_load_acquire(&f->arenas[array_index_nospec(number, TLOB_MAX_FILE_ARENAS)]);
}

/* A thread without a seat may have had one, until the monitor was disabled. */
static bool was_disabled(struct tlob_file *f)
{
	unsigned int i;

	for (i = 0; i < TLOB_MAX_FILE_ARENAS; i++)
		if (arena_of(f, i) && tlob_arena_is_closed(arena_of(f, i)))
			return true;
	return false;
}

static long device_kick(struct tlob_file *f, const struct tlob_kick __user *ukick)
{
	struct tlob_arena *arena;
	struct tlob_kick kick;
	long ret;

	if (copy_from_user(&kick, ukick, sizeof(kick)))
		return -EFAULT;
	if (kick.op != TLOB_KICK_REGISTER) {
		ret = tlob_arena_kick(f, &kick);
		return ret == -ESRCH && was_disabled(f) ? -ENODEV : ret;
	}
	arena = arena_of(f, kick.arena);
	if (!arena)
		return -EINVAL;
	WRITE_ONCE(f->started, true);
	return tlob_arena_register(arena, kick.slot, f->user);
}

static long device_notify(struct tlob_file *f, const s32 __user *ufd)
{
	struct rvc_ring *ring;
	unsigned int i;
	long ret;
	s32 fd;

	if (copy_from_user(&fd, ufd, sizeof(fd)))
		return -EFAULT;
	if (fd < 0)
		return -EINVAL;
	ring = ring_of_fd(fd);
	if (IS_ERR(ring))
		return PTR_ERR(ring);
	ret = rvc_ring_store(ring);
	mutex_lock(&f->mutex);
	for (i = 0; i < TLOB_MAX_FILE_ARENAS && ret == 0; i++)
		if (f->arenas[i])
			ret = -EBUSY;
	if (ret == 0)
		swap(f->notify, ring);
	mutex_unlock(&f->mutex);
	rvc_ring_put(ring);
	return ret;
}

static long device_hold(struct tlob_file *f)
{
	long ret = 0;

	mutex_lock(&f->mutex);
	if (!f->holds)
		ret = rvc_monitor_hold(&tlob_monitor);
	f->holds |= ret == 0;
	mutex_unlock(&f->mutex);
	return ret;
}

/* What acts on others. */
static long device_privileged(struct tlob_file *f, unsigned int cmd, void __user *arg)
{
	if (!perfmon_capable())
		return -EPERM;
	switch (cmd) {
	case TLOB_IOCTL_BIND:
		return tlob_probes_bind(&f->probes, f->ring, arg);
	case TLOB_IOCTL_UNBIND:
		return tlob_probes_unbind(&f->probes, arg);
	case TLOB_IOCTL_TALLY:
		return tlob_probes_tally(&f->probes, arg);
	case TLOB_IOCTL_FILTER:
		return tlob_probes_filter(&f->probes, arg);
	default:
		return device_hold(f);
	}
}

static long device_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct tlob_file *f = file->private_data;

	switch (cmd) {
	case TLOB_IOCTL_TRACE_START:
		return device_start(f, (const struct tlob_start_args __user *)arg);
	case TLOB_IOCTL_TRACE_STOP:
		return tlob_window_stop(f);
	case TLOB_IOCTL_NOTIFY:
		return device_notify(f, (const s32 __user *)arg);
	case TLOB_IOCTL_KICK:
		return device_kick(f, (const struct tlob_kick __user *)arg);
	case TLOB_IOCTL_NUDGE:
		rvc_ring_nudge(f->ring);
		return 0;
	case TLOB_IOCTL_BIND:
	case TLOB_IOCTL_UNBIND:
	case TLOB_IOCTL_TALLY:
	case TLOB_IOCTL_FILTER:
	case TLOB_IOCTL_HOLD:
		return device_privileged(f, cmd, (void __user *)arg);
	default:
		return -ENOTTY;
	}
}

static ssize_t device_read(struct file *file, char __user *ubuf, size_t count, loff_t *pos)
{
	struct tlob_file *f = file->private_data;

	return rvc_ring_read(f->ring, ubuf, count, file->f_flags & O_NONBLOCK);
}

static __poll_t device_poll(struct file *file, poll_table *wait)
{
	struct tlob_file *f = file->private_data;

	return rvc_ring_poll(f->ring, file, wait);
}

static int arena_mmap(struct tlob_file *f, unsigned long number, struct vm_area_struct *vma)
{
	struct tlob_arena *arena;

	if (number >= TLOB_MAX_FILE_ARENAS)
		return -EINVAL;
	mutex_lock(&f->mutex);
	arena = f->arenas[number];
	if (!arena) {
		arena = tlob_arena_new(f, f->notify ?: f->ring, f->user);
		smp_store_release(&f->arenas[number], arena);
	}
	mutex_unlock(&f->mutex);
	return arena ? tlob_arena_mmap(arena, vma) : -ENOMEM;
}

static int device_mmap(struct file *file, struct vm_area_struct *vma)
{
	unsigned long first = TLOB_ARENA_MMAP_OFFSET >> PAGE_SHIFT;
	unsigned long stride = TLOB_ARENA_STRIDE >> PAGE_SHIFT;
	struct tlob_file *f = file->private_data;

	if (vma->vm_pgoff < first)
		return rvc_ring_mmap(f->ring, vma);
	if ((vma->vm_pgoff - first) % stride)
		return -EINVAL;
	return arena_mmap(f, (vma->vm_pgoff - first) / stride, vma);
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
