// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See flame.h. The outermost function is on top, as the first that is read: stacks may be deeper than a screen is high.
 *
 * Names come from watched programs and may hold anything: they get into the file as escaped text only, never
 * into the script. Fills are light enough for black text, and red and blue are told apart by colour-blind people.
 */
#include <math.h>
#include <string.h>

#include "flame.h"
#include "flame_script.h"
#include "format.h"

#define WIDTH 1200
#define SIDE 10 /* margins */
#define ROW 18
#define CHAR_WIDTH 7.25 /* of the 12 px font in flame_script.c */
#define GAP 0.5
#define LABEL_MIN 5 /* characters that a frame must have room for */
#define SMALLEST 0.15 /* pixels: narrower is left out */
#define HEAD_HEIGHT 62 /* of the file */
#define PANEL_HEAD 46
#define PANEL_FOOT 14
#define DEEPEST 200

struct drawing {
	FILE *out;
	const struct report_panel *panel;
	double scale; /* pixels for a nanosecond */
	double largest; /* difference in the panel */
	int base; /* y of the first row */
};

/* ---- text */

/* Length of the UTF-8 sequence at @s; 0: broken, or not allowed in XML. */
static int sequence(const unsigned char *s)
{
	int n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	uint32_t code = s[0] & (0xff >> (n + 1));

	if (n == 1)
		return s[0] >= 0x20 && s[0] != 0x7f;
	for (int i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if (n < 2 || (n == 3 && code < 0x800) || (n == 4 && (code < 0x10000 || code > 0x10ffff)) ||
	    (code >= 0xd800 && code < 0xe000) || code == 0xfffe || code == 0xffff || code < 0xa0)
		return 0;
	return n;
}

/* At most @columns characters, ".." at the end then. */
static void put_text(FILE *out, const char *text, size_t columns)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t length = 0;

	for (const unsigned char *c = s; *c; length++) {
		int n = sequence(c);

		c += n ? n : 1;
	}
	for (size_t i = 0; *s && (length <= columns || i + 2 < columns); i++) {
		int n = sequence(s);

		if (!n)
			fputs("&#xfffd;", out);
		else if (*s == '&' || *s == '<' || *s == '>' || *s == '"')
			fprintf(out, "&#%d;", *s);
		else
			fwrite(s, 1, (size_t)n, out);
		s += n ? n : 1;
	}
	if (*s)
		fputs("..", out);
}

/* A line of plain text at a place. */
static void put_line(FILE *out, const char *class, double x, double y, const char *text)
{
	fprintf(out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">", class, x, y);
	put_text(out, text, SIZE_MAX);
	fputs("</text>\n", out);
}

/* ---- colours */

/* The same name has the same shade in all graphs. */
static unsigned int shade_of(const char *name)
{
	uint32_t hash = 2166136261u;

	while (*name)
		hash = (hash ^ (unsigned char)*name++) * 16777619u;
	return hash >> 8;
}

static void put_fill(const struct drawing *d, const struct report_node *n)
{
	unsigned int a = shade_of(n->name) % 31, b = shade_of(n->name) / 31 % 31;
	int r = 217, g = 217, blue = 217;

	switch (n->kind) {
	case REPORT_USER:
		r = 255, g = 172 + (int)a, blue = 96 + (int)b;
		break;
	case REPORT_INLINED:
		r = 255, g = 222 + (int)a, blue = 128 + (int)b;
		break;
	case REPORT_KERNEL:
		r = 150 + (int)a, g = 196 + (int)b / 2, blue = 240;
		break;
	case REPORT_HEAD:
		break;
	}
	fprintf(d->out, "#%02x%02x%02x", r, g < 255 ? g : 255, blue);
}

static double difference_of(const struct report_node *n)
{
	return (double)n->total[0] - (double)n->total[1];
}

/* From white to the colour at the end; the square root lets small differences be seen too. */
static void put_difference_fill(const struct drawing *d, const struct report_node *n)
{
	static const int ends[2][3] = {{224, 92, 72}, {72, 148, 204}};
	double difference = difference_of(n);
	double t = d->largest > 0 ? sqrt(fabs(difference) / d->largest) : 0;
	const int *end = ends[difference < 0];
	int rgb[3];

	for (int i = 0; i < 3; i++)
		rgb[i] = (int)(246 + (end[i] - 246) * (t < 1 ? t : 1));
	fprintf(d->out, "#%02x%02x%02x", rgb[0], rgb[1], rgb[2]);
}

static double largest_difference(const struct report_node *n)
{
	double largest = n->kind == REPORT_HEAD ? 0 : fabs(difference_of(n));

	for (const struct report_node *c = n->child; c; c = c->next) {
		double other = largest_difference(c);

		largest = other > largest ? other : largest;
	}
	return largest;
}

/* ---- frames */

static void put_duration(FILE *out, double ns)
{
	char text[TLOB_DURATION_BYTES];

	tlob_duration_print(text, sizeof(text), ns > 0 ? (uint64_t)(ns + 0.5) : 0);
	fputs(text, out);
}

static void put_values(const struct drawing *d, const struct report_node *n)
{
	const struct report_panel *p = d->panel;

	if (p->difference) {
		fputc(difference_of(n) < 0 ? '-' : '+', d->out);
		put_duration(d->out, fabs(difference_of(n)));
		fputs(": ", d->out);
		put_duration(d->out, (double)n->total[0]);
		fprintf(d->out, " in a %s window, ", p->names[0]);
		put_duration(d->out, (double)n->total[1]);
		fprintf(d->out, " in a %s one", p->names[1]);
		return;
	}
	put_duration(d->out, (double)n->total[0]);
	fprintf(d->out, ", %.1f %%",
		p->root->total[0] ? 100 * (double)n->total[0] / (double)p->root->total[0] : 0.0);
	if (p->windows > 0) {
		fputs(", ", d->out);
		put_duration(d->out, (double)n->total[0] / p->windows);
		fputs(" each window", d->out);
	}
}

static void put_hover(const struct drawing *d, const struct report_node *n)
{
	fputs("<title>", d->out);
	put_text(d->out, n->name, SIZE_MAX);
	if (n->kind == REPORT_INLINED)
		fputs(" (inlined)", d->out);
	fputc('\n', d->out);
	put_values(d, n);
	if (n->file || n->object)
		fputc('\n', d->out);
	if (n->file)
		put_text(d->out, n->file, SIZE_MAX);
	if (n->object) {
		fputs(n->file ? ", " : "", d->out);
		put_text(d->out, n->object, SIZE_MAX);
	}
	fputs("</title>", d->out);
}

static void put_frame(const struct drawing *d, const struct report_node *n, double x, double width,
		      int depth)
{
	int y = d->base + depth * ROW;

	fputs("<g class=\"f\">", d->out);
	put_hover(d, n);
	fprintf(d->out, "<rect x=\"%.2f\" y=\"%d\" width=\"%.2f\" height=\"%d\" fill=\"", x, y,
		width > 2 ? width - GAP : width, ROW - 1);
	if (d->panel->difference)
		put_difference_fill(d, n);
	else
		put_fill(d, n);
	fputs("\"/>", d->out);
	if (width >= LABEL_MIN * CHAR_WIDTH) {
		fprintf(d->out, "<text x=\"%.2f\" y=\"%d\">", x + 3, y + ROW - 5);
		put_text(d->out, n->name, (size_t)((width - 4) / CHAR_WIDTH));
		fputs("</text>", d->out);
	}
	fputs("</g>\n", d->out);
}

static void put_children(const struct drawing *d, const struct report_node *parent, double x,
			 int depth)
{
	if (depth == DEEPEST)
		return;
	for (const struct report_node *n = parent->child; n; n = n->next) {
		double width = (double)n->widest * d->scale;

		if (width >= SMALLEST) {
			put_frame(d, n, x, width, depth);
			put_children(d, n, x, depth + 1);
		}
		x += width;
	}
}

/* Rows that are drawn of what is wide enough. */
static int rows_of(const struct report_node *parent, double scale, int depth)
{
	int rows = depth;

	if (depth == DEEPEST)
		return rows;
	for (const struct report_node *n = parent->child; n; n = n->next) {
		int below = (double)n->widest * scale < SMALLEST ? depth :
								   rows_of(n, scale, depth + 1);

		rows = below > rows ? below : rows;
	}
	return rows;
}

/* ---- the file */

static double scale_of(const struct report_panel *p)
{
	return p->root->widest ? (WIDTH - 2.0 * SIDE) / (double)p->root->widest : 0;
}

static int height_of(const struct report_panel *p)
{
	return PANEL_HEAD + ROW * rows_of(p->root, scale_of(p), 0) + PANEL_FOOT;
}

static void put_legend(FILE *out, const char *const *fills, const char *const *words, int n)
{
	double x = SIDE;

	for (int i = 0; i < n; i++) {
		fprintf(out,
			"<rect x=\"%.1f\" y=\"42\" width=\"12\" height=\"12\" fill=\"%s\" "
			"stroke=\"#888\" stroke-width=\"0.5\"/>",
			x, fills[i]);
		put_line(out, "n", x + 17, 52, words[i]);
		x += 17 + CHAR_WIDTH * (double)strlen(words[i]) + 14;
	}
}

static void put_head(FILE *out, const char *title, const struct report_panel *panels,
		     size_t npanels, int height)
{
	static const char *const fills[] = {"#ffbb6f", "#ffed8f", "#a5cbf0"};
	static const char *const words[] = {"program", "inlined", "kernel"};
	static const char *const reds[] = {"#e05c48", "#f6f6f6", "#4894cc"};
	char more[64], less[64];
	const char *const signs[] = {more, "the same", less};

	fprintf(out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
		"viewBox=\"0 0 %d %d\" role=\"img\">\n<title>",
		WIDTH, height, WIDTH, height);
	put_text(out, title, SIZE_MAX);
	fputs("</title>\n", out);
	fputs(report_flame_style, out);
	fprintf(out, "<script><![CDATA[%s]]></script>\n", report_flame_script);
	fprintf(out, "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n", WIDTH, height);
	put_line(out, "h", SIDE, 24, title);
	if (npanels && panels[0].difference) {
		snprintf(more, sizeof(more), "more in %s windows", panels[0].names[0]);
		snprintf(less, sizeof(less), "less in %s windows", panels[0].names[0]);
		put_legend(out, reds, signs, 3);
	} else {
		put_legend(out, fills, words, 3);
	}
	fprintf(out,
		"<text id=\"found\" class=\"n\" x=\"%d\" y=\"52\" text-anchor=\"end\"></text>\n"
		"<text id=\"reset\" class=\"b\" x=\"%d\" y=\"24\" text-anchor=\"end\" role=\"button\">Reset zoom</text>\n"
		"<text id=\"search\" class=\"b\" x=\"%d\" y=\"24\" text-anchor=\"end\" role=\"button\">Search</text>\n",
		WIDTH - SIDE, WIDTH - SIDE - 70, WIDTH - SIDE);
}

static void put_panel(FILE *out, const struct report_panel *p, int top)
{
	struct drawing d = {.out = out, .panel = p, .scale = scale_of(p), .base = top + PANEL_HEAD};

	if (p->difference)
		d.largest = largest_difference(p->root);
	put_line(out, "t", SIDE, top + 18, p->title);
	put_line(out, "n", SIDE, top + 36, p->note);
	fputs("<g class=\"p\">\n", out);
	put_children(&d, p->root, SIDE, 0);
	fputs("</g>\n", out);
}

void report_flame_write(FILE *out, const char *title, const struct report_panel *panels,
			size_t npanels)
{
	int height = HEAD_HEIGHT, top = HEAD_HEIGHT;

	for (size_t i = 0; i < npanels; i++)
		height += height_of(&panels[i]);
	put_head(out, title, panels, npanels, height);
	for (size_t i = 0; i < npanels; i++) {
		put_panel(out, &panels[i], top);
		top += height_of(&panels[i]);
	}
	fputs("</svg>\n", out);
}
