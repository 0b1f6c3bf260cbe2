// SPDX-License-Identifier: GPL-2.0-or-later
/* See live.h. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "format.h"
#include "frames.h"
#include "live.h"
#include "samples.h"
#include "shorten.h"
#include "text.h"
#include "when.h"
#include "why.h"

#define HEAD_EVERY 40 /* lines: about a screen */
#define WIDE_COLUMNS 104 /* from here on there is room for words */
#define REGION_MIN 6
#define REGION_MAX 20
#define TAIL_LEAST 14
#define NARROW_OTHERS (12 + 1 + 1 + 7 + 24 + 1 + 3 + 1 + 1 + 1 + 3 + 1) /* but region and tail */
#define TAIL_MIN 24 /* columns below which the tail is kept terse */
#define NAME_BYTES 128

/* One line, as text: what differs between heads, overrun and end. */
struct line {
	const char *time, *region, *elapsed, *split[3], *switches, *state, *cpu, *tail;
	enum cli_style style, elapsed_style;
	int dominant; /* index into split; -1: none */
};

void cli_live_init(struct cli_live *live, const struct cli_terminal *term)
{
	*live = (struct cli_live){.term = term, .region_columns = REGION_MIN};
}

void cli_live_expect(struct cli_live *live, const char *region)
{
	size_t columns = cli_columns(region);

	if (columns > REGION_MAX)
		columns = REGION_MAX;
	if (columns > live->region_columns)
		live->region_columns = columns;
}

enum tlob_state cli_dominant(const struct tlob_record *r)
{
	if (r->waiting_ns > r->running_ns && r->waiting_ns >= r->sleeping_ns)
		return TLOB_WAITING;
	return r->sleeping_ns > r->running_ns ? TLOB_SLEEPING : TLOB_RUNNING;
}

/*
 * Padding stays outside the colour, so that underlines and backgrounds of odd themes do not show.
 */
static void cell(const struct cli_live *live, const char *text, int width, enum cli_style style,
		 enum cli_style back)
{
	size_t columns = cli_columns(text);
	size_t want = (size_t)(width < 0 ? -width : width);
	int pad = columns < want ? (int)(want - columns) : 0;
	FILE *out = live->term->out;

	if (width > 0)
		fprintf(out, "%*s", pad, "");
	if (style != back)
		fprintf(out, "%s%s%s%s", cli_style(live->term, style), text,
			cli_style(live->term, CLI_PLAIN),
			back != CLI_PLAIN ? cli_style(live->term, back) : "");
	else
		fputs(text, out);
	if (width < 0)
		fprintf(out, "%*s", pad, "");
}

static bool is_wide(const struct cli_live *live)
{
	return cli_terminal_width(live->term) >= WIDE_COLUMNS;
}

/* Of the region: on a narrow terminal less, so that the thread has room in the same line. */
static size_t region_columns(const struct cli_live *live)
{
	size_t width = cli_terminal_width(live->term), room = REGION_MIN;

	if (is_wide(live))
		return live->region_columns;
	if (width > NARROW_OTHERS + TAIL_LEAST + REGION_MIN)
		room = width - NARROW_OTHERS - TAIL_LEAST;
	return room < live->region_columns ? room : live->region_columns;
}

static void print_line(const struct cli_live *live, const struct line *l, bool wide)
{
	FILE *out = live->term->out;
	const char *gap = wide ? "  " : " ";

	if (l->style != CLI_PLAIN)
		fputs(cli_style(live->term, l->style), out);
	fprintf(out, "%-12s%s", l->time, gap);
	cell(live, l->region, -(int)region_columns(live), l->style, l->style);
	fputs(gap, out);
	cell(live, l->elapsed, 7, l->elapsed_style, l->style);
	for (int i = 0; i < 3; i++) {
		fputs(wide ? " " : "", out);
		cell(live, l->split[i], 8, i == l->dominant ? CLI_BOLD : l->style, l->style);
	}
	fprintf(out, "%s%*s%s", gap, wide ? 4 : 3, l->switches, gap);
	fprintf(out, "%-*.*s%s", wide ? 9 : 1, wide ? 9 : 1, l->state, gap);
	fprintf(out, "%3s%s%s", l->cpu, gap, l->tail);
	fprintf(out, "%s\n", l->style != CLI_PLAIN ? cli_style(live->term, CLI_PLAIN) : "");
}

static void print_head(struct cli_live *live)
{
	bool wide = is_wide(live);
	struct line head = {.time = "time",
			    .region = "region",
			    .elapsed = "elapsed",
			    .split = {"running", "waiting", wide ? "sleeping" : "sleep"},
			    .state = "state",
			    .cpu = "cpu",
			    .tail = "thread",
			    .switches = "sw",
			    .style = CLI_BOLD,
			    .elapsed_style = CLI_BOLD,
			    .dominant = -1};

	if (live->lines_below_head && live->lines_below_head < HEAD_EVERY)
		return;
	print_line(live, &head, wide);
	live->lines_below_head = 1;
}

static const char *state_name(const struct tlob_record *r)
{
	static const char *const names[] = {
		[TLOB_RUNNING] = "running", [TLOB_WAITING] = "waiting", [TLOB_SLEEPING] = "sleeping"};

	if (r->type != TLOB_REC_CLOSE && r->flags & TLOB_F_TRANSIT)
		return "open";
	if (r->type != TLOB_REC_CLOSE)
		return r->state <= TLOB_SLEEPING ? names[r->state] : "?";
	if (r->flags & TLOB_F_ABANDONED)
		return "abandoned";
	return r->flags & TLOB_F_CANCELLED ? "cancelled" : "ended";
}

/* Columns left for the tail on a terminal; 0: no limit, a file takes long lines. */
static size_t tail_columns(const struct cli_live *live, bool wide)
{
	size_t width = cli_terminal_width(live->term);
	size_t used = region_columns(live) +
		      (wide ? 12 + 2 + 2 + 7 + 27 + 2 + 4 + 2 + 9 + 2 + 3 + 2 : NARROW_OTHERS);

	if (!isatty(fileno(live->term->out)))
		return 0;
	return width > used + TAIL_LEAST ? width - used : TAIL_LEAST;
}

static void __attribute__((format(printf, 3, 4)))
append(char *buf, size_t size, const char *fmt, ...)
{
	size_t used = strlen(buf);
	va_list args;

	va_start(args, fmt);
	vsnprintf(buf + used, size - used, fmt, args);
	va_end(args);
}

/* "program/thread 4242", then what else there is to say; the program only if it says more and fits. */
static void print_tail(const struct tlobctl_event *e, size_t columns, char *buf, size_t size)
{
	const struct tlob_record *r = e->record;
	char comm[TLOB_COMM_BYTES + 1] = "", raw[512] = "", tail[128] = "";
	char uncertain[TLOB_DURATION_BYTES];

	memcpy(comm, r->comm, TLOB_COMM_BYTES);
	append(tail, sizeof(tail), "%s %u", comm, r->tid);
	if (r->flags & TLOB_F_TRANSIT && r->type == TLOB_REC_CLOSE && r->end_tid)
		append(tail, sizeof(tail), " > %u", r->end_tid);
	if (r->tag > UINT32_MAX) /* an address, most likely */
		append(tail, sizeof(tail), columns && columns < TAIL_MIN ? " #%llx" : " tag 0x%llx",
		       (unsigned long long)r->tag);
	else if (r->tag)
		append(tail, sizeof(tail), columns && columns < TAIL_MIN ? " #%llu" : " tag %llu",
		       (unsigned long long)r->tag);
	if (r->flags & TLOB_F_ESTIMATED && r->uncertain_ns) {
		tlob_duration_print(uncertain, sizeof(uncertain), r->uncertain_ns);
		append(tail, sizeof(tail), " +-%s", uncertain);
	}
	if (r->flags & TLOB_F_SPOILED)
		append(tail, sizeof(tail), " (clock overwritten)");
	/* a thread that was not given a name of its own has the program's, cut to 15 bytes */
	if (*e->program && strncmp(e->program, comm, TLOB_COMM_BYTES - 1) &&
	    (!columns || cli_columns(e->program) + 1 + cli_columns(tail) <= columns))
		append(raw, sizeof(raw), "%s/", e->program);
	append(raw, sizeof(raw), "%s", tail);
	cli_printable(buf, size, raw, columns);
}

/* @nameless: see cli_snapshots_print() */
static void print_event(struct cli_live *live, const struct tlobctl_event *e, size_t nameless)
{
	const struct tlob_record *r = e->record;
	const uint64_t split[3] = {r->running_ns, r->waiting_ns, r->sleeping_ns};
	bool close = r->type == TLOB_REC_CLOSE, wide = is_wide(live);
	bool transit = r->flags & TLOB_F_TRANSIT;
	char time[CLI_TIME_BYTES], region[NAME_BYTES], elapsed[TLOB_DURATION_BYTES + 1],
		cells[3][TLOB_DURATION_BYTES + 1], switches[12], cpu[12], tail[256];
	struct line l = {.time = cli_time_of_day(time, r->time_ns),
			 .region = region,
			 .elapsed = elapsed,
			 .switches = switches,
			 .state = state_name(r),
			 .cpu = cpu,
			 .tail = tail,
			 .style = close ? CLI_DIM : CLI_PLAIN,
			 .elapsed_style = close ? CLI_DIM : CLI_OVER,
			 .dominant = close || transit ? -1 : (int)cli_dominant(r)};

	cli_live_expect(live, e->region);
	cli_shorten(region, sizeof(region), e->region, region_columns(live));
	print_head(live);
	/* while it is open only the budget is certain: ">5ms" */
	elapsed[0] = '>';
	if (close)
		tlob_duration_print(elapsed, sizeof(elapsed), r->elapsed_ns);
	else if (tlob_duration_print_exact(elapsed + 1, sizeof(elapsed) - 1, r->budget_ns) > 6)
		tlob_duration_print(elapsed + 1, sizeof(elapsed) - 1, r->budget_ns);
	for (int i = 0; i < 3; i++) {
		bool star = !transit && i == (int)cli_dominant(r);

		cells[i][0] = '*';
		if (transit)
			strcpy(cells[i], "-");
		else if (split[i])
			tlob_duration_print(cells[i] + star, sizeof(cells[i]) - 1, split[i]);
		else
			strcpy(cells[i] + star, "0");
		l.split[i] = cells[i];
	}
	snprintf(switches, sizeof(switches), transit ? "-" : "%u", r->switches);
	snprintf(cpu, sizeof(cpu), transit ? "-" : "%u", r->cpu);
	print_tail(e, tail_columns(live, wide), tail, sizeof(tail));
	print_line(live, &l, wide);
	live->lines_below_head++;
	cli_chain_print(e, live->term);
	if (e->why && close)
		cli_why_print(e, live->term);
	else if (e->why)
		cli_why_print_open(e, live->term);
	if (e->why)
		cli_snapshots_print(e, nameless, &live->last_stack, live->term);
	if (close)
		cli_samples_print(e, live->term);
	fflush(live->term->out);
}

static void remember(struct cli_live *live, const struct tlobctl_event *e)
{
	size_t i = live->next_open++ % CLI_LIVE_OPEN;
	const struct tlob_record *r = e->record;

	live->open[i].client = r->client;
	live->open[i].tid = r->tid;
	live->open[i].window = r->window;
	live->open[i].nameless = cli_snapshots_nameless(e->why);
}

/* Was the overrun of this window shown? Then its end is too. *@nameless: of the former. */
static bool recall(struct cli_live *live, const struct tlob_record *r, size_t *nameless)
{
	for (size_t i = 0; i < CLI_LIVE_OPEN; i++) {
		if (live->open[i].tid != r->tid || live->open[i].window != r->window ||
		    live->open[i].client != r->client)
			continue;
		live->open[i].tid = 0;
		*nameless = live->open[i].nameless;
		return true;
	}
	return false;
}

void cli_live_event(struct cli_live *live, const struct tlobctl_event *event)
{
	const struct tlob_record *r = event->record;
	size_t nameless = 0;

	cli_live_tick(live, cli_now_ns());
	if (r->type == TLOB_REC_CLOSE) {
		if (recall(live, r, &nameless))
			print_event(live, event, nameless);
		return;
	}
	if (!cli_quota_take(&live->quota, r->tgid)) {
		live->hidden++;
		return;
	}
	remember(live, event);
	print_event(live, event, nameless);
}

int cli_live_tick(struct cli_live *live, uint64_t now_ns)
{
	char time[CLI_TIME_BYTES], count[CLI_COUNT_BYTES];

	if (now_ns - live->second_ns < CLI_NS_PER_S)
		return live->hidden ?
			       (int)((live->second_ns + CLI_NS_PER_S - now_ns) / 1000000) + 1 :
			       -1;
	if (live->hidden) {
		fprintf(live->term->out,
			"%s%-12s  %s more overruns in this second, counted but not shown%s\n",
			cli_style(live->term, CLI_WARN), cli_time_of_day(time, now_ns),
			cli_count(count, live->hidden), cli_style(live->term, CLI_PLAIN));
		fflush(live->term->out);
		live->lines_below_head++;
	}
	live->second_ns = now_ns;
	live->quota = (struct cli_quota){0};
	live->hidden = 0;
	return -1;
}
