// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The automaton and the clock it drives, case by case. The names are those of the origin's suite; its on_cpu is
 * running here, its off_cpu is waiting or sleeping, and there is no state "unmonitored".
 */
#include "tap.h"
#include "window.h"

#define next(state, event) tlob_model_next(TLOB_MODEL_STATE_##state, TLOB_MODEL_EVENT_##event)
#define RUN TLOB_MODEL_STATE_RUNNING
#define WAIT TLOB_MODEL_STATE_WAITING
#define SLEEP TLOB_MODEL_STATE_SLEEPING
#define INVALID TLOB_MODEL_INVALID

static void unmonitored_to_on_cpu(void)
{
	check(TLOB_MODEL_INITIAL == RUN);
	check(next(RUNNING, START) == RUN);
}

static void on_cpu_switch_out(void)
{
	check(next(RUNNING, PREEMPT) == WAIT);
	check(next(RUNNING, SLEEP) == SLEEP);
}

static void off_cpu_switch_in(void)
{
	check(next(WAITING, SWITCH_IN) == RUN);
	check(next(SLEEPING, SWITCH_IN) == RUN);
}

static void on_cpu_budget_expired(void)
{
	check(tlob_model_bounded(RUN));
}

static void off_cpu_budget_expired(void)
{
	check(tlob_model_bounded(WAIT) && tlob_model_bounded(SLEEP));
}

static void on_cpu_trace_stop(void)
{
	check(next(RUNNING, STOP) == RUN && tlob_model_final(RUN));
}

static void off_cpu_trace_stop(void)
{
	check(next(WAITING, STOP) == INVALID && next(SLEEPING, STOP) == INVALID);
	check(next(WAITING, START) == INVALID && next(SLEEPING, START) == INVALID);
}

static void off_cpu_self_loops(void)
{
	check(next(WAITING, WAKEUP) == WAIT);
	check(next(WAITING, PREEMPT) == INVALID && next(WAITING, SLEEP) == INVALID);
	check(next(SLEEPING, PREEMPT) == INVALID && next(SLEEPING, SLEEP) == INVALID);
	check(next(SLEEPING, WAKEUP) == WAIT);
}

static void on_cpu_self_loops(void)
{
	check(next(RUNNING, WAKEUP) == RUN && next(RUNNING, SWITCH_IN) == RUN);
}

static void unmonitored_ignores_sched(void)
{
	check(tlob_model_next(TLOB_MODEL_STATES, TLOB_MODEL_EVENT_PREEMPT) == INVALID);
	check(tlob_model_next(INVALID, TLOB_MODEL_EVENT_SWITCH_IN) == INVALID);
	check(tlob_model_next(RUN, TLOB_MODEL_EVENTS) == INVALID);
}

static struct tlob_clock walk(const __u32 *events, size_t n)
{
	struct tlob_clock c = {.state = RUN};

	for (size_t i = 0; i < n; i++)
		tlob_clock_step(&c, events[i], 10 * (i + 1));
	return c;
}

static void full_happy_path(void)
{
	static const __u32 events[] = {TLOB_MODEL_EVENT_SLEEP, TLOB_MODEL_EVENT_WAKEUP,
				       TLOB_MODEL_EVENT_SWITCH_IN};
	struct tlob_clock c = walk(events, 3);

	check(c.running_ns == 10 && c.sleeping_ns == 10 && c.waiting_ns == 10 && c.state == RUN);
}

static void violation_then_restart(void)
{
	struct tlob_window w = {0};
	__u64 gen = tlob_window_arm(&w);

	check(tlob_window_take(&w, w.state, TLOB_EXPIRED));
	check(!tlob_window_take(&w, gen << 2 | TLOB_ARMED, TLOB_EXPIRED));
	check(tlob_window_end(&w, gen) == TLOB_EXPIRED);
	check(tlob_window_end(&w, gen) == TLOB_IDLE);
	gen = tlob_window_arm(&w);
	check(tlob_window_end(&w, gen) == TLOB_ARMED);
}

static void multiple_switches(void)
{
	static const __u32 events[] = {
		TLOB_MODEL_EVENT_PREEMPT,   TLOB_MODEL_EVENT_SWITCH_IN, TLOB_MODEL_EVENT_PREEMPT,
		TLOB_MODEL_EVENT_SWITCH_IN, TLOB_MODEL_EVENT_SLEEP,	TLOB_MODEL_EVENT_SWITCH_IN,
	};
	struct tlob_clock c = walk(events, 6);

	check(c.running_ns == 30 && c.waiting_ns == 20 && c.sleeping_ns == 10);
	check(c.running_ns + c.waiting_ns + c.sleeping_ns == c.since_ns);
}

int main(void)
{
	static const struct tap_test tests[] = {
		T(unmonitored_to_on_cpu),     T(on_cpu_switch_out),	 T(off_cpu_switch_in),
		T(on_cpu_budget_expired),     T(off_cpu_budget_expired), T(on_cpu_trace_stop),
		T(off_cpu_trace_stop),	      T(off_cpu_self_loops),	 T(on_cpu_self_loops),
		T(unmonitored_ignores_sched), T(full_happy_path),	 T(violation_then_restart),
		T(multiple_switches),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
