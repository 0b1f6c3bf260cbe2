/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks for the names of places in programs of a lab, by the symbols there. */
#ifndef TLOB_TESTS_UNIT_ASKING_H
#define TLOB_TESTS_UNIT_ASKING_H

#include "lab.h"

#include "ctl/elf.h"
#include "why/symbolize.h"

#define ROOM 16

static const char plain_c[] = "volatile int sink;\n" /* line 1 */
			      "#define MARK(name) __asm__ volatile(#name \": nop\")\n"
			      "static inline __attribute__((always_inline)) void leaf(int x)\n"
			      "{\n"
			      "	MARK(in_leaf);\n" /* 5 */
			      "	sink = x;\n"
			      "}\n"
			      "static inline __attribute__((always_inline)) void middle(int x)\n"
			      "{\n"
			      "	if (x) {\n" /* 10 */
			      "		int y = x * 2;\n"
			      "		leaf(y);\n"
			      "	}\n"
			      "}\n"
			      "__attribute__((noinline)) static void hidden(int x)\n" /* 15 */
			      "{\n"
			      "	middle(x);\n"
			      "	MARK(in_hidden);\n"
			      "}\n"
			      "__attribute__((noinline)) void visible(int x)\n" /* 20 */
			      "{\n"
			      "	hidden(x);\n"
			      "	MARK(in_visible);\n"
			      "}\n";

static inline const char *in_lab(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", lab, name);
	return path;
}

/* File offset of a symbol. */
static inline uint64_t offset_of(const char *binary, const char *symbol)
{
	struct tlobctl_elf *elf = NULL;
	const struct tlobctl_symbol *symbols;
	uint64_t offset = 0;
	size_t count;

	if (tlobctl_elf_open(in_lab(binary), "", &elf))
		fail_msg("%s", tlobctl_error());
	symbols = tlobctl_elf_symbols(elf, &count);
	for (size_t i = 0; i < count && !offset; i++)
		if (symbols[i].name_length == strlen(symbol) &&
		    !strncmp(symbols[i].name, symbol, symbols[i].name_length))
			assert_true(tlobctl_elf_offset(elf, symbols[i].address, &offset));
	tlobctl_elf_free(elf);
	if (!offset)
		fail_msg("%s has no %s", binary, symbol);
	return offset;
}

static inline size_t build_id_of(const char *binary, unsigned char id[WHY_BUILD_ID_BYTES])
{
	char command[300];
	size_t n = 0;
	FILE *f;

	snprintf(command, sizeof(command), "readelf -n %s | sed -n 's/.*Build ID: //p'",
		 in_lab(binary));
	f = popen(command, "r");
	assert_non_null(f);
	while (n < WHY_BUILD_ID_BYTES && fscanf(f, "%2hhx", &id[n]) == 1)
		n++;
	pclose(f);
	return n;
}

struct answer {
	struct why_symbolizer *symbolizer;
	struct tlobctl_frame frames[ROOM];
	size_t count;
};

static inline void ask_root(struct answer *a, const char *root, const char *path,
			    const unsigned char *id, size_t id_bytes, uint64_t offset, bool call)
{
	const struct why_object *object;

	if (!a->symbolizer)
		assert_int_equal(why_symbolizer_new(&a->symbolizer), 0);
	object = why_object_of(a->symbolizer, path, root, id, id_bytes);
	assert_non_null(object);
	a->count = why_symbolize(a->symbolizer, object, offset, call, a->frames, ROOM);
	assert_in_range(a->count, 1, ROOM);
	for (size_t i = 0; i < a->count; i++) {
		assert_int_equal(a->frames[i].offset, offset);
		assert_int_equal(strlen(a->frames[i].build_id), 2 * id_bytes);
	}
}

/* At a symbol of @from, which has the same layout as @binary, in that one. */
static inline void ask(struct answer *a, const char *binary, const char *from, const char *symbol)
{
	unsigned char id[WHY_BUILD_ID_BYTES];
	size_t n = build_id_of(binary, id);
	uint64_t offset = offset_of(from, symbol); /* before in_lab() is: there is one buffer */

	ask_root(a, "", in_lab(binary), id, n, offset, false);
	assert_string_equal(a->frames[0].object, in_lab(binary));
}

#endif
