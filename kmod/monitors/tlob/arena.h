/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mapped thread slots. The program opens and ends windows in pages it shares with the kernel; the kernel publishes the
 * threads' clocks there, notices expiry, and is called (kicked) when it has to know something.
 *
 * All that a program can write is read once, into the kernel's own memory, and used as a number only.
 */
#ifndef MONITORS_TLOB_ARENA_H
#define MONITORS_TLOB_ARENA_H

#include "tlob.h"

struct tlob_arena;
struct vm_area_struct;

/* @owner: as of windows; @ring: gets the records; @user pays. Takes references to the last two. */
struct tlob_arena *tlob_arena_new(const void *owner, struct rvc_ring *ring, struct rvc_user *user);
/* Windows end, seats are taken away; later kicks are refused. For the owner of the reference; sleeps. */
void tlob_arena_free(struct tlob_arena *arena);
void tlob_arena_put(struct tlob_arena *arena);
bool tlob_arena_is_closed(const struct tlob_arena *arena);
int tlob_arena_mmap(struct tlob_arena *arena, struct vm_area_struct *vma);
/* The calling thread takes a slot. 0 or negative errno. Sleeps. */
int tlob_arena_register(struct tlob_arena *arena, u32 slot, struct rvc_user *user);
/* Any other kick, of a thread that has a slot in an arena of @owner. 0 or negative errno. */
int tlob_arena_kick(const void *owner, const struct tlob_kick *kick);
/* @t's task gives its slot back, if it has one: open windows end as abandoned. Any context but under the task's lock. */
void tlob_arena_leave(struct tlob_task *t);
/* Of all arenas: windows end as cancelled. Sleeps. */
void tlob_arenas_disable(void);

#endif
