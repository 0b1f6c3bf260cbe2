// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See binary.h. A file that another user may change is never mapped: cut short at the wrong moment, it would end the
 * agent with SIGBUS. libelf reads the file itself piecemeal; a debug file, which libdwfl insists on mapping, is copied
 * unless it is trusted. Nor is anything opened that such a file refers to: libdw would wait for ever for a FIFO.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <elfutils/libdwelf.h>
#include <elfutils/libdwfl.h>
#include <gelf.h>
#include <inttypes.h>

#include "binary.h"
#include "file.h"
#include "../ctl/debugfile.h"
#include "../ctl/root.h"
#include "../ctl/symtab.h"
#include "spans.h"
#include "starts.h"

#define UNNAMED_BYTES 128
#define VDSO_MAX (1 << 20)

struct segment {
	uint64_t offset, address, bytes;
};

struct why_binary {
	const struct why_object *object;
	char debug_folders[PATH_MAX];
	char *debug_folders_pointer; /* libdwfl wants the address of one */
	Dwfl_Callbacks callbacks;
	Elf *elf; /* until libdwfl has taken it over */
	int fd;
	bool trusted; /* as why_file_is_trusted() says; debug files too */
	Dwfl *dwfl;
	Dwfl_Module *module;
	struct segment *code;
	size_t ncode;
	bool loaded; /* what follows */
	struct tlobctl_symtab symtab;
	struct why_spans symbols; /* of functions, by index */
	struct why_units *units;
	GElf_Addr bias; /* of addresses in the debug information */
	char unnamed[UNNAMED_BYTES]; /* what the function asked for last is called */
};

/* ---- the file */

/* The kernel pads a build-id that is shorter than most with zeroes where it has no room for its length. */
static bool same_build_id(const unsigned char *a, size_t na, const unsigned char *b, size_t nb)
{
	size_t n = na < nb ? na : nb;
	const unsigned char *rest = na < nb ? b : a;

	if (!n || memcmp(a, b, n))
		return false;
	for (size_t i = n; i < (na < nb ? nb : na); i++)
		if (rest[i])
			return false;
	return true;
}

static bool is_build(Elf *elf, const struct why_object *object)
{
	const void *id;
	ssize_t n;

	if (!object->build_id_bytes)
		return true;
	n = dwelf_elf_gnu_build_id(elf, &id);
	return n > 0 && same_build_id(id, (size_t)n, object->build_id, object->build_id_bytes);
}

/* Takes @fd over. */
static bool take(struct why_binary *b, int fd)
{
	Elf *elf;

	if (fd < 0)
		return false;
	b->trusted = why_file_is_trusted(fd, b->object->root);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (elf && elf_kind(elf) == ELF_K_ELF && (b->trusted || why_file_is_sound(fd, elf)) &&
	    is_build(elf, b->object)) {
		b->elf = elf;
		b->fd = fd;
		return true;
	}
	elf_end(elf);
	close(fd);
	return false;
}

int why_binary_descriptor(const struct why_object *object)
{
	char *path = NULL;
	int fd = -1;

	if (object->path[0] == '/' && !tlobctl_root_resolve(object->root, object->path, &path))
		fd = why_file_open(path);
	free(path);
	return fd;
}

/* A debug file has all but the code; what it names is right even if the file itself has been replaced. */
static int open_debug_file(const struct why_object *o, const char *root)
{
	char path[PATH_MAX];
	int n, room = (int)sizeof(path) - 2 * WHY_BUILD_ID_BYTES - 16;

	if (o->build_id_bytes < 2)
		return -1;
	n = snprintf(path, (size_t)room, "%s" TLOBCTL_DEBUG_DIR "/.build-id/%02x/", root,
		     o->build_id[0]);
	if (n >= room)
		return -1;
	for (size_t i = 1; i < o->build_id_bytes; i++)
		n += sprintf(path + n, "%02x", o->build_id[i]);
	strcpy(path + n, ".debug");
	return why_file_open(path);
}

/* The kernel maps the same vdso into this process; the caller checks by build-id that it does. */
static int open_vdso(void)
{
	const unsigned char *image = (const unsigned char *)getauxval(AT_SYSINFO_EHDR);
	Elf64_Ehdr head;
	size_t bytes;
	int fd;

	if (!image)
		return -1;
	memcpy(&head, image, sizeof(head));
	bytes = head.e_shoff + (size_t)head.e_shnum * head.e_shentsize;
	if (head.e_ident[EI_CLASS] != ELFCLASS64 || bytes > VDSO_MAX)
		return -1;
	fd = memfd_create("tlob-vdso", MFD_CLOEXEC);
	if (fd >= 0 && write(fd, image, bytes) != (ssize_t)bytes) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* ---- libdwfl */

static int give_elf(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr base,
		    char **path, Elf **elf)
{
	struct why_binary *b = *userdata;

	(void)module, (void)name, (void)base;
	*path = strdup(b->object->path);
	*elf = b->elf;
	b->elf = NULL;
	return b->fd;
}

/* Takes @fd over, returns another one or -1. */
static int copy_of(int fd)
{
	bool modest = why_file_is_modest(fd);
	int copy = modest ? memfd_create("tlob-debug", MFD_CLOEXEC) : -1;
	struct stat st = {.st_size = 0};
	off_t at = 0;

	if (copy >= 0 && fstat(fd, &st))
		st.st_size = 0;
	while (at < st.st_size && sendfile(copy, fd, &at, (size_t)(st.st_size - at)) > 0)
		;
	close(fd);
	return copy;
}

/* Of the same build as the file itself. Without a build-id it was found by name, and its checksum was right. */
static bool fits(Dwfl_Module *module, int fd, bool trusted)
{
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	bool fit = elf && elf_kind(elf) == ELF_K_ELF && (trusted || why_file_is_sound(fd, elf));
	const unsigned char *own;
	const void *id;
	GElf_Addr where;
	ssize_t n = fit ? dwelf_elf_gnu_build_id(elf, &id) : 0;
	int own_bytes = dwfl_module_build_id(module, &own, &where);

	if (n > 0 && own_bytes > 0)
		fit = same_build_id(id, (size_t)n, own, (size_t)own_bytes);
	elf_end(elf);
	return fit;
}

static int find_debug_file(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr base,
			   const char *file, const char *link, GElf_Word crc, char **found)
{
	struct why_binary *b = *userdata;
	void *root = (void *)b->object->root;
	bool shared = !file, trusted;
	int fd = -1;

	if (!shared || b->trusted)
		fd = tlobctl_debugfile_find(module, &root, name, base, file, link, crc, found);
	trusted = fd >= 0 && why_file_is_trusted(fd, b->object->root);
	if (fd >= 0 && !trusted)
		fd = copy_of(fd);
	if (fd >= 0 && !fits(module, fd, trusted)) {
		close(fd);
		fd = -1;
	}
	b->trusted &= fd < 0 || trusted;
	if (fd < 0) { /* libdwfl opens what is named, whatever is returned */
		free(*found);
		*found = NULL;
	}
	return fd;
}

/* ---- where the code is */

/*
 * objcopy --only-keep-debug clears where in the file a segment was. GNU ld lays code out as it is in memory; others do not
 * and say who they are.
 */
static bool was_laid_out_flat(Elf *elf)
{
	Elf_Scn *section = NULL;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return false;
	while ((section = elf_nextscn(elf, section))) {
		Elf_Data *data;
		GElf_Shdr header;
		const char *name;

		if (!gelf_getshdr(section, &header))
			return false;
		name = elf_strptr(elf, names, header.sh_name);
		if (!name || !strcmp(name, ".note.gnu.gold-version"))
			return false;
		if (strcmp(name, ".comment"))
			continue;
		data = elf_getdata(section, NULL);
		return data && data->d_buf && !memmem(data->d_buf, data->d_size, "LLD", 3) &&
		       !memmem(data->d_buf, data->d_size, "mold", 4);
	}
	return false;
}

#define USUAL_PAGE 0x1000

/* Fills in the segments with code and the range of all. */
static bool read_segments(struct why_binary *b, GElf_Addr *low, GElf_Addr *high)
{
	size_t count, loads = 0;
	GElf_Addr base = 0;

	if (elf_getphdrnum(b->elf, &count) || !count)
		return false;
	b->code = calloc(count, sizeof(*b->code));
	*low = UINT64_MAX;
	*high = 0;
	for (size_t i = 0; b->code && i < count; i++) {
		GElf_Phdr p;

		if (!gelf_getphdr(b->elf, (int)i, &p) || p.p_type != PT_LOAD)
			continue;
		if (p.p_vaddr + p.p_memsz < p.p_vaddr || p.p_offset + p.p_filesz < p.p_offset)
			return false;
		base = loads++ ? base : p.p_vaddr;
		*low = p.p_vaddr < *low ? p.p_vaddr : *low;
		*high = p.p_vaddr + p.p_memsz > *high ? p.p_vaddr + p.p_memsz : *high;
		if (!(p.p_flags & PF_X))
			continue;
		if (!p.p_filesz && p.p_memsz && (loads == 1 || p.p_align <= USUAL_PAGE) &&
		    was_laid_out_flat(b->elf)) {
			p.p_offset = p.p_vaddr - base;
			p.p_filesz = p.p_memsz;
		}
		if (p.p_filesz)
			b->code[b->ncode++] = (struct segment){p.p_offset, p.p_vaddr, p.p_filesz};
	}
	return b->ncode;
}

static bool address_of(const struct why_binary *b, uint64_t offset, uint64_t *address)
{
	for (size_t i = 0; i < b->ncode; i++)
		if (offset - b->code[i].offset < b->code[i].bytes) {
			*address = offset - b->code[i].offset + b->code[i].address;
			return true;
		}
	return false;
}

/* The end of the segment with code that @address is in; 0: none. */
static uint64_t end_of_code(const struct why_binary *b, uint64_t address)
{
	for (size_t i = 0; i < b->ncode; i++)
		if (address - b->code[i].address < b->code[i].bytes)
			return b->code[i].address + b->code[i].bytes;
	return 0;
}

static bool report(struct why_binary *b)
{
	GElf_Addr low, high;
	void **userdata;
	GElf_Phdr p;

	if (!read_segments(b, &low, &high))
		return false;
	if (*b->object->root)
		snprintf(b->debug_folders, sizeof(b->debug_folders), "%s%s:%s", b->object->root,
			 TLOBCTL_DEBUG_DIR, TLOBCTL_DEBUG_DIR);
	else
		strcpy(b->debug_folders, TLOBCTL_DEBUG_DIR);
	b->debug_folders_pointer = b->debug_folders;
	b->callbacks = (Dwfl_Callbacks){.find_elf = give_elf,
					.find_debuginfo = find_debug_file,
					.section_address = dwfl_offline_section_address,
					.debuginfo_path = &b->debug_folders_pointer};
	b->dwfl = dwfl_begin(&b->callbacks);
	if (!b->dwfl)
		return false;
	/* libdwfl rounds the first segment down to its alignment and moves that to where the module begins */
	for (int i = 0; gelf_getphdr(b->elf, i, &p); i++)
		if (p.p_type == PT_LOAD) {
			low = p.p_align > 1 ? p.p_vaddr & -p.p_align : p.p_vaddr;
			break;
		}
	dwfl_report_begin(b->dwfl);
	b->module = dwfl_report_module(b->dwfl, b->object->path, low, high);
	dwfl_report_end(b->dwfl, NULL, NULL);
	if (!b->module)
		return false;
	dwfl_module_info(b->module, &userdata, NULL, NULL, NULL, NULL, NULL, NULL);
	*userdata = b;
	return dwfl_module_getelf(b->module, &b->bias);
}

struct why_binary *why_binary_open(const struct why_object *object, int fd)
{
	struct why_binary *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	elf_version(EV_CURRENT);
	b->object = object;
	b->fd = -1;
	if (!strcmp(object->path, "[vdso]"))
		take(b, open_vdso());
	else if (!take(b,
		       fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : why_binary_descriptor(object)) &&
		 !(*object->root && take(b, open_debug_file(object, object->root))))
		take(b, open_debug_file(object, ""));
	if (b->elf && report(b))
		return b;
	why_binary_close(b);
	return NULL;
}

void why_binary_close(struct why_binary *b)
{
	bool given;

	if (!b)
		return;
	given = !b->elf; /* then libdwfl closes the descriptor too */
	elf_end(b->elf);
	if (b->fd >= 0 && !given)
		close(b->fd);
	why_units_free(b->units);
	why_spans_deinit(&b->symbols);
	tlobctl_symtab_deinit(&b->symtab);
	if (b->dwfl)
		dwfl_end(b->dwfl);
	free(b->code);
	free(b);
}

/* ---- symbols */

static bool is_function(const struct tlobctl_symbol *s)
{
	return s->defined && (s->type == STT_FUNC || s->type == STT_GNU_IFUNC);
}

/* Of several names of one function: the one that people use. */
static uint32_t rank_of(const struct tlobctl_symbol *s)
{
	bool plain = s->name[0] != '_' || !strncmp(s->name, "_Z", 2);

	return (plain ? 4 : 0) + (s->binding == STB_GLOBAL ? 2 : s->binding == STB_WEAK ? 1 : 0);
}

static uint64_t *sorted_starts(const struct tlobctl_symtab *t, size_t *count);

/* What comes behind it is of another kind, as the calls of library functions behind _init. */
static uint64_t end_of_section(const struct why_binary *b, uint64_t address)
{
	uint64_t end = end_of_code(b, address), section_end;
	GElf_Addr bias;
	Elf *elf = dwfl_module_getelf(b->module, &bias);

	if (end && elf && why_starts_section(elf, address - bias, &section_end) &&
	    section_end + bias < end)
		end = section_end + bias;
	return end;
}

/* Labels of assembly code reach to the next one, if no function that knows its size contains them. */
static int add_labels(struct why_binary *b)
{
	struct why_spans more = {.count = 0};
	size_t count;
	uint64_t *starts = sorted_starts(&b->symtab, &count);
	int err = starts ? 0 : -1;

	for (size_t i = 0; i < b->symtab.count && !err; i++) {
		const struct tlobctl_symbol *s = &b->symtab.symbols[i];
		uint64_t end = end_of_section(b, s->address);
		size_t low = 0, high = count;

		if (!s->defined || s->size || s->type == STT_OBJECT || !end ||
		    why_spans_find(&b->symbols, s->address))
			continue;
		while (low < high) {
			size_t middle = low + (high - low) / 2;

			if (starts[middle] <= s->address)
				low = middle + 1;
			else
				high = middle;
		}
		if (low < count && starts[low] < end)
			end = starts[low];
		err = why_spans_add(&more, s->address, end, (uint32_t)i, rank_of(s));
	}
	for (size_t i = 0; i < more.count && !err; i++)
		err = why_spans_add(&b->symbols, more.list[i].low, more.list[i].high,
				    more.list[i].what, more.list[i].rank);
	why_spans_deinit(&more);
	free(starts);
	why_spans_sort(&b->symbols);
	return err;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static uint64_t *sorted_starts(const struct tlobctl_symtab *t, size_t *count)
{
	uint64_t *starts = malloc((t->count + 1) * sizeof(*starts));
	size_t n = 0;

	for (size_t i = 0; starts && i < t->count; i++)
		if (t->symbols[i].defined && t->symbols[i].type != STT_OBJECT)
			starts[n++] = t->symbols[i].address;
	if (starts)
		qsort(starts, n, sizeof(*starts), by_value);
	*count = n;
	return starts;
}

/* What several files have in common may be in one of its own, which libdw opens when it comes to a place that needs it. */
static bool refers_to_another(Dwarf *dwarf)
{
	const char *name;
	const void *id;

	return dwelf_dwarf_gnu_debugaltlink(dwarf, &name, &id) != 0;
}

/* Without memory, some names are missing. */
static void load(struct why_binary *b)
{
	Dwarf *dwarf;

	b->loaded = true;
	if (tlobctl_symtab_load(&b->symtab, b->module) || b->symtab.count > UINT32_MAX)
		return;
	for (size_t i = 0; i < b->symtab.count; i++) {
		const struct tlobctl_symbol *s = &b->symtab.symbols[i];

		if (is_function(s) && s->size && s->address + s->size > s->address &&
		    end_of_code(b, s->address) &&
		    why_spans_add(&b->symbols, s->address, s->address + s->size, (uint32_t)i,
				  rank_of(s)))
			break;
	}
	why_spans_sort(&b->symbols);
	add_labels(b);
	dwarf = dwfl_module_getdwarf(b->module, &b->bias);
	if (dwarf && (b->trusted || !refers_to_another(dwarf)))
		b->units = why_units_new(dwarf, b->trusted);
}

/* As a region may call a function that has no name, so that all places in it are one: "libx.so:0x1234". */
static void name_by_start(struct why_binary *b, uint64_t address, struct why_place *place)
{
	const char *base = strrchr(b->object->path, '/');
	GElf_Addr bias;
	Elf *elf = dwfl_module_getelf(b->module, &bias);
	uint64_t start;
	const char *section = elf ? why_starts_section(elf, address - bias, &start) : NULL;

	if (section && !strncmp(section, ".plt", 4)) {
		place->function = "[plt]"; /* on the way to a function of a library */
		place->function_bytes = strlen(place->function);
		return;
	}
	if (!elf || !why_starts_find(elf, address - bias, &start))
		return;
	for (size_t i = 0; i < b->ncode; i++) {
		if (start + bias - b->code[i].address >= b->code[i].bytes)
			continue;
		start += bias - b->code[i].address + b->code[i].offset;
		place->function = b->unnamed;
		place->function_bytes = (size_t)snprintf(b->unnamed, sizeof(b->unnamed),
							 "%.100s:0x%" PRIx64,
							 base ? base + 1 : b->object->path, start);
		return;
	}
}

static void name_by_symbol(struct why_binary *b, uint64_t address, struct why_place *place)
{
	const struct why_span *span = why_spans_find(&b->symbols, address);

	if (!span) {
		name_by_start(b, address, place);
		return;
	}
	place->function = b->symtab.symbols[span->what].name;
	place->function_bytes = b->symtab.symbols[span->what].name_length;
}

size_t why_binary_places(struct why_binary *b, uint64_t offset, bool call, struct why_place *places,
			 size_t room)
{
	uint64_t address;
	size_t n = 0;

	if (!room || !address_of(b, offset - (call && offset), &address))
		return 0;
	if (!b->loaded)
		load(b);
	if (b->units)
		n = why_units_find(b->units, address - b->bias, places, room);
	if (!n)
		places[n++] = (struct why_place){.function = NULL};
	if (!places[n - 1].function && !places[n - 1].inlined)
		name_by_symbol(b, address, &places[n - 1]);
	return n;
}
