// SPDX-License-Identifier: GPL-2.0-or-later
/* See samples.h. */
#include "samples.h"

#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "frames.h"
#include "shorten.h"
#include "text.h"
#include "words.h"

#define MAX_HOT 4096 /* regions times functions */
#define SHOWN 5 /* functions of a region */
#define SHOWN_OF_WINDOW 3
#define MARGIN 14 /* below the region, as in why.c */
#define NAME_BYTES 96

/* ---- JSON */

static void put_samples(struct cli_json *j, const struct tlobctl_samples *samples, size_t n)
{
	cli_json_array(j, "samples");
	for (size_t i = 0; i < n; i++) {
		cli_json_object(j, NULL);
		cli_json_number(j, "count", samples[i].count);
		cli_json_number(j, "ns", samples[i].ns);
		cli_frames_json(j, &samples[i].stack);
		cli_json_object_end(j);
	}
	cli_json_array_end(j);
}

void cli_samples_json(struct cli_json *j, const struct tlobctl_why *why)
{
	cli_json_number(j, "sampled", why ? why->sampled : 0);
	put_samples(j, why ? why->samples : NULL, why ? why->nsamples : 0);
}

void cli_profile_json(struct cli_json *j, const struct tlobctl_profile *p)
{
	cli_json_begin(j, "profile");
	cli_json_string(j, "region", p->region);
	cli_json_string(j, "program", p->program);
	cli_json_string(j, "windows", "good");
	cli_json_number(j, "sampled_windows", p->windows);
	cli_json_number(j, "sampled", p->sampled);
	put_samples(j, p->samples, p->nsamples);
	cli_json_end(j);
}

void cli_samples_json_end(struct cli_json *j, const struct tlobctl_sample_stat *s)
{
	if (!s->clock)
		return;
	cli_json_string(j, "sample_clock", s->clock);
	cli_json_number(j, "sample_hz", s->hz);
	cli_json_number(j, "sample_good_share", s->good_share);
	cli_json_number(j, "samples_taken", s->taken);
	cli_json_number(j, "samples_late", s->late);
	cli_json_number(j, "samples_good", s->good);
	cli_json_number(j, "samples_lost_no_mapping", s->no_mapping);
	cli_json_number(j, "samples_lost_no_process", s->no_process);
	cli_json_number(j, "samples_lost_backtrace", s->no_backtrace);
	cli_json_number(j, "samples_lost_buffer_full", s->full);
	cli_json_number(j, "samples_lost_crowded", s->crowded);
	cli_json_number(j, "samples_cut", s->cut);
}

/* ---- functions */

/* What ran: "decode_row", "libx.so+0x1234". */
static char *name_of(char *buf, size_t size, const struct tlobctl_samples *s)
{
	const struct tlobctl_frame *f = s->stack.frames;
	const char *base;

	if (!s->stack.nframes)
		snprintf(buf, size, "(unknown)");
	else if (*f->function)
		snprintf(buf, size, "%s", f->function);
	else if (!*f->object)
		snprintf(buf, size, "(code without a file)");
	else {
		base = strrchr(f->object, '/');
		snprintf(buf, size, "%s+0x%llx", base ? base + 1 : f->object,
			 (unsigned long long)f->offset);
	}
	return buf;
}

static struct cli_hot *hot_of(struct cli_samples *s, const char *region, const char *program,
			      const char *function)
{
	struct cli_hot *hot;

	for (size_t i = 0; i < s->count; i++) {
		hot = &s->list[i];
		if (!strcmp(hot->function, function) && !strcmp(hot->region, region) &&
		    !strcmp(hot->program, program))
			return hot;
	}
	if (s->count == MAX_HOT)
		return NULL;
	hot = reallocarray(s->list, s->count + 1, sizeof(*hot));
	if (!hot)
		return NULL;
	s->list = hot;
	hot = &s->list[s->count];
	*hot = (struct cli_hot){
		.region = strdup(region), .program = strdup(program), .function = strdup(function)};
	if (hot->region && hot->program && hot->function) {
		s->count++;
		return hot;
	}
	free(hot->region);
	free(hot->program);
	free(hot->function);
	return NULL;
}

void cli_samples_add(struct cli_samples *s, const struct tlobctl_event *e)
{
	char name[NAME_BYTES];

	for (size_t i = 0; e->why && i < e->why->nsamples; i++) {
		const struct tlobctl_samples *sample = &e->why->samples[i];
		struct cli_hot *hot =
			hot_of(s, e->region, e->program, name_of(name, sizeof(name), sample));

		if (hot)
			hot->late += sample->count;
	}
}

void cli_samples_add_profile(struct cli_samples *s, const struct tlobctl_profile *p)
{
	char name[NAME_BYTES];

	for (size_t i = 0; i < p->nsamples; i++) {
		struct cli_hot *hot = hot_of(s, p->region, p->program,
					     name_of(name, sizeof(name), &p->samples[i]));

		if (hot)
			hot->good += p->samples[i].count;
	}
}

void cli_samples_deinit(struct cli_samples *s)
{
	for (size_t i = 0; i < s->count; i++) {
		free(s->list[i].region);
		free(s->list[i].program);
		free(s->list[i].function);
	}
	free(s->list);
	*s = (struct cli_samples){0};
}

/* ---- for people */

static int most_late(const void *a, const void *b)
{
	const struct cli_hot *x = a, *y = b;

	if (x->late != y->late)
		return x->late < y->late ? 1 : -1;
	return strcmp(x->function, y->function);
}

static bool is_little(uint64_t part, uint64_t whole)
{
	return part * 100 < whole;
}

/* Those of one window, by function. */
void cli_samples_print(const struct tlobctl_event *e, const struct cli_terminal *term)
{
	struct cli_samples of = {0};
	struct cli_words w = {.used = 0};
	char name[NAME_BYTES];
	uint64_t all = 0;

	if (!e->why || !e->why->nsamples)
		return;
	cli_samples_add(&of, e);
	qsort(of.list, of.count, sizeof(*of.list), most_late);
	for (size_t i = 0; i < of.count; i++)
		all += of.list[i].late;
	cli_say(&w, "on the CPU in");
	for (size_t i = 0; i < of.count && i < SHOWN_OF_WINDOW && !is_little(of.list[i].late, all);
	     i++)
		cli_say(&w, "%s %s %.0f %%", i ? "," : "",
			cli_shorten(name, sizeof(name), of.list[i].function, 40),
			(double)of.list[i].late * 100 / (double)all);
	cli_say(&w, " (%llu samples)", (unsigned long long)e->why->sampled);
	fprintf(term->out, "%*s", MARGIN, "");
	cli_wrap(term, w.text, MARGIN);
	cli_samples_deinit(&of);
}

/* By region, then as most_late(). */
static int by_region(const void *a, const void *b)
{
	const struct cli_hot *x = a, *y = b;
	int r = strcmp(x->region, y->region);

	if (!r)
		r = strcmp(x->program, y->program);
	return r ? r : most_late(a, b);
}

/*
 * "late windows of detect spent their CPU time in slow_path 97 % (of good ones 0 %), ...". Returns the next
 * region's first.
 */
static size_t print_region(const struct cli_samples *s, size_t first,
			   const struct cli_terminal *term)
{
	const struct cli_hot *h = s->list + first;
	uint64_t late = 0, good = 0;
	struct cli_words w = {.used = 0};
	char name[NAME_BYTES];
	size_t n = 0;

	for (; first + n < s->count && !strcmp(h[n].region, h->region) &&
	       !strcmp(h[n].program, h->program);
	     n++) {
		late += h[n].late;
		good += h[n].good;
	}
	if (!late)
		return first + n;
	cli_say(&w, "Late windows of %s were on the CPU in",
		cli_shorten(name, sizeof(name), h->region, 30));
	for (size_t i = 0; i < n && i < SHOWN && !is_little(h[i].late, late); i++) {
		cli_say(&w, "%s %s %.0f %%", i ? "," : "",
			cli_shorten(name, sizeof(name), h[i].function, 40),
			(double)h[i].late * 100 / (double)late);
		if (good)
			cli_say(&w, " (good ones %.0f %%)", (double)h[i].good * 100 / (double)good);
	}
	cli_say(&w, ".");
	cli_wrap(term, w.text, 0);
	return first + n;
}

static void print_counts(const struct tlobctl_sample_stat *s, const struct cli_terminal *term)
{
	struct cli_words w = {.used = 0};
	char taken[CLI_COUNT_BYTES], late[CLI_COUNT_BYTES], good[CLI_COUNT_BYTES];

	cli_say(&w,
		"%s CPU samples (%s, %u Hz) inside of windows: %s in late ones, %s kept of good ones.",
		cli_count(taken, s->taken), s->clock, s->hz, cli_count(late, s->late),
		cli_count(good, s->good));
	if (s->late + s->good > s->taken)
		cli_say(&w, " One that is in several windows counts in each.");
	cli_say(&w,
		" Lost: %llu where nothing was mapped, %llu of unknown processes, %llu whole stacks, ",
		(unsigned long long)s->no_mapping, (unsigned long long)s->no_process,
		(unsigned long long)s->no_backtrace);
	cli_say(&w, "%llu in full buffers, %llu too many at once.", (unsigned long long)s->full,
		(unsigned long long)s->crowded);
	cli_wrap(term, w.text, 0);
	if (*s->note)
		cli_wrap(term, s->note, 0);
}

void cli_samples_sort(struct cli_samples *s)
{
	if (s->count)
		qsort(s->list, s->count, sizeof(*s->list), by_region);
}

void cli_samples_print_end(const struct cli_samples *s, const struct cli_terminal *term)
{
	if (!s->stat.clock)
		return;
	for (size_t i = 0; i < s->count;)
		i = print_region(s, i, term);
	print_counts(&s->stat, term);
}
