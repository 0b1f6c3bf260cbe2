/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From what a person wrote (a binary and one or two points in it) to what the kernel probes: an openable
 * path and file offsets.
 */
#ifndef TLOBCTL_RESOLVE_H
#define TLOBCTL_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <tlob/ctl.h>

struct tlob_region_spec; /* core/parse.h */

#define TLOBCTL_MAX_SITES 256 /* regions one glob may become */

/* One region to attach: two addresses, or the entry of a function and its return. */
struct tlobctl_site {
	char *name; /* of the region: as given, NAME/function for a glob, else FUNCTION or START..STOP */
	char *path; /* what to open; may lie in /proc/PID/root or /proc/PID/map_files */
	char *start; /* symbol, symbol+0x10 or 0xOFFSET */
	char *stop; /* NULL: function return */
	char *stop_path; /* of @stop, where that is another binary; NULL: the same */
	unsigned int start_argument, stop_argument; /* 1 ..: the tag; 0: none */
	uint64_t start_offset; /* in the file */
	uint64_t stop_offset; /* 0 if to_return */
	bool to_return;
	/* to_return, in a binary where exceptions may pass: where the function is left, instead of a return probe */
	uint64_t *exits;
	size_t nexits;
	char *onward; /* another function that it may end in a jump to; NULL: it returns */
	enum tlobctl_probe_kind start_kind;
	enum tlobctl_probe_kind stop_kind; /* the dearest of several exits; NONE for a return probe */
};

/*
 * Find the sites of @spec, which must name a binary. With @pid > 0 the binary is looked for as that process
 * sees it: in its mappings, then in its root directory. A glob leaves out what no return probe can be put
 * on: indirect functions, cold parts, setjmp() and its like, entries the kernel cannot probe, and where exceptions
 * may pass, functions whose exits are not known.
 *
 * Returns 0, or a negative errno with tlobctl_error() set and the outputs untouched. The caller frees
 * *@sites with tlobctl_sites_free().
 */
int tlobctl_resolve(const struct tlob_region_spec *spec, pid_t pid, struct tlobctl_site **sites,
		    size_t *count);
void tlobctl_sites_free(struct tlobctl_site *sites, size_t count);

#endif
