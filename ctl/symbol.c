// SPDX-License-Identifier: GPL-2.0-or-later
/* See symbol.h. */
#include <elf.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elf.h"
#include "error.h"
#include "source_name.h"
#include "suggest.h"
#include "symbol.h"

#define MEANT 32 /* functions of one name, more is no use */
#define LISTED 8 /* of several that are meant, name so many */

/* "name@VERSION" or "name@@VERSION", split */
struct wanted {
	const char *name;
	size_t length;
	const char *version; /* NULL: the default one */
	uint64_t offset; /* of the one that is meant, as tlobctl_titles_new() tells them apart; 0: any */
};

/* What the symbols of one name come to. */
struct matches {
	const struct tlobctl_symbol *code[MEANT]; /* different addresses */
	size_t count; /* may be more */
	bool ifunc, data, import;
	bool newer_ifunc; /* the default version is one, as with glibc's memcpy */
};

static struct wanted wanted(const char *name)
{
	struct wanted w = {.name = name, .length = strcspn(name, "@")};

	if (name[w.length])
		w.version = name + w.length + strspn(name + w.length, "@");
	if (w.version && !strncmp(w.version, "0x", 2)) {
		w.offset = strtoull(w.version, NULL, 16);
		w.version = NULL;
	}
	return w;
}

static bool is_meant(const struct tlobctl_symbol *symbol, const struct wanted *w)
{
	if (symbol->name_length != w->length || memcmp(symbol->name, w->name, w->length))
		return false;
	return !w->version || (symbol->version && !strcmp(symbol->version, w->version));
}

static bool is_code(const struct tlobctl_elf *elf, const struct tlobctl_symbol *symbol)
{
	uint64_t offset;

	return symbol->defined && (symbol->type == STT_FUNC || symbol->type == STT_NOTYPE) &&
	       tlobctl_elf_offset(elf, symbol->address, &offset);
}

static void note_code(struct matches *m, const struct tlobctl_symbol *symbol)
{
	for (size_t i = 0; i < m->count && i < MEANT; i++) {
		if (m->code[i]->address != symbol->address)
			continue;
		/* the other table did not tell, or it has a second version */
		if (symbol->version && (!m->code[i]->version || m->code[i]->hidden))
			m->code[i] = symbol;
		return;
	}
	if (m->count < MEANT)
		m->code[m->count] = symbol;
	m->count++;
}

/* Old versions are only meant if there is nothing else. */
static void drop_hidden(struct matches *m)
{
	size_t kept = 0;

	if (m->count > MEANT)
		return;
	for (size_t i = 0; i < m->count; i++)
		if (!m->code[i]->hidden)
			m->code[kept++] = m->code[i];
	if (kept || m->newer_ifunc)
		m->count = kept;
}

static void note(const struct tlobctl_elf *elf, const struct tlobctl_symbol *symbol,
		 const struct wanted *w, struct matches *m)
{
	uint64_t offset;

	if (w->offset &&
	    (!is_code(elf, symbol) || !tlobctl_elf_offset(elf, symbol->address, &offset) ||
	     offset != w->offset))
		return;
	if (!symbol->defined)
		m->import = true;
	else if (is_code(elf, symbol))
		note_code(m, symbol);
	else if (symbol->type != STT_GNU_IFUNC)
		m->data = true;
	else if (!symbol->hidden)
		m->newer_ifunc = m->ifunc = true;
	else
		m->ifunc = true;
}

/* As the source has it, if that is what it is. */
static void match_source(const struct tlobctl_elf *elf, const struct wanted *w, struct matches *m)
{
	char name[TLOBCTL_SOURCE_BYTES];
	struct tlobctl_source_name source;
	const struct tlobctl_symbol *all;
	size_t count;

	memset(m, 0, sizeof(*m));
	if (w->length >= sizeof(name))
		return;
	snprintf(name, sizeof(name), "%.*s", (int)w->length, w->name);
	if (!tlobctl_source_name_init(&source, name, false))
		return;
	all = tlobctl_elf_symbols(elf, &count);
	for (size_t i = 0; i < count; i++)
		if (tlobctl_source_name_matches(&source, &all[i]))
			note(elf, &all[i], w, m);
	drop_hidden(m);
}

static void match(const struct tlobctl_elf *elf, const struct wanted *w, struct matches *m)
{
	const struct tlobctl_symbol *all;
	size_t count;

	all = tlobctl_elf_symbols(elf, &count);
	memset(m, 0, sizeof(*m));
	for (size_t i = 0; i < count; i++)
		if (is_meant(&all[i], w))
			note(elf, &all[i], w, m);
	if (!w->version)
		drop_hidden(m);
	if (!m->count && !m->ifunc && !m->data && !m->import)
		match_source(elf, w, m);
}

const char *tlobctl_symbol_name(const struct tlobctl_symbol *symbol, char buf[TLOBCTL_SYMBOL_TEXT])
{
	snprintf(buf, TLOBCTL_SYMBOL_TEXT, "%.*s", (int)symbol->name_length, symbol->name);
	return buf;
}

/* The part of a function that the compiler thinks is seldom run; it is not called. */
static bool is_cold(const struct tlobctl_symbol *symbol)
{
	char text[TLOBCTL_SYMBOL_TEXT];

	return strstr(tlobctl_symbol_name(symbol, text), ".cold");
}

/* ---- what to say when it is not one function */

/* Whether parameters tell them apart. */
static bool differ(const struct matches *m)
{
	char a[TLOBCTL_SYMBOL_TEXT], b[TLOBCTL_SYMBOL_TEXT];

	for (size_t i = 0; i < m->count; i++)
		for (size_t j = 0; j < i; j++)
			if (!strcmp(tlobctl_source_name_of(m->code[i], true, a, sizeof(a)),
				    tlobctl_source_name_of(m->code[j], true, b, sizeof(b))))
				return false;
	return true;
}

static const char *list_names(const struct matches *m, bool source, char *list, size_t size)
{
	char text[TLOBCTL_SYMBOL_TEXT];
	size_t at = 0;

	*list = '\0';
	for (size_t i = 0; i < m->count && i < LISTED && at < size; i++) {
		if (source)
			tlobctl_source_name_of(m->code[i], true, text, sizeof(text));
		else
			tlobctl_symbol_name(m->code[i], text);
		at += (size_t)snprintf(list + at, size - at, "%s'%s'", i ? ", " : "", text);
	}
	if (m->count > LISTED && at < size)
		snprintf(list + at, size - at, ", ...");
	return list;
}

/* Functions of C++ with different parameters, or constructors, of which each has two. */
static int fail_overloads(const struct tlobctl_elf *elf, const char *name, const struct matches *m)
{
	char list[2048];
	bool source = m->count <= MEANT && differ(m);

	list_names(m, source, list, sizeof(list));
	return tlobctl_fail(-EEXIST, "'%s' is %zu different functions in %s: give one of %s%s%s%s",
			    name, m->count, tlobctl_elf_path(elf), list,
			    source ? ", or all of them as '" : "", source ? name : "",
			    source ? "(*)'" : "");
}

static int fail_several(const struct tlobctl_elf *elf, const char *name, const struct matches *m)
{
	char list[1024] = "";
	size_t at = 0;

	if (m->code[0]->name_length != strlen(name) && !strchr(name, '@'))
		return fail_overloads(elf, name, m);
	for (size_t i = 0; i < m->count && i < LISTED && at < sizeof(list); i++) {
		uint64_t offset = 0;
		const char *version = m->code[i]->version;

		tlobctl_elf_offset(elf, m->code[i]->address, &offset);
		at += (size_t)snprintf(list + at, sizeof(list) - at, "%s0x%llx%s%s%s",
				       i ? ", " : "", (unsigned long long)offset,
				       version ? " (@" : "", version ? version : "",
				       version ? ")" : "");
	}
	return tlobctl_fail(
		-EEXIST,
		"'%s' is %zu different functions in %s: give the file offset of the one "
		"you mean, out of %s%s",
		name, m->count, tlobctl_elf_path(elf), list, m->count > LISTED ? ", ..." : "");
}

/* Its implementations are called __NAME_something, if anything of them is left in the symbol table. */
static int fail_ifunc(const struct tlobctl_elf *elf, const char *name, const struct wanted *w)
{
	const struct tlobctl_symbol *all;
	char list[1024] = "", pattern[TLOBCTL_SYMBOL_TEXT], text[TLOBCTL_SYMBOL_TEXT];
	size_t count, at = 0;
	int listed = 0;

	all = tlobctl_elf_symbols(elf, &count);
	snprintf(pattern, sizeof(pattern), "__%.*s_*", (int)w->length, w->name);
	for (size_t i = 0; i < count && listed < LISTED && at < sizeof(list); i++) {
		if (!is_code(elf, &all[i]) ||
		    fnmatch(pattern, tlobctl_symbol_name(&all[i], text), 0) || strstr(text, "_chk"))
			continue;
		at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%s",
				       listed++ ? ", " : ": candidates are ", text);
	}
	return tlobctl_fail(-ENOTSUP,
			    "'%s' of %s is an indirect function: at load time one of several "
			    "implementations takes its place, and it is that one to probe%s%s",
			    name, tlobctl_elf_path(elf), list,
			    listed ? "" :
				     " (install the library's debug symbols to see their names)");
}

static int fail_unknown(const struct tlobctl_elf *elf, const char *name, const struct wanted *w)
{
	char near[3 * TLOBCTL_SUGGEST_BYTES + 64], plain[TLOBCTL_SYMBOL_TEXT];
	char text[TLOBCTL_SUGGEST_BYTES];
	const char *path = tlobctl_elf_path(elf), *debug = tlobctl_elf_debug_path(elf);
	const struct tlobctl_symbol *all;
	struct tlobctl_suggest s;
	size_t count, functions = 0;

	all = tlobctl_elf_symbols(elf, &count);
	snprintf(plain, sizeof(plain), "%.*s", (int)w->length, w->name);
	tlobctl_suggest_init(&s, plain);
	for (size_t i = 0; i < count; i++) {
		if (!is_code(elf, &all[i]) || is_cold(&all[i]))
			continue;
		functions++;
		tlobctl_source_name_of(&all[i], strchr(name, '('), text, sizeof(text));
		tlobctl_suggest_offer(&s, text, strlen(text));
	}
	tlobctl_suggest_text(&s, near, sizeof(near));
	if (!*near && functions)
		snprintf(near, sizeof(near), " tlob ls shows what it has.");
	if (tlobctl_elf_has_symtab(elf))
		return tlobctl_fail(
			-ENOENT,
			"%s has no function '%s'.%s If the source has it, the compiler may "
			"have inlined all of it",
			path, name, near);
	return tlobctl_fail(
		-ENOENT,
		"%s names no function '%s': it is stripped%s.%s To know more, install its "
		"debug symbols (Debian: the -dbgsym package%s%s), or give a file offset, "
		"0xOFFSET",
		path, name, functions ? " and only names what it exports" : "", near,
		*debug ? "; looked for " : "", debug);
}

/* 0: there is none of that name with other parameters either. */
static int fail_parameters(const struct tlobctl_elf *elf, const char *name)
{
	char plain[TLOBCTL_SOURCE_BYTES], list[2048];
	size_t bytes = strlen(name), depth = 0;
	struct matches m;
	struct wanted w;

	/* those begin with the '(' that the last ')' closes */
	do {
		if (!bytes || bytes >= sizeof(plain))
			return 0;
		bytes--;
		depth += name[bytes] == ')';
		depth -= depth && name[bytes] == '(';
	} while (depth || name[bytes] != '(');
	snprintf(plain, sizeof(plain), "%.*s", (int)bytes, name);
	w = wanted(plain);
	match_source(elf, &w, &m);
	if (!m.count)
		return 0;
	return tlobctl_fail(-ENOENT, "%s has no '%s', but it has %s", tlobctl_elf_path(elf), name,
			    list_names(&m, true, list, sizeof(list)));
}

int tlobctl_symbol_find(const struct tlobctl_elf *elf, const char *name,
			const struct tlobctl_symbol **out)
{
	struct wanted w = wanted(name);
	struct matches m;
	int err;

	match(elf, &w, &m);
	if (m.count == 1) {
		*out = m.code[0];
		return 0;
	}
	if (m.count)
		return fail_several(elf, name, &m);
	if (m.ifunc)
		return fail_ifunc(elf, name, &w);
	if (m.data)
		return tlobctl_fail(-EINVAL, "'%s' of %s is data, not code", name,
				    tlobctl_elf_path(elf));
	if (m.import)
		return -ENOLINK;
	err = fail_parameters(elf, name);
	return err ? err : fail_unknown(elf, name, &w);
}

bool tlobctl_symbol_exists(const struct tlobctl_elf *elf, const char *name)
{
	struct wanted w = wanted(name);
	struct matches m;

	match(elf, &w, &m);
	return m.count || m.ifunc;
}

/* ---- by pattern and by address */

/* Of several names for one address, the one a person would use comes first. */
static int compare_address(const void *a, const void *b)
{
	const struct tlobctl_symbol *x = *(const struct tlobctl_symbol *const *)a;
	const struct tlobctl_symbol *y = *(const struct tlobctl_symbol *const *)b;
	bool x_plain = x->name[0] != '_', y_plain = y->name[0] != '_';

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	if (x->hidden != y->hidden)
		return x->hidden - y->hidden;
	if ((x->binding == STB_LOCAL) != (y->binding == STB_LOCAL))
		return x->binding == STB_LOCAL ? 1 : -1;
	if (x_plain != y_plain)
		return y_plain - x_plain;
	if (x->name_length != y->name_length)
		return x->name_length < y->name_length ? -1 : 1;
	return memcmp(x->name, y->name, x->name_length);
}

static int compare_name(const void *a, const void *b)
{
	const struct tlobctl_symbol *x = *(const struct tlobctl_symbol *const *)a;
	const struct tlobctl_symbol *y = *(const struct tlobctl_symbol *const *)b;
	size_t n = x->name_length < y->name_length ? x->name_length : y->name_length;
	int order = memcmp(x->name, y->name, n);

	if (order)
		return order;
	if (x->name_length != y->name_length)
		return x->name_length < y->name_length ? -1 : 1;
	return (x->address > y->address) - (x->address < y->address);
}

static int one_each(const struct tlobctl_symbol **found, size_t count)
{
	size_t kept = 0;

	qsort(found, count, sizeof(*found), compare_address);
	for (size_t i = 0; i < count; i++)
		if (!kept || found[kept - 1]->address != found[i]->address)
			found[kept++] = found[i];
	qsort(found, kept, sizeof(*found), compare_name);
	return (int)kept;
}

int tlobctl_symbol_glob(const struct tlobctl_elf *elf, const char *pattern,
			const struct tlobctl_symbol ***out)
{
	const struct tlobctl_symbol *all, **found;
	struct tlobctl_source_name source;
	bool by_source = tlobctl_source_name_init(&source, pattern, true);
	size_t count, n = 0;

	all = tlobctl_elf_symbols(elf, &count);
	found = calloc(count ? count : 1, sizeof(const struct tlobctl_symbol *));
	if (!found)
		return tlobctl_fail(-ENOMEM, "out of memory");
	for (size_t i = 0; i < count; i++) {
		char text[TLOBCTL_SYMBOL_TEXT];

		if (all[i].type == STT_FUNC && is_code(elf, &all[i]) &&
		    (!fnmatch(pattern, tlobctl_symbol_name(&all[i], text), 0) ||
		     (by_source && tlobctl_source_name_matches(&source, &all[i]))))
			found[n++] = &all[i];
	}
	*out = found;
	return one_each(found, n);
}

const struct tlobctl_symbol *tlobctl_symbol_at(const struct tlobctl_elf *elf, uint64_t address)
{
	const struct tlobctl_symbol *all, *best = NULL;
	size_t count;

	all = tlobctl_elf_symbols(elf, &count);
	for (size_t i = 0; i < count; i++) {
		if (all[i].type != STT_FUNC || !is_code(elf, &all[i]) || address < all[i].address ||
		    address - all[i].address >= all[i].size)
			continue;
		if (!best || all[i].address > best->address)
			best = &all[i];
	}
	return best;
}

uint64_t tlobctl_symbol_end(const struct tlobctl_elf *elf, const struct tlobctl_symbol *symbol)
{
	const struct tlobctl_symbol *all;
	uint64_t end = UINT64_MAX;
	size_t count;

	if (symbol->size && symbol->size <= UINT64_MAX - symbol->address)
		return symbol->address + symbol->size;
	all = tlobctl_elf_symbols(elf, &count);
	for (size_t i = 0; i < count; i++)
		if (is_code(elf, &all[i]) && all[i].address > symbol->address &&
		    all[i].address < end)
			end = all[i].address;
	return end;
}

static bool is_one_of(const struct tlobctl_symbol *symbol, const char *const *names)
{
	for (; *names; names++)
		if (symbol->name_length == strlen(*names) &&
		    !memcmp(symbol->name, *names, symbol->name_length))
			return true;
	return false;
}

const char *tlobctl_symbol_no_return(const struct tlobctl_symbol *symbol)
{
	static const char *const jumps[] = {"setjmp",	     "_setjmp",	     "__sigsetjmp",
					    "sigsetjmp",     "getcontext",   "swapcontext",
					    "__swapcontext", "__getcontext", NULL};

	if (is_one_of(symbol, jumps))
		return "it keeps its return address, which a return probe has replaced, for later";
	if (is_cold(symbol))
		return "it is the cold part of a function, jumped into and not called";
	return NULL;
}
