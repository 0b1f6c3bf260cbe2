// SPDX-License-Identifier: GPL-2.0-or-later
/* Why a window was late: streams whose right answer is known, one per rule. */
#include "stream.h"

static void test_ran_all_the_time(void **state)
{
	const struct tlobctl_why *why;

	sw(50, 0, 0, 0, ME);
	sw(500, 1, 0, 0, HOG); /* elsewhere */
	why = judge(100, 1000);
	assert_true(why->complete);
	assert_int_equal(why->nsegments, 1);
	assert_int_equal(why->segments[0].cpu, 0);
	assert_int_equal(us_of(TLOBCTL_CAUSE_RUNNING, 0), 900);
}

static void test_nothing_was_recorded(void **state)
{
	judge(100, 1000);
	assert_int_equal(us_of(TLOBCTL_CAUSE_RUNNING, 0), 900);
}

static void test_waits_behind_two(void **state)
{
	const struct tlobctl_why *why;

	sw(50, 0, 0, 0, ME);
	sw(200, 0, ME, 0, HOG)->cgroup = 7;
	sw(500, 0, HOG, 0, LOADER)->flags = TLOB_HISTORY_KTHREAD;
	sw(600, 0, LOADER, S, ME);
	why = judge(100, 1000);
	assert_int_equal(us_of(TLOBCTL_CAUSE_RUNNING, 0), 500);
	assert_int_equal(us_of(TLOBCTL_CAUSE_BEHIND, HOG), 300);
	assert_int_equal(us_of(TLOBCTL_CAUSE_BEHIND, LOADER), 100);
	assert_string_equal(answer.who[culprit(TLOBCTL_CAUSE_BEHIND, HOG)->who].comm, "t200");
	assert_false(answer.who[culprit(TLOBCTL_CAUSE_BEHIND, HOG)->who].kernel);
	assert_true(answer.who[culprit(TLOBCTL_CAUSE_BEHIND, LOADER)->who].kernel);
	assert_int_equal(why->nprocesses, 2);
	assert_int_equal(why->processes[0].id, HOG);
	assert_int_equal(why->processes[0].ns, 300 * US);
	assert_int_equal(why->ncgroups, 1);
	assert_int_equal(why->cgroups[0].id, 7);
	assert_int_equal(why->culprits[0].cause, TLOBCTL_CAUSE_RUNNING);
	assert_int_equal(why->migrations, 0);
}

static void test_threads_of_a_process_add_up(void **state)
{
	const struct tlobctl_why *why;

	sw(50, 0, 0, 0, ME);
	sw(200, 0, ME, 0, HOG + 1);
	sw(300, 0, HOG + 1, 0, HOG + 2);
	sw(400, 0, HOG + 2, 0, ME);
	why = judge(100, 1000);
	assert_int_equal(why->nprocesses, 1);
	assert_int_equal(why->processes[0].ns, 200 * US);
	assert_int_equal(us_of(TLOBCTL_CAUSE_BEHIND, HOG + 1), 100);
}

static void test_sleeps_until_woken(void **state)
{
	const struct tlobctl_why *why;

	sw(40, 1, 0, 0, LOADER);
	sw(50, 0, 0, 0, ME);
	sw(200, 0, ME, S, 0);
	wake(700, 1, LOADER, ME);
	sw(730, 0, 0, 0, ME);
	why = judge(100, 1000);
	assert_int_equal(us_of(TLOBCTL_CAUSE_WOKEN, LOADER), 500);
	assert_int_equal(us_of(TLOBCTL_CAUSE_IDLE, 0), 30); /* the CPU had to wake up first */
	assert_int_equal(why->wakeups, 1);
	assert_int_equal(why->wakeup_max_ns, 30 * US);
	assert_string_equal(answer.who[why->culprits[0].who].comm, "t300");
	assert_int_equal(why->culprits[0].nlinks, 1);
	assert_int_equal(why->culprits[0].links[0].cause, TLOBCTL_CAUSE_RUNNING);
	assert_int_equal(why->culprits[0].links[0].running_ns, 500 * US);
}

/* From wake-up to CPU it takes as long as all those together who have it first. */
static void test_wake_up_waits_behind_others(void **state)
{
	const struct tlobctl_why *why;

	sw(50, 0, 0, 0, ME);
	sw(200, 0, ME, S, HOG);
	wake(300, 1, LOADER, ME);
	sw(400, 0, HOG, 0, HOG + 1);
	sw(450, 0, HOG + 1, 0, ME);
	why = judge(100, 1000);
	assert_int_equal(us_of(TLOBCTL_CAUSE_BEHIND, HOG), 100);
	assert_int_equal(us_of(TLOBCTL_CAUSE_BEHIND, HOG + 1), 50);
	assert_int_equal(why->wakeup_max_ns, 150 * US);
}

static void test_interrupt_wakes(void **state)
{
	sw(50, 0, 0, 0, ME);
	sw(200, 0, ME, S, HOG)->syscall = 0xfff0;
	wake(700, 0, HOG, ME)->flags = TLOB_HISTORY_INTERRUPT; /* the hog was only interrupted */
	sw(710, 0, HOG, 0, ME);
	judge(100, 1000);
	assert_int_equal(us_of(TLOBCTL_CAUSE_INTERRUPT, 0), 500);
	assert_null(culprit(TLOBCTL_CAUSE_WOKEN, HOG));
	assert_int_equal(us_of(TLOBCTL_CAUSE_BEHIND, HOG), 10);
}

/* The soft interrupt in which a message over the loopback arrives is the sender's doing. */
static void test_sender_wakes_through_soft_interrupt(void **state)
{
	struct tlob_history_entry *e;

	for (int sends = 0; sends < 2; sends++) {
		begin(NULL);
		sw(40, 1, 0, 0, LOADER);
		sw(50, 0, 0, 0, ME);
		sw(200, 0, ME, S, 0);
		e = wake(700, 1, LOADER, ME);
		e->flags = TLOB_HISTORY_INTERRUPT | TLOB_HISTORY_SOFT;
		e->syscall = sends ? SYS_sendto : SYS_getpid;
		sw(710, 0, 0, 0, ME);
		judge(100, 1000);
		assert_int_equal(us_of(TLOBCTL_CAUSE_WOKEN, LOADER), sends ? 500 : 0);
		assert_int_equal(us_of(TLOBCTL_CAUSE_INTERRUPT, 0), sends ? 0 : 500);
	}
}

static void test_idle_waker_is_an_interrupt(void **state)
{
	sw(50, 0, 0, 0, ME);
	sw(200, 0, ME, S, 0);
	wake(700, 0, 0, ME);
	sw(710, 0, 0, 0, ME);
	judge(100, 1000);
	assert_int_equal(us_of(TLOBCTL_CAUSE_INTERRUPT, 0), 500);
}

static void test_disk_sleep(void **state)
{
	const struct tlobctl_why *why;

	sw(50, 0, 0, 0, ME);
	sw(200, 0, ME, D, 0)->flags = TLOB_HISTORY_IOWAIT;
	wake(900, 1, DISK, ME);
	sw(910, 0, 0, 0, ME);
	why = judge(100, 1000);
	assert_true(why->culprits[0].disk);
	assert_int_equal(why->culprits[0].cause, TLOBCTL_CAUSE_WOKEN);
}

static void test_stopped(void **state)
{
	const struct tlobctl_why *why;

	sw(50, 0, 0, 0, ME);
	sw(200, 0, ME, TLOB_HISTORY_STOPPED, 0);
	wake(900, 1, LOADER, ME);
	sw(910, 0, 0, 0, ME);
	why = judge(100, 1000);
	assert_int_equal(why->culprits[0].cause, TLOBCTL_CAUSE_STOPPED);
	assert_int_equal(answer.who[why->culprits[0].who].tid, LOADER);
}

static void test_still_asleep(void **state)
{
	const struct tlobctl_why *why;

	sw(50, 0, 0, 0, ME);
	sw(200, 0, ME, S, 0);
	why = judge(100, 1000);
	assert_int_equal(why->culprits[0].cause, TLOBCTL_CAUSE_ASLEEP);
	assert_int_equal(why->culprits[0].ns, 800 * US);
}

/* Preempted, and then nobody has the CPU although it is runnable. */
static void test_held_back(void **state)
{
	sw(50, 0, 0, 0, ME);
	sw(200, 0, ME, 0, 0);
	sw(900, 0, 0, 0, ME);
	judge(100, 1000);
	assert_int_equal(us_of(TLOBCTL_CAUSE_IDLE, 0), 700);
}

/* The control group's time is used up: whoever runs meanwhile is not to blame. */
static void test_throttled(void **state)
{
	sw(50, 0, 0, 0, ME);
	sw(200, 0, ME, 0, HOG)->flags = TLOB_HISTORY_THROTTLED;
	sw(300, 0, HOG, S, 0);
	sw(900, 0, 0, 0, ME);
	judge(100, 1000);
	assert_int_equal(us_of(TLOBCTL_CAUSE_THROTTLED, 0), 700);
	assert_null(culprit(TLOBCTL_CAUSE_BEHIND, HOG));
}

/* Taken from one queue to another while it waits: behind whom changes with it. */
static void test_moved_while_queued(void **state)
{
	const struct tlobctl_why *why;

	sw(40, 1, 0, 0, LOADER);
	sw(50, 0, 0, 0, ME);
	sw(200, 0, ME, 0, HOG);
	migrate(500, ME, 1);
	sw(800, 1, LOADER, S, ME);
	why = judge(100, 1000);
	assert_int_equal(us_of(TLOBCTL_CAUSE_BEHIND, HOG), 300);
	assert_int_equal(us_of(TLOBCTL_CAUSE_BEHIND, LOADER), 300);
	assert_int_equal(why->migrations, 1);
}

/* The CPU is chosen right after the wake-up: nothing is blamed on the one it was on before. */
static void test_placed_at_wake_up(void **state)
{
	const struct tlobctl_why *why;

	sw(40, 1, 0, 0, LOADER);
	sw(50, 0, 0, 0, ME);
	sw(200, 0, ME, S, HOG);
	wake(500, 1, LOADER, ME);
	migrate(502, ME, 1);
	sw(600, 1, LOADER, S, ME);
	why = judge(100, 1000);
	assert_null(culprit(TLOBCTL_CAUSE_BEHIND, HOG));
	assert_int_equal(us_of(TLOBCTL_CAUSE_BEHIND, LOADER), 100);
	assert_int_equal(why->migrations, 1);
}

/* Nothing says that it moved, but it appears elsewhere. */
static void test_appears_elsewhere(void **state)
{
	sw(50, 0, 0, 0, ME);
	sw(200, 0, ME, 0, HOG);
	sw(500, 1, 0, 0, ME);
	assert_int_equal(judge(100, 1000)->migrations, 1);
	assert_int_equal(us_of(TLOBCTL_CAUSE_BEHIND, HOG), 300);
}

/* Woken by another CPU at the moment it went to sleep: it never slept. */
static void test_wake_up_overtakes_sleep(void **state)
{
	sw(50, 0, 0, 0, ME);
	wake(199, 1, LOADER, ME);
	sw(200, 0, ME, S, HOG);
	sw(400, 0, HOG, 0, ME);
	judge(100, 1000);
	assert_null(culprit(TLOBCTL_CAUSE_WOKEN, LOADER));
	assert_null(culprit(TLOBCTL_CAUSE_ASLEEP, 0));
	assert_int_equal(us_of(TLOBCTL_CAUSE_RUNNING, 0), 700);
}

/* A wake-up of a thread that was awake changes nothing, also not for the sleep long after. */
static void test_idle_wake_up(void **state)
{
	sw(20, 0, 0, 0, ME);
	wake(60, 1, LOADER, ME);
	sw(500, 0, ME, S, 0);
	wake(800, 1, HOG, ME);
	sw(801, 0, 0, 0, ME);
	judge(100, 1000);
	assert_int_equal(us_of(TLOBCTL_CAUSE_WOKEN, HOG), 300);
	assert_int_equal(us_of(TLOBCTL_CAUSE_RUNNING, 0), 599);
}

static void test_window_older_than_history(void **state)
{
	const struct tlobctl_why *why;

	stream.covers_ns = 400 * US;
	sw(410, 0, HOG, 0, ME);
	sw(600, 0, ME, S, 0);
	wake(700, 1, LOADER, ME);
	sw(700, 0, 0, 0, ME);
	why = judge(100, 1000);
	assert_false(why->complete);
	assert_int_equal(why->unknown_ns, 300 * US);
	assert_int_equal(us_of(TLOBCTL_CAUSE_UNKNOWN, 0), 300);
	/* what is found first tells what was before: it had waited, and behind the one that left */
	assert_int_equal(us_of(TLOBCTL_CAUSE_BEHIND, HOG), 10);
	assert_int_equal(us_of(TLOBCTL_CAUSE_WOKEN, LOADER), 100);
}

/* Entries before a gap are no evidence of what was behind it. */
static void test_gap_hides_the_past(void **state)
{
	sw(50, 0, 0, 0, ME);
	sw(200, 0, ME, S, 0);
	stream.covers_ns = 600 * US;
	judge(100, 1000);
	assert_int_equal(us_of(TLOBCTL_CAUSE_UNKNOWN, 0), 500);
	assert_int_equal(us_of(TLOBCTL_CAUSE_RUNNING, 0), 400); /* as the record says */
}

static void test_history_younger_than_window_end(void **state)
{
	stream.covers_ns = 5000 * US;
	assert_false(judge(100, 1000)->complete);
	assert_int_equal(us_of(TLOBCTL_CAUSE_UNKNOWN, 0), 900);
}

/* Its switch-in has been lost: it sleeps until it is next seen to run. */
static void test_lost_entries(void **state)
{
	sw(50, 0, 0, 0, ME);
	sw(200, 0, ME, S, 0);
	sw(600, 0, ME, S, 0); /* so it had the CPU again */
	judge(100, 1000);
	assert_int_equal(us_of(TLOBCTL_CAUSE_RUNNING, 0), 100);
	assert_int_equal(us_of(TLOBCTL_CAUSE_ASLEEP, 0), 800);
}

static void test_number_used_again(void **state)
{
	struct tlob_history_entry *e;

	sw(50, 0, 0, 0, ME);
	sw(200, 0, ME, 0, HOG);
	sw(300, 0, HOG, TLOB_HISTORY_DEAD, LOADER);
	e = sw(400, 0, LOADER, 0, HOG); /* of another process */
	e->tgid = 777;
	strcpy(e->comm, "other");
	sw(600, 0, HOG, 0, ME);
	judge(100, 1000);
	assert_int_equal(answer.why.nwho, 3);
	for (size_t i = 0, seen = 0; i < answer.why.nculprits; i++) {
		const struct tlobctl_culprit *c = &answer.why.culprits[i];

		if (c->cause != TLOBCTL_CAUSE_BEHIND || answer.who[c->who].tid != HOG)
			continue;
		assert_string_equal(answer.who[c->who].comm, seen++ ? "t200" : "other");
		assert_true(seen <= 2);
	}
}

/* Who had the CPU when the stream begins is known from who leaves it first. */
static void test_occupant_seen_leaving(void **state)
{
	wake(90, 1, LOADER, ME);
	sw(400, 0, HOG, 0, ME);
	judge(100, 1000);
	assert_int_equal(us_of(TLOBCTL_CAUSE_UNKNOWN, 0),
			 300); /* on which CPU it waited is not known */
	begin(NULL);
	sw(80, 0, ME, S, HOG);
	wake(90, 1, LOADER, ME);
	sw(400, 0, HOG, 0, ME);
	judge(100, 1000);
	assert_int_equal(us_of(TLOBCTL_CAUSE_BEHIND, HOG), 300);
}

/* ---- two at once, and many */

/* A region that runs most of its budget is not late for that. */
static void test_blame(void **state)
{
	const struct tlobctl_why *why;

	sw(50, 0, 0, 0, ME);
	sw(200, 0, ME, 0, HOG + 1);
	sw(300, 0, HOG + 1, 0, HOG + 2);
	strcpy(entries[1].comm, "worker");
	strcpy(entries[2].comm, "worker");
	sw(400, 0, HOG + 2, 0, LOADER);
	sw(550, 0, LOADER, 0, ME);
	why = judge(100, 1000); /* budget 450 */
	assert_int_equal(why->culprits[0].cause, TLOBCTL_CAUSE_RUNNING);
	assert_int_equal(why->culprits[0].ns, 550 * US);
	assert_int_equal(why->blame, 0);
	begin(NULL);
	sw(50, 0, 0, 0, ME);
	sw(200, 0, ME, 0, HOG + 1);
	sw(340, 0, HOG + 1, 0, HOG + 2);
	strcpy(entries[1].comm, "worker");
	strcpy(entries[2].comm, "worker");
	sw(480, 0, HOG + 2, 0, LOADER);
	sw(680, 0, LOADER, 0, ME);
	why = judge(100, 1000); /* runs 420, less than 450 */
	assert_string_equal(answer.who[why->culprits[why->blame].who].comm, "worker");
	assert_int_equal(why->culprits[1].ns, 200 * US); /* no one thread took more than this */
}

static void test_two_causes(void **state)
{
	const struct tlobctl_why *why;

	sw(40, 1, 0, 0, LOADER);
	sw(50, 0, 0, 0, ME);
	sw(110, 0, ME, 0, HOG);
	sw(500, 0, HOG, 0, ME);
	sw(510, 0, ME, S, 0);
	wake(980, 1, LOADER, ME);
	sw(981, 0, 0, 0, ME);
	why = judge(100, 1000);
	assert_int_equal(why->culprits[0].cause, TLOBCTL_CAUSE_WOKEN);
	assert_int_equal(why->culprits[1].cause, TLOBCTL_CAUSE_BEHIND);
	assert_int_equal(why->culprits[1].ns, 390 * US);
}

static void test_more_culprits_than_the_table_holds(void **state)
{
	static struct tlob_history_entry many[2000];
	uint32_t last = ME;

	for (uint32_t i = 0; i < 2000; i++) {
		many[i] = (struct tlob_history_entry){.time_ns = (200 + i) * US,
						      .kind = TLOB_HISTORY_SWITCH,
						      .prev_tid = last,
						      .tid = 5000 + i,
						      .tgid = 5000 + i};
		last = 5000 + i;
	}
	stream = (struct why_stream){.entries = many, .count = 2000};
	judge(100, 2300);
	assert_int_equal(answer.why.nwho, WHY_MAX_WHO);
	assert_string_equal(answer.who[WHY_MAX_WHO - 1].comm, "(others)");
	assert_int_equal(answer.why.culprits[0].ns, (2000 - (WHY_MAX_WHO - 1)) * US + 100 * US);
}

static uint32_t seed = 1;

static uint32_t any(uint32_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % below;
}

/* Streams that make no sense: of few threads and CPUs, in order of time, with a gap now and then. */
static void any_stream(void)
{
	static const uint16_t states[] = {
		0, 0, S, S, D, TLOB_HISTORY_STOPPED, TLOB_HISTORY_DEAD, 0xffff};
	uint64_t us = any(200);
	uint32_t n = any(200);

	begin(NULL);
	while (n--) {
		uint8_t kind = (uint8_t)(1 + any(TLOB_HISTORY_MIGRATE + 1));
		uint32_t tids[2] = {any(4) ? ME + 100 * any(4) : 0, any(4) ? ME + 100 * any(4) : 0};
		struct tlob_history_entry *e = add(us, (uint16_t)any(4), kind, tids[0], tids[1]);

		e->prev_state = states[any(8)];
		e->flags = (uint8_t)any(256);
		e->syscall = (uint16_t)any(500);
		e->other_cpu = (uint16_t)(any(50) ? any(4) : 0xffff);
		e->tgid += any(20) ? 0 : 1;
		us += any(3) ? any(20) : 0;
	}
	if (!any(4))
		stream.covers_ns = any(1500) * US;
}

/* judge() checks that the segments cover the window and that all sums are right. */
static void test_whatever_comes(void **state)
{
	for (int i = 0; i < 20000; i++) {
		uint64_t from = any(800);

		any_stream();
		stream.from_ns = any(2) ? 0 : from * US;
		judge(from, from + 1 + any(900));
		assert_true(answer.why.blame < answer.why.nculprits);
		for (size_t k = 0; k < answer.why.nculprits; k++) {
			const struct tlobctl_culprit *c = &answer.why.culprits[k];

			assert_true(c->who == TLOBCTL_NOBODY || c->who < answer.why.nwho);
			assert_true(c->nlinks <= WHY_CHAIN_DEPTH);
			for (size_t l = 0; l < c->nlinks; l++)
				assert_true(c->links[l].who < answer.why.nwho);
		}
	}
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(test_##name, begin, end)
	const struct CMUnitTest tests[] = {
		CASE(ran_all_the_time),
		CASE(nothing_was_recorded),
		CASE(waits_behind_two),
		CASE(threads_of_a_process_add_up),
		CASE(sleeps_until_woken),
		CASE(wake_up_waits_behind_others),
		CASE(interrupt_wakes),
		CASE(sender_wakes_through_soft_interrupt),
		CASE(idle_waker_is_an_interrupt),
		CASE(disk_sleep),
		CASE(stopped),
		CASE(still_asleep),
		CASE(held_back),
		CASE(throttled),
		CASE(moved_while_queued),
		CASE(placed_at_wake_up),
		CASE(appears_elsewhere),
		CASE(wake_up_overtakes_sleep),
		CASE(idle_wake_up),
		CASE(window_older_than_history),
		CASE(gap_hides_the_past),
		CASE(history_younger_than_window_end),
		CASE(lost_entries),
		CASE(number_used_again),
		CASE(occupant_seen_leaving),
		CASE(blame),
		CASE(two_causes),
		CASE(more_culprits_than_the_table_holds),
		CASE(whatever_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
