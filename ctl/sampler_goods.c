// SPDX-License-Identifier: GPL-2.0-or-later
/* See sampler_goods.h. */
#include "sampler_goods.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger.h"
#include "names.h"
#include "now.h"
#include "objects.h"
#include "session.h"

#define MAX_GOODS 4096
#define NAMES_NS 5000000000ULL /* that names of profiles are waited for, all together */

/* ---- counts */

void tlobctl_counts_add(struct tlobctl_counts *c, uint32_t trace)
{
	size_t low = 0, high = c->count, room = c->room ? c->room * 2 : 64;
	struct tlobctl_count *list;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (c->list[middle].trace < trace)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < c->count && c->list[low].trace == trace) {
		c->list[low].count++;
		return;
	}
	if (c->count == c->room) {
		list = reallocarray(c->list, room, sizeof(*list));
		if (!list)
			return;
		c->list = list;
		c->room = room;
	}
	memmove(c->list + low + 1, c->list + low, (c->count - low) * sizeof(*c->list));
	c->list[low] = (struct tlobctl_count){trace, 1};
	c->count++;
}

static int most_first(const void *a, const void *b)
{
	const struct tlobctl_count *x = a, *y = b;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return x->trace < y->trace ? -1 : 1;
}

/* ---- names */

static int need_frames(struct tlobctl_sampler *s, size_t more)
{
	size_t room = s->frames_room ? s->frames_room : 1024;
	struct tlobctl_frame *frames;

	while (room < more)
		room *= 2;
	if (room == s->frames_room)
		return 0;
	frames = reallocarray(s->frames, room, sizeof(*frames));
	if (!frames)
		return -ENOMEM;
	s->frames = frames;
	s->frames_room = room;
	return 0;
}

/* The frames of @trace go to sampler->frames from @at on. Returns how many. */
static size_t name_trace(struct tlobctl *ctl, const struct why_trace *trace, size_t at)
{
	struct tlobctl_sampler *s = ctl->sampler;
	size_t n = 0;

	for (size_t i = 0; i < trace->n; i++) {
		const struct why_place *p = &trace->places[i];

		if (need_frames(s, at + n + WHY_PLACE_FRAMES))
			break;
		if (!p->object) {
			s->frames[at + n++] = (struct tlobctl_frame){.function = "",
								     .object = "",
								     .build_id = "",
								     .file = "",
								     .offset = p->offset};
			continue;
		}
		n += tlobctl_names_of(ctl, p->object, p->offset, i > 0, s->frames + at + n,
				      WHY_PLACE_FRAMES);
	}
	return n;
}

/* A copy of @counts to free, most frequent first, and how many of it are handed out. */
static struct tlobctl_count *in_order(const struct tlobctl_counts *counts, size_t *n)
{
	struct tlobctl_count *order = malloc(counts->count ? counts->count * sizeof(*order) : 1);

	*n = 0;
	if (!order || !counts->count)
		return order;
	memcpy(order, counts->list, counts->count * sizeof(*order));
	qsort(order, counts->count, sizeof(*order), most_first);
	*n = counts->count < TLOBCTL_MAX_STACKS ? counts->count : TLOBCTL_MAX_STACKS;
	return order;
}

void tlobctl_samples_want(struct tlobctl *ctl, uint32_t tgid, const struct tlobctl_counts *counts)
{
	size_t n;
	struct tlobctl_count *order = in_order(counts, &n);

	for (size_t i = 0; i < n; i++) {
		const struct why_trace *trace = ctl->sampler->traces.list[order[i].trace];

		for (size_t k = 0; k < trace->n; k++)
			if (trace->places[k].object)
				tlobctl_names_want(ctl, tgid, trace->places[k].object,
						   trace->places[k].offset, k > 0);
	}
	free(order);
}

size_t tlobctl_samples_name(struct tlobctl *ctl, const struct tlobctl_counts *counts)
{
	struct tlobctl_sampler *s = ctl->sampler;
	size_t n, at = 0;
	struct tlobctl_count *order = in_order(counts, &n);

	for (size_t i = 0; i < n; i++) {
		const struct why_trace *trace = s->traces.list[order[i].trace];
		size_t frames = name_trace(ctl, trace, at);

		s->samples[i] = (struct tlobctl_samples){
			.count = order[i].count,
			.ns = order[i].count * s->period_ns,
			.stack = {.nframes = frames, .cut = trace->cut},
		};
		at += frames;
	}
	free(order);
	/* only now they stay where they are */
	for (size_t i = 0, from = 0; i < n; i++) {
		s->samples[i].stack.frames = s->frames + from;
		from += s->samples[i].stack.nframes;
	}
	return n;
}

/* ---- good windows */

static uint32_t find_good(struct tlobctl_sampler *s, const char *region, const char *program)
{
	size_t room = s->goods_room ? s->goods_room * 2 : 16;
	struct tlobctl_good *goods;

	for (size_t i = 0; i < s->ngoods; i++)
		if (!strcmp(s->goods[i].region, region) && !strcmp(s->goods[i].program, program))
			return (uint32_t)i;
	if (s->ngoods == MAX_GOODS)
		return TLOBCTL_UNCOUNTED;
	if (s->ngoods == s->goods_room) {
		goods = reallocarray(s->goods, room, sizeof(*goods));
		if (!goods)
			return TLOBCTL_UNCOUNTED;
		s->goods = goods;
		s->goods_room = room;
	}
	goods = &s->goods[s->ngoods];
	*goods = (struct tlobctl_good){0};
	snprintf(goods->region, sizeof(goods->region), "%s", region);
	snprintf(goods->program, sizeof(goods->program), "%s", program);
	return (uint32_t)s->ngoods++;
}

static uint32_t look_up(struct tlobctl *ctl, const struct tlob_bpf_sampled *w, uint32_t tgid,
			const char *comm)
{
	struct tlobctl_client *client = w->client ? tlobctl_agent_client(ctl, w->client) : NULL;
	struct tlobctl_binding *b = w->client ? NULL :
						tlobctl_binding_find(&ctl->regions, w->region);
	struct tlobctl_ledger_region region;

	if (b)
		return find_good(ctl->sampler, b->name,
				 tlobctl_program_name(&ctl->programs, (pid_t)tgid, comm));
	if (client && client->ledger && tlobctl_ledger_region(client->ledger, w->region, &region))
		return find_good(ctl->sampler, region.name, client->program);
	return TLOBCTL_NOBODYS;
}

uint32_t tlobctl_goods_owner(struct tlobctl *ctl, const struct tlob_bpf_sampled *w, uint32_t tgid,
			     const char *comm)
{
	struct tlobctl_sampler *s = ctl->sampler;
	struct tlobctl_owner *o =
		&s->owners[(w->client ^ w->region * 31 ^ tgid * 7) & (TLOBCTL_OWNER_CACHE - 1)];
	uint32_t good;

	if (o->good && o->client == w->client && o->region == w->region && o->tgid == tgid)
		return o->good - 1;
	good = look_up(ctl, w, tgid, comm);
	if (good < TLOBCTL_UNCOUNTED)
		*o = (struct tlobctl_owner){w->client, w->region, tgid, good + 1};
	return good;
}

static bool is_chosen(const struct tlobctl *ctl, const struct why_sampled_window *w, uint32_t tid)
{
	uint64_t hash = (w->window ^ (uint64_t)tid << 32 ^ w->start_ns) * 0x9e3779b97f4a7c15ULL;

	return ctl->opts.good_share != TLOBCTL_GOOD_NONE &&
	       (hash >> 32) % ctl->opts.good_share == 0;
}

static bool begin_good(const struct why_sampled_window *w, uint32_t tid, void *arg)
{
	struct tlobctl *ctl = arg;
	struct tlobctl_sampler *s = ctl->sampler;

	if (w->owner >= s->ngoods || !is_chosen(ctl, w, tid))
		return false;
	s->filling = &s->goods[w->owner];
	s->filling->windows++;
	return true;
}

static void add_good(uint32_t trace, void *arg)
{
	struct tlobctl_sampler *s = ((struct tlobctl *)arg)->sampler;

	tlobctl_counts_add(&s->filling->counts, trace);
	s->filling->sampled++;
	s->stat.good++;
}

void tlobctl_goods_settle(struct tlobctl *ctl, uint64_t known_ns)
{
	const struct why_sampled_good good = {begin_good, add_good, ctl};

	why_sampled_settle(&ctl->sampler->sampled, known_ns, &good);
}

void tlobctl_goods_deinit(struct tlobctl_sampler *s)
{
	for (size_t i = 0; i < s->ngoods; i++)
		free(s->goods[i].counts.list);
	free(s->goods);
}

static int hand_out(struct tlobctl *ctl, const struct tlobctl_good *g, uint64_t end_ns,
		    tlobctl_profile_fn *fn, void *arg)
{
	struct tlobctl_profile profile = {.region = g->region,
					  .program = g->program,
					  .windows = g->windows,
					  .sampled = g->sampled,
					  .samples = ctl->sampler->samples};

	if (!g->windows)
		return 0;
	tlobctl_names_begin(ctl);
	tlobctl_samples_want(ctl, 0, &g->counts);
	tlobctl_names_wait_until(ctl, end_ns);
	profile.nsamples = tlobctl_samples_name(ctl, &g->counts);
	return fn(&profile, arg);
}

int tlobctl_profiles(struct tlobctl *ctl, tlobctl_profile_fn *fn, void *arg)
{
	struct tlobctl_sampler *s = ctl->sampler;
	uint64_t end_ns = tlobctl_now_ns() + NAMES_NS;
	int r = 0;

	if (!s)
		return 0;
	/* those that are over by now; what is known of those that go on is not all */
	tlobctl_objects_settle(ctl, tlobctl_now_ns() - 1);
	tlobctl_goods_settle(ctl, why_sync_horizon(tlobctl_objects_sync(ctl)));
	for (size_t i = 0; i < s->ngoods && !r; i++)
		r = hand_out(ctl, &s->goods[i], end_ns, fn, arg);
	return r;
}
