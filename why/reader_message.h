/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The messages between reader.c and reader_process.c. */
#ifndef TLOB_WHY_READER_MESSAGE_H
#define TLOB_WHY_READER_MESSAGE_H

#include <sys/socket.h>
#include <sys/uio.h>

#include "reader.h"

#define READER_PATH_BYTES 4096

/* Followed by the places, path and root, the latter two with their NUL. A held descriptor comes with it. */
struct reader_question {
	uint64_t serial;
	uint64_t address; /* of code; where it is in process tgid */
	uint32_t tgid;
	uint32_t nplaces; /* 0: the code is asked for */
	uint32_t path_bytes, root_bytes;
	uint8_t build_id_bytes;
	uint8_t build_id[WHY_BUILD_ID_BYTES];
	uint8_t reserved[3];
};

/* Followed by the frames, and then by their strings, with their NUL; CODE comes with a descriptor, if there is one. */
struct reader_answer {
	uint64_t serial; /* of the question; DIED: 0 */
	uint64_t cpu_ns;
	uint32_t kind; /* enum why_reader_kind */
	uint32_t index, nframes, reserved;
};

struct reader_frame {
	uint32_t line;
	uint16_t function_bytes, file_bytes;
	uint32_t inlined;
};

/* One message, with descriptor @held unless that is -1. 0 or a negative errno. */
int why_reader_send(int fd, const struct iovec *parts, size_t nparts, int held, int flags);
/* The one that came with a message; -1: none. */
int why_reader_descriptor(struct msghdr *m);

/* What is on the other side of @fd; never returns. */
_Noreturn void why_reader_process(int fd, unsigned int limit_ms, int nice);

#endif
