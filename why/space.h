/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which file was mapped where, in which process, and when. A process that calls exec, and one that gets the number of one
 * that has gone, is another address space with a serial number of its own, so that nothing is ever taken for what had its
 * place or its number before. What has ended is kept, with the time of its end, until it is released.
 *
 * Changes are told in order of time.
 */
#ifndef TLOB_WHY_SPACE_H
#define TLOB_WHY_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WHY_MAX_MAPPINGS 4096 /* of one address space */
#define WHY_LASTS UINT64_MAX /* until_ns of what has not ended */

struct why_object;

struct why_mapping {
	uint64_t start, length;
	uint64_t file_offset; /* at @start; without a file the address itself counts */
	const struct why_object *object; /* the caller's; NULL: no file */
	uint64_t from_ns, until_ns;
};

struct why_mappings {
	struct why_mapping *list;
	size_t count, room;
};

struct why_space {
	uint64_t serial; /* never used again */
	uint32_t tgid;
	uint32_t threads; /* 0: not known */
	bool complete; /* no mapping is missing */
	uint64_t from_ns, until_ns;
	struct why_mappings live; /* by address, without overlap */
	struct why_mappings past; /* in order of their ends */
	struct why_space *next; /* in its chain, latest first */
};

struct why_spaces {
	struct why_space **chains;
	size_t nchains; /* power of two */
	size_t count, nmappings; /* what has ended and is not released yet included */
	size_t nended; /* of both */
	uint64_t refused; /* mappings that there was no room for */
	uint64_t serial;
};

int why_spaces_init(struct why_spaces *spaces);
void why_spaces_deinit(struct why_spaces *spaces);

/* Calls return 0, or -ENOMEM, and then have changed nothing, or -ENOSPC: there are too many, nothing is known of these. */

/* A new address space, of a process that has none or whose last one ends with this. @threads 0: not known. */
int why_spaces_begin(struct why_spaces *spaces, uint32_t tgid, uint64_t time_ns, uint32_t threads,
		     struct why_space **out);
/* The same by exec: one thread, and every mapping will be told. */
int why_spaces_exec(struct why_spaces *spaces, uint32_t tgid, uint64_t time_ns);
/* @tgid's begins as a copy of @parent's. */
int why_spaces_fork(struct why_spaces *spaces, uint32_t parent, uint32_t tgid, uint64_t time_ns);
/* A thread of @tgid has exited; with the last one the address space ends. */
void why_spaces_exit(struct why_spaces *spaces, uint32_t tgid, uint64_t time_ns);
/* @mapping, of which the times are filled in, takes the place of whatever was there. */
int why_space_map(struct why_spaces *spaces, struct why_space *space, uint64_t time_ns,
		  const struct why_mapping *mapping);
int why_space_unmap(struct why_spaces *spaces, struct why_space *space, uint64_t time_ns,
		    uint64_t start, uint64_t length);

/*
 * @tgid is found to be there, with so many threads: it began when its number's last one ended, or before anything else. If it
 * is known already, only what is missing is filled in, here and by the next call: mappings where none is known.
 */
int why_spaces_found(struct why_spaces *spaces, uint32_t tgid, uint32_t threads);
int why_space_found_map(struct why_spaces *spaces, struct why_space *space,
			const struct why_mapping *mapping);
/* Changes have gone unheard: of no process it is known any more that no mapping is missing. */
void why_spaces_doubt(struct why_spaces *spaces);

/* The address space that @tgid has, as far as is known. */
struct why_space *why_spaces_current(const struct why_spaces *spaces, uint32_t tgid);
/* The address space that @tgid had at @time_ns. NULL: not known. */
struct why_space *why_spaces_find(const struct why_spaces *spaces, uint32_t tgid, uint64_t time_ns);
/* NULL: nothing was there. Valid until the next change. */
const struct why_mapping *why_space_find(const struct why_space *space, uint64_t time_ns,
					 uint64_t address);
/* Where in its object @address is. */
uint64_t why_mapping_offset(const struct why_mapping *mapping, uint64_t address);

/* Forget what ended before @before_ns. */
void why_spaces_release(struct why_spaces *spaces, uint64_t before_ns);

#endif
