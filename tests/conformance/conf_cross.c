/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Windows that begin in one thread and end in another. */
#include "harness.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

TLOB_REGION(roomy, "roomy", TLOB_S(20));
TLOB_REGION(tight, "tight", TLOB_MS(20));

#define MS 1000000u

/* ---- a queue between two threads */

#define ITEMS 200

static struct queue {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	uint64_t tags[ITEMS];
	int n;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER};

static void put(uint64_t tag)
{
	pthread_mutex_lock(&queue.lock);
	queue.tags[queue.n++] = tag;
	pthread_cond_signal(&queue.filled);
	pthread_mutex_unlock(&queue.lock);
}

static uint64_t get(void)
{
	uint64_t tag;

	pthread_mutex_lock(&queue.lock);
	while (!queue.n)
		pthread_cond_wait(&queue.filled, &queue.lock);
	tag = queue.tags[0];
	memmove(queue.tags, queue.tags + 1, (size_t)--queue.n * sizeof(tag));
	pthread_mutex_unlock(&queue.lock);
	return tag;
}

static void *take_all(void *arg)
{
	struct tlob_region *region = arg;

	for (int i = 0; i < ITEMS; i++) {
		uint64_t tag = get();

		tell_result(tag, tlob_end(region, tag));
	}
	return NULL;
}

static int subject_queue(void)
{
	pthread_t t;

	pthread_create(&t, NULL, take_all, &roomy);
	for (uint64_t tag = 1; tag <= ITEMS; tag++) {
		tell_result(1000 + tag, tlob_begin(&roomy, tag));
		put(tag);
	}
	pthread_join(t, NULL);
	return 0;
}

static void check_queue(struct conf *c)
{
	struct tlobctl_stat s = {0};
	size_t good = 0;

	CONF_RUN(c, "queue");
	for (size_t i = 0; i < c->ntruths; i++)
		good += c->truths[i].result == 0;
	tap_ok(good == 2 * ITEMS, "through a queue: %zu of %d begins and ends return 0", good,
	       2 * ITEMS);
	tap_ok(c->nevents == 0, "within budget: no record");
	conf_stat(c, "roomy", &s);
	tap_ok(s.windows == ITEMS && !s.overruns && !s.refused && !s.abandoned,
	       "statistics: %lu windows, none over", s.windows);
}

/* ---- expiry while nobody holds it */

static void *take_late(void *arg)
{
	uint64_t tag = get();

	tell_result(tag, tlob_end(&tight, tag));
	return NULL;
}

/* The thread that begins has gone when the budget expires, the one that ends has not been started yet. */
static void *begin_and_leave(void *arg)
{
	tell_result(100, tlob_begin(&tight, 7));
	put(7);
	return NULL;
}

static int subject_late(void)
{
	pthread_t t;

	pthread_create(&t, NULL, begin_and_leave, NULL);
	pthread_join(t, NULL);
	told_to_go();
	pthread_create(&t, NULL, take_late, NULL);
	pthread_join(t, NULL);
	return 0;
}

static bool got_late(struct conf *c)
{
	return conf_find(c, TLOB_REC_OVERRUN, "tight", 7) != NULL;
}

/* A record of no thread. NULL or what is wrong. */
static const char *transit_wrong(const struct tlob_record *r)
{
	if (!(r->flags & TLOB_F_TRANSIT))
		return "the flag is missing";
	if (r->running_ns || r->waiting_ns || r->sleeping_ns || r->uncertain_ns)
		return "there is a split";
	if (r->time_ns - r->start_ns != r->elapsed_ns || r->elapsed_ns < r->budget_ns)
		return "elapsed is not time - start, or within budget";
	return NULL;
}

static void check_late(struct conf *c)
{
	const struct conf_event *o, *e;
	const struct truth *begun, *ended;
	const char *wrong;

	conf_reset(c);
	CONF_SPAWN(c, "late");
	tap_ok(conf_pump(c, 8000, got_late), "the overrun record comes while it is in the queue");
	tap_ok(!conf_count(c, TLOB_REC_CLOSE, NULL), "and no closing record yet");
	o = conf_find(c, TLOB_REC_OVERRUN, "tight", 7);
	tap_ok(o && !(o->record.flags & TLOB_F_AT_STOP) && o->record.budget_ns == 20 * MS,
	       "it is noticed at expiry, with budget and tag");
	conf_go(c);
	conf_pump(c, 20000, NULL);
	o = conf_find(c, TLOB_REC_OVERRUN, "tight", 7);
	e = conf_find(c, TLOB_REC_CLOSE, "tight", 7);
	begun = conf_truth(c, 100);
	ended = conf_truth(c, 7);
	tap_ok(begun && begun->result == 0 && ended && ended->result == -EOVERFLOW,
	       "the end in another thread returns -EOVERFLOW");
	if (!tap_ok(o && e && conf_count(c, TLOB_REC_OVERRUN, NULL) == 1 &&
			    conf_count(c, TLOB_REC_CLOSE, NULL) == 1,
		    "one overrun and one closing record"))
		return;
	wrong = transit_wrong(&o->record);
	if (!wrong)
		wrong = transit_wrong(&e->record);
	tap_ok(!wrong, "records without split (%s)", wrong ? wrong : "right");
	tap_ok(o->record.window == e->record.window && o->record.start_ns == e->record.start_ns &&
		       ended && conf_is_id(c, e->record.end_tid, ended->tid),
	       "both of one window; the closing one names the thread that ended it");
}

/* ---- what the calls return */

static int subject_misuse(void)
{
	tell_result(1, tlob_end(&roomy, 5)); /* before anything */
	tell_result(2, tlob_begin(&roomy, 5));
	tell_result(3, tlob_begin(&roomy, 5));
	tell_result(4, tlob_begin(&tight, 5)); /* another region */
	tell_result(5, tlob_begin(&roomy, 6)); /* another tag */
	tell_result(6, tlob_end(&roomy, 5));
	tell_result(7, tlob_end(&roomy, 5));
	tell_result(8, tlob_begin(&roomy, 5));
	tell_result(9, tlob_end(&roomy, 5));
	tell_result(10, tlob_end(&roomy, 6));
	sleep_ns(60 * MS);
	tell_result(11, tlob_begin(&tight, 5)); /* over, and open still */
	tell_result(12, tlob_end(&tight, 5));
	tell_result(13, tlob_end(&tight, 5));
	return 0;
}

static void check_misuse(struct conf *c)
{
	static const struct {
		const char *what;
		uint64_t tag;
		int64_t result;
	} cases[] = {
		{"end without begin is -ESRCH", 1, -ESRCH},
		{"begin", 2, 0},
		{"begin of what is open is -EEXIST", 3, -EEXIST},
		{"the same tag in another region is another window", 4, 0},
		{"another tag too", 5, 0},
		{"end", 6, 0},
		{"a second end is -ESRCH", 7, -ESRCH},
		{"it can be begun again", 8, 0},
		{"and ended", 9, 0},
		{"the other tag as well", 10, 0},
		{"what is over is still open", 11, -EEXIST},
		{"and its end says so", 12, -EOVERFLOW},
		{"once", 13, -ESRCH},
	};

	CONF_RUN(c, "misuse");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int64_t result = conf_result(c, cases[i].tag);

		tap_ok(result == cases[i].result, "%s (%ld)", cases[i].what, result);
	}
	tap_ok(conf_count(c, TLOB_REC_OVERRUN, NULL) == 1 &&
		       conf_count(c, TLOB_REC_CLOSE, NULL) == 1,
	       "one overrun, one close");
}

/* ---- more than there is room for */

#define MANY 6000

static int subject_many(void)
{
	uint64_t begun = 0, refused = 0, ended = 0;
	bool open[MANY + 1] = {false};

	for (uint64_t tag = 1; tag <= MANY; tag++) {
		int r = tlob_begin(&roomy, tag * 8);

		open[tag] = r == 0;
		begun += r == 0;
		refused += r == -ENOSPC;
		if (tag % 500 == 0)
			sleep_ns(20 * MS); /* an agent takes its time */
	}
	for (uint64_t tag = MANY; tag >= 1; tag--)
		if (open[tag])
			ended += tlob_end(&roomy, tag * 8) == 0;
	tell_result(1, (int64_t)begun);
	tell_result(2, (int64_t)refused);
	tell_result(3, (int64_t)ended);
	tell_result(4, tlob_begin(&roomy, 1));
	tell_result(5, tlob_end(&roomy, 1));
	return 0;
}

static void check_many(struct conf *c)
{
	struct tlobctl_stat s = {0};
	int64_t begun, refused;

	CONF_RUN(c, "many");
	begun = conf_result(c, 1);
	refused = conf_result(c, 2);
	if (!tap_ok(conf_truth(c, 5), "thousands open at once"))
		return;
	tap_ok(begun + refused == MANY && begun >= 3000 && begun <= 4032,
	       "begun or refused, one of the two (%ld and %ld)", begun, refused);
	tap_ok(conf_result(c, 3) == begun, "what was begun is found again");
	conf_stat(c, "roomy", &s);
	tap_ok((int64_t)s.refused >= refused, "the others are counted as refused (%lu)", s.refused);
	tap_ok(conf_result(c, 4) == 0 && conf_result(c, 5) == 0,
	       "and afterwards there is room again");
}

/* ---- ends that are not ends */

static int subject_killed(void)
{
	tell_result(1, tlob_begin(&tight, 1)); /* will be over */
	tell_result(2, tlob_begin(&roomy, 2));
	told_to_go();
	return 0;
}

static bool got_tight(struct conf *c)
{
	return conf_find(c, TLOB_REC_OVERRUN, "tight", 1) != NULL;
}

static void check_killed(struct conf *c)
{
	struct tlobctl_stat before = {0}, s = {0};
	const struct conf_event *e;

	conf_stat(c, "roomy", &before);
	conf_reset(c);
	CONF_SPAWN(c, "killed");
	conf_pump(c, 8000, got_tight);
	kill(c->pid, SIGKILL);
	conf_pump(c, 20000, NULL);
	e = conf_find(c, TLOB_REC_CLOSE, "tight", 1);
	tap_ok(e && e->record.flags & TLOB_F_ABANDONED && e->record.flags & TLOB_F_TRANSIT,
	       "killed while over: the closing record says abandoned");
	tap_ok(conf_count(c, TLOB_REC_OVERRUN, NULL) == 1, "killed while in time: no overrun");
	conf_stat(c, "roomy", &s);
	if (c->bpf)
		tap_ok(s.abandoned == before.abandoned + 1, "and it is counted as abandoned");
	else
		tap_skip(1, "engine user cannot count what a killed program had open");
}

static int subject_exits(void)
{
	tell_result(2, tlob_begin(&roomy, 2));
	return 0;
}

static void check_exits(struct conf *c)
{
	struct tlobctl_stat before = {0}, s = {0};

	conf_stat(c, "roomy", &before);
	CONF_RUN(c, "exits");
	conf_stat(c, "roomy", &s);
	tap_ok(s.abandoned == before.abandoned + 1 && !c->nevents,
	       "open when its process exits: abandoned, no record");
}

static int subject_fork(void)
{
	int status = 0;
	pid_t child;

	tell_result(1, tlob_begin(&roomy, 1));
	child = fork();
	if (!child)
		_exit(tlob_end(&roomy, 1) == -ESRCH ? 0 : 1);
	waitpid(child, &status, 0);
	tell_result(2, status);
	tell_result(3, tlob_end(&roomy, 1));
	return 0;
}

static void check_fork(struct conf *c)
{
	CONF_RUN(c, "fork");
	tap_ok(conf_result(c, 2) == 0, "a fork child has no window");
	tap_ok(conf_result(c, 3) == 0, "and its parent still has");
}

/* ---- many threads at once */

#define THREADS 4
#define ROUNDS 3000

static _Atomic uint64_t won, lost, late_ends, ends, strange;

/* All begin and end the same few tags: what one has begun any may end. */
static void *brawl(void *arg)
{
	uint64_t x = (uintptr_t)arg;

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t tag;
		int r;

		x = x * 6364136223846793005u + 1442695040888963407u;
		tag = x >> 60;
		r = tlob_begin(&tight, tag);
		*(r == 0 ? &won : r == -EEXIST ? &lost : &strange) += 1;
		r = tlob_end(&tight, x >> 56 & 15);
		if (r == 0 || r == -EOVERFLOW)
			*(r == 0 ? &ends : &late_ends) += 1;
		else if (r != -ESRCH)
			strange++;
	}
	return NULL;
}

static int subject_brawl(void)
{
	pthread_t t[THREADS];

	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, brawl, (void *)(i * 77 + 1));
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	for (uint64_t tag = 0; tag < 16; tag++) {
		int r = tlob_end(&tight, tag);

		ends += r == 0;
		late_ends += r == -EOVERFLOW;
	}
	tell_result(1, (int64_t)won);
	tell_result(2, (int64_t)(ends + late_ends));
	tell_result(3, (int64_t)late_ends);
	tell_result(4, (int64_t)strange);
	return 0;
}

static void check_brawl(struct conf *c)
{
	struct tlobctl_stat before = {0}, s = {0};

	conf_stat(c, "tight", &before);
	CONF_RUN(c, "brawl");
	conf_stat(c, "tight", &s);
	if (!tap_ok(c->ntruths == 4, "threads that begin and end the same tags"))
		return;
	tap_ok(conf_result(c, 1) == conf_result(c, 2) && !conf_result(c, 4),
	       "each begin has one end (%ld and %ld, %ld strange)", conf_result(c, 1),
	       conf_result(c, 2), conf_result(c, 4));
	tap_ok(s.windows - before.windows == (uint64_t)conf_result(c, 1), "and is counted once");
	tap_ok(s.overruns - before.overruns == (uint64_t)conf_result(c, 3) &&
		       conf_count(c, TLOB_REC_OVERRUN, NULL) + s.lost - before.lost ==
			       s.overruns - before.overruns,
	       "as many overruns as ends said (%ld)", conf_result(c, 3));
}

/* ---- a chain of three, with a slow queue before the last */

TLOB_REGION(whole, "whole", TLOB_MS(25));
TLOB_REGION(decode, "decode", TLOB_S(20));
TLOB_REGION(filter, "filter", TLOB_S(20));
TLOB_REGION(render, "render", TLOB_S(20));

static uint64_t queue_ms;

static void *filter_it(void *arg)
{
	tlob_begin(&filter, 9);
	sleep_ns(2 * MS);
	tlob_end(&filter, 9);
	return NULL;
}

static void *render_it(void *arg)
{
	sleep_ns(queue_ms * MS); /* it lies in a queue */
	if (conf_argument && !strcmp(conf_argument, "wait"))
		told_to_go();
	tlob_begin(&render, 9);
	sleep_ns(2 * MS);
	tell_result(9, tlob_end(&render, 9));
	return NULL;
}

static int subject_chain(void)
{
	static struct tlob_region *const stages[] = {&decode, &filter, &render};
	static struct tlob_region *const twice[] = {&decode, &decode};
	pthread_t t;

	queue_ms = conf_argument ? (uint64_t)atoi(conf_argument) : 0;
	tell_result(1, tlob_chain(&whole, stages, 3));
	tell_result(2, tlob_chain(&whole, stages, 3));
	tell_result(3, tlob_chain(&roomy, twice, 2));
	tell_result(4, tlob_chain(&roomy, stages, 1));
	tlob_begin(&decode, 9);
	sleep_ns(2 * MS);
	tlob_end(&decode, 9);
	pthread_create(&t, NULL, filter_it, NULL);
	pthread_join(t, NULL);
	pthread_create(&t, NULL, render_it, NULL);
	pthread_join(t, NULL);
	return 0;
}

static struct seen {
	size_t events, wrong, waits, open;
} seen;

static void look_at_stages(const struct tlobctl_event *e, void *arg)
{
	static const char *const names[] = {"decode", "filter", "render"};
	uint64_t sum = 0, longest = 0;
	size_t where = 99;

	if (strcmp(e->region, "whole"))
		return;
	seen.events++;
	if (e->nstages != 3) {
		seen.wrong++;
		return;
	}
	for (size_t i = 0; i < 3; i++) {
		const struct tlobctl_stage *s = &e->stages[i];

		seen.wrong += strcmp(s->region, names[i]) != 0;
		sum += s->wait_ns + (s->begun ? s->end_ns - s->begin_ns : 0);
		if (s->wait_ns > longest) {
			longest = s->wait_ns;
			where = i;
		}
	}
	seen.wrong += sum != e->record->elapsed_ns && sum + 1 * MS < e->record->elapsed_ns;
	seen.wrong += sum > e->record->elapsed_ns;
	seen.waits += where == 2 && longest > e->record->elapsed_ns / 2;
	seen.open += !e->stages[2].begun;
}

static bool got_whole(struct conf *c)
{
	return conf_count(c, TLOB_REC_OVERRUN, "whole") == 1;
}

static void check_chain(struct conf *c)
{
	struct tlobctl_stat s = {0};

	CONF_RUN(c, "chain", "0");
	conf_stat(c, "whole", &s);
	tap_ok(conf_result(c, 1) == 0, "a chain is declared");
	tap_ok(conf_result(c, 2) == -EBUSY && conf_result(c, 3) == -EINVAL &&
		       conf_result(c, 4) == -EINVAL,
	       "once, of two regions at least, and none twice");
	tap_ok(conf_truth(c, 9) && s.windows == 1, "its window ends with the last region (%lu)",
	       s.windows);
	c->hook = look_at_stages;
	CONF_RUN(c, "chain", "60");
	tap_ok(conf_result(c, 9) == -EOVERFLOW, "the end of the last region says that it was over");
	tap_ok(seen.events == 2 && !seen.wrong && seen.waits == 2,
	       "overrun and end name the wait before the last stage (%zu, %zu wrong)", seen.events,
	       seen.wrong);
	conf_reset(c);
	seen = (struct seen){0};
	CONF_SPAWN(c, "chain", "wait");
	tap_ok(conf_pump(c, 8000, got_whole) && seen.open == 1 && seen.waits == 1,
	       "while it lies in the queue: the last stage has not begun");
	conf_go(c);
	conf_pump(c, 20000, NULL);
	c->hook = NULL;
	tap_ok(conf_count(c, TLOB_REC_CLOSE, "whole") == 1 && seen.events == 2 && !seen.wrong,
	       "and its end comes after it");
}

const struct conf_subject conf_subjects[] = {
	{"chain", subject_chain}, {"queue", subject_queue},
	{"late", subject_late},	  {"misuse", subject_misuse},
	{"many", subject_many},	  {"killed", subject_killed},
	{"exits", subject_exits}, {"fork", subject_fork},
	{"brawl", subject_brawl}, {NULL, NULL},
};

int conf_main(struct conf *c)
{
	tap_plan(3 + 7 + 14 + 5 + 3 + 1 + 2 + 4 + 7);
	conf_open(c);
	check_queue(c);
	check_late(c);
	check_misuse(c);
	check_many(c);
	check_killed(c);
	check_exits(c);
	check_fork(c);
	check_brawl(c);
	check_chain(c);
	conf_close(c);
	return tap_done();
}
