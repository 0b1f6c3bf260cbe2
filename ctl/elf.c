// SPDX-License-Identifier: GPL-2.0-or-later
/* See elf.h. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <elfutils/libdwfl.h>
#include <gelf.h>

#include "debugfile.h"
#include "elf.h"
#include "error.h"
#include "root.h"
#include "symtab.h"

#if defined(__x86_64__)
#define NATIVE EM_X86_64
#define ALSO EM_386 /* programs of 32 bits run too, and their probes work */
#elif defined(__aarch64__)
#define NATIVE EM_AARCH64 /* the kernel refuses probes in 32-bit programs */
#define ALSO EM_AARCH64
#elif defined(__riscv)
#define NATIVE EM_RISCV
#define ALSO EM_RISCV
#else
#error "ctl/elf.c: which e_machine does this architecture have?"
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define NATIVE_ORDER ELFDATA2LSB
#else
#define NATIVE_ORDER ELFDATA2MSB
#endif

struct segment {
	uint64_t offset, address, size;
};

struct tlobctl_elf {
	char *path;
	char root[TLOBCTL_ROOT_BYTES];
	char debug_folders[sizeof(TLOBCTL_DEBUG_DIR) * 2 + TLOBCTL_ROOT_BYTES];
	char *debug_folders_pointer; /* libdwfl wants the address of one */
	char debug_path[256];
	int fd;
	Dwfl_Callbacks callbacks;
	Dwfl *dwfl;
	Dwfl_Module *module;
	Elf *elf; /* the module's */
	uint16_t machine;
	uint64_t entry;
	bool go;
	bool has_symtab;
	bool dynamic;
	bool handlers;
	struct segment plt[3]; /* .plt, .plt.got, .plt.sec */
	struct segment *code;
	size_t code_count;
	struct tlobctl_symtab symtab;
};

/* ---- is it something to probe at all? */

static const char *machine_name(uint16_t machine)
{
	static const struct {
		uint16_t machine;
		const char *name;
	} names[] = {
		{EM_386, "32-bit x86"}, {EM_X86_64, "x86-64"}, {EM_ARM, "32-bit ARM"},
		{EM_AARCH64, "arm64"},	{EM_RISCV, "RISC-V"},  {EM_PPC64, "PowerPC"},
		{EM_S390, "s390"},	{EM_MIPS, "MIPS"},     {EM_SPARCV9, "SPARC"},
		{EM_BPF, "BPF"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].machine == machine)
			return names[i].name;
	return "another machine";
}

static int refuse_script(const char *path, char *line)
{
	char *interpreter = line + 2 + strspn(line + 2, " \t");
	char *rest = interpreter + strcspn(interpreter, " \t\r\n");

	if (*rest && *rest != '\n')
		*rest++ = '\0';
	else
		*rest = '\0';
	/* env runs the next word, which is the one that matters */
	if (strlen(interpreter) >= 4 && !strcmp(interpreter + strlen(interpreter) - 4, "/env")) {
		rest += strspn(rest, " \t");
		rest[strcspn(rest, " \t\r\n")] = '\0';
		if (*rest && *rest != '-')
			interpreter = rest;
	}
	return tlobctl_fail(-ENOEXEC,
			    "%s is a script; what the CPU runs is its interpreter, %s: name that "
			    "instead, and probe functions of the interpreter",
			    path, *interpreter ? interpreter : "/bin/sh");
}

static int refuse_kind(const char *path, mode_t mode)
{
	const char *what = S_ISDIR(mode)  ? "a directory" :
			   S_ISFIFO(mode) ? "a pipe" :
			   S_ISSOCK(mode) ? "a socket" :
					    "a device";

	return tlobctl_fail(S_ISDIR(mode) ? -EISDIR : -ENOEXEC,
			    "%s is %s: a program or shared library is needed", path, what);
}

static int check_machine(const char *path, const Elf64_Ehdr *head)
{
	if (head->e_ident[EI_DATA] != NATIVE_ORDER ||
	    (head->e_machine != NATIVE && head->e_machine != ALSO))
		return tlobctl_fail(-ENOEXEC, "%s is for %s, this machine is %s", path,
				    head->e_ident[EI_DATA] != NATIVE_ORDER ?
					    "a machine of the other byte order" :
					    machine_name(head->e_machine),
				    machine_name(NATIVE));
	switch (head->e_type) {
	case ET_EXEC:
	case ET_DYN:
		return 0;
	case ET_REL:
		return tlobctl_fail(-ENOEXEC,
				    "%s is an object file, never run itself: name the program or "
				    "library it was linked into",
				    path);
	case ET_CORE:
		return tlobctl_fail(-ENOEXEC, "%s is a core dump: name the program it came from",
				    path);
	}
	return tlobctl_fail(-ENOEXEC, "%s is neither a program nor a shared library", path);
}

/* Reads the head of @fd and says what is wrong with it. */
static int check_file(const char *path, int fd, Elf64_Ehdr *head)
{
	char start[256] = "";
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st))
		return tlobctl_fail(-errno, "cannot look at %s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return refuse_kind(path, st.st_mode);
	n = pread(fd, start, sizeof(start) - 1, 0);
	if (n < 0)
		return tlobctl_fail(-errno, "cannot read %s: %s", path, strerror(errno));
	if (n == 0)
		return tlobctl_fail(-ENOEXEC, "%s is empty", path);
	if (!strncmp(start, "#!", 2))
		return refuse_script(path, start);
	if (!strncmp(start, "!<arch>\n", 8))
		return tlobctl_fail(-ENOEXEC,
				    "%s is a static library, never run itself: name the program it "
				    "was linked into",
				    path);
	if (n < (ssize_t)sizeof(Elf32_Ehdr) || memcmp(start, ELFMAG, SELFMAG))
		return tlobctl_fail(-ENOEXEC,
				    "%s is not an ELF file: a program or shared library is needed",
				    path);
	/* the fields looked at lie at the same place in files of 32 bits */
	memcpy(head, start, sizeof(*head));
	return check_machine(path, head);
}

bool tlobctl_elf_is_native(const char *path)
{
	unsigned char start[20];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool native;
	uint16_t machine;

	if (fd < 0)
		return false;
	native = pread(fd, start, sizeof(start), 0) == sizeof(start) &&
		 !memcmp(start, ELFMAG, SELFMAG);
	close(fd);
	memcpy(&machine, start + offsetof(Elf64_Ehdr, e_machine), sizeof(machine));
	return native && machine == NATIVE;
}

/* ---- opening */

static int open_module(struct tlobctl_elf *elf)
{
	GElf_Addr bias;
	void **root;
	int fd;

	if (*elf->root)
		snprintf(elf->debug_folders, sizeof(elf->debug_folders), "%s%s:%s", elf->root,
			 TLOBCTL_DEBUG_DIR, TLOBCTL_DEBUG_DIR);
	else
		strcpy(elf->debug_folders, TLOBCTL_DEBUG_DIR);
	elf->debug_folders_pointer = elf->debug_folders;
	elf->callbacks.find_elf = dwfl_build_id_find_elf;
	elf->callbacks.find_debuginfo = tlobctl_debugfile_find;
	elf->callbacks.section_address = dwfl_offline_section_address;
	elf->callbacks.debuginfo_path = &elf->debug_folders_pointer;

	elf->dwfl = dwfl_begin(&elf->callbacks);
	fd = fcntl(elf->fd, F_DUPFD_CLOEXEC, 0);
	if (!elf->dwfl || fd < 0) {
		if (fd >= 0)
			close(fd);
		return tlobctl_fail(-ENOMEM, "cannot open %s: out of memory or descriptors",
				    elf->path);
	}
	dwfl_report_begin(elf->dwfl);
	/* base 0: addresses stay as they are in the file */
	elf->module = dwfl_report_elf(elf->dwfl, elf->path, elf->path, fd, 0, true);
	dwfl_report_end(elf->dwfl, NULL, NULL);
	if (elf->module)
		elf->elf = dwfl_module_getelf(elf->module, &bias);
	else
		close(fd);
	if (!elf->elf)
		return tlobctl_fail(-ENOEXEC, "%s is a damaged ELF file: %s", elf->path,
				    dwfl_errmsg(-1));
	dwfl_module_info(elf->module, &root, NULL, NULL, NULL, NULL, NULL, NULL);
	*root = elf->root;
	return 0;
}

static int read_segments(struct tlobctl_elf *elf)
{
	size_t count;

	if (elf_getphdrnum(elf->elf, &count))
		count = 0;
	elf->code = calloc(count ? count : 1, sizeof(*elf->code));
	if (!elf->code)
		return tlobctl_fail(-ENOMEM, "out of memory");
	for (size_t i = 0; i < count; i++) {
		GElf_Phdr p;

		if (!gelf_getphdr(elf->elf, (int)i, &p) || p.p_type != PT_LOAD ||
		    !(p.p_flags & PF_X) || !p.p_filesz)
			continue;
		if (p.p_offset + p.p_filesz < p.p_offset || p.p_vaddr + p.p_filesz < p.p_vaddr)
			return tlobctl_fail(-ENOEXEC,
					    "%s is a damaged ELF file: segment %zu wraps around",
					    elf->path, i);
		elf->code[elf->code_count++] = (struct segment){
			.offset = p.p_offset, .address = p.p_vaddr, .size = p.p_filesz};
	}
	if (!elf->code_count)
		return tlobctl_fail(-ENOEXEC, "%s has no segment with code%s", elf->path,
				    count ? "" : " (a debug file? name the program it belongs to)");
	return 0;
}

static void read_sections(struct tlobctl_elf *elf)
{
	Elf_Scn *section = NULL;
	size_t names, nplt = 0;

	if (elf_getshdrstrndx(elf->elf, &names))
		return;
	while ((section = elf_nextscn(elf->elf, section))) {
		GElf_Shdr header;
		const char *name;

		if (!gelf_getshdr(section, &header))
			continue;
		name = elf_strptr(elf->elf, names, header.sh_name);
		if (!name)
			continue;
		if (header.sh_type == SHT_SYMTAB || !strcmp(name, ".gnu_debugdata"))
			elf->has_symtab = true;
		if (!strcmp(name, ".note.go.buildid") || !strcmp(name, ".gopclntab") ||
		    !strcmp(name, ".go.buildinfo"))
			elf->go = true;
		elf->dynamic |= header.sh_type == SHT_DYNAMIC;
		elf->handlers |= !strcmp(name, ".gcc_except_table");
		if (!strncmp(name, ".plt", 4) && nplt < sizeof(elf->plt) / sizeof(*elf->plt))
			elf->plt[nplt++] =
				(struct segment){header.sh_offset, header.sh_addr, header.sh_size};
	}
}

static void read_build_id(struct tlobctl_elf *elf)
{
	const unsigned char *id;
	GElf_Addr address;
	int n = dwfl_module_build_id(elf->module, &id, &address);
	size_t at;

	if (n < 2 || n > 64)
		return;
	at = (size_t)sprintf(elf->debug_path, TLOBCTL_DEBUG_DIR "/.build-id/%02x/", id[0]);
	for (int i = 1; i < n; i++)
		at += (size_t)sprintf(elf->debug_path + at, "%02x", id[i]);
	strcpy(elf->debug_path + at, ".debug");
}

static int load(struct tlobctl_elf *elf)
{
	const char *debug = NULL;
	GElf_Ehdr head;
	int err = open_module(elf);

	if (!err)
		err = read_segments(elf);
	if (err)
		return err;
	if (gelf_getehdr(elf->elf, &head))
		elf->entry = head.e_entry;
	read_sections(elf);
	read_build_id(elf);
	if (tlobctl_symtab_load(&elf->symtab, elf->module))
		return tlobctl_fail(-ENOMEM, "out of memory for the symbols of %s", elf->path);
	dwfl_module_info(elf->module, NULL, NULL, NULL, NULL, NULL, NULL, &debug);
	if (debug)
		elf->has_symtab = true;
	return 0;
}

int tlobctl_elf_open(const char *path, const char *root, struct tlobctl_elf **out)
{
	struct tlobctl_elf *elf = calloc(1, sizeof(*elf));
	Elf64_Ehdr head = {0};
	int err;

	if (!elf)
		return tlobctl_fail(-ENOMEM, "out of memory");
	elf_version(EV_CURRENT);
	elf->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (elf->fd < 0) {
		err = tlobctl_fail(-errno, "cannot open %s: %s", path, strerror(errno));
		free(elf);
		return err;
	}
	err = check_file(path, elf->fd, &head);
	if (!err) {
		elf->machine = head.e_machine;
		snprintf(elf->root, sizeof(elf->root), "%s", root);
		elf->path = strdup(path);
		err = elf->path ? load(elf) : tlobctl_fail(-ENOMEM, "out of memory");
	}
	if (err)
		tlobctl_elf_free(elf);
	else
		*out = elf;
	return err;
}

void tlobctl_elf_free(struct tlobctl_elf *elf)
{
	if (!elf)
		return;
	tlobctl_symtab_deinit(&elf->symtab);
	if (elf->dwfl)
		dwfl_end(elf->dwfl);
	close(elf->fd);
	free(elf->code);
	free(elf->path);
	free(elf);
}

/* ---- what is known of it */

const char *tlobctl_elf_path(const struct tlobctl_elf *elf)
{
	return elf->path;
}

uint16_t tlobctl_elf_machine(const struct tlobctl_elf *elf)
{
	return elf->machine;
}

uint64_t tlobctl_elf_entry(const struct tlobctl_elf *elf)
{
	return elf->entry;
}

bool tlobctl_elf_is_go(const struct tlobctl_elf *elf)
{
	return elf->go;
}

bool tlobctl_elf_is_static(const struct tlobctl_elf *elf)
{
	return !elf->dynamic;
}

bool tlobctl_elf_has_handlers(const struct tlobctl_elf *elf)
{
	return elf->handlers;
}

bool tlobctl_elf_is_plt(const struct tlobctl_elf *elf, uint64_t address)
{
	for (size_t i = 0; i < sizeof(elf->plt) / sizeof(*elf->plt); i++)
		if (address - elf->plt[i].address < elf->plt[i].size)
			return true;
	return false;
}

bool tlobctl_elf_has_symtab(const struct tlobctl_elf *elf)
{
	return elf->has_symtab;
}

const char *tlobctl_elf_debug_path(const struct tlobctl_elf *elf)
{
	return elf->debug_path;
}

const struct tlobctl_symbol *tlobctl_elf_symbols(const struct tlobctl_elf *elf, size_t *count)
{
	*count = elf->symtab.count;
	return elf->symtab.symbols;
}

bool tlobctl_elf_offset(const struct tlobctl_elf *elf, uint64_t address, uint64_t *offset)
{
	for (size_t i = 0; i < elf->code_count; i++) {
		const struct segment *s = &elf->code[i];

		if (address >= s->address && address - s->address < s->size) {
			*offset = address - s->address + s->offset;
			return true;
		}
	}
	return false;
}

static const struct segment *segment_of(const struct tlobctl_elf *elf, uint64_t offset)
{
	for (size_t i = 0; i < elf->code_count; i++)
		if (offset >= elf->code[i].offset &&
		    offset - elf->code[i].offset < elf->code[i].size)
			return &elf->code[i];
	return NULL;
}

bool tlobctl_elf_address(const struct tlobctl_elf *elf, uint64_t offset, uint64_t *address)
{
	const struct segment *s = segment_of(elf, offset);

	if (s)
		*address = offset - s->offset + s->address;
	return s;
}

const char *tlobctl_elf_code_text(const struct tlobctl_elf *elf, char *buf, size_t size)
{
	size_t at = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < elf->code_count && at < size; i++)
		at += (size_t)snprintf(
			buf + at, size - at, "%s0x%llx-0x%llx", i ? ", " : "",
			(unsigned long long)elf->code[i].offset,
			(unsigned long long)(elf->code[i].offset + elf->code[i].size - 1));
	return buf;
}

size_t tlobctl_elf_read(const struct tlobctl_elf *elf, uint64_t offset, void *buf, size_t size)
{
	const struct segment *s = segment_of(elf, offset);
	size_t done = 0;

	if (!s)
		return 0;
	if (size > s->offset + s->size - offset)
		size = (size_t)(s->offset + s->size - offset);
	while (done < size) {
		ssize_t n = pread(elf->fd, (char *)buf + done, size - done, (off_t)(offset + done));

		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done;
}

int tlobctl_elf_needed(const struct tlobctl_elf *elf, tlobctl_elf_needed_fn *fn, void *arg)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(elf->elf, section))) {
		Elf_Data *data;
		GElf_Shdr header;
		GElf_Dyn entry;

		if (!gelf_getshdr(section, &header) || header.sh_type != SHT_DYNAMIC)
			continue;
		data = elf_getdata(section, NULL);
		for (int i = 0; data && gelf_getdyn(data, i, &entry); i++) {
			const char *name;
			int ret;

			if (entry.d_tag == DT_NULL)
				break;
			if (entry.d_tag != DT_NEEDED)
				continue;
			name = elf_strptr(elf->elf, header.sh_link, entry.d_un.d_val);
			ret = name ? fn(name, arg) : 0;
			if (ret)
				return ret;
		}
	}
	return 0;
}
