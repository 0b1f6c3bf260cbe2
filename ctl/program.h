/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of programs. Whatever a program says of itself is made printable first. */
#ifndef TLOBCTL_PROGRAM_H
#define TLOBCTL_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TLOBCTL_PROGRAM_BYTES 64
#define TLOBCTL_PROGRAM_CACHE 256 /* power of two */

struct tlobctl_program {
	pid_t tgid;
	uint64_t asked_ns;
	char name[TLOBCTL_PROGRAM_BYTES];
};

struct tlobctl_programs {
	bool foreign; /* ids in records are not those of our /proc */
	struct tlobctl_program cache[TLOBCTL_PROGRAM_CACHE];
};

void tlobctl_programs_init(struct tlobctl_programs *programs);
/* File name of what runs as @tgid, an id of the initial pid namespace; @comm if that cannot be seen. Valid until the next call. */
const char *tlobctl_program_name(struct tlobctl_programs *programs, pid_t tgid, const char *comm);
/* File name of what runs as @pid, an id as this process sees it. False if it cannot be seen. */
bool tlobctl_program_of(pid_t pid, char *buf, size_t size);
/* Copy text of foreign origin, at most @max bytes of it: control characters and broken UTF-8 become '?'. */
void tlobctl_printable(char *buf, size_t size, const char *text, size_t max);

#endif
