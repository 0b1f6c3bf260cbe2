/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files that mappings are of, as objects; and the mappings of a process that is older than we are. See objects.h. */
#ifndef TLOBCTL_OBJECTS_MAPS_H
#define TLOBCTL_OBJECTS_MAPS_H

#include "../why/symbolize.h"
#include "../why/sync.h"
#include "root.h"

struct tlobctl_files {
	struct why_symbolizer *symbolizer;
	/* root directory of the process asked for last: mappings come in bunches */
	uint32_t tgid;
	uint64_t asked_ns;
	char root[TLOBCTL_ROOT_BYTES];
};

struct tlobctl_file {
	uint32_t tgid; /* of the process that mapped it; also as this process sees it */
	const char *path; /* as the kernel prints it */
	const char *link; /* leads to the very file; NULL: unknown */
	const unsigned char *build_id; /* NULL: unknown */
	size_t build_id_bytes;
	uint64_t offset; /* in: as told; out: as objects count */
	bool hasty; /* it is not to be opened: there is no time */
};

/* Returns the object of the kernel; NULL without memory. */
const struct why_object *tlobctl_files_init(struct tlobctl_files *files,
					    struct why_symbolizer *symbolizer);
/* The address that its offsets are counted from; 0: the kernel does not tell. */
uint64_t tlobctl_files_kernel_start(struct tlobctl_files *files);
void tlobctl_files_deinit(struct tlobctl_files *files);
/* NULL: anonymous memory. */
const struct why_object *tlobctl_files_object(struct tlobctl_files *files,
					      struct tlobctl_file *file);
/* Push what @tgid has mapped as FOUND. False: it cannot be looked at. */
bool tlobctl_files_found(struct tlobctl_files *files, struct why_sync *sync, uint32_t tgid);

#endif
