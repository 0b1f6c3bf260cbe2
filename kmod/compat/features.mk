# SPDX-License-Identifier: GPL-2.0-only
# What the kernel being built against has, read off its headers; see compat.h.
tlob-has = $(if $(shell grep -lE '$(2)' $(srctree)/include/$(1) 2>/dev/null),-DTLOB_HAVE_$(3))

ccflags-y += $(call tlob-has,linux/hrtimer.h,void hrtimer_setup\>,HRTIMER_SETUP)
ccflags-y += $(call tlob-has,linux/uprobes.h,struct uprobe \*uprobe_register\>,UPROBE_HANDLE)
ccflags-y += $(call tlob-has,linux/uprobes.h,handler\>.*__u64,UPROBE_DATA)
ccflags-y += $(call tlob-has,linux/mm.h,void vm_flags_set\>,VM_FLAGS_SET)
ccflags-y += $(call tlob-has,trace/events/sched.h,bool group_dead,EXIT_GROUP_DEAD)
ccflags-y += $(call tlob-has,linux/fs.h,ssize_t copy_splice_read\>,COPY_SPLICE_READ)
