/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ten million windows over all CPUs with budgets around their duration: start, expiry and stop race all the time.
 * Every outcome is kept, and outcomes and records must match one to one. The subject pauses, outside its
 * windows, while many records are unread, so that none may be lost.
 */
#include "harness.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>

#define WINDOWS \
	10000000u /* CONF_STRESS_WINDOWS of the environment: fewer, for an emulated machine */
#define BACKLOG 300u /* overruns whose records may be unread: well below any ring */

enum {
	UNSEEN,
	WITHIN,
	OVER,
	OTHER
};

struct shared {
	uint64_t next; /* tag of the next window */
	uint64_t overruns; /* by the subject */
	uint64_t consumed; /* overrun records the parent has read */
	uint64_t stalled;
	uint8_t outcome[WINDOWS];
};

static uint64_t windows(void)
{
	const char *text = getenv("CONF_STRESS_WINDOWS");
	unsigned long n = text ? strtoul(text, NULL, 10) : WINDOWS;

	return n && n < WINDOWS ? n : WINDOWS;
}

/* Budgets the windows are drawn from; work is about as long. */
static struct tlob_region regions[] = {
	{"1us", TLOB_US(1), __FILE__, __LINE__, 0, 0, 0, 0, 0, 0},
	{"3us", TLOB_US(3), __FILE__, __LINE__, 0, 0, 0, 0, 0, 0},
	{"20us", TLOB_US(20), __FILE__, __LINE__, 0, 0, 0, 0, 0, 0},
	{"200us", TLOB_US(200), __FILE__, __LINE__, 0, 0, 0, 0, 0, 0},
};

static struct shared *map_shared(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	void *p;

	if (fd < 0 || ftruncate(fd, sizeof(struct shared)))
		exit(90);
	p = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		exit(90);
	close(fd);
	return p;
}

static uint32_t draw(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* Mostly far below the budget; one in sixteen lands around it, one in 4,000 sleeps beyond it. */
static void work(uint32_t *seed, uint64_t budget_ns)
{
	uint32_t r = draw(seed);

	if (r % 4096 == 0)
		sleep_ns(budget_ns);
	else if (r % 16 == 0)
		spin_ns(budget_ns * (700 + draw(seed) % 600) / 1000);
}

static void pause_while_behind(struct shared *s)
{
	uint64_t since = now_ns();

	while (__atomic_load_n(&s->overruns, __ATOMIC_RELAXED) >
	       __atomic_load_n(&s->consumed, __ATOMIC_RELAXED) + BACKLOG) {
		sleep_ns(200000);
		if (now_ns() - since > 5000000000u) { /* records are missing: let the test say so */
			__atomic_store_n(&s->stalled, 1, __ATOMIC_RELAXED);
			return;
		}
	}
}

static void *worker(void *arg)
{
	const uint64_t end = windows();
	struct shared *s = arg;
	uint32_t seed = (uint32_t)(uintptr_t)&seed ^ (uint32_t)now_ns();

	for (;;) {
		uint64_t tag = __atomic_fetch_add(&s->next, 1, __ATOMIC_RELAXED);
		/* long budgets are rare, or the run would take for ever */
		struct tlob_region *region = &regions[tag % 64 == 0 ? 3 :
						      tag % 16 == 0 ? 2 :
								      tag % 2];
		tlob_window_t w;
		int r;

		if (tag >= end || __atomic_load_n(&s->stalled, __ATOMIC_RELAXED))
			return NULL;
		w = tlob_start(region, tag);
		work(&seed, region->budget_ns);
		r = tlob_stop(w);
		s->outcome[tag] = r == 0 ? WITHIN : r == -EOVERFLOW ? OVER : OTHER;
		if (r == -EOVERFLOW) {
			__atomic_fetch_add(&s->overruns, 1, __ATOMIC_RELAXED);
			pause_while_behind(s);
		}
	}
}

static int subject_stress(void)
{
	int n = get_nprocs() * 2;
	pthread_t *threads = calloc((size_t)n, sizeof(*threads));
	struct shared *s;

	if (!conf_argument || !threads)
		return 89;
	s = map_shared(conf_argument);
	for (int i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, worker, s))
			return 88;
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	free(threads);
	return 0;
}

const struct conf_subject conf_subjects[] = {{"stress", subject_stress}, {NULL, NULL}};

struct tally {
	struct shared *s;
	uint8_t *overruns, *closes; /* by tag */
	uint64_t bad_sums, strange;
};

static void on_record(const struct tlobctl_event *event, void *arg)
{
	const struct tlob_record *r = event->record;
	struct tally *t = arg;

	if (r->tag >= WINDOWS) {
		t->strange++;
		return;
	}
	if (r->running_ns + r->waiting_ns + r->sleeping_ns != r->elapsed_ns ||
	    r->elapsed_ns < r->budget_ns)
		t->bad_sums++;
	if (r->type == TLOB_REC_OVERRUN) {
		t->overruns[r->tag]++;
		__atomic_fetch_add(&t->s->consumed, 1, __ATOMIC_RELAXED);
	} else {
		t->closes[r->tag]++;
	}
}

static void check_tally(const struct tally *t)
{
	uint64_t over = 0, other = 0, missing = 0, twice = 0, uncalled = 0, unclosed = 0;
	const uint64_t all = windows();

	for (uint64_t tag = 0; tag < all; tag++) {
		bool late = t->s->outcome[tag] == OVER;

		over += late;
		other += t->s->outcome[tag] != OVER && t->s->outcome[tag] != WITHIN;
		missing += late && !t->overruns[tag];
		twice += t->overruns[tag] > 1 || t->closes[tag] > 1;
		uncalled += !late && (t->overruns[tag] || t->closes[tag]);
		unclosed += late && !t->closes[tag];
	}
	tap_note("%lu of %lu windows were over budget", over, all);
	tap_ok(!other, "every window has an outcome, within or over (%lu have not)", other);
	tap_ok(over > all / 10000, "many were over (%lu)", over);
	tap_ok(!missing, "each window that was over has its record (%lu have not)", missing);
	tap_ok(!twice, "none has two (%lu have)", twice);
	tap_ok(!uncalled, "none within budget has one (%lu have)", uncalled);
	tap_ok(!unclosed, "each overrun is closed (%lu are not)", unclosed);
	tap_ok(!t->bad_sums && !t->strange, "sums hold (%lu do not, %lu records are strange)",
	       t->bad_sums, t->strange);
}

int conf_main(struct conf *c)
{
	char path[] = "/tmp/tlob-stress-XXXXXX";
	struct tally t = {.overruns = calloc(1, WINDOWS), .closes = calloc(1, WINDOWS)};
	uint64_t since = now_ns(), end;
	int fd = mkstemp(path);

	tap_plan(8);
	if (fd < 0 || !t.overruns || !t.closes)
		return 1;
	t.s = map_shared(path);
	conf_open(c);
	CONF_SPAWN(c, "stress", path);
	for (end = now_ns() + 600000000000u; now_ns() < end;) {
		int n = tlobctl_poll(c->ctl, 20, on_record, &t);

		if (n <= 0 && __atomic_load_n(&t.s->next, __ATOMIC_RELAXED) >= windows() &&
		    !conf_alive(c))
			break;
	}
	tap_ok(!t.s->stalled && !c->status, "%lu windows in %.1f s", windows(),
	       (double)(now_ns() - since) / 1e9);
	check_tally(&t);
	conf_close(c);
	close(fd);
	unlink(path);
	return tap_done();
}
