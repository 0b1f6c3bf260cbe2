/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What files of --json add up to, by region and program. */
#ifndef TLOB_CLI_REPORT_DATA_H
#define TLOB_CLI_REPORT_DATA_H

#include <obstack.h>

#include "report_event.h"
#include "report_file.h"
#include "../report/tree.h"
#include "report_trace.h"
#include "samples.h"
#include "summary.h"
#include "why.h"

/* A line of a file kept to be read again; NULL text: none. */
struct cli_report_kept {
	char *text;
	size_t bytes;
};

/* Windows of a region that were late for the same reason. */
struct cli_report_cause {
	char text[CLI_WHY_CAUSE_BYTES];
	uint64_t count;
	uint64_t ns; /* that it took of them, */
	uint64_t elapsed_ns; /* and how long they were */
	uint64_t longest_ns; /* what it took in one */
	size_t links; /* of the chain in: */
	struct cli_report_kept deepest; /* the window whose sleep depended on most others */
};

/* Which of a region's stacks. */
enum cli_report_stacks {
	CLI_REPORT_LATE, /* CPU samples of late windows */
	CLI_REPORT_GOOD, /* of windows within their budget */
	CLI_REPORT_SLEPT, /* where late windows slept */
	CLI_REPORT_STACKS
};

struct cli_report_region {
	struct tlobctl_stat stat; /* own copies of the texts; budget: the smallest */
	uint64_t budget_max_ns;
	uint64_t percentile_ns[CLI_PERCENTILES]; /* the largest of all summaries */
	unsigned int summaries; /* 0: no file says how many windows there were */
	struct { /* of the file being read */
		uint64_t seen; /* overrun records */
		unsigned int summaries;
		uint64_t windows, overruns; /* by its summary */
		uint64_t sampled_windows; /* good ones in which samples fell */
	} here;
	uint64_t closed; /* late windows whose end is in a file, */
	uint64_t looked_into; /* and of them, those with a reason */
	struct cli_report_cause *causes; /* by count, after cli_report_sort() */
	size_t ncauses, room;
	struct cli_report_kept worst; /* the longest window */
	uint64_t worst_ns;
	size_t worst_links; /* of its longest chain */
	struct report_tree *stacks[CLI_REPORT_STACKS]; /* values in ns; NULL: none */
	uint64_t counted
		[CLI_REPORT_STACKS]; /* windows that they stand for, those without a sample too; 0: not known */
};

enum cli_report_order {
	CLI_REPORT_BY_OVERRUNS,
	CLI_REPORT_BY_WINDOWS,
	CLI_REPORT_BY_MAX,
	CLI_REPORT_BY_P99,
	CLI_REPORT_BY_NAME
};

struct cli_report {
	const char *glob; /* regions that count; NULL: all */
	struct cli_report_region **regions;
	size_t nregions, room;
	void *index; /* tsearch(3) */
	size_t ncauses; /* of all regions */
	uint64_t elapsed_ns; /* sum over files, as far as they say */
	struct cli_lateness lateness;
	uint64_t lost_ends, strange, left_out;
	struct tlobctl_why_stat why;
	struct cli_samples samples;
	struct cli_report_trace trace;
	size_t files, unfinished; /* without their end */
	struct obstack memory; /* of one line */
	/* of the file being read */
	struct cli_report_file *file;
	bool begun, ended;
	uint64_t first_ns, last_ns;
	uint64_t good_share; /* of its windows in time were one in so many sampled; 0: not known */
};

void cli_report_init(struct cli_report *r, const char *glob);
void cli_report_deinit(struct cli_report *r);
/* @path "-": standard input. Returns 0 or an exit status, having said why; says on stderr what is missing of a file. */
int cli_report_add_file(struct cli_report *r, const char *path);

/* Of an object with "region" and "program", made if it is new. NULL: not asked for. Returns 0 or an exit status, having said why. */
int cli_report_region_of(struct cli_report *r, struct json_object *o,
			 struct cli_report_region **out);
void cli_report_regions_deinit(struct cli_report *r);
void cli_report_sort(struct cli_report *r, enum cli_report_order order);

#endif
