// SPDX-License-Identifier: GPL-2.0-or-later
/* See objects_maps.h. */
#include "objects_maps.h"

#include <gelf.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "now.h"
#include "../why/file.h"

#define ROOT_FRESH_NS 100000000ULL
#define NOTES_BYTES 4096
#define MAX_SEGMENTS 64
#define IDS_NS 20000000ULL /* that reading build-ids of one process may take */
#define KALLSYMS_LINES 1000

static const char deleted[] = " (deleted)";

/* ---- build-ids */

/* Of the ELF notes in @notes: that of the GNU build-id. Returns its size; 0: there is none. */
static size_t id_in_notes(const unsigned char *notes, size_t bytes,
			  unsigned char id[WHY_BUILD_ID_BYTES])
{
	size_t at = 0;

	while (at + sizeof(GElf_Nhdr) <= bytes) {
		const GElf_Nhdr *n = (const void *)(notes + at);
		size_t name = at + sizeof(*n), text = name + (((size_t)n->n_namesz + 3) & ~3ULL);

		at = text + (((size_t)n->n_descsz + 3) & ~3ULL);
		if (text > bytes || n->n_descsz > bytes - text)
			return 0;
		if (n->n_type != NT_GNU_BUILD_ID || n->n_namesz != sizeof(ELF_NOTE_GNU) ||
		    memcmp(notes + name, ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)) ||
		    n->n_descsz > WHY_BUILD_ID_BYTES)
			continue;
		memcpy(id, notes + text, n->n_descsz);
		return n->n_descsz;
	}
	return 0;
}

static size_t kernel_id(unsigned char id[WHY_BUILD_ID_BYTES])
{
	_Alignas(GElf_Nhdr) unsigned char notes[NOTES_BYTES];
	FILE *f = fopen("/sys/kernel/notes", "re");
	size_t bytes;

	if (!f)
		return 0;
	bytes = fread(notes, 1, sizeof(notes), f);
	fclose(f);
	return id_in_notes(notes, bytes, id);
}

/* The symbolizer knows this too, once it has read all symbols, which can wait until there is one to name. */
uint64_t tlobctl_files_kernel_start(struct tlobctl_files *files)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	uint64_t address, found = 0;
	char type, name[64];

	/* at the beginning, or not at all */
	for (int i = 0; f && !found && i < KALLSYMS_LINES; i++) {
		if (fscanf(f, "%" SCNx64 " %c %63s%*[^\n]", &address, &type, name) < 3)
			break;
		if (!strcmp(name, "_stext"))
			found = address;
	}
	if (f)
		fclose(f);
	return found ? found : why_symbolizer_kernel_start(files->symbolizer);
}

/* What of a program header matters here. */
struct segment {
	uint32_t type;
	uint64_t offset, bytes;
};

/* Number @i of those at @at in @fd. False: it cannot be read. */
static bool read_segment(int fd, bool narrow, uint64_t at, size_t i, struct segment *out)
{
	Elf64_Phdr wide;
	Elf32_Phdr p;

	if (narrow && pread(fd, &p, sizeof(p), (off_t)(at + i * sizeof(p))) == sizeof(p))
		*out = (struct segment){p.p_type, p.p_offset, p.p_filesz};
	else if (!narrow &&
		 pread(fd, &wide, sizeof(wide), (off_t)(at + i * sizeof(wide))) == sizeof(wide))
		*out = (struct segment){wide.p_type, wide.p_offset, wide.p_filesz};
	else
		return false;
	return true;
}

/*
 * By the program headers, as the kernel does it, and no more of the file than that: whoever made it may have given it any
 * number of sections, and notes without end. Read, as a mapped one could be cut short under our hands.
 */
static size_t id_of_fd(int fd, unsigned char id[WHY_BUILD_ID_BYTES])
{
	_Alignas(GElf_Nhdr) unsigned char notes[NOTES_BYTES];
	union {
		unsigned char ident[EI_NIDENT];
		Elf32_Ehdr narrow;
		Elf64_Ehdr wide;
	} head = {{0}};
	ssize_t got = pread(fd, &head, sizeof(head), 0);
	bool narrow = head.ident[EI_CLASS] == ELFCLASS32;
	size_t count = narrow ? head.narrow.e_phnum : head.wide.e_phnum, n = 0;
	struct segment s;

	if (got < (ssize_t)sizeof(head.narrow) || memcmp(head.ident, ELFMAG, SELFMAG))
		return 0;
	for (size_t i = 0; i < count && i < MAX_SEGMENTS && !n; i++) {
		if (!read_segment(fd, narrow, narrow ? head.narrow.e_phoff : head.wide.e_phoff, i,
				  &s))
			return 0;
		if (s.type != PT_NOTE)
			continue;
		got = pread(fd, notes, s.bytes < sizeof(notes) ? s.bytes : sizeof(notes),
			    (off_t)s.offset);
		n = got > 0 ? id_in_notes(notes, (size_t)got, id) : 0;
	}
	return n;
}

/* Returns its size; 0: none, or the file is not to be had. */
static size_t id_of_file(const char *path, unsigned char id[WHY_BUILD_ID_BYTES])
{
	int fd = why_file_open(path);
	size_t n;

	if (fd < 0)
		return 0;
	n = id_of_fd(fd, id);
	close(fd);
	return n;
}

/* ---- objects */

const struct why_object *tlobctl_files_init(struct tlobctl_files *files,
					    struct why_symbolizer *symbolizer)
{
	unsigned char id[WHY_BUILD_ID_BYTES];

	*files = (struct tlobctl_files){.symbolizer = symbolizer};
	return why_object_of(symbolizer, "[kernel]", "", id, kernel_id(id));
}

static const char *root_of(struct tlobctl_files *files, uint32_t tgid)
{
	uint64_t now = tlobctl_now_ns();

	if (files->tgid == tgid && now - files->asked_ns < ROOT_FRESH_NS)
		return files->root;
	files->tgid = tgid;
	files->asked_ns = now;
	if (tlobctl_root_of((pid_t)tgid, files->root))
		files->root[0] = '\0';
	return files->root;
}

static const struct why_object *file_object(struct tlobctl_files *files,
					    const struct tlobctl_file *file)
{
	const char *root = root_of(files, file->tgid);
	size_t length = strlen(file->path), n = file->build_id_bytes;
	char path[PATH_MAX], seen[PATH_MAX + TLOBCTL_ROOT_BYTES];
	unsigned char id[WHY_BUILD_ID_BYTES];
	bool gone = false;

	if (length >= sizeof(path))
		return NULL;
	memcpy(path, file->path, length + 1);
	if (length > sizeof(deleted) && !strcmp(path + length - (sizeof(deleted) - 1), deleted)) {
		path[length - (sizeof(deleted) - 1)] = '\0';
		gone = true;
	}
	if (n)
		memcpy(id, file->build_id, n);
	else if (file->link && !file->hasty)
		n = id_of_file(file->link, id);
	if (!n && !gone && !file->hasty) {
		snprintf(seen, sizeof(seen), "%s%s", root, path);
		n = id_of_file(seen, id);
	}
	return why_object_of(files->symbolizer, path, root, id, n);
}

const struct why_object *tlobctl_files_object(struct tlobctl_files *files,
					      struct tlobctl_file *file)
{
	if (file->path[0] == '[') { /* [vdso]: what counts is where it begins */
		file->offset = 0;
		return why_object_of(files->symbolizer, file->path, "", NULL, 0);
	}
	if (file->path[0] != '/' || !strncmp(file->path, "//", 2))
		return NULL;
	return file_object(files, file);
}

/* ---- processes found */

/* A line of /proc/PID/maps; false: no code. */
static bool parse(char *line, uint32_t tgid, struct why_raw *raw, struct tlobctl_file *file,
		  char link[64])
{
	uint64_t start, end;
	char mode[5];
	int at = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*x:%*x %*u %n", &start, &end,
		   mode, &file->offset, &at) < 4 ||
	    !at || mode[2] != 'x' || start >= end)
		return false;
	line[at + (int)strcspn(line + at, "\n")] = '\0';
	snprintf(link, 64, "/proc/%u/map_files/%" PRIx64 "-%" PRIx64, tgid, start, end);
	file->path = line + at;
	file->link = link;
	file->tgid = tgid;
	raw->kind = WHY_RAW_FOUND_MAP;
	raw->tgid = tgid;
	raw->map.start = start;
	raw->map.length = end - start;
	return true;
}

/* How many threads: the kernel tells by the link count of the folder they are in. */
static uint32_t threads_of(uint32_t tgid)
{
	char path[40];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%u/task", tgid);
	return stat(path, &st) || st.st_nlink < 3 ? 0 : (uint32_t)st.st_nlink - 2;
}

bool tlobctl_files_found(struct tlobctl_files *files, struct why_sync *sync, uint32_t tgid)
{
	struct why_raw found = {.kind = WHY_RAW_FOUND, .tgid = tgid, .threads = threads_of(tgid)};
	char path[32], link[64], *line = NULL;
	uint64_t end_ns = tlobctl_now_ns() + IDS_NS;
	size_t size = 0, n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/maps", tgid);
	f = fopen(path, "re");
	if (!f)
		return false;
	why_sync_push(sync, &found);
	while (n < WHY_MAX_MAPPINGS && getline(&line, &size, f) > 0) {
		struct tlobctl_file file = {.hasty = tlobctl_now_ns() >= end_ns};
		struct why_raw raw = {0};

		if (!parse(line, tgid, &raw, &file, link))
			continue;
		n++;
		raw.map.object = tlobctl_files_object(files, &file);
		raw.map.file_offset = file.offset;
		why_sync_push(sync, &raw);
	}
	free(line);
	fclose(f);
	return true;
}

void tlobctl_files_deinit(struct tlobctl_files *files)
{
	files->symbolizer = NULL;
}
