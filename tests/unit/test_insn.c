// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Kinds and lengths of instructions. The tables were written down from the manuals; objdump is the second
 * opinion on lengths, and the running kernel on what may be probed.
 */
#include <elf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctl/insn.h"
#include "ctl/x86.h"

#define NONE TLOBCTL_PROBE_NONE
#define NOP5 TLOBCTL_PROBE_NOP5
#define EMULATED TLOBCTL_PROBE_EMULATED
#define STEPPED TLOBCTL_PROBE_STEPPED
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct sample {
	const char *hex;
	enum tlobctl_probe_kind kind;
	const char *what;
};

static const struct sample x86_64[] = {
	{"90", EMULATED, "nop"},
	{"6690", EMULATED, "xchg %ax,%ax"},
	{"f390", EMULATED, "pause"},
	{"0f1f00", EMULATED, "nopl (%rax)"},
	{"0f1f440000", NOP5, "5-byte nop"},
	{"660f1f440000", EMULATED, "6-byte nop"},
	{"0f1f840000000000", EMULATED, "8-byte nop"},
	{"660f1f840000000000", STEPPED, "9-byte nop"},
	{"662e0f1f840000000000", NONE, "cs nopw: segment prefix"},
	{"55", EMULATED, "push %rbp"},
	{"4154", EMULATED, "push %r12"},
	{"4055", STEPPED, "rex push %rbp"},
	{"6655", STEPPED, "push %bp"},
	{"e800000000", EMULATED, "call"},
	{"e900000000", EMULATED, "jmp"},
	{"eb00", EMULATED, "jmp short"},
	{"7400", EMULATED, "je short"},
	{"0f8400000000", EMULATED, "je"},
	{"660f8400000000", NONE, "je with operand size"},
	{"66e900000000", NONE, "jmp with operand size"},
	{"e300", STEPPED, "jrcxz"},
	{"ff2500000000", STEPPED, "jmp *(%rip)"},
	{"c3", STEPPED, "ret"},
	{"f30f1efa", STEPPED, "endbr64"},
	{"4889e5", STEPPED, "mov %rsp,%rbp"},
	{"488d0500000000", STEPPED, "lea (%rip)"},
	{"648b042528000000", STEPPED, "mov %fs:0x28,%eax"},
	{"c5f81007", STEPPED, "vmovups"},
	{"c5fe6f07", NONE, "vmovdqu: 6f"},
	{"c5f9efc0", NONE, "vpxor: ef"},
	{"62f17d48efc0", NONE, "vpxord: ef"},
	{"62f17c481007", STEPPED, "vmovups of 512 bits"},
	{"660fefc0", STEPPED, "pxor"},
	{"660f3a0fc108", STEPPED, "palignr"},
	{"f00fb10f", NONE, "lock cmpxchg"},
	{"f4", NONE, "hlt"},
	{"cc", NONE, "int3"},
	{"cd80", NONE, "int"},
	{"8ed0", NONE, "mov to ss"},
	{"0f05", STEPPED, "syscall"},
	{"06", NONE, "push es: invalid"},
};

/* The kernel takes them, for something else than they are. */
static const struct sample x86_64_taken[] = {
	{"4990", NONE, "xchg %rax,%r8"},
	{"8fe97801c8", NONE, "blcfill: XOP"},
};

static const struct sample x86_32[] = {
	{"55", EMULATED, "push %ebp"},	  {"41", STEPPED, "inc %ecx"},
	{"90", EMULATED, "nop"},	  {"0f1f440000", EMULATED, "5-byte nop: never rewritten"},
	{"e800000000", EMULATED, "call"}, {"06", STEPPED, "push es"},
	{"17", NONE, "pop ss"},		  {"c501", STEPPED, "lds"},
	{"6201", STEPPED, "bound"},
};

static const struct sample arm64[] = {
	{"1f2003d5", EMULATED, "nop"},
	{"00000014", EMULATED, "b"},
	{"00000094", EMULATED, "bl"},
	{"00000054", EMULATED, "b.eq"},
	{"000000b4", EMULATED, "cbz"},
	{"00000037", EMULATED, "tbnz"},
	{"00000010", EMULATED, "adr"},
	{"000000b0", EMULATED, "adrp"},
	{"00001fd6", EMULATED, "br x0"},
	{"c0035fd6", EMULATED, "ret"},
	{"ff0b5fd6", NONE, "retaa"},
	{"e0039fd6", NONE, "eret"},
	{"00000058", NONE, "ldr x0, literal"},
	{"0000009c", NONE, "ldr q0, literal"},
	{"000000d8", NONE, "prfm literal"},
	{"007c5fc8", NONE, "ldxr"},
	{"000000d4", NONE, "exception class"},
	{"010000d4", NONE, "svc"},
	{"000020d4", NONE, "brk"},
	{"3f2303d5", STEPPED, "paciasp"},
	{"5f2403d5", STEPPED, "bti c"},
	{"5f2003d5", NONE, "wfe"},
	{"40d03bd5", STEPPED, "mrs tpidr_el0"},
	{"40d01bd5", NONE, "msr tpidr_el0"},
	{"fd7bbfa9", STEPPED, "stp x29, x30, [sp, -16]!"},
	{"ff4300d1", STEPPED, "sub sp, sp, 16"},
};

static size_t bytes_of(const char *hex, uint8_t *out)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++)
		assert_int_equal(sscanf(hex + 2 * i, "%2hhx", &out[i]), 1);
	return n;
}

static void check_kinds(uint16_t machine, const struct sample *samples, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		/* what follows an instruction must not matter */
		uint8_t code[TLOBCTL_INSN_BYTES];
		size_t n;

		memset(code, 0x90, sizeof(code));
		n = bytes_of(samples[i].hex, code);
		if (tlobctl_insn_kind(machine, 0, code, sizeof(code)) != samples[i].kind)
			fail_msg("%s: kind %d instead of %d", samples[i].what,
				 tlobctl_insn_kind(machine, 0, code, sizeof(code)),
				 samples[i].kind);
		if (samples[i].kind == NONE)
			continue;
		assert_int_equal(tlobctl_insn_length(machine, code, sizeof(code)), n);
		assert_int_equal(tlobctl_insn_kind(machine, 0, code, n), samples[i].kind);
		assert_int_equal(tlobctl_insn_kind(machine, 0, code, n - 1), NONE);
	}
}

static void kinds(void **state)
{
	check_kinds(EM_X86_64, x86_64, COUNT(x86_64));
	check_kinds(EM_X86_64, x86_64_taken, COUNT(x86_64_taken));
	check_kinds(EM_386, x86_32, COUNT(x86_32));
	check_kinds(EM_AARCH64, arm64, COUNT(arm64));
}

static void kind_depends_on_address(void **state)
{
	static const uint8_t nop5[] = {0x0f, 0x1f, 0x44, 0x00, 0x00};
	static const uint8_t nop[] = {0x1f, 0x20, 0x03, 0xd5};

	assert_int_equal(tlobctl_insn_kind(EM_X86_64, 0x1ffb, nop5, 5), NOP5);
	assert_int_equal(tlobctl_insn_kind(EM_X86_64, 0x1ffc, nop5, 5), EMULATED);
	assert_int_equal(tlobctl_insn_kind(EM_X86_64, 0x1fff, nop5, 5), EMULATED);
	assert_int_equal(tlobctl_insn_kind(EM_AARCH64, 0x1002, nop, 4), NONE);
	assert_int_equal(tlobctl_insn_kind(EM_RISCV, 0, nop, 4), STEPPED);
}

static void boundaries(void **state)
{
	/* push %rbp; mov %rsp,%rbp; call; an opcode that does not exist */
	static const uint8_t code[] = {0x55, 0x48, 0x89, 0xe5, 0xe8, 0, 0, 0, 0, 0x06, 0x90};
	size_t before = 0, after = 0;

#define BOUNDARY(offset) \
	tlobctl_insn_boundary(EM_X86_64, code, sizeof(code), offset, &before, &after)
	assert_int_equal(BOUNDARY(0), TLOBCTL_BOUNDARY_YES);
	assert_int_equal(BOUNDARY(1), TLOBCTL_BOUNDARY_YES);
	assert_int_equal(BOUNDARY(9), TLOBCTL_BOUNDARY_YES);
	assert_int_equal(BOUNDARY(3), TLOBCTL_BOUNDARY_NO);
	assert_int_equal(before, 1);
	assert_int_equal(after, 4);
	assert_int_equal(BOUNDARY(10), TLOBCTL_BOUNDARY_UNKNOWN);
	assert_int_equal(BOUNDARY(400), TLOBCTL_BOUNDARY_UNKNOWN);
#undef BOUNDARY
	assert_int_equal(tlobctl_insn_boundary(EM_AARCH64, code, 8, 6, &before, &after),
			 TLOBCTL_BOUNDARY_NO);
	assert_int_equal(before, 4);
	assert_int_equal(after, 8);
}

/* Bytes of one line of "objdump -d -w"; 0 if it shows none or something objdump cannot name either. */
static size_t objdump_line(char *line, uint8_t *code)
{
	char *hex = strchr(line, '\t');
	char *text = hex ? strchr(hex + 1, '\t') : NULL;
	size_t n = 0;

	if (!text || strstr(text, "(bad)") || strstr(text, "rex."))
		return 0;
	for (char *p = hex + 1; p < text && n < TLOBCTL_INSN_BYTES;) {
		char *end;
		unsigned long byte = strtoul(p, &end, 16);

		if (end == p)
			break;
		code[n++] = (uint8_t)byte;
		for (p = end; *p == ' ';)
			p++;
	}
	/* objdump shows fwait and what follows as one */
	return n > 1 && code[0] == 0x9b ? 0 : n;
}

static void lengths_agree_with_objdump(void **state)
{
	static char line[8192];
	unsigned long seen = 0;
	const char *lib = "/lib/x86_64-linux-gnu/libc.so.6";
	char command[256];
	FILE *f;

	if (access(lib, R_OK)) /* another architecture */
		skip();
	snprintf(command, sizeof(command), "objdump -d -w %s", lib);
	f = popen(command, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		uint8_t code[TLOBCTL_INSN_BYTES + 16];
		size_t n;

		memset(code, 0xcc, sizeof(code));
		n = objdump_line(line, code);
		if (!n)
			continue;
		seen++;
		if (tlobctl_insn_length(EM_X86_64, code, sizeof(code)) != n)
			fail_msg("%zu bytes: %s", tlobctl_insn_length(EM_X86_64, code, 16), line);
	}
	assert_int_equal(pclose(f), 0);
	assert_true(seen > 100000);
}

static void decoder_stays_inside(void **state)
{
	srandom(1);
	for (int i = 0; i < 200000; i++) {
		size_t size = (size_t)random() % 18;
		uint8_t *code =
			malloc(size ? size : 1); /* exact: the sanitizer sees a byte too many */
		struct tlobctl_x86 x = {0};

		assert_non_null(code);
		for (size_t k = 0; k < size; k++)
			code[k] = (uint8_t)random();
		if (tlobctl_x86_decode(i & 1, code, size, &x))
			assert_in_range(x.length, 1, size < 15 ? size : 15);
		free(code);
	}
}

/* ---- the kernel's own word */

static int uprobe_type(void)
{
	FILE *f = fopen("/sys/bus/event_source/devices/uprobe/type", "re");
	int type = -1;

	if (f) {
		if (fscanf(f, "%d", &type) != 1)
			type = -1;
		fclose(f);
	}
	return type;
}

/* 0 or the errno of putting a probe at @offset of @path, which this process has mapped. */
static int attach(int type, const char *path, uint64_t offset)
{
	struct perf_event_attr attr = {.size = sizeof(attr),
				       .type = (uint32_t)type,
				       .config1 = (uintptr_t)path,
				       .config2 = offset};
	int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static void kernel_agrees(void **state)
{
	enum {
		STRIDE = 64,
		SIZE = STRIDE * COUNT(x86_64)
	};
	static uint8_t code[SIZE];
	char path[] = "/tmp/test_insn.XXXXXX";
	int type = uprobe_type(), fd, first;
	void *map;

#ifndef __x86_64__
	skip();
#endif
	if (type < 0)
		skip();
	memset(code, 0x90, sizeof(code));
	for (size_t i = 0; i < COUNT(x86_64); i++)
		bytes_of(x86_64[i].hex, code + i * STRIDE);
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, code, sizeof(code)), sizeof(code));
	map = mmap(NULL, sizeof(code), PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	assert_true(map != MAP_FAILED);

	first = attach(type, path, 0);
	if (first == EACCES || first == EPERM) {
		unlink(path);
		skip();
	}
	for (size_t i = 0; i < COUNT(x86_64); i++) {
		int err = attach(type, path, i * STRIDE);

		if ((err != 0) != (x86_64[i].kind == NONE)) {
			unlink(path);
			fail_msg("%s: the kernel says %d", x86_64[i].what, err);
		}
	}
	unlink(path);
	munmap(map, sizeof(code));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds),
		cmocka_unit_test(kind_depends_on_address),
		cmocka_unit_test(boundaries),
		cmocka_unit_test(lengths_agree_with_objdump),
		cmocka_unit_test(decoder_stays_inside),
		cmocka_unit_test(kernel_agrees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
