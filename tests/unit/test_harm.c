// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files that processes have mapped, made to do harm to the agent: it shall neither wait for ever, nor end, nor use up its
 * memory for their names.
 */
#include <elf.h>
#include <sys/stat.h>

#include "asking.h"
#include "why/space.h"

static int make_lab(void **state)
{
	if (lab_make(state))
		return -1;
	lab_write("plain.c", plain_c, strlen(plain_c));
	lab_run("cc -O2 -g -shared -fPIC -o plain.so plain.c && strip -o bare.so plain.so");
	return 0;
}

#define NOBODY 65534

/* Only what others can change is held to be made so. */
static void give_away(const char *binary)
{
	if (geteuid())
		skip();
	assert_int_equal(chown(in_lab(binary), NOBODY, NOBODY), 0);
}

/* All of it within seconds, or the alarm ends this program. */
static void ask_soon(struct answer *a, const char *binary)
{
	alarm(20);
	ask(a, binary, binary, "in_hidden");
	alarm(0);
}

/* 250 characters that unfold to gigabytes. */
static void endless_name(void **state)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	char name[400] = "_ZN1XI1AIiiES_IS0_S0_E", source[2048];
	struct answer a = {.symbolizer = NULL};

	for (size_t i = 0; i < 34; i++)
		sprintf(name + strlen(name), "S_IS%c_S%c_E", digits[i + 1], digits[i + 1]);
	strcat(name, "E1fEv");
	snprintf(source, sizeof(source),
		 ".text\n.globl %s\n.type %s,@function\n%s:\nin_hidden: nop\n.size %s,1\n", name,
		 name, name, name);
	lab_write("endless.s", source, strlen(source));
	lab_run("cc -shared -o endless.so endless.s");
	alarm(20);
	ask(&a, "endless.so", "endless.so", "in_hidden");
	alarm(0);
	assert_string_equal(a.frames[0].function, name);
	why_symbolizer_free(a.symbolizer);
}

/* A file of functions of their own (.dwo) that nobody writes to. */
static void fifo_of_functions(void **state)
{
	struct answer a = {.symbolizer = NULL};

	lab_run("cc -O2 -g -gsplit-dwarf -fPIC -c plain.c && cc -shared -o split.so plain.o && cp split.so theirs.so");
	ask_soon(&a, "split.so");
	assert_string_equal(a.frames[0].function, "hidden");
	assert_string_equal(a.frames[0].file + strlen(a.frames[0].file) - 7, "plain.c");
	why_symbolizer_free(a.symbolizer);
	a.symbolizer = NULL;
	lab_run("rm plain.dwo && mkfifo plain.dwo");
	give_away("theirs.so");
	ask_soon(&a, "theirs.so");
	assert_string_equal(a.frames[0].function, "hidden");
	why_symbolizer_free(a.symbolizer);
}

/* A root of their own, with a debug folder of their own. */
static void fifo_of_debug_information(void **state)
{
	unsigned char id[WHY_BUILD_ID_BYTES];
	struct answer a = {.symbolizer = NULL};
	uint64_t offset = offset_of("plain.so", "in_hidden");
	char name[2 * WHY_BUILD_ID_BYTES + 1];
	size_t n = build_id_of("plain.so", id);

	for (size_t i = 0; i < n; i++)
		sprintf(name + 2 * i, "%02x", id[i]);
	lab_run("mkdir -p other/usr/lib/debug/.build-id/%.2s && cp bare.so other/ &&"
		"mkfifo other/usr/lib/debug/.build-id/%.2s/%s.debug",
		name, name, name + 2);
	alarm(20);
	ask_root(&a, lab, "/bare.so", NULL, 0, offset, false); /* not there */
	why_symbolizer_free(a.symbolizer);
	a.symbolizer = NULL;
	ask_root(&a, in_lab("other"), "/bare.so", NULL, 0, offset, false);
	alarm(0);
	why_symbolizer_free(a.symbolizer);
}

/* Makes a section's header say that it has @bytes, at 1 MiB. */
static void widen(const char *binary, const char *section, uint64_t bytes)
{
	FILE *f = fopen(in_lab(binary), "r+e");
	Elf64_Shdr s, names;
	Elf64_Ehdr head;
	char name[32];

	assert_non_null(f);
	assert_int_equal(fread(&head, sizeof(head), 1, f), 1);
	fseek(f, (long)(head.e_shoff + head.e_shstrndx * sizeof(names)), SEEK_SET);
	assert_int_equal(fread(&names, sizeof(names), 1, f), 1);
	for (size_t i = 0; i < head.e_shnum; i++) {
		fseek(f, (long)(head.e_shoff + i * sizeof(s)), SEEK_SET);
		assert_int_equal(fread(&s, sizeof(s), 1, f), 1);
		fseek(f, (long)(names.sh_offset + s.sh_name), SEEK_SET);
		assert_true(fread(name, 1, sizeof(name), f) > strlen(section));
		if (strcmp(name, section))
			continue;
		s.sh_offset = 1 << 20;
		s.sh_size = bytes;
		fseek(f, (long)(head.e_shoff + i * sizeof(s)), SEEK_SET);
		assert_int_equal(fwrite(&s, sizeof(s), 1, f), 1);
	}
	fclose(f);
}

/* Sections as large as no file is, in one of holes. */
static void sparse(void **state)
{
	static const char *const sections[] = {".strtab", ".debug_info", ".debug_line",
					       ".debug_str", ".eh_frame"};
	struct answer a = {.symbolizer = NULL};

	for (size_t i = 0; i < sizeof(sections) / sizeof(*sections); i++) {
		char name[32];

		snprintf(name, sizeof(name), "sparse%zu", i);
		lab_run("cp plain.so %s && truncate -s 1T %s", name, name);
		widen(name, sections[i], 1ULL << 34);
		give_away(name);
		alarm(20);
		ask(&a, name, "plain.so", "in_hidden");
		alarm(0);
		assert_string_equal(a.frames[0].function, "");
	}
	why_symbolizer_free(a.symbolizer);
}

/* As many files as a program likes, with long names. */
static void no_end_of_files(void **state)
{
	struct why_symbolizer *s = NULL;
	const struct why_object *first;
	char path[4000], again[4000];
	size_t n = 0;

	assert_int_equal(why_symbolizer_new(&s), 0);
	snprintf(again, sizeof(again), "/%03980zu", n);
	first = why_object_of(s, again, "", NULL, 0);
	assert_non_null(first);
	do
		snprintf(path, sizeof(path), "/%03980zu", ++n);
	while (n < 100000 && why_object_of(s, path, "", NULL, 0));
	assert_in_range(n, 1000, 50000);
	assert_string_not_equal(why_symbolizer_note(s), "");
	assert_ptr_equal(why_object_of(s, again, "", NULL, 0), first);
	why_symbolizer_free(s);
}

static void map_many(struct why_spaces *spaces, uint32_t tgid, size_t n)
{
	struct why_space *space = why_spaces_current(spaces, tgid);

	if (!space)
		assert_int_equal(why_spaces_begin(spaces, tgid, 1, 1, &space), 0);
	for (size_t i = 0; i < n; i++) {
		const struct why_mapping m = {.start = (i + 1) << 13, .length = 1 << 12};

		why_space_map(spaces, space, 2, &m);
	}
}

/* As many mappings as a program likes, and as many copies of them. */
static void no_end_of_mappings(void **state)
{
	struct why_spaces spaces;

	(void)state;
	assert_int_equal(why_spaces_init(&spaces), 0);
	map_many(&spaces, 1, 100000);
	assert_in_range(spaces.nmappings, 1000, 5000);
	assert_true(spaces.refused > 90000);
	for (uint32_t tgid = 2; tgid < 20000; tgid++)
		why_spaces_fork(&spaces, 1, tgid, 3);
	assert_in_range(spaces.nmappings, 1 << 18, 1 << 20);
	/* and who has few is known all the same */
	map_many(&spaces, 30000, 100);
	assert_int_equal(why_spaces_current(&spaces, 30000)->live.count, 100);
	why_spaces_deinit(&spaces);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endless_name),
		cmocka_unit_test(fifo_of_functions),
		cmocka_unit_test(fifo_of_debug_information),
		cmocka_unit_test(sparse),
		cmocka_unit_test(no_end_of_files),
		cmocka_unit_test(no_end_of_mappings),
	};

	return cmocka_run_group_tests(tests, make_lab, lab_remove);
}
