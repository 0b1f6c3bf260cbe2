// SPDX-License-Identifier: GPL-2.0-or-later
/* Not under ThreadSanitizer: a program that changes its text while it is read is the point here. */
/* What a client puts into its ledger, and what the agent makes of it: records, statistics, texts. */
#include "agent_session.h"

#include <pthread.h>
#include <sys/stat.h>

#include "ctl/ledger.h"
#include "hist.h"
#include "ring.h"

struct caught {
	struct tlob_record record;
	char region[64], program[64], file[64];
	int n;
};

static void catch (const struct tlobctl_event *event, void *arg)
{
	struct caught *c = arg;

	c->record = *event->record;
	snprintf(c->region, sizeof(c->region), "%s", event->region);
	snprintf(c->program, sizeof(c->program), "%s", event->program);
	snprintf(c->file, sizeof(c->file), "%s", event->file);
	c->n++;
}

static struct tlob_ledger *map_ledger(const struct raw *r)
{
	void *p = mmap(NULL, TLOB_LEDGER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, r->fds[0], 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

static void define_region(struct tlob_ledger *l, uint32_t i, const char *region)
{
	l->regions[i].budget_ns = 1000;
	memcpy(l->regions[i].name, region, strnlen(region, TLOB_NAME_BYTES));
	memset(l->regions[i].file, 'f', TLOB_FILE_BYTES); /* without an end */
	tlob_store_release(&l->regions[i].ready, 1);
}

static void push(struct tlob_ledger *l, const struct tlob_record *record)
{
	struct tlob_ring *ring = (void *)((char *)l + TLOB_LEDGER_RING_OFFSET);

	tlob_ring_push(ring, (struct tlob_ring_cell *)(ring + 1), TLOB_LEDGER_RING_CAPACITY,
		       record);
}

static void wake(const struct raw *r)
{
	struct tlob_msg msg = raw_head(TLOB_MSG_WAKE);

	raw_send(r->fd, &msg, sizeof(msg));
}

static void records_are_vetted(void **state)
{
	struct tlob_record record = {.type = TLOB_REC_OVERRUN,
				     .flags = 0xffff & ~TLOB_F_TRANSIT,
				     .client = 77,
				     .tgid = 1,
				     .state = 9,
				     .elapsed_ns = 100,
				     .running_ns = 1,
				     .waiting_ns = ~0ULL,
				     .comm = "esc\033[31m"};
	struct tlob_record none = {.type = 12}, far = {.type = TLOB_REC_CLOSE, .region = 256};
	struct raw r = raw_join(*state, name);
	struct tlob_ledger *l = map_ledger(&r);
	struct caught c = {0};

	define_region(l, 0, "red\033[31m\x80\xc3\xa9");
	push(l, &none);
	push(l, &far);
	push(l, &record);
	wake(&r);
	for (int i = 0; i < 10 && !c.n; i++)
		tlobctl_poll(*state, 5, catch, &c);
	assert_int_equal(c.n, 1);
	assert_string_equal(c.region, "red?[31m?\xc3\xa9");
	assert_int_equal(strlen(c.file), TLOB_FILE_BYTES - 1);
	assert_string_equal(c.record.comm, "esc?[31m");
	assert_int_equal(c.record.tgid, getpid());
	assert_int_not_equal(c.record.client, 77);
	assert_in_range(c.record.state, 0, 2);
	assert_int_equal(c.record.flags & TLOB_F_PROBE, 0);
	assert_true(c.record.flags & TLOB_F_SPOILED);
	assert_int_equal(c.record.running_ns + c.record.waiting_ns + c.record.sleeping_ns, 100);
	/* between threads there is no split */
	record.flags = TLOB_F_TRANSIT;
	push(l, &record);
	wake(&r);
	for (int i = 0; i < 10 && c.n < 2; i++)
		tlobctl_poll(*state, 5, catch, &c);
	assert_int_equal(c.n, 2);
	assert_int_equal(c.record.running_ns + c.record.waiting_ns + c.record.sleeping_ns, 0);
	munmap(l, TLOB_LEDGER_BYTES);
	raw_leave(&r);
	serve(*state, 10);
}

struct refill {
	struct tlob_ledger *ledger;
	int n;
};

#define REFILLS (3 * (int)TLOB_LEDGER_RING_CAPACITY)

/* For each record that is taken, until there were enough, there is another at once. */
static void refill(const struct tlobctl_event *event, void *arg)
{
	struct refill *f = arg;

	if (++f->n + 100 <= REFILLS)
		push(f->ledger, event->record);
}

/* A ring that does not get empty: each turn ends, the others have theirs, and all comes without another word. */
static void full_ring_takes_turns(void **state)
{
	struct tlob_record record = {.type = TLOB_REC_OVERRUN};
	struct raw r = raw_join(*state, name);
	struct refill f = {.ledger = map_ledger(&r)};
	struct pollfd p = {.fd = tlobctl_fd(*state), .events = POLLIN};

	define_region(f.ledger, 0, "refilled");
	for (int i = 0; i < 100; i++)
		push(f.ledger, &record);
	wake(&r);
	while (poll(&p, 1, 100) > 0)
		assert_in_range(tlobctl_poll(*state, 0, refill, &f), 0, TLOB_LEDGER_RING_CAPACITY);
	assert_int_equal(f.n, REFILLS);
	munmap(f.ledger, TLOB_LEDGER_BYTES);
	raw_leave(&r);
	serve(*state, 10);
}

/* What a client holds of its agent is a socket and a file: nothing that an operation of the agent's could wait for. */
static void storm_of_wakes(void **state)
{
	struct tlob_msg msg = raw_head(TLOB_MSG_WAKE);
	struct raw r = raw_join(*state, name);

	for (int round = 0; round < 20; round++) {
		while (send(r.fd, &msg, sizeof(msg), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
			;
		assert_true(tlobctl_poll(*state, 5, NULL, NULL) >= 0);
	}
	assert_alive(*state);
	raw_leave(&r);
	serve(*state, 10);
}

/* What nobody can make sense of is counted, and does not reach the reader. */
static void strange_records_are_counted(void **state)
{
	struct tlob_record record = {.type = TLOB_REC_OVERRUN, .region = 9};
	struct tlobctl_loss before, after;
	struct raw r = raw_join(*state, name);
	struct tlob_ledger *l = map_ledger(&r);
	struct caught c = {0};

	tlobctl_losses(*state, &before);
	push(l, &record);
	push(l, &record);
	define_region(l, 8, "sane");
	record.region = 8;
	push(l, &record);
	wake(&r);
	for (int i = 0; i < 10 && !c.n; i++)
		tlobctl_poll(*state, 5, catch, &c);
	tlobctl_losses(*state, &after);
	assert_int_equal(c.n, 1);
	assert_string_equal(c.region, "sane");
	assert_int_equal(after.strange - before.strange, 2);
	munmap(l, TLOB_LEDGER_BYTES);
	raw_leave(&r);
	serve(*state, 10);
}

struct sum {
	struct tlobctl_stat s;
	int rows;
};

static int add_up(const struct tlobctl_stat *s, void *arg)
{
	struct sum *sum = arg;

	if (strcmp(s->region, "kept") && strcmp(s->region, "solid"))
		return 0;
	sum->s.windows += s->windows;
	sum->s.overruns += s->overruns;
	sum->s.records += s->records;
	sum->s.lost += s->lost;
	sum->s.max_ns = s->max_ns;
	sum->rows++;
	return 0;
}

/* Two processes' worth of one program, both gone: one row, nothing forgotten, lost is what has no record. */
static void statistics_survive(void **state)
{
	struct sum sum = {0};

	for (int i = 0; i < 2; i++) {
		struct raw r = raw_join(*state, name);
		struct tlob_ledger *l = map_ledger(&r);
		struct tlob_record record = {.region = 3};

		define_region(l, 3, "kept");
		l->regions[3].overruns = 4;
		for (int k = 0; k < 10; k++)
			tlob_hist_add((void *)((char *)l + TLOB_LEDGER_HIST(3, k % 8)),
				      (uint64_t)(1000 * k));
		for (int k = 0; k < 3;
		     k++) { /* and no wake: it is found when the client has gone */
			record.window = (uint64_t)k;
			record.type = TLOB_REC_OVERRUN;
			push(l, &record);
			record.type = TLOB_REC_CLOSE;
			push(l, &record);
		}
		munmap(l, TLOB_LEDGER_BYTES);
		raw_leave(&r);
		serve(*state, 20);
	}
	assert_int_equal(tlobctl_stats(*state, add_up, &sum), 0);
	assert_int_equal(sum.rows, 1);
	assert_int_equal(sum.s.windows, 20);
	assert_int_equal(sum.s.overruns, 8);
	assert_int_equal(sum.s.records, 6);
	assert_int_equal(sum.s.lost, 2);
	assert_int_equal(sum.s.max_ns, 9000);
}

/* Overruns that nobody closed are closed when the client has gone, unless their ends may be among what was lost. */
static void the_gone_are_closed(void **state)
{
	struct tlobctl_loss loss;

	for (uint64_t lost = 0; lost < 2; lost++) {
		struct raw r = raw_join(*state, name);
		struct tlob_ledger *l = map_ledger(&r);
		struct tlob_ring *ring = (void *)((char *)l + TLOB_LEDGER_RING_OFFSET);
		struct tlob_record record = {.type = TLOB_REC_OVERRUN,
					     .state = TLOB_SLEEPING,
					     .time_ns = 5000,
					     .start_ns = 3000,
					     .elapsed_ns = 2000,
					     .running_ns = 2000};
		struct caught c = {0};

		define_region(l, 0, "left");
		for (record.tid = 1; record.tid <= 3000; record.tid++) {
			push(l, &record); /* more than are remembered */
			if (record.tid % 500 == 0) {
				wake(&r);
				for (int i = 0; i < 4; i++)
					tlobctl_poll(*state, 5, catch, &c);
			}
		}
		assert_int_equal(c.n, 3000);
		c.n = 0;
		tlob_store(&ring->dropped, lost);
		munmap(l, TLOB_LEDGER_BYTES);
		raw_leave(&r);
		for (int i = 0; i < 20; i++)
			tlobctl_poll(*state, 5, catch, &c);
		assert_int_equal(c.n, lost ? 0 : 1024);
		tlobctl_losses(*state, &loss);
		assert_int_equal(loss.ends, lost ? 1024 : 0);
		if (lost)
			continue;
		assert_int_equal(c.record.type, TLOB_REC_CLOSE);
		assert_true(c.record.flags & TLOB_F_ABANDONED);
		assert_true(c.record.flags & TLOB_F_ESTIMATED);
		assert_int_equal(c.record.time_ns - c.record.start_ns, c.record.elapsed_ns);
		assert_int_equal(c.record.sleeping_ns, c.record.time_ns - 5000);
		assert_int_equal(c.record.running_ns, 2000);
	}
}

/* Asking for statistics takes no memory for histograms that nobody has written. */
static void holes_stay_holes(void **state)
{
	struct raw r = raw_join(*state, name);
	struct tlob_ledger *l = map_ledger(&r);
	struct stat before, after;
	struct sum sum = {0};

	for (uint32_t i = 0; i < TLOB_MAX_REGIONS; i++)
		define_region(l, i, i == 200 ? "solid" : "hollow");
	tlob_hist_add((void *)((char *)l + TLOB_LEDGER_HIST(200, 7)), 1234);
	assert_int_equal(fstat(r.fds[0], &before), 0);
	assert_int_equal(tlobctl_stats(*state, add_up, &sum), 0);
	assert_int_equal(fstat(r.fds[0], &after), 0);
	assert_int_equal(after.st_blocks, before.st_blocks);
	assert_int_equal(sum.s.windows, 1);
	assert_int_equal(sum.s.max_ns, 1234);
	memset(l->regions, 0, sizeof(l->regions));
	munmap(l, TLOB_LEDGER_BYTES);
	raw_leave(&r);
	serve(*state, 20);
}

static int find_unmeasured(const struct tlobctl_stat *s, void *arg)
{
	if (!strcmp(s->region, "(regions beyond 256)"))
		*(uint64_t *)arg += s->refused;
	return 0;
}

/* What a program could not enter any more is in the statistics while it lives, and after. */
static void unmeasured_is_told(void **state)
{
	struct raw r = raw_join(*state, name);
	struct tlob_ledger *l = map_ledger(&r);
	uint64_t starts = 0;

	l->unmeasured = 123;
	munmap(l, TLOB_LEDGER_BYTES);
	assert_int_equal(tlobctl_stats(*state, find_unmeasured, &starts), 0);
	assert_int_equal(starts, 123);
	raw_leave(&r);
	serve(*state, 20);
	assert_int_equal(tlobctl_stats(*state, find_unmeasured, &starts), 0);
	assert_int_equal(starts, 246);
}

static void scribbled_ledger_is_survived(void **state)
{
	struct raw r = raw_join(*state, name);
	struct tlob_ledger *l = map_ledger(&r);
	struct caught c = {0};
	struct sum sum = {0};

	memset(l, 0xa5, TLOB_LEDGER_HIST_OFFSET + 3 * TLOB_HIST_STRIDE);
	for (int i = 0; i < 20; i++) {
		wake(&r);
		assert_true(tlobctl_poll(*state, 5, catch, &c) <= (int)TLOB_LEDGER_RING_CAPACITY);
	}
	assert_int_equal(tlobctl_stats(*state, add_up, &sum), 0);
	munmap(l, TLOB_LEDGER_BYTES);
	raw_leave(&r);
	serve(*state, 20);
	assert_alive(*state);
}

static void *flip(void *arg)
{
	struct {
		char *letter;
		uint32_t stop;
	} *f = arg;

	while (!tlob_load(&f->stop)) {
		tlob_store(f->letter, 'A');
		tlob_store(f->letter, '\033');
	}
	return NULL;
}

/* Text that changes while it is looked at never gets through unprintable. */
static void text_is_copied_first(void **state)
{
	static struct tlob_ledger l;
	struct {
		char *letter;
		uint32_t stop;
	} f = {.letter = &l.regions[0].name[5]};
	struct tlobctl_ledger_region out;
	pthread_t thread;
	int bad = 0;

	memset(l.regions[0].name, 'A', 40);
	l.regions[0].ready = 1;
	assert_int_equal(pthread_create(&thread, NULL, flip, &f), 0);
	for (int i = 0; i < 1000000; i++)
		bad += tlobctl_ledger_region(&l, 0, &out) && strchr(out.name, '\033');
	tlob_store(&f.stop, 1u);
	pthread_join(thread, NULL);
	assert_int_equal(bad, 0);
}

/* Who has much to say says it in turns; who comes in between is heard. */
static void a_turn_has_an_end(void **state)
{
	struct tlob_record record = {.type = TLOB_REC_OVERRUN}, end = {.type = TLOB_REC_CLOSE};
	struct raw r = raw_join(*state, name);
	struct tlob_ledger *l = map_ledger(&r);
	int n, most = 0, all = 0;

	define_region(l, 0, "much");
	for (record.window = 1; record.window <= 500; record.window++) {
		end.window = record.window;
		push(l, &record);
		push(l, &end);
	}
	wake(&r);
	while ((n = tlobctl_poll(*state, 50, NULL, NULL)) > 0) {
		most = n > most ? n : most;
		all += n;
	}
	assert_int_equal(all, 1000);
	assert_in_range(most, 1, 256);
	munmap(l, TLOB_LEDGER_BYTES);
	raw_leave(&r);
	serve(*state, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_are_vetted),
		cmocka_unit_test(full_ring_takes_turns),
		cmocka_unit_test(storm_of_wakes),
		cmocka_unit_test(strange_records_are_counted),
		cmocka_unit_test(holes_stay_holes),
		cmocka_unit_test(statistics_survive),
		cmocka_unit_test(the_gone_are_closed),
		cmocka_unit_test(unmeasured_is_told),
		cmocka_unit_test(scribbled_ledger_is_survived),
		cmocka_unit_test(text_is_copied_first),
		cmocka_unit_test(a_turn_has_an_end),
	};

	return cmocka_run_group_tests(tests, make_session, end_session);
}
