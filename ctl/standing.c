// SPDX-License-Identifier: GPL-2.0-or-later
/* See standing.h: the files, and the listing. */
#include "standing.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine_kernel.h"
#include "error.h"
#include "symbol.h"

#define CONTROL TLOBCTL_MONITOR_DIR "monitor"

/* ---- files */

int tlobctl_standing_file(const char *name, bool write_it, char *text, size_t size)
{
	char path[128];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), TLOBCTL_MONITOR_DIR "%s", name);
	fd = open(path, (write_it ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = write_it ? write(fd, text, strlen(text)) : read(fd, text, size - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n >= 0 && !write_it)
		text[n] = '\0';
	return n < 0 ? (int)n : 0;
}

int tlobctl_standing_write(const char *line)
{
	return tlobctl_standing_file("monitor", true, (char *)line, 0);
}

int tlobctl_standing_check(void)
{
	if (!access(CONTROL, R_OK | W_OK))
		return 0;
	if (access(TLOBCTL_DEVICE, F_OK))
		return tlobctl_rv_missing(-ENOENT, "");
	if (geteuid())
		return tlobctl_fail(-EPERM, "cannot use " CONTROL ": only root may; run as root");
	return tlobctl_fail(-ENOENT, "the kernel module is loaded, but there is no " CONTROL
				     "; mount debugfs: mount -t debugfs none /sys/kernel/debug");
}

/* ---- lines */

/* Cut off what follows the last @c of @text; NULL if there is none. */
static char *cut_last(char *text, char c)
{
	char *at = strrchr(text, c);

	if (!at)
		return NULL;
	*at = '\0';
	return at + 1;
}

static bool read_number(const char *text, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 0);
	return end != text && !*end && !errno;
}

/* p PATH:START STOP threshold=NS, from the end, as only the path may hold anything */
/* What a line of the listing says, without its end. False: it says nothing. @line is changed. */
static bool parse(char *line, struct tlobctl_standing_row *row)
{
	static const char key[] = "threshold=";
	char *budget = cut_last(line, ' '), *stop = cut_last(line, ' '),
	     *start = cut_last(line, ':');

	*row = (struct tlobctl_standing_row){0};
	if (!budget || !stop || !start || strncmp(line, "p /", 3) ||
	    strncmp(budget, key, sizeof(key) - 1) || !read_number(start, &row->start_offset) ||
	    !read_number(budget + sizeof(key) - 1, &row->budget_ns))
		return false;
	if (read_number(stop, &row->stop_offset))
		row->stop = strdup(stop);
	else if (strcmp(stop, "return") && strncmp(stop, "exit=", 5))
		return false;
	row->start = strdup(start);
	row->path = strdup(line + 2);
	return true;
}

static void row_deinit(struct tlobctl_standing_row *row)
{
	free(row->path);
	free(row->start);
	free(row->stop);
}

void tlobctl_standing_deinit(struct tlobctl_standing_rows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		row_deinit(&rows->list[i]);
	free(rows->list);
	*rows = (struct tlobctl_standing_rows){0};
}

/* ---- names for offsets; where there is none, the offset stays */

static void name_point(const struct tlobctl_elf *elf, uint64_t offset, char **text)
{
	const struct tlobctl_symbol *symbol;
	char name[TLOBCTL_SYMBOL_TEXT], *full;
	uint64_t address;

	if (!tlobctl_elf_address(elf, offset, &address))
		return;
	symbol = tlobctl_symbol_at(elf, address);
	if (!symbol)
		return;
	tlobctl_symbol_name(symbol, name);
	if (address == symbol->address)
		full = strdup(name);
	else if (asprintf(&full, "%s+0x%" PRIx64, name, address - symbol->address) < 0)
		full = NULL;
	if (!full)
		return;
	free(*text);
	*text = full;
}

/* Rows of one file mostly stand together. */
static void name_rows(struct tlobctl_standing_rows *rows)
{
	struct tlobctl_elf *elf = NULL;
	const char *path = NULL;

	for (size_t i = 0; i < rows->count; i++) {
		struct tlobctl_standing_row *row = &rows->list[i];

		if (!path || strcmp(path, row->path)) {
			tlobctl_elf_free(elf);
			path = row->path;
			if (tlobctl_elf_open(path, "", &elf))
				elf = NULL;
		}
		if (!elf)
			continue;
		name_point(elf, row->start_offset, &row->start);
		if (row->stop)
			name_point(elf, row->stop_offset, &row->stop);
	}
	tlobctl_elf_free(elf);
}

static int take_line(struct tlobctl_standing_rows *rows, char *line)
{
	struct tlobctl_standing_row *list =
		reallocarray(rows->list, rows->count + 1, sizeof(*list));

	line[strcspn(line, "\n")] = '\0';
	if (!list)
		return tlobctl_fail(-ENOMEM, "out of memory for standing regions");
	rows->list = list;
	if (!parse(line, &list[rows->count]))
		return tlobctl_fail(-EPROTO,
				    CONTROL " has a line that this version of tlob does "
					    "not understand: '%s'",
				    line);
	rows->count++;
	if (!list[rows->count - 1].path || !list[rows->count - 1].start)
		return tlobctl_fail(-ENOMEM, "out of memory for standing regions");
	return 0;
}

int tlobctl_standing_read(struct tlobctl_standing_rows *rows)
{
	struct tlobctl_standing_rows found = {0};
	char *line = NULL;
	size_t size = 0;
	FILE *file;
	int r = tlobctl_standing_check();

	if (r)
		return r;
	file = fopen(CONTROL, "re");
	if (!file)
		return tlobctl_fail(-errno, "cannot read " CONTROL ": %m");
	while (!r && getline(&line, &size, file) > 0)
		r = take_line(&found, line);
	free(line);
	fclose(file);
	if (r) {
		tlobctl_standing_deinit(&found);
		return r;
	}
	name_rows(&found);
	*rows = found;
	return 0;
}
