// SPDX-License-Identifier: GPL-2.0-or-later
/* See code.h. */
#include "code.h"

#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "image.h"

static void close_file(struct why_codes *codes, struct why_file *file)
{
	codes->bytes -= file->bytes;
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
			close_file(codes, codes->files[i]);
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

/* A place for one of @bytes: the one not used for longest leaves, and others as long as there is no room. */
static struct why_file **place_for(struct why_codes *codes, size_t bytes)
{
	for (;;) {
		struct why_file **oldest = NULL, **vacant = NULL;

		for (size_t i = 0; i < WHY_CODES; i++) {
			struct why_file **at = &codes->files[i];

			if (!*at)
				vacant = at;
			else if (!oldest || (*at)->used < (*oldest)->used)
				oldest = at;
		}
		if (!oldest || (vacant && codes->bytes + bytes <= WHY_CODES_BYTES))
			return vacant;
		close_file(codes, *oldest);
		*oldest = NULL;
	}
}

static struct why_file *find(const struct why_codes *codes, const struct why_object *object)
{
	for (size_t i = 0; i < WHY_CODES; i++)
		if (codes->files[i] && codes->files[i]->object == object)
			return codes->files[i];
	return NULL;
}

static bool is_vdso(const struct why_object *object)
{
	return !strcmp(object->path, "[vdso]");
}

bool why_code_is_known(const struct why_codes *codes, const struct why_object *object)
{
	return is_vdso(object) || find(codes, object);
}

void why_code_add(struct why_codes *codes, const struct why_object *object, int fd)
{
	size_t bytes = fd >= 0 ? why_image_bytes(fd) : 0;
	struct why_file *file = find(codes, object) ? NULL : calloc(1, sizeof(*file));

	if (!file) {
		if (fd >= 0)
			close(fd);
		return;
	}
	elf_version(EV_CURRENT);
	*file = (struct why_file){.object = object, .fd = fd, .bytes = bytes};
	file->used = ++codes->clock;
	*place_for(codes, bytes) = file;
	codes->bytes += bytes;
	if (is_vdso(object))
		open_vdso(file);
	else if (bytes) /* nobody can cut it short */
		file->elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (file->elf)
		file->cfi = dwarf_getcfi_elf(file->elf);
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

bool why_code_of(struct why_codes *codes, const struct why_object *object, uint64_t offset,
		 uint64_t address, struct why_code *out)
{
	struct why_file *file = find(codes, object);
	uint64_t own;

	if (!file && is_vdso(object)) {
		why_code_add(codes, object, -1);
		file = find(codes, object);
	}
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
