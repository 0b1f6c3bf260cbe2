/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Several windows of one thread: depth 1 to 8 and 9, recursion, one shared stop, any order of stops. */
#include "harness.h"

TLOB_REGION(outer, "outer", TLOB_MS(10));
TLOB_REGION(inner, "inner", TLOB_MS(10));
TLOB_REGION(deep, "deep", TLOB_MS(5));
TLOB_REGION(roomy, "roomy", TLOB_S(5));
TLOB_REGION(self, "self", TLOB_MS(10));

/* Depth @conf_argument: every window is over; a ninth start is refused. */
static int subject_depth(void)
{
	int depth = conf_argument ? atoi(conf_argument) : 1;
	tlob_window_t w[16];

	for (int i = 0; i < depth; i++)
		w[i] = tlob_start(&deep, (uint64_t)i);
	spin_ns(20000000u);
	for (int i = depth - 1; i >= 0; i--)
		tell_result((uint64_t)i, tlob_stop(w[i]));
	return 0;
}

/* Only the inner window, then only the outer one, is over. */
static int subject_each(void)
{
	tlob_window_t a, b;

	a = tlob_start(&roomy, 1);
	b = tlob_start(&inner, 2);
	spin_ns(25000000u);
	tell_result(2, tlob_stop(b));
	tell_result(1, tlob_stop(a));

	a = tlob_start(&outer, 3);
	b = tlob_start(&roomy, 4);
	spin_ns(1000000u);
	tell_result(4, tlob_stop(b));
	sleep_ns(25000000u);
	tell_result(3, tlob_stop(a));
	return 0;
}

/* Two regions that end at one place, the outer one stopped first: order does not matter. */
static int subject_shared(void)
{
	tlob_window_t a, b;

	a = tlob_start(&outer, 5);
	sleep_ns(20000000u);
	b = tlob_start(&inner, 6);
	tell_result(5, tlob_stop(a));
	tell_result(6, tlob_stop(b));
	return 0;
}

static void recurse(int level)
{
	tlob_window_t w = tlob_start(&self, (uint64_t)(100 + level));

	if (level < 4)
		recurse(level + 1);
	else
		spin_ns(20000000u);
	tell_result((uint64_t)(100 + level), tlob_stop(w));
}

static int subject_recursion(void)
{
	recurse(1);
	return 0;
}

const struct conf_subject conf_subjects[] = {
	{"depth", subject_depth},	  {"each", subject_each}, {"shared", subject_shared},
	{"recursion", subject_recursion}, {NULL, NULL},
};

static bool results_are(struct conf *c, uint64_t first, uint64_t last, int want)
{
	for (uint64_t tag = first; tag <= last; tag++) {
		const struct truth *t = conf_truth(c, tag);

		if (!t || t->result != want) {
			tap_note("window %lu: stop returned %ld, not %d", tag, t ? t->result : 1,
				 want);
			return false;
		}
	}
	return true;
}

static void check_depth(struct conf *c, int depth)
{
	char text[8];
	int open = depth < TLOB_MAX_DEPTH ? depth : TLOB_MAX_DEPTH;
	const char *wrong;
	bool tags = true;

	snprintf(text, sizeof(text), "%d", depth);
	CONF_RUN(c, "depth", text);
	tap_ok(results_are(c, 0, (uint64_t)open - 1, -EOVERFLOW),
	       "depth %d: every stop returns -EOVERFLOW", depth);
	for (int i = 0; i < open; i++)
		tags &= conf_find(c, TLOB_REC_OVERRUN, "deep", (uint64_t)i) != NULL;
	wrong = conf_pairs_wrong(c);
	tap_ok(tags && conf_count(c, TLOB_REC_OVERRUN, NULL) == (size_t)open && !wrong,
	       "depth %d: one pair of records for each (%s)", depth, wrong ? wrong : "all there");
}

static void check_ninth(struct conf *c)
{
	struct tlobctl_stat before = {0}, after = {0};

	conf_stat(c, "deep", &before);
	check_depth(c, 9);
	tap_ok(results_are(c, 8, 8, -ECANCELED), "the ninth start is refused, its stop -ECANCELED");
	tap_ok(conf_stat(c, "deep", &after) && after.refused == before.refused + 1,
	       "and counted as refused");
}

int conf_main(struct conf *c)
{
	const char *wrong;

	tap_plan(8 * 2 + 4 + 3 + 2 + 3);
	conf_open(c);
	for (int depth = 1; depth <= 8; depth++)
		check_depth(c, depth);
	check_ninth(c);

	CONF_RUN(c, "each");
	tap_ok(results_are(c, 2, 3, -EOVERFLOW), "inner over alone, outer over alone: -EOVERFLOW");
	tap_ok(results_are(c, 1, 1, 0) && results_are(c, 4, 4, 0), "the other window returns 0");
	tap_ok(conf_count(c, TLOB_REC_OVERRUN, NULL) == 2 &&
		       conf_count(c, TLOB_REC_OVERRUN, "roomy") == 0,
	       "only the two that were over have records");

	CONF_RUN(c, "shared");
	tap_ok(results_are(c, 5, 5, -EOVERFLOW) && results_are(c, 6, 6, 0),
	       "one stop point, outer first");
	tap_ok(conf_count(c, TLOB_REC_OVERRUN, NULL) == 1, "one record");

	CONF_RUN(c, "recursion");
	tap_ok(results_are(c, 101, 104, -EOVERFLOW), "recursion: each level returns -EOVERFLOW");
	tap_ok(conf_count(c, TLOB_REC_OVERRUN, "self") == 4,
	       "recursion: each level has its record");
	wrong = conf_pairs_wrong(c);
	tap_ok(!wrong, "recursion: pairs and sums (%s)", wrong ? wrong : "hold");
	conf_close(c);
	return tap_done();
}
