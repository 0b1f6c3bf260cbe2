// SPDX-License-Identifier: GPL-2.0-or-later
/* See chain.h. */
#include <stdio.h>
#include <string.h>

#include "chain.h"
#include "format.h"
#include "text.h"

#define MARGIN 14 /* below the time of day */
#define BAR_MAX 60
#define BAR_MIN 10
#define NEGLIGIBLE 1000 /* waits of less than this part of the whole are not shown */
#define LABEL_BYTES 160
#define LABEL_MAX 30

struct picture {
	const struct cli_terminal *term;
	uint64_t total_ns, longest_ns;
	int columns, label;
};

/* One line: what it was, from when to when, how long. */
static void print_part(const struct picture *p, const char *label, uint64_t from_ns, uint64_t to_ns,
		       char glyph)
{
	int first = (int)((double)from_ns / (double)p->total_ns * p->columns);
	int last = (int)((double)to_ns / (double)p->total_ns * p->columns);
	bool longest = to_ns - from_ns == p->longest_ns;
	char bar[BAR_MAX + 2], took[TLOB_DURATION_BYTES];

	if (first >= p->columns)
		first = p->columns - 1;
	if (last <= first)
		last = first + 1;
	memset(bar, ' ', (size_t)p->columns);
	memset(bar + first, glyph, (size_t)(last - first));
	bar[p->columns] = '\0';
	tlob_duration_print(took, sizeof(took), to_ns - from_ns);
	fprintf(p->term->out, "%*s%s%s%*s [%s] %7s%s%s\n", MARGIN, "",
		longest ? cli_style(p->term, CLI_BOLD) : "", label,
		p->label - (int)cli_columns(label), "", bar, took, longest ? " longest" : "",
		longest ? cli_style(p->term, CLI_PLAIN) : "");
}

static char *label_of(char *buf, const struct tlobctl_stage *s, bool wait)
{
	char name[LABEL_BYTES];

	snprintf(buf, LABEL_BYTES, "%s%s", wait ? "before " : "",
		 cli_printable(name, 128, s->region, LABEL_MAX));
	return buf;
}

static void measure(struct picture *p, const struct tlobctl_event *e)
{
	size_t width = cli_terminal_width(p->term);
	char label[LABEL_BYTES];

	for (size_t i = 0; i < e->nstages; i++) {
		const struct tlobctl_stage *s = &e->stages[i];
		int columns = (int)cli_columns(label_of(label, s, s->wait_ns != 0));

		if (columns > p->label)
			p->label = columns;
		if (s->wait_ns > p->longest_ns)
			p->longest_ns = s->wait_ns;
		if (s->end_ns - s->begin_ns > p->longest_ns)
			p->longest_ns = s->end_ns - s->begin_ns;
	}
	p->columns = (int)width - MARGIN - p->label - 24;
	if (p->columns > BAR_MAX)
		p->columns = BAR_MAX;
	if (p->columns < BAR_MIN)
		p->columns = BAR_MIN;
}

void cli_chain_print(const struct tlobctl_event *e, const struct cli_terminal *term)
{
	struct picture p = {.term = term, .total_ns = e->record->elapsed_ns};
	char label[LABEL_BYTES];

	if (!e->nstages || !p.total_ns)
		return;
	measure(&p, e);
	for (size_t i = 0; i < e->nstages; i++) {
		const struct tlobctl_stage *s = &e->stages[i];
		uint64_t until = s->begun ? s->begin_ns : p.total_ns;

		if (s->wait_ns > p.total_ns / NEGLIGIBLE)
			print_part(&p, label_of(label, s, true), until - s->wait_ns, until, '.');
		if (s->begun)
			print_part(&p, label_of(label, s, false), s->begin_ns, s->end_ns, '#');
	}
}

void cli_chain_json(struct cli_json *j, const struct tlobctl_event *e)
{
	cli_json_array(j, "stages");
	for (size_t i = 0; i < e->nstages; i++) {
		const struct tlobctl_stage *s = &e->stages[i];

		cli_json_object(j, NULL);
		cli_json_string(j, "region", s->region);
		cli_json_number(j, "wait_ns", s->wait_ns);
		cli_json_bool(j, "begun", s->begun);
		cli_json_bool(j, "ended", s->ended);
		if (s->begun) {
			cli_json_number(j, "begin_ns", s->begin_ns);
			cli_json_number(j, "took_ns", s->end_ns - s->begin_ns);
		}
		cli_json_object_end(j);
	}
	cli_json_array_end(j);
}
