/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Functions to put probes on, and where they are in the file. */
#ifndef TESTS_VM_UPROBE_H
#define TESTS_VM_UPROBE_H

#include <elf.h>

#include "tap.h"

#define MONITOR_FILE TLOB_DIR "monitor"

__attribute__((noinline, noclone, used)) static void mark_start(void)
{
	__asm__ volatile("nop; nop; nop; nop" ::: "memory");
}

__attribute__((noinline, noclone, used)) static void mark_stop(void)
{
	__asm__ volatile("nop; nop; nop; nop; nop" ::: "memory");
}

/* Of an address in this program: it is static and not position-independent. */
static inline unsigned long file_offset(void (*function)(void))
{
	unsigned long address = (unsigned long)function, offset = 0;
	int fd = open("/proc/self/exe", O_RDONLY);
	Elf64_Ehdr header;
	Elf64_Phdr segment;

	if (pread(fd, &header, sizeof(header), 0) != sizeof(header))
		exit(1);
	for (int i = 0; i < header.e_phnum; i++) {
		if (pread(fd, &segment, sizeof(segment), header.e_phoff + i * sizeof(segment)) !=
		    sizeof(segment))
			exit(1);
		if (segment.p_type == PT_LOAD && address >= segment.p_vaddr &&
		    address < segment.p_vaddr + segment.p_memsz)
			offset = address - segment.p_vaddr + segment.p_offset;
	}
	close(fd);
	return offset;
}

static inline const char *self(void)
{
	static char path[256];

	if (path[0] == '\0' && readlink("/proc/self/exe", path, sizeof(path) - 1) < 0)
		exit(1);
	return path;
}

static inline int bind_ns(const char *path, unsigned long start, unsigned long stop, uint64_t ns)
{
	char line[512];

	snprintf(line, sizeof(line), "p %s:0x%lx 0x%lx threshold=%llu\n", path, start, stop,
		 (unsigned long long)ns);
	return write_file(MONITOR_FILE, line);
}

static inline int unbind(const char *path, unsigned long start)
{
	char line[512];

	snprintf(line, sizeof(line), "-%s:0x%lx\n", path, start);
	return write_file(MONITOR_FILE, line);
}

#endif
