/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A histogram as HdrHistogram's percentile text. User space only: mean and deviation take floating
 * point.
 *
 * The percentiles listed climb towards 100 in steps that halve with each halving of the distance
 * left, five steps to a halving. So after k halvings and j steps exactly (10 - j) / (10 * 2^k) is
 * left above the percentile, and the whole table is integers.
 */
#include "hist.h"
#include "text.h"

#define STEPS 5

struct ladder {
	__u32 halvings;
	__u32 step;
};

static void climb(struct ladder *l)
{
	if (++l->step == STEPS) {
		l->step = 0;
		l->halvings++;
	}
}

/* How many of @total may lie above this rung. */
static __u64 left_above(const struct ladder *l, __u64 total)
{
	return total * (2 * STEPS - l->step) / ((__u64)(2 * STEPS) << l->halvings);
}

struct output {
	tlob_hist_write_fn *fn;
	void *arg;
	char line[256];
	struct tlob_text text;
};

static void begin(struct output *o)
{
	o->text = (struct tlob_text){o->line, sizeof(o->line), 0};
}

static int end(struct output *o)
{
	tlob_text_char(&o->text, '\n');
	return o->fn(o->arg, o->line, tlob_text_end(&o->text));
}

static void put_us(struct output *o, __u64 ns)
{
	tlob_text_decimal(&o->text, ns, 3, 12);
}

static int write_heading(struct output *o)
{
	begin(o);
	tlob_text_string(&o->text, "       Value     Percentile TotalCount 1/(1-Percentile)\n");
	return end(o);
}

static int write_rung(struct output *o, const struct ladder *l, __u64 ns, __u64 below)
{
	__u64 left = 2 * STEPS - l->step, half = 1ULL << l->halvings >> 1;

	begin(o);
	put_us(o, ns);
	tlob_text_char(&o->text, ' ');
	tlob_text_decimal(&o->text, 1000000000000 - ((left * 100000000000 + half) >> l->halvings),
			  12, 14);
	tlob_text_char(&o->text, ' ');
	tlob_text_decimal(&o->text, below, 0, 10);
	tlob_text_char(&o->text, ' ');
	tlob_text_decimal(&o->text, ((1000ULL << l->halvings) + left / 2) / left, 2, 14);
	return end(o);
}

static int write_last(struct output *o, __u64 ns, __u64 total)
{
	begin(o);
	put_us(o, ns);
	tlob_text_string(&o->text, " 1.000000000000 ");
	tlob_text_decimal(&o->text, total, 0, 10);
	return end(o);
}

static __u64 value_at(const struct tlob_hist *h, __u32 i)
{
	__u64 value = tlob_hist_value(i);

	return value < h->max_ns ? value : h->max_ns;
}

static int write_ladder(struct output *o, const struct tlob_hist *h, __u64 total)
{
	struct ladder l = {0, 0};
	__u64 below = 0, left = total;
	__u32 i;
	int ret;

	for (i = 0; left && i < TLOB_HIST_BUCKETS; i++) {
		if (h->count[i] == 0)
			continue;
		below = h->count[i] < left ? below + h->count[i] : total;
		left = total - below;
		while (left <= left_above(&l, total)) {
			ret = write_rung(o, &l, value_at(h, i), below);
			if (ret < 0)
				return ret;
			if (left == 0)
				break;
			climb(&l);
		}
	}
	return total ? write_last(o, h->max_ns, total) : 0;
}

/* Of the buckets' mid-points, in ns; 0 when empty. */
static double mean_of(const struct tlob_hist *h)
{
	double sum = 0, n = 0;
	__u32 i;

	for (i = 0; i < TLOB_HIST_BUCKETS; i++) {
		sum += (double)h->count[i] * (double)tlob_hist_value(i);
		n += (double)h->count[i];
	}
	return n > 0 ? sum / n : 0;
}

static double deviation_of(const struct tlob_hist *h, double mean)
{
	double sum = 0, n = 0, root;
	__u32 i;

	for (i = 0; i < TLOB_HIST_BUCKETS; i++) {
		double off = (double)tlob_hist_value(i) - mean;

		sum += (double)h->count[i] * off * off;
		n += (double)h->count[i];
	}
	if (!(sum > 0))
		return 0;
	sum /= n;
	/* Newton's square root, from above, so that libtlob needs no libm; 2^43 > any deviation */
	for (root = 0x1p43, i = 0; i < 64; i++)
		root = (root + sum / root) / 2;
	return root;
}

static int write_footer(struct output *o, const struct tlob_hist *h, __u64 total)
{
	double mean = mean_of(h);

	begin(o);
	tlob_text_string(&o->text, "#[Mean    = ");
	put_us(o, (__u64)(mean + 0.5));
	tlob_text_string(&o->text, ", StdDeviation   = ");
	put_us(o, (__u64)(deviation_of(h, mean) + 0.5));
	tlob_text_string(&o->text, "]\n#[Max     = ");
	put_us(o, h->max_ns);
	tlob_text_string(&o->text, ", Total count    = ");
	tlob_text_decimal(&o->text, total, 0, 12);
	tlob_text_string(&o->text, "]\n#[Buckets = ");
	tlob_text_decimal(&o->text, TLOB_HIST_BUCKETS >> TLOB_HIST_SUB_BITS, 0, 12);
	tlob_text_string(&o->text, ", SubBuckets     = ");
	tlob_text_decimal(&o->text, 1 << TLOB_HIST_SUB_BITS, 0, 12);
	tlob_text_char(&o->text, ']');
	return end(o);
}

int tlob_hist_write_hgrm(const struct tlob_hist *h, tlob_hist_write_fn *fn, void *arg)
{
	struct output o = {.fn = fn, .arg = arg};
	__u64 total = tlob_hist_count(h);
	int ret = write_heading(&o);

	if (ret >= 0)
		ret = write_ladder(&o, h, total);
	if (ret >= 0)
		ret = write_footer(&o, h, total);
	return ret < 0 ? ret : 0;
}
