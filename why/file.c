// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See file.h. libelf and libdw read every part that they are asked for as a whole, however large the file says it is; in a
 * sound file parts do not overlap, so that all of them together are no larger than the file.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"

#define MAX_BYTES ((uint64_t)1 << 30)
#define SLACK_BYTES ((uint64_t)1 << 20) /* what small files may have too much */
#define MAX_RATIO \
	16 /* of compressed sections and file systems: of what is there to what is on the disk */

int why_file_open(const char *path)
{
	int found = open(path, O_PATH | O_CLOEXEC), fd = -1;
	char link[40];
	struct stat st;

	if (found < 0)
		return -1;
	if (!fstat(found, &st) && S_ISREG(st.st_mode)) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", found);
		fd = open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	}
	close(found);
	return fd;
}

bool why_file_is_trusted(int fd, const char *root)
{
	struct stat st;

	return !*root && !fstat(fd, &st) && (st.st_uid == 0 || st.st_uid == geteuid()) &&
	       !(st.st_mode & (S_IWGRP | S_IWOTH));
}

bool why_file_is_modest(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && (uint64_t)st.st_size <= MAX_BYTES &&
	       (uint64_t)st.st_size <= (uint64_t)st.st_blocks * 512 * MAX_RATIO + SLACK_BYTES;
}

/* What is left of @left when @bytes are taken from it; false: not so much. */
static bool spend(uint64_t *left, uint64_t bytes)
{
	if (bytes > *left)
		return false;
	*left -= bytes;
	return true;
}

static bool segments_fit(Elf *elf, uint64_t left)
{
	size_t n;

	if (elf_getphdrnum(elf, &n))
		return false;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr p;

		/* what is loaded holds the others, and is not read as a whole */
		if (gelf_getphdr(elf, (int)i, &p) && p.p_type != PT_LOAD && p.p_type != PT_PHDR &&
		    p.p_type != PT_GNU_RELRO && p.p_type != PT_TLS && !spend(&left, p.p_filesz))
			return false;
	}
	return true;
}

/* libdw would unpack a symbol table of its own from there, without limit. */
static bool is_packed_symbols(Elf *elf, size_t names, const GElf_Shdr *s)
{
	const char *name = elf_strptr(elf, names, s->sh_name);

	return name && !strcmp(name, ".gnu_debugdata");
}

static bool sections_fit(Elf *elf, uint64_t left)
{
	Elf_Scn *section = NULL;
	GElf_Shdr s;

	while ((section = elf_nextscn(elf, section)))
		if (gelf_getshdr(section, &s) && s.sh_type != SHT_NOBITS && s.sh_size &&
		    !spend(&left, s.sh_size))
			return false;
	return true;
}

/* Only once it is known that the sections themselves are no larger than the file: libelf reads them for this. */
static bool unfolds_to_little(Elf *elf, uint64_t left)
{
	Elf_Scn *section = NULL;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return true; /* no names, no debug information */
	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr s;
		GElf_Chdr packed;

		if (!gelf_getshdr(section, &s))
			continue;
		if (is_packed_symbols(elf, names, &s))
			return false;
		if (s.sh_flags & SHF_COMPRESSED && gelf_getchdr(section, &packed) &&
		    !spend(&left, packed.ch_size))
			return false;
	}
	return true;
}

bool why_file_is_sound(int fd, Elf *elf)
{
	struct stat st;
	uint64_t bytes, unfolded;

	if (fstat(fd, &st) || !why_file_is_modest(fd))
		return false;
	bytes = (uint64_t)st.st_size + SLACK_BYTES;
	unfolded = bytes * MAX_RATIO < MAX_BYTES ? bytes * MAX_RATIO : MAX_BYTES;
	return segments_fit(elf, bytes) && sections_fit(elf, bytes) &&
	       unfolds_to_little(elf, unfolded);
}
