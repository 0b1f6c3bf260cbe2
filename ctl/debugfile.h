/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TLOBCTL_DEBUGFILE_H
#define TLOBCTL_DEBUGFILE_H

#include <elfutils/libdwfl.h>

#define TLOBCTL_DEBUG_DIR "/usr/lib/debug"

/*
 * find_debuginfo callback of libdwfl: by build-id, then by name and checksum in the file's folder, its
 * .debug and below the debug folders. Never over the network. The module's userdata is the file's root, a
 * string as of tlobctl_root_of().
 */
int tlobctl_debugfile_find(Dwfl_Module *module, void **userdata, const char *module_name,
			   Dwarf_Addr base, const char *file, const char *link, GElf_Word crc,
			   char **found);

#endif
