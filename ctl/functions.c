// SPDX-License-Identifier: GPL-2.0-or-later
/* What of a binary can be probed: its functions, as a region names them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elf.h"
#include "error.h"
#include "insn.h"
#include "parse.h"
#include "path.h"
#include "title.h"

#define ANY_BUDGET "@1s" /* a region's text has one */

struct listing {
	tlobctl_function_fn *fn;
	void *arg;
	const struct tlobctl_file *file;
	const struct tlobctl_elf *elf;
	const struct tlobctl_symbol **found;
	size_t count;
};

/* "BINARY" or "BINARY:PATTERN" as the region it is the beginning of. */
static int parse(const char *text, struct tlob_region_spec *spec)
{
	size_t size = strlen(text) + 16;
	struct tlob_parse_error why;
	char *whole = malloc(size);
	int err;

	if (!whole)
		return tlobctl_fail(-ENOMEM, "out of memory");
	snprintf(whole, size, "%s%s" ANY_BUDGET, text,
		 *text && text[strlen(text) - 1] == ':' && !strstr(text, "::") ? "*" : "");
	err = tlob_region_parse(whole, spec, &why);
	if (err || !*spec->path) {
		struct tlob_parse_error ignored;

		snprintf(whole, size, "%s:*" ANY_BUDGET, text);
		if (!tlob_region_parse(whole, spec, &ignored))
			err = 0;
	}
	free(whole);
	if (err)
		return tlobctl_fail(err, "cannot understand '%s': %s", text, why.why);
	if (!spec->to_return || !*spec->start.symbol)
		return tlobctl_fail(-EINVAL, "'%s' is no BINARY or BINARY:PATTERN", text);
	return 0;
}

/* What is there cannot be called, so nobody looks for it. */
static bool is_part(const struct tlobctl_symbol *symbol)
{
	return memmem(symbol->name, symbol->name_length, ".cold", 5);
}

static int tell(const struct listing *l, const struct tlobctl_symbol *symbol, const char *title)
{
	char linker[TLOBCTL_SYMBOL_TEXT];
	uint8_t code[TLOBCTL_INSN_BYTES];
	struct tlobctl_function function = {
		.size = sizeof(function),
		.path = l->file->path,
		.name = title,
		.symbol = tlobctl_symbol_name(symbol, linker),
		.bytes = symbol->size,
		.unfit = tlobctl_symbol_no_return(symbol),
		.complete = tlobctl_elf_has_symtab(l->elf),
	};
	size_t n;

	tlobctl_elf_offset(l->elf, symbol->address, &function.offset);
	n = tlobctl_elf_read(l->elf, function.offset, code, sizeof(code));
	if (n)
		function.kind =
			tlobctl_insn_kind(tlobctl_elf_machine(l->elf), function.offset, code, n);
	if (symbol->address == tlobctl_elf_entry(l->elf))
		function.unfit = "it is where the program starts, and never returns";
	else if (tlobctl_elf_is_go(l->elf))
		function.unfit = "a return probe would make a Go program crash: give START..STOP";
	else if (function.kind == TLOBCTL_PROBE_NONE)
		function.unfit = "the kernel cannot put a probe on its first instruction";
	return l->fn(&function, l->arg);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(**(tlobctl_title *const *)a, **(tlobctl_title *const *)b);
}

static int tell_all(struct listing *l)
{
	tlobctl_title *titles = tlobctl_titles_new(l->elf, l->found, l->count);
	tlobctl_title **order = calloc(l->count + 1, sizeof(tlobctl_title *));
	int err = 0;

	if (!titles || !order)
		err = tlobctl_fail(-ENOMEM, "out of memory");
	for (size_t i = 0; !err && i < l->count; i++)
		order[i] = &titles[i];
	if (!err)
		qsort(order, l->count, sizeof(tlobctl_title *), by_text);
	for (size_t i = 0; !err && i < l->count; i++)
		err = tell(l, l->found[order[i] - titles], *order[i]);
	free(order);
	free(titles);
	return err;
}

static int list(struct listing *l, const struct tlob_region_spec *spec)
{
	char pattern[TLOB_SYMBOL_BYTES + 2];
	int n;

	snprintf(pattern, sizeof(pattern), spec->start.glob ? "%s" : "*%s*", spec->start.symbol);
	n = tlobctl_symbol_glob(l->elf, pattern, &l->found);
	if (n < 0)
		return n;
	for (int i = 0; i < n; i++)
		if (!is_part(l->found[i]))
			l->found[l->count++] = l->found[i];
	n = tell_all(l);
	free(l->found);
	return n;
}

int tlobctl_functions(const char *text, pid_t pid, tlobctl_function_fn *fn, void *arg)
{
	struct tlob_region_spec *spec = malloc(sizeof(*spec)); /* too large for a stack */
	struct listing l = {.fn = fn, .arg = arg};
	struct tlobctl_file file = {0};
	struct tlobctl_elf *elf = NULL;
	int r = spec ? parse(text, spec) : tlobctl_fail(-ENOMEM, "out of memory");

	if (!r)
		r = tlobctl_path_find(spec->path, pid, &file);
	if (!r)
		r = tlobctl_elf_open(file.path, file.root, &elf);
	l.file = &file;
	l.elf = elf;
	if (!r)
		r = list(&l, spec);
	if (r >= 0)
		r = (int)l.count;
	else
		errno = -r;
	tlobctl_elf_free(elf);
	tlobctl_file_deinit(&file);
	free(spec);
	return r;
}
