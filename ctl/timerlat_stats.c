// SPDX-License-Identifier: GPL-2.0-or-later
/* What the measuring threads have counted, while they count on. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "atomic.h"
#include "error.h"
#include "hist.h"
#include "timerlat_why.h"

/* A copy of what one thread, or all of them, have counted. */
struct copy {
	struct tlobctl_timerlat_stat stat;
	uint64_t sum_ns[TLOBCTL_TIMERLAT_PARTS];
	struct tlob_hist hist[TLOBCTL_TIMERLAT_PARTS];
};

static void add_part(struct copy *c, int part, const struct timerlat_tally *a)
{
	struct tlobctl_timerlat_values *v = &c->stat.parts[part];
	uint64_t count = tlob_load_acquire(&a->count), min = tlob_load(&a->min_ns);

	if (!count)
		return;
	if (!v->count || min < v->min_ns)
		v->min_ns = min;
	v->count += count;
	v->last_ns = tlob_load(&a->last_ns);
	c->sum_ns[part] += tlob_load(&a->sum_ns);
	tlob_hist_merge(&c->hist[part], &a->hist);
}

static void add_lane(struct copy *c, const struct timerlat_lane *lane)
{
	c->stat.cycles += tlob_load(&lane->cycles);
	c->stat.skipped += tlob_load(&lane->skipped);
	c->stat.unsplit += tlob_load(&lane->unsplit);
	for (int i = 0; i < TLOBCTL_TIMERLAT_PARTS; i++)
		add_part(c, i, &lane->parts[i]);
}

static int hand_out(struct copy *c, int cpu, tlobctl_timerlat_stat_fn *fn, void *arg)
{
	c->stat.cpu = cpu;
	for (int i = 0; i < TLOBCTL_TIMERLAT_PARTS; i++) {
		struct tlobctl_timerlat_values *v = &c->stat.parts[i];

		v->hist = &c->hist[i];
		v->max_ns = c->hist[i].max_ns;
		v->avg_ns = v->count ? c->sum_ns[i] / v->count : 0;
	}
	return fn(&c->stat, arg);
}

int tlobctl_timerlat_stats(struct tlobctl_timerlat *t, tlobctl_timerlat_stat_fn *fn, void *arg)
{
	struct copy *all = calloc(2, sizeof(*all)), *one = all ? all + 1 : NULL;
	int r = all ? 0 : tlobctl_fail(-ENOMEM, "no memory to read the histograms");

	for (size_t i = 0; !r && i < t->nlanes; i++) {
		memset(one, 0, sizeof(*one));
		add_lane(one, t->lanes[i]);
		add_lane(all, t->lanes[i]);
		r = hand_out(one, (int)t->lanes[i]->cpu, fn, arg);
	}
	if (!r)
		r = hand_out(all, -1, fn, arg);
	free(all);
	return r;
}

int tlobctl_timerlat_hit(struct tlobctl_timerlat *t, struct tlobctl_timerlat_hit *out)
{
	const struct timerlat_lane *lane;

	if (tlob_load_acquire(&t->hit_lane) == TIMERLAT_NO_LANE)
		return 0;
	lane = t->lanes[t->hit_lane];
	*out = (struct tlobctl_timerlat_hit){
		.cpu = lane->cpu, .split = t->hit.split, .interrupted = TLOBCTL_NOBODY};
	timerlat_split(&t->hit, out->parts_ns);
	out->part = t->opts.stop_irq_ns && t->hit.split &&
				    out->parts_ns[TLOBCTL_TIMERLAT_IRQ] > t->opts.stop_irq_ns ?
			    TLOBCTL_TIMERLAT_IRQ :
			    TLOBCTL_TIMERLAT_TOTAL;
	out->limit_ns = out->part == TLOBCTL_TIMERLAT_IRQ ? t->opts.stop_irq_ns :
							    t->opts.stop_total_ns;
	timerlat_why_ask(t, lane, out);
	if (t->backend->found)
		out->found = t->backend->found(lane);
	return 1;
}
