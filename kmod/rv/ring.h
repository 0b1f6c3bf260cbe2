/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A ring of records between the kernel and one consumer, who maps it or reads it. What the page shared with the
 * consumer says is published to it and never believed, but for the tail.
 */
#ifndef RV_RING_H
#define RV_RING_H

#include <linux/poll.h>
#include <linux/types.h>

struct rv_ring;
struct rv_user;
struct pid_namespace;
struct vm_area_struct;

/* Empty and without storage, which comes with rv_ring_store() or rv_ring_mmap(). @user: who pays; takes a reference. */
struct rv_ring *rv_ring_new(struct rv_user *user, u32 record_bytes);
void rv_ring_hold(struct rv_ring *ring);
/* Any context: the last one is freed later. NULL is fine. */
void rv_ring_put(struct rv_ring *ring);

/* Make sure there is storage, of the default capacity if there was none. */
int rv_ring_store(struct rv_ring *ring);
/* Any context. A full ring drops the record and counts it. */
void rv_ring_push(struct rv_ring *ring, const void *record);
/* Pids in the records are those of whoever opened the ring. */
struct pid_namespace *rv_ring_pid_ns(const struct rv_ring *ring);

ssize_t rv_ring_read(struct rv_ring *ring, char __user *ubuf, size_t count, bool nonblock);
__poll_t rv_ring_poll(struct rv_ring *ring, struct file *file, poll_table *wait);
int rv_ring_mmap(struct rv_ring *ring, struct vm_area_struct *vma);

int rv_ring_init(void);
/* All rings were put; waits until they are freed. */
void rv_ring_exit(void);

#endif
