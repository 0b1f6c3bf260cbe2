/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Descriptors that live long inside somebody else's program. The program may close all it does not
 * know, as daemons do, and get the same number again for a file of its own: so each is remembered
 * with what it was, and asked for that before it is used in earnest or closed. They stay away from
 * the low numbers, which programs hand out by themselves.
 */
#ifndef TLOB_LIB_DESCRIPTOR_H
#define TLOB_LIB_DESCRIPTOR_H

#include <linux/types.h>
#include <stdbool.h>
#include <sys/types.h>

struct tlob_descriptor {
	int fd; /* -1: none */
	__u32 program; /* BPF: its number, as these have no inode of their own */
	dev_t dev;
	ino_t ino;
};

#define TLOB_NO_DESCRIPTOR ((struct tlob_descriptor){.fd = -1})

/*
 * Is there a seccomp filter, so that a call of bpf() may end the process? There may be one from any
 * moment on.
 */
bool tlob_is_filtered(void);
/* Takes over @fd, which is closed, and moves it up; 0 or negative errno. */
int tlob_descriptor_adopt(int fd, struct tlob_descriptor *out);
/* False if there is none, or the number means something else now, or that cannot be told. */
bool tlob_descriptor_ours(const struct tlob_descriptor *d);
/* Closes it if it is still ours. */
void tlob_descriptor_drop(struct tlob_descriptor *d);

#endif
