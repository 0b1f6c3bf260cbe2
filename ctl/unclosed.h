/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Overruns of one program whose closing record has not come yet. A program that measures itself cannot send it any more
 * once it has been killed, has called _exit() or become another: then it is made here.
 */
#ifndef TLOBCTL_UNCLOSED_H
#define TLOBCTL_UNCLOSED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tlob/abi.h>

#define TLOBCTL_UNCLOSED_MAX 1024 /* a program that lies does not get more memory than that */

struct tlobctl_unclosed {
	struct tlob_record *records; /* of the overruns */
	size_t n, room;
};

/* Takes note of an overrun, or of a closing record. When memory is short, nothing. */
void tlobctl_unclosed_note(struct tlobctl_unclosed *unclosed, const struct tlob_record *record);
/* Takes one out as the record of a window that was abandoned at @now_ns; false if there is none. */
bool tlobctl_unclosed_take(struct tlobctl_unclosed *unclosed, uint64_t now_ns,
			   struct tlob_record *close);
void tlobctl_unclosed_deinit(struct tlobctl_unclosed *unclosed);

#endif
