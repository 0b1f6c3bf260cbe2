// SPDX-License-Identifier: GPL-2.0-or-later
/* The automaton of model/tlob.dot, by the table generated from it, and the thread clock that steps along it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/clock.h"

#define RUNNING TLOB_MODEL_STATE_RUNNING
#define WAITING TLOB_MODEL_STATE_WAITING
#define SLEEPING TLOB_MODEL_STATE_SLEEPING
#define INVALID TLOB_MODEL_INVALID
#define START TLOB_MODEL_EVENT_START
#define STOP TLOB_MODEL_EVENT_STOP
#define PREEMPT TLOB_MODEL_EVENT_PREEMPT
#define SLEEP TLOB_MODEL_EVENT_SLEEP
#define WAKEUP TLOB_MODEL_EVENT_WAKEUP
#define SWITCH_IN TLOB_MODEL_EVENT_SWITCH_IN

/* ---- one case per state and event --------------------------------------------------------------------- */

struct transition {
	const char *name;
	__u32 state, event, next;
};

static struct transition transitions[] = {
	{"running_start", RUNNING, START, RUNNING},
	{"running_stop", RUNNING, STOP, RUNNING},
	{"running_preempt", RUNNING, PREEMPT, WAITING},
	{"running_sleep", RUNNING, SLEEP, SLEEPING},
	{"running_wakeup", RUNNING, WAKEUP, RUNNING},
	{"running_switch_in", RUNNING, SWITCH_IN, RUNNING},
	{"waiting_start", WAITING, START, INVALID},
	{"waiting_stop", WAITING, STOP, INVALID},
	{"waiting_preempt", WAITING, PREEMPT, INVALID},
	{"waiting_sleep", WAITING, SLEEP, INVALID},
	{"waiting_wakeup", WAITING, WAKEUP, WAITING},
	{"waiting_switch_in", WAITING, SWITCH_IN, RUNNING},
	{"sleeping_start", SLEEPING, START, INVALID},
	{"sleeping_stop", SLEEPING, STOP, INVALID},
	{"sleeping_preempt", SLEEPING, PREEMPT, INVALID},
	{"sleeping_sleep", SLEEPING, SLEEP, INVALID},
	{"sleeping_wakeup", SLEEPING, WAKEUP, WAITING},
	{"sleeping_switch_in", SLEEPING, SWITCH_IN, RUNNING},
};

#define NTRANSITIONS (sizeof(transitions) / sizeof(transitions[0]))

static void test_transition(void **state)
{
	const struct transition *t = *state;

	assert_int_equal(tlob_model_next(t->state, t->event), t->next);
}

/* ---- sequences, each step asserted -------------------------------------------------------------------- */

#define MAX_STEPS 12

struct sequence {
	const char *name;
	__u32 from;
	struct {
		__u32 event, next;
	} steps[MAX_STEPS];
	int nsteps;
};

static struct sequence sequences[] = {
	{"initial_to_running", TLOB_MODEL_INITIAL, {{START, RUNNING}}, 1},
	{"running_switch_out",
	 RUNNING,
	 {{PREEMPT, WAITING}, {SWITCH_IN, RUNNING}, {SLEEP, SLEEPING}},
	 3},
	{"waiting_switch_in", WAITING, {{SWITCH_IN, RUNNING}}, 1},
	{"sleeping_switch_in", SLEEPING, {{WAKEUP, WAITING}, {SWITCH_IN, RUNNING}}, 2},
	{"sleeping_switch_in_without_wakeup", SLEEPING, {{SWITCH_IN, RUNNING}}, 1},
	{"running_window_stop", RUNNING, {{START, RUNNING}, {STOP, RUNNING}}, 2},
	{"off_cpu_window_stop_only_after_switch_in",
	 RUNNING,
	 {{START, RUNNING},
	  {SLEEP, SLEEPING},
	  {STOP, INVALID},
	  {WAKEUP, WAITING},
	  {STOP, INVALID},
	  {SWITCH_IN, RUNNING},
	  {STOP, RUNNING}},
	 7},
	{"waiting_self_loops", WAITING, {{WAKEUP, WAITING}, {WAKEUP, WAITING}}, 2},
	{"running_self_loops",
	 RUNNING,
	 {{WAKEUP, RUNNING},
	  {SWITCH_IN, RUNNING},
	  {START, RUNNING},
	  {START, RUNNING},
	  {STOP, RUNNING}},
	 5},
	{"off_cpu_ignores_switch_out",
	 WAITING,
	 {{PREEMPT, INVALID}, {SLEEP, INVALID}, {SWITCH_IN, RUNNING}},
	 3},
	{"full_happy_path",
	 TLOB_MODEL_INITIAL,
	 {{START, RUNNING},
	  {PREEMPT, WAITING},
	  {SWITCH_IN, RUNNING},
	  {SLEEP, SLEEPING},
	  {WAKEUP, WAITING},
	  {SWITCH_IN, RUNNING},
	  {STOP, RUNNING}},
	 7},
	/* an overrun leaves no trace in the thread's state: expiry is the clock's business, not an event */
	{"violation_then_restart",
	 TLOB_MODEL_INITIAL,
	 {{START, RUNNING},
	  {SLEEP, SLEEPING},
	  {WAKEUP, WAITING},
	  {SWITCH_IN, RUNNING},
	  {STOP, RUNNING},
	  {START, RUNNING},
	  {PREEMPT, WAITING},
	  {SWITCH_IN, RUNNING},
	  {STOP, RUNNING}},
	 9},
	{"multiple_switches",
	 RUNNING,
	 {{PREEMPT, WAITING},
	  {SWITCH_IN, RUNNING},
	  {PREEMPT, WAITING},
	  {SWITCH_IN, RUNNING},
	  {SLEEP, SLEEPING},
	  {WAKEUP, WAITING},
	  {WAKEUP, WAITING},
	  {SWITCH_IN, RUNNING},
	  {SLEEP, SLEEPING},
	  {SWITCH_IN, RUNNING},
	  {PREEMPT, WAITING},
	  {SWITCH_IN, RUNNING}},
	 12},
};

#define NSEQUENCES (sizeof(sequences) / sizeof(sequences[0]))

static void test_sequence(void **state)
{
	const struct sequence *s = *state;
	__u32 now = s->from;

	for (int i = 0; i < s->nsteps; i++) {
		__u32 next = tlob_model_next(now, s->steps[i].event);

		if (next != s->steps[i].next)
			fail_msg("step %d: %s --%s--> %s", i, tlob_model_state_name(now),
				 tlob_model_event_name(s->steps[i].event),
				 tlob_model_state_name(next));
		if (next != INVALID)
			now = next;
	}
}

/* ---- the rest of the generated header ----------------------------------------------------------------- */

static void test_out_of_range(void **state)
{
	static const __u32 odd[] = {3,	4,   15,  16,	      31,	  32,	     63,
				    64, 255, 256, 0x7fffffff, 0x80000000, 0xffffffff};

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		for (__u32 event = 0; event < 8; event++)
			assert_int_equal(tlob_model_next(odd[i], event), INVALID);
		assert_false(tlob_model_bounded(odd[i]));
		assert_false(tlob_model_final(odd[i]));
		assert_string_equal(tlob_model_state_name(odd[i]), "?");
		if (odd[i] < TLOB_MODEL_EVENTS)
			continue;
		for (__u32 s = 0; s < TLOB_MODEL_STATES; s++)
			assert_int_equal(tlob_model_next(s, odd[i]), INVALID);
		assert_string_equal(tlob_model_event_name(odd[i]), "?");
	}
}

static void test_budget_binds_in_every_state(void **state)
{
	for (__u32 s = 0; s < TLOB_MODEL_STATES; s++)
		assert_true(tlob_model_bounded(s));
}

static void test_names_and_numbers(void **state)
{
	assert_int_equal(TLOB_MODEL_STATES, 3);
	assert_int_equal(TLOB_MODEL_EVENTS, 6);
	assert_int_equal(TLOB_MODEL_INITIAL, TLOB_RUNNING);
	assert_string_equal(tlob_model_state_name(TLOB_RUNNING), "running");
	assert_string_equal(tlob_model_state_name(TLOB_WAITING), "waiting");
	assert_string_equal(tlob_model_state_name(TLOB_SLEEPING), "sleeping");
	assert_string_equal(tlob_model_event_name(START), "start");
	assert_string_equal(tlob_model_event_name(SWITCH_IN), "switch_in");
}

/* ---- the clock along the automaton -------------------------------------------------------------------- */

static void step(struct tlob_clock *clock, __u32 event, __u64 now_ns)
{
	tlob_clock_write_begin(clock);
	tlob_clock_step(clock, event, now_ns);
	tlob_clock_write_end(clock);
}

static void test_clock_accounts_each_state(void **state)
{
	struct tlob_clock clock = {.since_ns = 1000, .state = TLOB_RUNNING};
	struct tlob_split split;

	step(&clock, PREEMPT, 1010);
	step(&clock, SWITCH_IN, 1030);
	step(&clock, SLEEP, 1060);
	step(&clock, WAKEUP, 1160);
	step(&clock, SWITCH_IN, 1165);
	assert_true(tlob_clock_try_read(&clock, 1172, &split));
	assert_int_equal(split.running_ns, 10 + 30 + 7);
	assert_int_equal(split.waiting_ns, 20 + 5);
	assert_int_equal(split.sleeping_ns, 100);
	assert_int_equal(split.state, TLOB_RUNNING);
	assert_int_equal(split.running_ns + split.waiting_ns + split.sleeping_ns, 1172 - 1000);
}

/* An event the model does not allow must not lose time, and leaves the state as it is. */
static void test_clock_keeps_the_sum_on_odd_events(void **state)
{
	struct tlob_clock clock = {.since_ns = 100, .state = TLOB_RUNNING};
	__u32 random = 1;
	__u64 now = 100;

	for (__u32 i = 0; i < 1000; i++) {
		__u32 event = i * 7 % 11, before = clock.state,
		      next = tlob_model_next(before, event);

		random = random * 1103515245 + 12345;
		event = (random >> 16) % 8;
		next = tlob_model_next(before, event);
		now += i % 13;
		step(&clock, event, now);
		assert_int_equal(clock.state, next == INVALID ? before : next);
		assert_int_equal(clock.running_ns + clock.waiting_ns + clock.sleeping_ns,
				 now - 100);
	}
	assert_true(clock.running_ns && clock.waiting_ns && clock.sleeping_ns);
}

/* Clocks of two CPUs may disagree by a little: time never runs backwards, and what is lost now is not added twice. */
static void test_clock_survives_an_earlier_stamp(void **state)
{
	struct tlob_clock clock = {.since_ns = 1000, .state = TLOB_RUNNING};

	step(&clock, SLEEP, 1100);
	step(&clock, WAKEUP, 1050);
	assert_int_equal(clock.sleeping_ns, 0);
	assert_int_equal(clock.since_ns, 1100);
	step(&clock, SWITCH_IN, 1200);
	assert_int_equal(clock.running_ns, 100);
	assert_int_equal(clock.waiting_ns, 100);
}

static void test_clock_read_refuses_a_write_in_progress(void **state)
{
	struct tlob_clock clock = {.since_ns = 1000, .state = TLOB_RUNNING};
	struct tlob_split split;

	tlob_clock_write_begin(&clock);
	assert_false(tlob_clock_try_read(&clock, 1100, &split));
	tlob_clock_write_end(&clock);
	assert_true(tlob_clock_try_read(&clock, 1100, &split));
	assert_int_equal(split.running_ns, 100);
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(test_out_of_range),
		cmocka_unit_test(test_budget_binds_in_every_state),
		cmocka_unit_test(test_names_and_numbers),
		cmocka_unit_test(test_clock_accounts_each_state),
		cmocka_unit_test(test_clock_keeps_the_sum_on_odd_events),
		cmocka_unit_test(test_clock_survives_an_earlier_stamp),
		cmocka_unit_test(test_clock_read_refuses_a_write_in_progress),
	};
	struct CMUnitTest tests[NTRANSITIONS + NSEQUENCES + sizeof(others) / sizeof(others[0])];
	size_t n = 0;

	_Static_assert(NTRANSITIONS == TLOB_MODEL_STATES * TLOB_MODEL_EVENTS,
		       "every state and event");
	for (size_t i = 0; i < NTRANSITIONS; i++, n++)
		tests[n] = (struct CMUnitTest){transitions[i].name, test_transition, NULL, NULL,
					       &transitions[i]};
	for (size_t i = 0; i < NSEQUENCES; i++, n++)
		tests[n] = (struct CMUnitTest){sequences[i].name, test_sequence, NULL, NULL,
					       &sequences[i]};
	memcpy(&tests[n], others, sizeof(others));
	return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
