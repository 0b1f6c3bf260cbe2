/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tlob timerlat: what its files share. */
#ifndef TLOB_CLI_TIMERLAT_H
#define TLOB_CLI_TIMERLAT_H

#include <tlob/ctl.h>

#include "json.h"
#include "options.h"
#include "terminal.h"
#include "timerlat_load.h"

enum timerlat_view {
	TIMERLAT_SUMMARY, /* at the end */
	TIMERLAT_TOP, /* and a table that is drawn again each second */
	TIMERLAT_HIST, /* and at the end how often what was measured */
};

struct timerlat_settings {
	uint32_t *cpus; /* of opts */
	struct cli_history history;
	struct tlobctl_timerlat_opts opts;
	uint64_t duration_ns;
	enum timerlat_view view;
	const char *json; /* path, "-": standard output; NULL: none */
	const char *hgrm; /* folder; NULL: none */
	struct timerlat_load load;
	bool quiet;
	enum cli_color color;
};

extern const struct cli_option *const timerlat_options[];
void timerlat_settings_deinit(struct timerlat_settings *s);

/* ---- what was measured */

#define TIMERLAT_PERCENTILES 3

struct timerlat_percentile {
	const char *key, *head;
	double percent;
};
extern const struct timerlat_percentile timerlat_percentiles[TIMERLAT_PERCENTILES];
extern const char *const timerlat_part_names[TLOBCTL_TIMERLAT_PARTS]; /* "irq", ... */

struct timerlat_row {
	struct tlobctl_timerlat_stat stat; /* its histograms are the row's own */
	struct tlob_hist hist[TLOBCTL_TIMERLAT_PARTS];
	uint64_t percentile_ns[TLOBCTL_TIMERLAT_PARTS][TIMERLAT_PERCENTILES];
};

/* One row for each CPU, the last is of all. */
struct timerlat_rows {
	struct timerlat_row **rows;
	size_t nrows;
};

/* 0, or a negative errno having said why. */
int timerlat_rows_read(struct timerlat_rows *rows, struct tlobctl_timerlat *t);
void timerlat_rows_deinit(struct timerlat_rows *rows);
/* The list of the CPUs, such as "0-3,6". */
void timerlat_rows_cpus(const struct timerlat_rows *rows, char *buf, size_t size);
/* FOLDER/cpu0-total.hgrm, ... 0, or an exit status having said why. */
int timerlat_rows_hgrm(const struct timerlat_rows *rows, const char *folder);

/* ---- to the terminal */

void timerlat_print_summary(const struct timerlat_rows *rows, const struct cli_terminal *term);
void timerlat_print_hist(const struct timerlat_rows *rows, const struct cli_terminal *term);

/* Lines of text, each wrapped. */
void timerlat_print_lines(const char *text, const struct cli_terminal *term);
/* The cycle that passed a limit. */
void timerlat_print_hit(const struct tlobctl_timerlat_hit *hit, const struct cli_terminal *term);
/* The cause in a few words, in @buf; NULL: not known. */
char *timerlat_reason(char *buf, size_t size, const struct tlobctl_timerlat_hit *hit);

/* The table of --top: drawn over itself on a terminal, else a line each time. */
struct timerlat_top {
	const struct cli_terminal *term;
	uint64_t begun_ns;
	size_t lines; /* since the last heads; 0: none yet */
	bool redraw;
};
void timerlat_top_init(struct timerlat_top *top, const struct cli_terminal *term);
/* @note: lines of what could not be had, which stay in sight. */
void timerlat_top_draw(struct timerlat_top *top, const struct timerlat_rows *rows,
		       const char *title, const char *note);
/* What follows does not overwrite it. */
void timerlat_top_end(struct timerlat_top *top);

/* ---- JSON */

void timerlat_json_start(struct cli_json *j, const struct timerlat_settings *s,
			 const struct tlobctl_timerlat *t);
void timerlat_json_hit(struct cli_json *j, const struct tlobctl_timerlat_hit *hit);
void timerlat_json_rows(struct cli_json *j, const struct timerlat_rows *rows);
void timerlat_json_end(struct cli_json *j, const struct timerlat_rows *rows, uint64_t elapsed_ns,
		       int exit_status);

#endif
