// SPDX-License-Identifier: GPL-2.0-or-later
/* See image.h. */
#include "image.h"

#include <fcntl.h>
#include <gelf.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>

#include "file.h"

#define MAX_BYTES ((size_t)64 << 20) /* of the information; of files that others can change */
#define MAX_TRUSTED_BYTES ((size_t)256 << 20)
#define MAX_UNSORTED_BYTES ((size_t)4 << 20) /* without a table it is searched from the start */
#define MAX_HEADERS_BYTES ((size_t)4 << 20)
#define MAX_ENTRY_BYTES 65536
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

struct image {
	Elf *elf;
	int from, to;
	bool trusted;
};

static bool is_it(Elf *elf, const struct why_object *object)
{
	const void *id;
	ssize_t n;

	if (elf_kind(elf) != ELF_K_ELF)
		return false;
	if (!object->build_id_bytes)
		return true;
	n = dwelf_elf_gnu_build_id(elf, &id);
	return n == object->build_id_bytes && !memcmp(id, object->build_id, (size_t)n);
}

static bool open_path(struct image *image, const struct why_object *object, const char *path)
{
	image->from = why_file_open(path);
	if (image->from < 0)
		return false;
	image->trusted = why_file_is_trusted(image->from, object->root);
	image->elf = elf_begin(image->from, ELF_C_READ, NULL);
	if (image->elf && (image->trusted || why_file_is_sound(image->from, image->elf)) &&
	    is_it(image->elf, object))
		return true;
	elf_end(image->elf);
	close(image->from);
	return false;
}

/* ---- copying */

static bool copy(const struct image *image, uint64_t offset, uint64_t bytes)
{
	char buf[65536];

	while (bytes) {
		size_t want = bytes < sizeof(buf) ? bytes : sizeof(buf);
		ssize_t n = pread(image->from, buf, want, (off_t)offset);

		if (n <= 0 || pwrite(image->to, buf, (size_t)n, (off_t)offset) != n)
			return false;
		offset += (uint64_t)n;
		bytes -= (uint64_t)n;
	}
	return true;
}

/* Entries that take long, each time that somebody is found in their function. */
static bool is_modest(const struct image *image, Elf_Scn *section)
{
	Elf_Data *data = elf_rawdata(section, NULL);
	const unsigned char *ident = (const unsigned char *)elf_getident(image->elf, NULL);
	Dwarf_Off at = 0, next;
	Dwarf_CFI_Entry entry;
	int r = data && ident ? 0 : -1;

	if (image->trusted)
		return true;
	while (!r) {
		r = dwarf_next_cfi(ident, data, true, at, &next, &entry);
		if (!r && (next <= at || next - at > MAX_ENTRY_BYTES))
			return false;
		at = next;
	}
	return r > 0;
}

static bool has_table(Elf *elf)
{
	size_t n;

	if (elf_getphdrnum(elf, &n))
		return false;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr p;

		if (gelf_getphdr(elf, (int)i, &p) && p.p_type == PT_GNU_EH_FRAME)
			return true;
	}
	return false;
}

/* The frames, the table that leads to them, and the names of sections, by which they are found without that. */
static bool copy_sections(const struct image *image)
{
	size_t names, limit = image->trusted ? MAX_TRUSTED_BYTES : MAX_BYTES;
	Elf_Scn *section = NULL;
	bool found = false;
	GElf_Shdr s;

	if (elf_getshdrstrndx(image->elf, &names))
		return false;
	if (!image->trusted && !has_table(image->elf))
		limit = MAX_UNSORTED_BYTES;
	while ((section = elf_nextscn(image->elf, section))) {
		const char *name;

		if (!gelf_getshdr(section, &s) || s.sh_type == SHT_NOBITS)
			continue;
		name = elf_strptr(image->elf, names, s.sh_name);
		if (elf_ndxscn(section) == names && s.sh_size <= MAX_HEADERS_BYTES &&
		    copy(image, s.sh_offset, s.sh_size))
			continue;
		if (!name || strncmp(name, ".eh_frame", 9))
			continue;
		if (s.sh_size > limit || (!name[9] && !is_modest(image, section)) ||
		    !copy(image, s.sh_offset, s.sh_size))
			return false;
		found |= !name[9];
	}
	return found;
}

static bool copy_headers(const struct image *image)
{
	size_t nsegments, nsections;
	GElf_Ehdr e;
	bool wide;

	if (!gelf_getehdr(image->elf, &e) || elf_getphdrnum(image->elf, &nsegments) ||
	    elf_getshdrnum(image->elf, &nsections))
		return false;
	wide = e.e_ident[EI_CLASS] == ELFCLASS64;
	nsegments *= wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	nsections *= wide ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);
	return nsegments <= MAX_HEADERS_BYTES && nsections <= MAX_HEADERS_BYTES &&
	       copy(image, 0, wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr)) &&
	       copy(image, e.e_phoff, nsegments) && copy(image, e.e_shoff, nsections);
}

static int make(struct image *image)
{
	struct stat st;

	image->to = memfd_create("tlob-frames", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (image->to < 0)
		return -1;
	if (!fstat(image->from, &st) && !ftruncate(image->to, st.st_size) && copy_headers(image) &&
	    copy_sections(image) && !fcntl(image->to, F_ADD_SEALS, SEALS))
		return image->to;
	close(image->to);
	return -1;
}

int why_image_make(const struct why_object *object, const char *link)
{
	struct image image = {.from = -1};
	char path[2 * PATH_MAX];
	int fd;

	elf_version(EV_CURRENT);
	if (object->path[0] != '/' ||
	    snprintf(path, sizeof(path), "%s%s", object->root, object->path) >= (int)sizeof(path))
		return -1;
	if (!open_path(&image, object, path) && !(link && open_path(&image, object, link)))
		return -1;
	fd = make(&image);
	elf_end(image.elf);
	close(image.from);
	return fd;
}

size_t why_image_bytes(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	return seals >= 0 && (seals & SEALS) == SEALS && !fstat(fd, &st) ?
		       (size_t)st.st_blocks * 512 :
		       0;
}
