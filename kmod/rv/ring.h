/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A ring of records between the kernel and one consumer, who maps it or reads it. What the page shared with the
 * consumer says is published to it and never believed, but for the tail.
 */
#ifndef RV_RING_H
#define RV_RING_H

#include <linux/poll.h>
#include <linux/types.h>

struct rvc_ring;
struct rvc_user;
struct pid_namespace;
struct vm_area_struct;

/* Empty and without storage, which comes with rvc_ring_store() or rvc_ring_mmap(). @user: who pays; takes a reference. */
struct rvc_ring *rvc_ring_new(struct rvc_user *user, u32 record_bytes);
void rvc_ring_hold(struct rvc_ring *ring);
/* Any context: the last one is freed later. NULL is fine. */
void rvc_ring_put(struct rvc_ring *ring);

/* Make sure there is storage, of the default capacity if there was none. */
int rvc_ring_store(struct rvc_ring *ring);
/* Any context. A full ring drops the record and counts it. */
void rvc_ring_push(struct rvc_ring *ring, const void *record);
/* Its poll() says EPOLLPRI, once. Process context. */
void rvc_ring_nudge(struct rvc_ring *ring);
/* Pids in the records are those of whoever opened the ring. */
struct pid_namespace *rvc_ring_pid_ns(const struct rvc_ring *ring);

ssize_t rvc_ring_read(struct rvc_ring *ring, char __user *ubuf, size_t count, bool nonblock);
__poll_t rvc_ring_poll(struct rvc_ring *ring, struct file *file, poll_table *wait);
int rvc_ring_mmap(struct rvc_ring *ring, struct vm_area_struct *vma);

int rvc_ring_init(void);
/* All rings were put; waits until they are freed. */
void rvc_ring_exit(void);

#endif
