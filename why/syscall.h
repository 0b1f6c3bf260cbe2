/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of the system calls in which threads sleep. */
#ifndef TLOB_WHY_SYSCALL_H
#define TLOB_WHY_SYSCALL_H

#include <stdbool.h>

/* "futex"; "" for one that is not known here. Numbers of this machine's own architecture. */
const char *why_syscall_name(unsigned int number);

/* One that hands data to the network. */
bool why_syscall_sends(unsigned int number);

#endif
