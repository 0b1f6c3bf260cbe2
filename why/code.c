// SPDX-License-Identifier: GPL-2.0-or-later
/* See code.h. */
#include "code.h"

#include <gelf.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <elfutils/libdwelf.h>

#include "file.h"

static void close_file(struct why_file *file)
{
	if (file->cfi)
		dwarf_cfi_end(file->cfi);
	if (file->elf)
		elf_end(file->elf);
	if (file->fd >= 0)
		close(file->fd);
	free(file);
}

void why_codes_deinit(struct why_codes *codes)
{
	for (size_t i = 0; i < WHY_CODES; i++)
		if (codes->files[i])
			close_file(codes->files[i]);
	memset(codes, 0, sizeof(*codes));
}

/* This process has the same one as every other of 64 bits. */
static void open_vdso(struct why_file *file)
{
	char *start = (char *)getauxval(AT_SYSINFO_EHDR);
	const GElf_Ehdr *header = (const GElf_Ehdr *)start;

	if (start && header->e_ident[EI_CLASS] == ELFCLASS64)
		file->elf = elf_memory(start, header->e_shoff + (size_t)header->e_shnum *
									header->e_shentsize);
}

/* Does the signals' way back begin at @address, or one byte behind? The vdso's own terms begin with its first byte. */
static bool leaves_signal(const struct why_file *file, uint64_t address)
{
#ifdef __aarch64__ /* which has no frame information for it, as there are unwinders that it would mislead */
	static const uint32_t code[] = {0xd2801168 /* mov x8, #__NR_rt_sigreturn */,
					0xd4000001 /* svc #0 */};
	const char *start = (const char *)getauxval(AT_SYSINFO_EHDR);
	uint64_t at = (address + 3) & ~3ULL;
	GElf_Phdr memory, *p = gelf_getphdr(file->elf, 0, &memory);

	return !strcmp(file->object->path, "[vdso]") && p && at + sizeof(code) <= p->p_filesz &&
	       !memcmp(start + at, code, sizeof(code));
#else
	(void)file;
	(void)address;
	return false;
#endif
}

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

/* What a process has mapped may be anything, and anybody may cut it short: only files are opened, and read, never mapped. */
static bool open_path(struct why_file *file, const char *path)
{
	file->fd = why_file_open(path);
	if (file->fd < 0)
		return false;
	file->elf = elf_begin(file->fd, ELF_C_READ, NULL);
	if (file->elf &&
	    (why_file_is_trusted(file->fd, file->object->root) ||
	     why_file_is_sound(file->fd, file->elf)) &&
	    is_it(file->elf, file->object))
		return true;
	if (file->elf)
		elf_end(file->elf);
	file->elf = NULL;
	close(file->fd);
	file->fd = -1;
	return false;
}

static void open_file(struct why_file *file, const char *link)
{
	const struct why_object *object = file->object;
	char path[2 * PATH_MAX];

	elf_version(EV_CURRENT);
	if (!strcmp(object->path, "[vdso]"))
		open_vdso(file);
	else if (object->path[0] != '/' || snprintf(path, sizeof(path), "%s%s", object->root,
						    object->path) >= (int)sizeof(path))
		return;
	else if (!open_path(file, path) && link)
		open_path(file, link);
	if (file->elf)
		file->cfi = dwarf_getcfi_elf(file->elf);
}

static struct why_file **place_for(struct why_codes *codes)
{
	struct why_file **oldest = &codes->files[0];

	for (size_t i = 0; i < WHY_CODES; i++) {
		if (!codes->files[i])
			return &codes->files[i];
		if (codes->files[i]->used < (*oldest)->used)
			oldest = &codes->files[i];
	}
	close_file(*oldest);
	*oldest = NULL;
	return oldest;
}

static struct why_file *find(const struct why_codes *codes, const struct why_object *object)
{
	for (size_t i = 0; i < WHY_CODES; i++)
		if (codes->files[i] && codes->files[i]->object == object)
			return codes->files[i];
	return NULL;
}

bool why_code_is_known(const struct why_codes *codes, const struct why_object *object)
{
	return find(codes, object) != NULL;
}

static struct why_file *add(struct why_codes *codes, const struct why_object *object,
			    const char *link)
{
	struct why_file **place = place_for(codes);

	*place = calloc(1, sizeof(**place));
	if (!*place)
		return NULL;
	(*place)->object = object;
	(*place)->fd = -1;
	open_file(*place, link);
	return *place;
}

/* Offset in the file to address in the file's own terms. False: no code there. */
static bool address_of(Elf *elf, uint64_t offset, uint64_t *address)
{
	size_t n;

	if (elf_getphdrnum(elf, &n))
		return false;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr memory, *p = gelf_getphdr(elf, (int)i, &memory);

		if (!p || p->p_type != PT_LOAD || offset < p->p_offset ||
		    offset - p->p_offset >= p->p_filesz)
			continue;
		*address = offset - p->p_offset + p->p_vaddr;
		return true;
	}
	return false;
}

bool why_code_of(struct why_codes *codes, const struct why_object *object, const char *link,
		 uint64_t offset, uint64_t address, struct why_code *out)
{
	struct why_file *file = find(codes, object);
	uint64_t own;

	if (!file)
		file = add(codes, object, link);
	if (!file)
		return false;
	file->used = ++codes->clock;
	if (!file->elf || !address_of(file->elf, offset, &own))
		return false;
	out->cfi = file->cfi;
	out->bias = address - own;
	out->from_signal = leaves_signal(file, own);
	return file->cfi || out->from_signal;
}
