/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process that reads the files that programs have mapped, for the names in them. What is in such a file can take long, use up
 * memory, or bring down whoever reads it, and the agent has to tell of overruns meanwhile. It is another process, not a
 * thread, so that there is a limit to what it takes and so that it can be ended; and it is started before there is anything
 * that it could inherit. A second process starts it again when it has ended.
 *
 * Questions and answers are messages; neither side waits for the other for ever. What it answers is believed as little as the
 * files are.
 */
#ifndef TLOB_WHY_READER_H
#define TLOB_WHY_READER_H

#include <sys/types.h>

#include "symbolize.h"

#define WHY_READER_PLACES 64 /* in one question */
#define WHY_READER_BYTES (64u << 10) /* of one message, at most */

struct why_reader {
	int fd; /* readable: there is an answer; -1: not there */
	pid_t pid;
	uint64_t serial; /* of the last question */
	union { /* of the last answer */
		char bytes[WHY_READER_BYTES];
		uint64_t align;
	} buffer;
};

struct why_reader_place {
	uint64_t offset;
	uint32_t call;
	uint32_t reserved;
};

enum why_reader_kind {
	WHY_READER_NOTHING, /* no answer yet */
	WHY_READER_PLACE, /* one of the places */
	WHY_READER_CODE,
	WHY_READER_DONE, /* that was the last one */
	WHY_READER_DIED, /* it was ended, or ended itself; another one is there for the next question */
	WHY_READER_GONE, /* for good */
};

struct why_reader_answer {
	uint32_t index; /* PLACE: of the question's */
	size_t nframes; /* PLACE */
	int fd; /* CODE: what why_image_make() made, the caller's now; -1: nothing */
	uint64_t cpu_ns; /* DONE: that it took */
};

/* One that is given so many milliseconds of CPU time for a question, and four times that in all; @nice: its priority. 0 or a negative errno. */
int why_reader_start(struct why_reader *r, unsigned int limit_ms, int nice);
/* NULL is fine, and so is one that has not been started but is all zeroes with fd -1. */
void why_reader_stop(struct why_reader *r);

/* Not before the last question is answered to its end. 0 or a negative errno. */
int why_reader_ask(struct why_reader *r, const struct why_object *object,
		   const struct why_reader_place *places, size_t n);
/* The same for its call frame information, found at @address of @tgid, whose file it must be. */
int why_reader_ask_code(struct why_reader *r, const struct why_object *object, uint32_t tgid,
			uint64_t address);
/*
 * Does not wait. @frames has room for WHY_PLACE_FRAMES, and gets functions, files and lines of a place; strings are valid until
 * the next call.
 */
enum why_reader_kind why_reader_next(struct why_reader *r, struct why_reader_answer *answer,
				     struct tlobctl_frame *frames);

#endif
