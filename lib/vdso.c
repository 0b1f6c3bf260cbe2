// SPDX-License-Identifier: LGPL-2.1-or-later
/* See vdso.h. */
#include "vdso.h"

#include <elf.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>

#include "atomic.h"

#ifdef __aarch64__
#define CLOCK_NAME "__kernel_clock_gettime"
#else
#define CLOCK_NAME "__vdso_clock_gettime"
#endif

tlob_clock_fn *tlob_vdso_clock = clock_gettime;

struct image {
	uintptr_t bias; /* of addresses in the file */
	const ElfW(Sym) * symbols;
	const char *names;
	const uint32_t *hash, *gnu_hash;
};

static const ElfW(Dyn) * read_headers(const ElfW(Ehdr) * elf, struct image *image)
{
	const ElfW(Phdr) *p = (const void *)((const char *)elf + elf->e_phoff);
	const ElfW(Dyn) *dynamic = NULL;
	int loaded = 0;

	for (int i = 0; i < elf->e_phnum; i++) {
		if (p[i].p_type == PT_LOAD && !loaded++)
			image->bias = (uintptr_t)elf + p[i].p_offset - p[i].p_vaddr;
		else if (p[i].p_type == PT_DYNAMIC)
			dynamic = (const void *)((const char *)elf + p[i].p_offset);
	}
	return loaded ? dynamic : NULL;
}

static void read_dynamic(const ElfW(Dyn) * d, struct image *image)
{
	for (; d->d_tag != DT_NULL; d++) {
		const void *p = (const void *)(image->bias + d->d_un.d_ptr);

		if (d->d_tag == DT_SYMTAB)
			image->symbols = p;
		else if (d->d_tag == DT_STRTAB)
			image->names = p;
		else if (d->d_tag == DT_HASH)
			image->hash = p;
		else if (d->d_tag == DT_GNU_HASH)
			image->gnu_hash = p;
	}
}

/*
 * A GNU hash table does not say how many symbols there are: the last chain ends with the last of
 * them.
 */
static uint32_t count_gnu(const uint32_t *table)
{
	uint32_t nbuckets = table[0], first = table[1], last = 0;
	const uint32_t *buckets = table + 4 + table[2] * (sizeof(ElfW(Addr)) / sizeof(uint32_t));
	const uint32_t *chains = buckets + nbuckets;

	for (uint32_t i = 0; i < nbuckets; i++)
		if (buckets[i] > last)
			last = buckets[i];
	if (last < first)
		return 0;
	while (!(chains[last - first] & 1))
		last++;
	return last + 1;
}

static uint32_t count_symbols(const struct image *image)
{
	if (!image->symbols || !image->names)
		return 0;
	if (image->hash)
		return image->hash[1];
	return image->gnu_hash ? count_gnu(image->gnu_hash) : 0;
}

void tlob_vdso_init(void)
{
	const ElfW(Ehdr) *elf = (const void *)getauxval(AT_SYSINFO_EHDR);
	const ElfW(Dyn) * dynamic;
	struct image image = {0};
	uint32_t n;

	if (!elf || memcmp(elf->e_ident, ELFMAG, SELFMAG))
		return;
	dynamic = read_headers(elf, &image);
	if (!dynamic)
		return;
	read_dynamic(dynamic, &image);
	n = count_symbols(&image);
	for (uint32_t i = 0; i < n; i++) {
		const ElfW(Sym) *s = &image.symbols[i];

		if (s->st_shndx != SHN_UNDEF && !strcmp(image.names + s->st_name, CLOCK_NAME)) {
			tlob_store(&tlob_vdso_clock, (tlob_clock_fn *)(image.bias + s->st_value));
			return;
		}
	}
}
