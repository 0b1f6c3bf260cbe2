/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the kernels from 6.1 on differ. The rest of the module is written against the newest; each entry names the
 * change that it mends. What a kernel has is found out by features.mk.
 */
#ifndef TLOB_COMPAT_H
#define TLOB_COMPAT_H

#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/seq_file.h>
#include <linux/uprobes.h>

/* after 6.1: attributes of debugfs that are written, too */
#ifndef DEFINE_SHOW_STORE_ATTRIBUTE
#define DEFINE_SHOW_STORE_ATTRIBUTE(name) \
	static int name##_open(struct inode *inode, struct file *file) \
	{ \
		return single_open(file, name##_show, inode->i_private); \
	} \
	static const struct file_operations name##_fops = { \
		.owner = THIS_MODULE, \
		.open = name##_open, \
		.read = seq_read, \
		.write = name##_write, \
		.llseek = seq_lseek, \
		.release = single_release, \
	}
#endif

/* 6.13: hrtimer_setup() replaces hrtimer_init() and setting .function by hand */
#ifndef TLOB_HAVE_HRTIMER_SETUP
static inline void hrtimer_setup(struct hrtimer *timer,
				 enum hrtimer_restart (*function)(struct hrtimer *),
				 clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = function;
}
#endif

/* 6.12: a registered uprobe is a handle, and unregistering comes in two steps */
#ifndef TLOB_HAVE_UPROBE_HANDLE
struct uprobe;

static inline int compat_uprobe_register(struct inode *inode, loff_t offset,
					 struct uprobe_consumer *uc, struct uprobe **handle)
{
	*handle = NULL;
	return uprobe_register(inode, offset, uc);
}

static inline void compat_uprobe_unregister_nosync(struct uprobe *handle, struct inode *inode,
						   loff_t offset, struct uprobe_consumer *uc)
{
	uprobe_unregister(inode, offset, uc);
}

static inline void compat_uprobe_unregister_sync(void)
{
}
#else
static inline int compat_uprobe_register(struct inode *inode, loff_t offset,
					 struct uprobe_consumer *uc, struct uprobe **handle)
{
	struct uprobe *uprobe = uprobe_register(inode, offset, 0, uc);

	if (IS_ERR(uprobe))
		return PTR_ERR(uprobe);
	*handle = uprobe;
	return 0;
}

static inline void compat_uprobe_unregister_nosync(struct uprobe *handle, struct inode *inode,
						   loff_t offset, struct uprobe_consumer *uc)
{
	uprobe_unregister_nosync(handle, uc);
}

static inline void compat_uprobe_unregister_sync(void)
{
	uprobe_unregister_sync();
}
#endif

/* 6.13: handlers get a word that lives from entry to return */
#ifdef TLOB_HAVE_UPROBE_DATA
#define COMPAT_UPROBE_DATA , __u64 *data
#else
#define COMPAT_UPROBE_DATA
#endif

/* 6.16: the exit tracepoint says whether the whole group is gone */
#ifdef TLOB_HAVE_EXIT_GROUP_DEAD
#define COMPAT_EXIT_GROUP_DEAD , bool group_dead
#else
#define COMPAT_EXIT_GROUP_DEAD
#endif

/* 6.3: vm_flags may only be changed through helpers */
#ifndef TLOB_HAVE_VM_FLAGS_SET
static inline void vm_flags_set(struct vm_area_struct *vma, unsigned long flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, unsigned long flags)
{
	vma->vm_flags &= ~flags;
}
#endif

/* 6.5: splicing from what has no page cache is a call of its own */
#ifdef TLOB_HAVE_COPY_SPLICE_READ
#define compat_splice_read copy_splice_read
#else
#define compat_splice_read generic_file_splice_read
#endif

#endif
