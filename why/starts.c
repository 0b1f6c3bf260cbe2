// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See starts.h. The linker writes a table of all functions, sorted by address, for unwinders to search in. Files are
 * anybody's, so nothing in it is taken for granted, and one entry that does not fit the other tables is none.
 */
#include <gelf.h>
#include <string.h>

#include "starts.h"

#define HEAD_BYTES 12 /* version, three encodings, address, count */
#define ENTRY_BYTES \
	8 /* two differences to where the table begins: of the function, of its description */

/* The only form that linkers write. */
static const unsigned char form[] = {1, 0x1b, 0x03, 0x3b};

struct table {
	const unsigned char *bytes;
	uint64_t address;
	uint32_t count;
};

static int32_t signed_at(const unsigned char *bytes)
{
	int32_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

static bool find_table(Elf *elf, struct table *table)
{
	size_t n;

	if (elf_getphdrnum(elf, &n))
		return false;
	for (size_t i = 0; i < n; i++) {
		Elf_Data *data;
		GElf_Phdr p;

		if (!gelf_getphdr(elf, (int)i, &p) || p.p_type != PT_GNU_EH_FRAME)
			continue;
		data = elf_getdata_rawchunk(elf, (int64_t)p.p_offset, p.p_filesz, ELF_T_BYTE);
		if (!data || data->d_size < HEAD_BYTES || memcmp(data->d_buf, form, sizeof(form)))
			return false;
		table->bytes = data->d_buf;
		table->address = p.p_vaddr;
		table->count = (uint32_t)signed_at(table->bytes + 8);
		return table->count <= (data->d_size - HEAD_BYTES) / ENTRY_BYTES;
	}
	return false;
}

static uint64_t function_of(const struct table *table, uint32_t entry)
{
	const unsigned char *at = table->bytes + HEAD_BYTES + (uint64_t)entry * ENTRY_BYTES;

	return table->address + (uint64_t)(int64_t)signed_at(at);
}

/* @size bytes that are loaded at @address; NULL: there are none. */
static const unsigned char *loaded(Elf *elf, uint64_t address, size_t size)
{
	size_t n;

	if (elf_getphdrnum(elf, &n))
		return NULL;
	for (size_t i = 0; i < n; i++) {
		Elf_Data *data;
		GElf_Phdr p;

		if (!gelf_getphdr(elf, (int)i, &p) || p.p_type != PT_LOAD || address < p.p_vaddr ||
		    address - p.p_vaddr > p.p_filesz || p.p_filesz - (address - p.p_vaddr) < size)
			continue;
		data = elf_getdata_rawchunk(elf, (int64_t)(p.p_offset + (address - p.p_vaddr)),
					    size, ELF_T_BYTE);
		return data ? data->d_buf : NULL;
	}
	return NULL;
}

/* How long the function of @entry is: its description has that, if it says the same start. 0: it does not. */
static uint64_t bytes_of(Elf *elf, const struct table *table, uint32_t entry)
{
	const unsigned char *at = table->bytes + HEAD_BYTES + (uint64_t)entry * ENTRY_BYTES + 4;
	uint64_t address = table->address + (uint64_t)(int64_t)signed_at(at);
	const unsigned char *fde = loaded(elf, address, 16); /* length, CIE, start, bytes */
	uint64_t start;

	if (!fde)
		return 0;
	start = address + 8 + (uint64_t)(int64_t)signed_at(fde + 8);
	return start == function_of(table, entry) ? (uint32_t)signed_at(fde + 12) : 0;
}

bool why_starts_find(Elf *elf, uint64_t address, uint64_t *start)
{
	uint32_t low = 0, high;
	struct table table;

	if (!elf || !find_table(elf, &table))
		return false;
	for (high = table.count; low < high;) {
		uint32_t middle = low + (high - low) / 2;

		if (function_of(&table, middle) <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || address - function_of(&table, low - 1) >= bytes_of(elf, &table, low - 1))
		return false;
	*start = function_of(&table, low - 1);
	return true;
}

const char *why_starts_section(Elf *elf, uint64_t address, uint64_t *end)
{
	Elf_Scn *section = NULL;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return NULL;
	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr h;

		if (!gelf_getshdr(section, &h) || !(h.sh_flags & SHF_EXECINSTR) ||
		    address - h.sh_addr >= h.sh_size)
			continue;
		*end = h.sh_addr + h.sh_size;
		return elf_strptr(elf, names, h.sh_name);
	}
	return NULL;
}
