// SPDX-License-Identifier: GPL-2.0-or-later
/* The public calls on standing regions. */
#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tlob/ctl.h>

#include "error.h"
#include "parse.h"
#include "path.h"
#include "resolve.h"
#include "standing.h"
#include "symbol.h"

#define LINE_BYTES 2048

static void hand_out(const struct tlobctl_standing_row *row, tlobctl_standing_fn *fn, void *arg)
{
	struct tlobctl_standing region = {.path = row->path,
					  .start = row->start,
					  .stop = row->stop,
					  .start_offset = row->start_offset,
					  .stop_offset = row->stop_offset,
					  .budget_ns = row->budget_ns};

	if (fn)
		fn(&region, arg);
}

int tlobctl_standing_list(tlobctl_standing_fn *fn, void *arg)
{
	struct tlobctl_standing_rows rows;
	int r = tlobctl_standing_read(&rows);

	if (r)
		return r;
	for (size_t i = 0; i < rows.count; i++)
		hand_out(&rows.list[i], fn, arg);
	r = (int)rows.count;
	tlobctl_standing_deinit(&rows);
	return r;
}

int tlobctl_standing_enabled(unsigned int *threads)
{
	char enabled[16] = "", tasks[32] = "";
	int r = tlobctl_standing_check();

	if (!r)
		r = tlobctl_standing_file("enable", false, enabled, sizeof(enabled));
	if (!r)
		r = tlobctl_standing_file("tasks", false, tasks, sizeof(tasks));
	if (r)
		return tlobctl_fail(r, "cannot read the state of the kernel's monitor: %s",
				    *tlobctl_error() ? tlobctl_error() : strerror(-r));
	if (threads)
		*threads = (unsigned int)strtoul(tasks, NULL, 10);
	return enabled[0] == '1';
}

/* ---- what was asked for */

static int fail_parse(int err, const char *text, const struct tlob_parse_error *why)
{
	return tlobctl_fail(err, "cannot understand region '%s': %s%s%s%s", text, why->why,
			    text[why->at] ? ", at '" : "", text[why->at] ? text + why->at : "",
			    text[why->at] ? "'" : "");
}

static int parse(const char *text, const char *shown, struct tlob_region_spec *spec)
{
	struct tlob_parse_error why;
	int r = tlob_region_parse(text, spec, &why);

	if (r && why.at > strlen(shown))
		why.at = strlen(shown);
	if (r)
		return fail_parse(r, shown, &why);
	if (!*spec->path)
		return tlobctl_fail(
			-EINVAL,
			"cannot understand region '%s': name a binary, as in "
			"BINARY:FUNCTION; regions that a program marks itself belong to it",
			shown);
	if (*spec->name)
		return tlobctl_fail(-EINVAL,
				    "the kernel module keeps no names of regions: leave out '%s='",
				    spec->name);
	return 0;
}

/* ---- add */

static int fail_add(const struct tlobctl_site *site, int err)
{
	const char *where = site->start, *path = site->path;

	if (err == -EEXIST)
		return tlobctl_fail(
			err, "a region begins at %s of %s already; tlob rm '%s:%s' removes it",
			where, path, path, where);
	if (err == -ENAMETOOLONG)
		return tlobctl_fail(err, "the path of %s is too long for the kernel module", path);
	return tlobctl_fail(err,
			    "the kernel module cannot probe %s (offset 0x%" PRIx64 ") of %s: %s",
			    where, site->start_offset, path,
			    err == -524 ? "no such instruction can be probed" : strerror(-err));
}

/* -E2BIG: no line has room for it. */
static int add_line(const struct tlobctl_site *site, uint64_t budget_ns, char line[LINE_BYTES])
{
	int n = snprintf(line, LINE_BYTES, "p %s:0x%" PRIx64 " ", site->path, site->start_offset);

	if (n < LINE_BYTES && !site->to_return)
		n += snprintf(line + n, LINE_BYTES - (size_t)n, "0x%" PRIx64, site->stop_offset);
	else if (n < LINE_BYTES && !site->nexits)
		n += snprintf(line + n, LINE_BYTES - (size_t)n, "return");
	for (size_t i = 0; i < site->nexits && n < LINE_BYTES; i++)
		n += snprintf(line + n, LINE_BYTES - (size_t)n, "%s0x%" PRIx64,
			      i ? "," : "exit=", site->exits[i]);
	if (n < LINE_BYTES)
		n += snprintf(line + n, LINE_BYTES - (size_t)n, " threshold=%" PRIu64, budget_ns);
	return n < LINE_BYTES ? 0 : -E2BIG;
}

static int add_site(const struct tlobctl_site *site, uint64_t budget_ns)
{
	char line[LINE_BYTES];
	int r = add_line(site, budget_ns, line);

	if (!r)
		r = tlobctl_standing_write(line);
	return r ? fail_add(site, r) : 0;
}

static int remove_at(const char *path, uint64_t offset)
{
	char line[PATH_MAX + 64];

	snprintf(line, sizeof(line), "-%s:0x%" PRIx64, path, offset);
	return tlobctl_standing_write(line);
}

/* Disabling the monitor removes its regions, so it must be enabled before. */
static int enable(void)
{
	int r = tlobctl_standing_enabled(NULL);

	if (r)
		return r < 0 ? r : 0;
	r = tlobctl_standing_file("enable", true, (char *)"1", 0);
	return r ? tlobctl_fail(r, "cannot enable the kernel's monitor tlob: %s", strerror(-r)) : 0;
}

static int add_sites(const struct tlobctl_site *sites, size_t n, uint64_t budget_ns)
{
	int r = enable();
	size_t i = 0;

	while (!r && i < n) {
		r = add_site(&sites[i], budget_ns);
		i += !r;
	}
	while (r && i > 0) {
		i--;
		remove_at(sites[i].path, sites[i].start_offset);
	}
	return r;
}

int tlobctl_standing_add(const char *text, tlobctl_standing_fn *fn, void *arg)
{
	struct tlob_region_spec *spec = malloc(sizeof(*spec)); /* too large for a stack */
	struct tlobctl_site *sites = NULL;
	size_t n = 0;
	int r = spec ? tlobctl_standing_check() :
		       tlobctl_fail(-ENOMEM, "out of memory for a region");

	if (!r)
		r = parse(text, text, spec);
	if (!r)
		r = tlobctl_resolve(spec, 0, &sites, &n);
	if (!r)
		r = add_sites(sites, n, spec->budget_ns);
	for (size_t i = 0; i < n && !r; i++) {
		struct tlobctl_standing_row row = {.path = sites[i].path,
						   .start = sites[i].start,
						   .stop = sites[i].stop,
						   .start_offset = sites[i].start_offset,
						   .stop_offset = sites[i].stop_offset,
						   .budget_ns = spec->budget_ns};

		hand_out(&row, fn, arg);
	}
	tlobctl_sites_free(sites, n);
	free(spec);
	return r ? r : (int)n;
}

/* ---- remove */

/* What is to go: all in @path, or without one all. */
struct target {
	char *path; /* resolved; NULL: any */
	const struct tlob_point *start;
	uint64_t offset;
	bool has_offset;
};

static int find_offset(struct target *t, const struct tlobctl_file *file)
{
	const struct tlobctl_symbol *symbol;
	struct tlobctl_elf *elf;
	int r;

	if (!*t->start->symbol) {
		t->offset = t->start->offset;
		t->has_offset = true;
		return 0;
	}
	if (t->start->glob)
		return 0;
	r = tlobctl_elf_open(file->path, file->root, &elf);
	if (r)
		return r;
	r = tlobctl_symbol_find(elf, t->start->symbol, &symbol);
	if (!r)
		t->has_offset =
			tlobctl_elf_offset(elf, symbol->address + t->start->offset, &t->offset);
	tlobctl_elf_free(elf);
	return r;
}

static int find_target(const struct tlob_region_spec *spec, struct target *t)
{
	struct tlobctl_file file;
	int r = tlobctl_path_find(spec->path, 0, &file);

	if (r)
		return r;
	t->path = realpath(file.path, NULL);
	if (!t->path)
		r = tlobctl_fail(-errno, "cannot find %s: %m", file.path);
	else
		r = find_offset(t, &file);
	tlobctl_file_deinit(&file);
	return r;
}

static bool is_target(const struct tlobctl_standing_row *row, const struct target *t)
{
	if (!t->path)
		return true;
	if (strcmp(row->path, t->path))
		return false;
	if (t->start->glob)
		return !fnmatch(t->start->symbol, row->start, 0);
	return t->has_offset && row->start_offset == t->offset;
}

static int remove_targets(const struct target *t, tlobctl_standing_fn *fn, void *arg)
{
	struct tlobctl_standing_rows rows;
	int r = tlobctl_standing_read(&rows), n = 0;

	if (r)
		return r;
	for (size_t i = 0; i < rows.count && !r; i++) {
		const struct tlobctl_standing_row *row = &rows.list[i];

		if (!is_target(row, t))
			continue;
		r = remove_at(row->path, row->start_offset);
		if (r) {
			r = tlobctl_fail(
				r,
				"cannot remove the region at %s of %s: %s; disabling the monitor removes "
				"all: echo 0 > " TLOBCTL_MONITOR_DIR "enable",
				row->start, row->path, strerror(-r));
			continue;
		}
		hand_out(row, fn, arg);
		n++;
	}
	tlobctl_standing_deinit(&rows);
	return r ? r : n;
}

/* BINARY:START is not a whole specification: a budget makes it one. */
static int parse_target(const char *text, struct tlob_region_spec *spec)
{
	struct tlob_parse_error why;
	char *whole;
	int r;

	if (!tlob_region_parse(text, spec, &why))
		return parse(text, text, spec);
	if (asprintf(&whole, "%s@1s", text) < 0)
		return tlobctl_fail(-ENOMEM, "out of memory for a region");
	r = parse(whole, text, spec);
	free(whole);
	return r;
}

int tlobctl_standing_remove(const char *text, tlobctl_standing_fn *fn, void *arg)
{
	struct tlob_region_spec *spec = malloc(sizeof(*spec)); /* too large for a stack */
	struct target target = {0};
	int r = spec ? tlobctl_standing_check() :
		       tlobctl_fail(-ENOMEM, "out of memory for a region");

	if (!r && text) {
		target.start = &spec->start;
		r = parse_target(text, spec);
		if (!r)
			r = find_target(spec, &target);
	}
	if (!r)
		r = remove_targets(&target, fn, arg);
	if (!r && text)
		r = tlobctl_fail(-ENOENT,
				 "no standing region begins at '%s'; tlob ls lists those there are",
				 text);
	free(target.path);
	free(spec);
	return r;
}
