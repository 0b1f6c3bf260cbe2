// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libdwfl finds the best symbol table there is, but does not tell versions; those of exported symbols are
 * read here. A symbol in both tables is in the result twice, which its users do not mind.
 */
#include <errno.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#include "symtab.h"

#define VERSION_HIDDEN 0x8000
#define VERSION_INDEX 0x7fff

static bool is_wanted(const GElf_Sym *sym)
{
	switch (GELF_ST_TYPE(sym->st_info)) {
	case STT_NOTYPE:
	case STT_FUNC:
	case STT_GNU_IFUNC:
	case STT_OBJECT:
		return sym->st_shndx != SHN_ABS;
	}
	return false;
}

/* Where arm64 and riscv code and data begin: "$x", "$d.12". */
static bool is_mapping(const char *name)
{
	return name[0] == '$' && strchr("adtx", name[1]) && (!name[2] || name[2] == '.');
}

static int add(struct tlobctl_symtab *table, const struct tlobctl_symbol *symbol)
{
	if (table->count == table->room) {
		size_t room = table->room ? table->room * 2 : 1024;
		struct tlobctl_symbol *more = reallocarray(table->symbols, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		table->symbols = more;
		table->room = room;
	}
	table->symbols[table->count++] = *symbol;
	return 0;
}

static int add_sym(struct tlobctl_symtab *table, const char *name, const GElf_Sym *sym,
		   const char *version, bool hidden)
{
	struct tlobctl_symbol symbol = {
		.name = name,
		.version = version,
		.address = sym->st_value,
		.size = sym->st_size,
		.type = GELF_ST_TYPE(sym->st_info),
		.binding = GELF_ST_BIND(sym->st_info),
		.defined = sym->st_shndx != SHN_UNDEF,
		.hidden = hidden,
	};
	const char *at;

	if (!name || !*name || is_mapping(name) || !is_wanted(sym))
		return 0;
	/* the linker writes the version behind names in .symtab: "@@" the default one, "@" an old one */
	at = strchr(name, '@');
	symbol.name_length = (uint32_t)(at ? at - name : (long)strlen(name));
	if (at && at[1] == '@') {
		symbol.version = at + 2;
	} else if (at) {
		symbol.version = at + 1;
		symbol.hidden = true;
	}
	return symbol.name_length ? add(table, &symbol) : 0;
}

static int load_best(struct tlobctl_symtab *table, Dwfl_Module *module)
{
	int count = dwfl_module_getsymtab(module);

	for (int i = 1; i < count; i++) {
		GElf_Addr address;
		GElf_Sym sym;
		const char *name =
			dwfl_module_getsym_info(module, i, &sym, &address, NULL, NULL, NULL);

		if (!name)
			continue;
		sym.st_value = address; /* a debug file may have been linked elsewhere */
		if (add_sym(table, name, &sym, NULL, false))
			return -ENOMEM;
	}
	return 0;
}

/* ---- exported symbols */

struct exported {
	Elf *elf;
	Elf_Data *symbols, *indexes; /* .dynsym, .gnu.version */
	size_t count;
	size_t strings; /* section */
	const char *versions[VERSION_INDEX + 1]; /* by index */
};

static void read_version_names(struct exported *x, Elf_Scn *section, const GElf_Shdr *header)
{
	Elf_Data *data = elf_getdata(section, NULL);
	size_t at = 0;

	for (GElf_Word i = 0; data && i < header->sh_info && at < data->d_size; i++) {
		GElf_Verdaux name;
		GElf_Verdef def;

		if (!gelf_getverdef(data, (int)at, &def) ||
		    !gelf_getverdaux(data, (int)(at + def.vd_aux), &name))
			return;
		if (!(def.vd_flags & VER_FLG_BASE)) /* that is the library's own name */
			x->versions[def.vd_ndx & VERSION_INDEX] =
				elf_strptr(x->elf, header->sh_link, name.vda_name);
		if (!def.vd_next)
			return;
		at += def.vd_next;
	}
}

static void find_exported(struct exported *x)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(x->elf, section))) {
		GElf_Shdr header;

		if (!gelf_getshdr(section, &header))
			continue;
		switch (header.sh_type) {
		case SHT_DYNSYM:
			x->symbols = elf_getdata(section, NULL);
			x->strings = header.sh_link;
			if (x->symbols && header.sh_entsize)
				x->count = x->symbols->d_size / header.sh_entsize;
			break;
		case SHT_GNU_versym:
			x->indexes = elf_getdata(section, NULL);
			break;
		case SHT_GNU_verdef:
			read_version_names(x, section, &header);
			break;
		}
	}
}

static int load_exported(struct tlobctl_symtab *table, Dwfl_Module *module)
{
	struct exported *x = calloc(1, sizeof(*x));
	GElf_Addr bias;
	int err = 0;

	if (!x)
		return -ENOMEM;
	x->elf = dwfl_module_getelf(module, &bias);
	if (x->elf)
		find_exported(x);
	for (size_t i = 1; x->symbols && i < x->count && !err; i++) {
		GElf_Versym index = 0;
		GElf_Sym sym;

		if (!gelf_getsym(x->symbols, (int)i, &sym))
			break;
		if (x->indexes && !gelf_getversym(x->indexes, (int)i, &index))
			index = 0;
		err = add_sym(table, elf_strptr(x->elf, x->strings, sym.st_name), &sym,
			      x->versions[index & VERSION_INDEX], index & VERSION_HIDDEN);
	}
	free(x);
	return err;
}

int tlobctl_symtab_load(struct tlobctl_symtab *table, Dwfl_Module *module)
{
	int err = load_best(table, module);

	return err ? err : load_exported(table, module);
}

void tlobctl_symtab_deinit(struct tlobctl_symtab *table)
{
	free(table->symbols);
	memset(table, 0, sizeof(*table));
}
