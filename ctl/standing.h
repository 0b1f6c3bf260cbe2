/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Standing regions, as the lines of the module's control file, and its other files. Calls fail with tlobctl_error() set. */
#ifndef TLOBCTL_STANDING_H
#define TLOBCTL_STANDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLOBCTL_MONITOR_DIR "/sys/kernel/debug/rv/monitors/tlob/"

/* One line, and what can be said of it. */
struct tlobctl_standing_row {
	char *path;
	char *start, *stop; /* stop NULL: the function's end */
	uint64_t start_offset, stop_offset, budget_ns;
};

struct tlobctl_standing_rows {
	struct tlobctl_standing_row *list;
	size_t count;
};

/* All lines, points with the names of their symbols. */
int tlobctl_standing_read(struct tlobctl_standing_rows *rows);
void tlobctl_standing_deinit(struct tlobctl_standing_rows *rows);
/* One line into the control file. 0 or a negative errno, with nothing said. */
int tlobctl_standing_write(const char *line);
/* The module is there and its files are within reach. */
int tlobctl_standing_check(void);
/* One of its other files. 0 or a negative errno, with nothing said. */
int tlobctl_standing_file(const char *name, bool write, char *text, size_t size);

#endif
