// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel checks little of where it is told to put a probe: an offset inside an instruction, or the
 * return of something that was never called, spoils the probed program. What can be known beforehand is
 * refused here, with a sentence that says what to give instead.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elf.h"
#include "error.h"
#include "exits.h"
#include "insn.h"
#include "parse.h"
#include "path.h"
#include "resolve.h"
#include "source_name.h"
#include "symbol.h"
#include "title.h"

#define POINT_TEXT (TLOBCTL_SYMBOL_TEXT + 32)
#define DECODE_MAX_BYTES (1 << 20) /* how far into a function instructions are followed */

struct job {
	const struct tlob_region_spec *spec;
	pid_t pid;
	struct tlobctl_file file;
	struct tlobctl_elf *elf;
	bool throws; /* exceptions may pass */
	struct job *stop; /* the second point's, where that is in another binary; else NULL */
};

/* Where a point came out. */
struct place {
	char text[POINT_TEXT];
	uint64_t offset; /* in the file */
	const struct tlobctl_symbol *symbol; /* it is in; NULL: not known */
	uint64_t into; /* bytes from the start of @symbol */
	enum tlobctl_probe_kind kind;
};

/* "f+0x10", or "0x1234" without a symbol */
static void print_place(const struct place *p, uint64_t further, char text[POINT_TEXT])
{
	char name[TLOBCTL_SYMBOL_TEXT];
	unsigned long long into = p->into + further;

	if (!p->symbol)
		snprintf(text, POINT_TEXT, "0x%llx", (unsigned long long)(p->offset + further));
	else if (into)
		snprintf(text, POINT_TEXT, "%s+0x%llx", tlobctl_symbol_name(p->symbol, name), into);
	else
		snprintf(text, POINT_TEXT, "%s", tlobctl_symbol_name(p->symbol, name));
}

/* ---- symbols that are only used here */

struct import {
	struct job *job;
	const char *name;
	char library[TLOB_PATH_BYTES];
};

static int defines(const char *library, void *arg)
{
	struct import *import = arg;
	struct tlobctl_file file;
	struct tlobctl_elf *elf;
	bool found = false;

	if (tlobctl_path_find(library, import->job->pid, &file))
		return 0;
	if (!tlobctl_elf_open(file.path, file.root, &elf)) {
		found = tlobctl_symbol_exists(elf, import->name);
		tlobctl_elf_free(elf);
	}
	tlobctl_file_deinit(&file);
	if (found)
		snprintf(import->library, sizeof(import->library), "%s", library);
	return found;
}

static int fail_import(struct job *job, const char *name)
{
	struct import import = {.job = job, .name = name};

	if (tlobctl_elf_needed(job->elf, defines, &import))
		return tlobctl_fail(-ENOENT,
				    "'%s' is only called from %s; it is defined in a library: "
				    "write %s:%s",
				    name, job->file.path, import.library, name);
	return tlobctl_fail(-ENOENT,
			    "'%s' is only called from %s and defined in a library loaded with it: "
			    "name that library",
			    name, job->file.path);
}

/* ---- one point */

static int check_boundary(struct job *job, const struct place *p)
{
	size_t size = (size_t)p->into + TLOBCTL_INSN_BYTES, n, before, after;
	enum tlobctl_boundary boundary;
	char low[POINT_TEXT], high[POINT_TEXT];
	struct place start = *p;
	uint8_t *code;

	if (!p->symbol || !p->into || p->into > DECODE_MAX_BYTES)
		return 0;
	code = malloc(size);
	if (!code)
		return tlobctl_fail(-ENOMEM, "out of memory");
	n = tlobctl_elf_read(job->elf, p->offset - p->into, code, size);
	boundary = tlobctl_insn_boundary(tlobctl_elf_machine(job->elf), code, n, (size_t)p->into,
					 &before, &after);
	free(code);
	if (boundary != TLOBCTL_BOUNDARY_NO)
		return 0;
	start.into = 0;
	print_place(&start, before, low);
	print_place(&start, after, high);
	return tlobctl_fail(-EINVAL,
			    "%s of %s is inside an instruction, where a probe would spoil the "
			    "program: instructions start at %s and %s",
			    p->text, job->file.path, low, high);
}

static int check_instruction(struct job *job, struct place *p)
{
	uint8_t code[TLOBCTL_INSN_BYTES];
	size_t n = tlobctl_elf_read(job->elf, p->offset, code, sizeof(code)), length;
	char bytes[3 * TLOBCTL_INSN_BYTES + 1] = "", next[POINT_TEXT + 32] = "", text[POINT_TEXT];

	if (!n)
		return tlobctl_fail(-EIO, "%s ends before file offset 0x%llx: it is damaged",
				    job->file.path, (unsigned long long)p->offset);
	p->kind = tlobctl_insn_kind(tlobctl_elf_machine(job->elf), p->offset, code, n);
	if (p->kind != TLOBCTL_PROBE_NONE)
		return 0;
	length = tlobctl_insn_length(tlobctl_elf_machine(job->elf), code, n);
	for (size_t i = 0; i < (length ? length : n); i++)
		sprintf(bytes + 3 * i, "%02x ", code[i]);
	if (length) {
		print_place(p, length, text);
		snprintf(next, sizeof(next), "; the next one is at %s", text);
	}
	return tlobctl_fail(-ENOTSUP,
			    "the kernel cannot put a probe on the instruction at %s of %s (%.*s)%s",
			    p->text, job->file.path, (int)strlen(bytes) - 1, bytes, next);
}

static int find_symbol(struct job *job, const struct tlob_point *point, struct place *p)
{
	int err = tlobctl_symbol_find(job->elf, point->symbol, &p->symbol);
	uint64_t size;

	if (err == -ENOLINK)
		return fail_import(job, point->symbol);
	if (err)
		return err;
	if (point->offset)
		snprintf(p->text, sizeof(p->text), "%s+0x%llx", point->symbol,
			 (unsigned long long)point->offset);
	else
		snprintf(p->text, sizeof(p->text), "%s", point->symbol);
	p->into = point->offset;
	size = tlobctl_symbol_end(job->elf, p->symbol) - p->symbol->address;
	if (p->into >= size ||
	    !tlobctl_elf_offset(job->elf, p->symbol->address + p->into, &p->offset))
		return tlobctl_fail(-ERANGE,
				    "%s lies outside of '%s', which has 0x%llx bytes in %s",
				    p->text, point->symbol, (unsigned long long)size,
				    job->file.path);
	return 0;
}

static int find_offset(struct job *job, const struct tlob_point *point, struct place *p)
{
	unsigned long long offset = point->offset;
	char code[256], hint[128] = "";
	uint64_t address, other;

	snprintf(p->text, sizeof(p->text), "0x%llx", offset);
	p->offset = point->offset;
	if (!tlobctl_elf_address(job->elf, offset, &address)) {
		if (tlobctl_elf_offset(job->elf, offset, &other))
			snprintf(hint, sizeof(hint),
				 "; as an address it would be file offset 0x%llx",
				 (unsigned long long)other);
		return tlobctl_fail(-ERANGE,
				    "there is no code at file offset 0x%llx of %s: code is at %s%s",
				    offset, job->file.path,
				    tlobctl_elf_code_text(job->elf, code, sizeof(code)), hint);
	}
	p->symbol = tlobctl_symbol_at(job->elf, address);
	if (p->symbol)
		p->into = address - p->symbol->address;
	return 0;
}

static int find_place(struct job *job, const struct tlob_point *point, struct place *p)
{
	int err;

	memset(p, 0, sizeof(*p));
	err = *point->symbol ? find_symbol(job, point, p) : find_offset(job, point, p);
	if (!err)
		err = check_boundary(job, p);
	return err ? err : check_instruction(job, p);
}

static int check_return(struct job *job, const struct place *p)
{
	const char *why = p->symbol ? tlobctl_symbol_no_return(p->symbol) : NULL;
	char name[TLOBCTL_SYMBOL_TEXT];
	uint64_t address;

	if (tlobctl_elf_address(job->elf, p->offset, &address) &&
	    address == tlobctl_elf_entry(job->elf))
		why = "it is where the program starts, and never returns";
	if (why)
		return tlobctl_fail(-ENOTSUP, "cannot wait for the return of %s in %s: %s", p->text,
				    job->file.path, why);
	if (p->symbol && p->into)
		return tlobctl_fail(-EINVAL,
				    "%s is not the entry of a function, and its return can only be "
				    "caught from there: give %s, or START..STOP",
				    p->text, tlobctl_symbol_name(p->symbol, name));
	return 0;
}

/* ---- exits */

static int fail_exits(struct job *job, const struct place *p, const char *why)
{
	return tlobctl_fail(
		-ENOTSUP,
		"cannot wait for the return of %s in %s: a probe on the return would kill the program "
		"when a C++ exception passes, and its exits are not known: %s. Give START..STOP",
		p->text, job->file.path, why);
}

static char *name_onward(struct job *job, uint64_t address)
{
	const struct tlobctl_symbol *symbol = address ? tlobctl_symbol_at(job->elf, address) : NULL;
	char name[TLOBCTL_SYMBOL_TEXT];

	if (!symbol)
		return strdup("another function");
	return strdup(tlobctl_source_name_of(symbol, false, name, sizeof(name)));
}

/* Probes on the exits of the function at @entry, for a binary where its return may not be probed. */
static int find_exits(struct job *job, const struct place *entry, struct tlobctl_site *site)
{
	struct tlobctl_exits *exits;
	const char *why;

	if (!entry->symbol)
		return fail_exits(job, entry, "no symbol says where it ends");
	exits = malloc(sizeof(*exits));
	if (!exits)
		return tlobctl_fail(-ENOMEM, "out of memory");
	why = tlobctl_exits_find(job->elf, entry->symbol, exits);
	if (!why) {
		site->exits = malloc(exits->n * sizeof(*site->exits));
		why = site->exits ? NULL : "memory is short";
	}
	for (size_t i = 0; !why && i < exits->n; i++) {
		struct place exit = {.offset = exits->offsets[i]};

		site->exits[site->nexits++] = exit.offset;
		if (!check_instruction(job, &exit) && exit.kind > site->stop_kind)
			site->stop_kind = exit.kind;
	}
	if (!why && exits->jumps && !(site->onward = name_onward(job, exits->onward)))
		why = "memory is short";
	free(exits);
	return why ? fail_exits(job, entry, why) : 0;
}

/* ---- sites */

static void site_deinit(struct tlobctl_site *site)
{
	free(site->name);
	free(site->path);
	free(site->stop_path);
	free(site->start);
	free(site->stop);
	free(site->exits);
	free(site->onward);
	*site = (struct tlobctl_site){0};
}

static int make_site(struct job *job, const char *name, const struct place *start,
		     const struct place *stop, struct tlobctl_site *site)
{
	struct tlobctl_site s = {
		.name = strdup(name),
		.path = strdup(job->file.path),
		.start = strdup(start->text),
		.stop = stop ? strdup(stop->text) : NULL,
		.start_offset = start->offset,
		.stop_offset = stop ? stop->offset : 0,
		.to_return = !stop,
		.start_kind = start->kind,
		.stop_kind = stop ? stop->kind : TLOBCTL_PROBE_NONE,
	};

	*site = s;
	if (!s.name || !s.path || !s.start || (stop && !s.stop))
		return tlobctl_fail(-ENOMEM, "out of memory");
	return 0;
}

/* Both points are the entries of functions, as far as is known: elsewhere registers hold anything. */
static int check_tag(struct job *job, const struct tlob_point *point, const struct place *p)
{
	char name[TLOBCTL_SYMBOL_TEXT];

	if (!point->argument || !p->symbol || !p->into)
		return 0;
	return tlobctl_fail(-EINVAL,
			    "%s of %s is inside '%s': arguments are only known at its entry",
			    p->text, job->file.path, tlobctl_symbol_name(p->symbol, name));
}

/* As it was written, for those who look at it. */
static void add_tags(const struct tlob_region_spec *spec, struct place *start, struct place *stop)
{
	const char *base = strrchr(spec->stop_path, '/');
	char text[POINT_TEXT];

	snprintf(start->text + strlen(start->text), sizeof(start->text) - strlen(start->text),
		 "#arg%u", spec->start.argument);
	snprintf(text, sizeof(text), "%.48s%s%.250s#arg%u", base ? base + 1 : spec->stop_path,
		 *spec->stop_path ? ":" : "", stop->text, spec->stop.argument);
	memcpy(stop->text, text, sizeof(text));
}

static int resolve_range(struct job *job, struct tlobctl_site *site)
{
	struct job *other = job->stop ? job->stop : job;
	const struct tlob_region_spec *spec = job->spec;
	char name[2 * POINT_TEXT + 2];
	struct place start, stop;
	int err = find_place(job, &spec->start, &start);

	if (!err)
		err = find_place(other, &spec->stop, &stop);
	if (!err)
		err = check_tag(job, &spec->start, &start);
	if (!err)
		err = check_tag(other, &spec->stop, &stop);
	if (err)
		return err;
	if (!job->stop && start.offset == stop.offset)
		return tlobctl_fail(-EINVAL,
				    "%s and %s of %s are the same address: a region needs two",
				    start.text, stop.text, job->file.path);
	snprintf(name, sizeof(name), "%s..%s", start.text, stop.text);
	if (spec->start.argument)
		add_tags(spec, &start, &stop);
	err = make_site(job, *spec->name ? spec->name : name, &start, &stop, site);
	site->start_argument = spec->start.argument;
	site->stop_argument = spec->stop.argument;
	if (!err && job->stop) {
		site->stop_path = strdup(other->file.path);
		if (!site->stop_path)
			err = tlobctl_fail(-ENOMEM, "out of memory");
	}
	return err;
}

static int resolve_function(struct job *job, struct tlobctl_site *site)
{
	struct place entry;
	int err = find_place(job, &job->spec->start, &entry);

	if (!err)
		err = check_return(job, &entry);
	if (!err)
		err = make_site(job, *job->spec->name ? job->spec->name : entry.text, &entry, NULL,
				site);
	return err || !job->throws ? err : find_exits(job, &entry, site);
}

/* One function that a glob found, by the name @title. 1: taken; 0: no return probe can be put there. */
static int resolve_match(struct job *job, const struct tlobctl_symbol *symbol, const char *title,
			 struct tlobctl_site *site)
{
	struct place entry = {.symbol = symbol};
	char name[2 * POINT_TEXT];
	int err;

	tlobctl_elf_offset(job->elf, symbol->address, &entry.offset);
	snprintf(entry.text, sizeof(entry.text), "%s", title);
	if (check_instruction(job, &entry) || check_return(job, &entry))
		return 0;
	if (*job->spec->name)
		snprintf(name, sizeof(name), "%s/%s", job->spec->name, title);
	else
		snprintf(name, sizeof(name), "%s", title);
	err = make_site(job, name, &entry, NULL, site);
	if (err)
		return err;
	if (!job->throws || !find_exits(job, &entry, site))
		return 1;
	site_deinit(site);
	return 0;
}

static int resolve_matches(struct job *job, const struct tlobctl_symbol *const *found, int n,
			   struct tlobctl_site *sites, size_t *count)
{
	tlobctl_title *titles;
	int err = 0;

	if (n > TLOBCTL_MAX_SITES)
		return tlobctl_fail(
			-E2BIG, "%d functions of %s match '%s'; %d are the most at once: narrow it",
			n, job->file.path, job->spec->start.symbol, TLOBCTL_MAX_SITES);
	titles = tlobctl_titles_new(job->elf, found, (size_t)n);
	if (!titles)
		return tlobctl_fail(-ENOMEM, "out of memory");
	for (int i = 0; i < n && err >= 0; i++) {
		err = resolve_match(job, found[i], titles[i], &sites[*count]);
		if (err > 0)
			++*count;
	}
	free(titles);
	return err < 0 ? err : 0;
}

static int resolve_glob(struct job *job, struct tlobctl_site *sites, size_t *count)
{
	const char *pattern = job->spec->start.symbol;
	const struct tlobctl_symbol **found;
	int n = tlobctl_symbol_glob(job->elf, pattern, &found), err;

	if (n < 0)
		return n;
	err = resolve_matches(job, found, n, sites, count);
	free(found);
	if (err)
		return err;
	if (!n)
		return tlobctl_fail(-ENOENT, "no function of %s matches '%s'%s", job->file.path,
				    pattern,
				    tlobctl_elf_has_symtab(job->elf) ?
					    "" :
					    "; it is stripped, only exported functions are known");
	if (!*count)
		return tlobctl_fail(-ENOTSUP,
				    "%d functions of %s match '%s', but in none of them: %s", n,
				    job->file.path, pattern, tlobctl_error());
	return 0;
}

static int resolve(struct job *job, struct tlobctl_site *sites, size_t *count)
{
	const struct tlob_region_spec *spec = job->spec;
	int err;

	if (spec->to_return && tlobctl_elf_is_go(job->elf))
		return tlobctl_fail(
			-ENOTSUP,
			"%s is a Go program: Go moves its stacks, and a return probe makes "
			"it crash. Give START..STOP, with STOP on the function's ret; that is right for "
			"what does not block, as a goroutine may go on in another thread",
			job->file.path);
	job->throws = spec->to_return && tlobctl_exits_needed(job->elf);
	/* "operator*" and what else looks like a pattern may be one function's name */
	if (spec->to_return && spec->start.glob &&
	    !tlobctl_symbol_exists(job->elf, spec->start.symbol))
		return resolve_glob(job, sites, count);
	if (!spec->to_return && (spec->start.glob || spec->stop.glob))
		return tlobctl_fail(-EINVAL, "a pattern only works for whole functions, "
					     "BINARY:PATTERN, and not in START..STOP");
	err = spec->to_return ? resolve_function(job, sites) : resolve_range(job, sites);
	*count = 1;
	return err;
}

static int open_job(struct job *job, const char *path)
{
	int err = tlobctl_path_find(path, job->pid, &job->file);

	return err ? err : tlobctl_elf_open(job->file.path, job->file.root, &job->elf);
}

static void close_job(struct job *job)
{
	tlobctl_elf_free(job->elf);
	tlobctl_file_deinit(&job->file);
}

int tlobctl_resolve(const struct tlob_region_spec *spec, pid_t pid, struct tlobctl_site **sites,
		    size_t *count)
{
	struct tlobctl_site *found = calloc(TLOBCTL_MAX_SITES, sizeof(*found));
	struct job job = {.spec = spec, .pid = pid}, stop = {.spec = spec, .pid = pid};
	size_t n = 0;
	int err;

	if (!found)
		return tlobctl_fail(-ENOMEM, "out of memory");
	err = open_job(&job, spec->path);
	if (!err && *spec->stop_path) {
		job.stop = &stop;
		err = open_job(&stop, spec->stop_path);
	}
	if (!err)
		err = resolve(&job, found, &n);
	close_job(&job);
	close_job(&stop);
	if (err) {
		tlobctl_sites_free(found, n);
		return err;
	}
	*sites = found;
	*count = n;
	return 0;
}

void tlobctl_sites_free(struct tlobctl_site *sites, size_t count)
{
	for (size_t i = 0; sites && i < count; i++)
		site_deinit(&sites[i]);
	free(sites);
}
