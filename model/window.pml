/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The protocol between a thread and its engine over one arena: core/window.h, step by step. Each statement outside
 * atomic { } is one memory access (or a few that only the writer's own later accesses can tell apart); what is one
 * atomic instruction in C is one statement or one atomic block here. Memory is sequentially consistent: where C has a
 * full barrier the order of the statements stands for it, and a variant with them swapped stands for its absence.
 *
 * Checked, for every interleaving:
 *   - a window has one outcome: stopped in time and no record; overrun and exactly one record; cancelled and none;
 *     abandoned and at most one. Never two records, never a record of a window within its budget.
 *   - a record shows the fields of the generation it reports.
 *   - no armed window is forgotten: once time has passed all deadlines and all is quiet, none is left ARMED unless the
 *     agent was killed, even if its thread never comes back.
 *
 * Scenarios (-D): THREADS=n, DEPTH=n nested windows each, ROUNDS=n, and EARLY a second scanner (the timer interrupt's),
 * CLOSE the engine is disabled, KILL the agent is killed, EXIT threads may exit inside windows and their slot is reused.
 * Each other #ifdef is a protocol with one mistake, which spin must refuse; tests/model/window.t runs them all.
 */
#ifndef THREADS
#define THREADS 1
#endif
#ifndef DEPTH
#define DEPTH 1
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef END
#define END 2 /* when time stops; no deadline lies behind it */
#endif

#define WINDOWS (THREADS * DEPTH)
#define NEVER 15
#define STALL 1 /* TLOB_OVERDUE_NS */

/* enum tlob_window_state, below the generation */
#define IDLE 0
#define ARMED 1
#define EXPIRED 2
#define CANCELLED 3
#define WORD(gen, st) ((gen) << 2 | (st))
#define GEN(word) ((word) >> 2)
#define STATE(word) ((word) & 3)

/* the arena */
byte next_wake = NEVER;
bool closed;
byte used[THREADS]; /* bit per window */
byte word[WINDOWS];
byte deadline[WINDOWS];
byte tag[WINDOWS]; /* stands for the fields that are only copied; the thread's count of starts, so never the same twice */

/* the engine's own */
byte timer = NEVER;
bool gone; /* detached, or killed: no scan starts, kicks fail */
bool killed;

byte now;

/* How many are between arming and the end of their kick, or inside a scan: only then may the timer be too late. */
byte busy;

inline rest()
{
	busy--;
	i = 0;
	do
	:: i < WINDOWS ->
		assert(busy || gone || closed || STATE(word[i]) != ARMED || timer <= deadline[i]);
		i++
	:: else -> i = 0; break
	od
}

/* records of the window's present generation */
byte overruns[WINDOWS];

/* A record of window w as it is now, whose state word has just become WORD(gen, ended) */
inline record_overrun(w, gen, ended, at)
{
	assert(word[w] == WORD(gen, ended));
	assert(at >= deadline[w]);
	overruns[w]++;
	assert(overruns[w] == 1)
}

/*
 * tlob_wake_lower(), whose loop of compare-and-swap is an atomic minimum, and the loop around setting the timer. Who finds
 * an earlier wake-up may leave it to whoever has put it there.
 */
inline lower_wake(to)
{
	atomic {
		if
#ifdef LOWER_ONCE
		:: next_wake == NEVER -> next_wake = to; next = to
		:: else -> next = to
#else
		:: to < next_wake -> next_wake = to; next = to
		:: to >= next_wake -> next = next_wake
		:: to >= next_wake -> next = NEVER
#endif
		fi
	};
	do
	:: atomic {
		wake = next;
		if
		:: wake != NEVER -> timer = wake
		:: else -> break
		fi
	};
		atomic {
			next = next_wake;
			if
#ifndef SET_TIMER_ONCE
			:: next < wake
#endif
			:: else -> break
			fi
		}
	od;
	atomic { wake = 0; next = 0 }
}

/* ---- the thread ---------------------------------------------------------------------------------------- */

/* TLOB_KICK_ARM; runs in the thread */
inline kick_arm(w)
{
	if
	:: closed || gone ->
		/* The thread takes its own window out of a dead arena, if no scan was faster. */
		atomic {
#ifdef FAILED_KICK_FORGETS
			word[w] = WORD(gen[w % DEPTH], CANCELLED);
#else
			if
			:: word[w] == WORD(gen[w % DEPTH], ARMED) -> word[w] = WORD(gen[w % DEPTH], CANCELLED)
			:: else
			fi
#endif
		}
	:: else -> lower_wake(deadline[w])
	fi
}

/* tlob_start() while there is time for a deadline. No step between filling the fields tells anybody anything. */
inline start(w)
{
	atomic {
		if
		:: now < END -> at = now
		:: else -> goto end_stuck
		fi;
#ifdef GENERATION_RESET
		/* as if the slot's new owner cleared it */
		gen[w % DEPTH] = 1;
#else
		gen[w % DEPTH] = GEN(word[w]) + 1;
#endif
		tag[w] = round;
		if
		:: deadline[w] = at + 1
		:: at + 2 <= END -> deadline[w] = at + 2
		fi;
#ifndef USED_AFTER_ARM
		used[w / DEPTH] = used[w / DEPTH] | 1 << (w % DEPTH);
#endif
		overruns[w] = 0
	};
#ifdef USED_AFTER_ARM
	atomic { word[w] = WORD(gen[w % DEPTH], ARMED); busy++ };
	next = next_wake;
	used[w / DEPTH] = used[w / DEPTH] | 1 << (w % DEPTH);
#elif defined(NO_RECHECK)
	/* next_wake_ns read before the window is published: also what a missing barrier does */
	next = next_wake;
	atomic { word[w] = WORD(gen[w % DEPTH], ARMED); busy++ };
#else
	atomic { word[w] = WORD(gen[w % DEPTH], ARMED); busy++ };
	next = next_wake;
#endif
	/* tlob_window_wants_kick() */
	if
	:: deadline[w] < next || (next < at && at - next > STALL) -> kick_arm(w)
	:: else ->
#ifndef CLOSED_NOT_REREAD
		if
		:: closed -> kick_arm(w)
		:: else
		fi
#endif
	fi;
	atomic { next = 0; rest() }
}

/* tlob_window_end(), and what tlob_stop() makes of it */
inline stop(w)
{
	at = now;
#ifdef BLIND_STOP
	was = word[w];
	word[w] = WORD(gen[w % DEPTH], IDLE);
#else
	atomic {
		was = word[w];
		assert(GEN(was) == gen[w % DEPTH] && STATE(was) != IDLE);
		/* EXPIRED and CANCELLED are nobody's but the thread's: its plain store may as well be here */
		word[w] = WORD(gen[w % DEPTH], IDLE)
	};
#endif
	atomic {
		if
		:: STATE(was) == ARMED && at < deadline[w] -> assert(overruns[w] == 0) /* 0 */
		:: STATE(was) == ARMED && at >= deadline[w] ->
			/* late, but the stop won: TLOB_KICK_REPORT */
#ifdef STOP_IGNORES_LATE
			assert(overruns[w] == 1)
#else
			if
#ifdef REPORT_ALWAYS_WORKS
			:: gone -> assert(overruns[w] == 1) /* -EOVERFLOW */
#else
			:: gone -> assert(overruns[w] == 0) /* -ECANCELED */
#endif
			:: else ->
				record_overrun(w, gen[w % DEPTH], IDLE, at) /* -EOVERFLOW */
			fi
#endif
		:: STATE(was) == EXPIRED -> assert(overruns[w] == 1) /* -EOVERFLOW */
		:: STATE(was) == CANCELLED -> assert(overruns[w] == 0) /* -ECANCELED */
		fi;
		used[w / DEPTH] = used[w / DEPTH] & ~(1 << (w % DEPTH));
		at = 0;
		was = 0;
		gen[w % DEPTH] = 0
	}
}

/* The engine's hook of a thread's exit, in that thread: an open window ends as abandoned. */
inline abandon(w)
{
	was = word[w];
	do
	:: atomic {
		STATE(was) == ARMED ->
		if
		:: word[w] == was -> word[w] = WORD(GEN(was), IDLE); assert(overruns[w] == 0); break
		:: else ->
#ifdef ABANDON_ONCE
			break
#else
			was = word[w]
#endif
		fi
	}
	:: atomic {
		STATE(was) == EXPIRED || STATE(was) == CANCELLED ->
		/* EXPIRED: closed as abandoned */
		assert(overruns[w] == (STATE(was) == EXPIRED));
		word[w] = WORD(GEN(was), IDLE);
		break
	}
	:: STATE(was) == IDLE -> break
	od
}

/* The measured code: it may take any time, or for ever, or end its thread. */
inline work()
{
	if
	:: true
	:: true -> goto end_stuck
#ifdef EXIT
	:: !gone -> goto exits
#endif
	fi
}

proctype thread(byte me)
{
	byte round, i, at, was, next, wake;
	byte gen[DEPTH];

again:
	do
	:: atomic { round < ROUNDS && now < END && !closed && !gone -> round++ };
		start(me * DEPTH);
#if DEPTH > 1
		work();
		if
		:: start(me * DEPTH + 1);
			work();
			stop(me * DEPTH + 1)
		:: now == END
		fi;
#endif
		work();
		stop(me * DEPTH)
	:: else -> break
	od;
	goto end_done;
#ifdef EXIT
exits:
	abandon(me * DEPTH);
#if DEPTH > 1
	abandon(me * DEPTH + 1);
#endif
	atomic {
		used[me] = 0;
		was = 0;
		i = 0;
		do
		:: i < DEPTH -> assert(STATE(word[me * DEPTH + i]) == IDLE); gen[i] = 0; i++
		:: else -> i = 0; break
		od
	};
	goto again; /* the slot's next owner */
#endif
end_stuck:
	false;
end_done:
	skip
}

/* ---- the engine ---------------------------------------------------------------------------------------- */

/* tlob_window_take(); the record is out before anybody can ask for it */
inline take()
{
	d_step {
		if
#ifdef BLIND_EXPIRE
		:: true ->
#else
		:: word[w] == seen ->
#endif
			word[w] = WORD(GEN(seen), EXPIRED);
			record_overrun(w, GEN(seen), EXPIRED, at);
			true_tag = tag[w]
		:: else
		fi
	};
#ifdef COPY_AFTER_CAS
	copied_tag = tag[w];
#endif
	assert(!true_tag || copied_tag == true_tag)
}

inline scan()
{
#ifdef CLEAR_AFTER_SCAN
	at = now;
#else
	/* the clock is read before: reading it earlier is no different from time passing now */
	d_step { at = now; next_wake = NEVER };
#endif
	min = NEVER;
	w = 0;
	do
	:: atomic {
		w < WINDOWS ->
		if
		:: w % DEPTH == 0 -> mask = used[w / DEPTH]
		:: else
		fi;
		seen = word[w];
		if
		:: !(mask & 1 << (w % DEPTH)) || STATE(seen) != ARMED -> seen = 0; w++
		:: else
		fi
	};
		if
		:: atomic {
			seen ->
			copied_tag = tag[w];
			copied_deadline = deadline[w];
			if
			:: copied_deadline <= at
			:: else ->
				min = (copied_deadline < min -> copied_deadline : min);
				seen = 0; copied_tag = 0; copied_deadline = 0; w++
			fi
		}
		:: else
		fi;
		if
		:: seen -> take(); atomic { true_tag = 0; seen = 0; copied_tag = 0; copied_deadline = 0; w++ }
		:: else
		fi
	:: else -> break
	od;
#ifdef CLEAR_AFTER_SCAN
	next_wake = NEVER;
#endif
	lower_wake(min);
	atomic { rest(); at = 0; min = 0; w = 0; mask = 0 }
}

proctype timer_callback()
{
	byte i, at, min, w, mask, seen, copied_tag, copied_deadline, true_tag, next, wake;

end:
	do
	:: atomic { timer <= now && !gone -> timer = NEVER; busy++ }; scan()
	:: gone -> break
	od
}

#ifdef EARLY
/* Another CPU's timer interrupt finds the wake-up due: a scan beside the timer's. */
proctype early_check()
{
	byte i, at, min, w, mask, seen, copied_tag, copied_deadline, true_tag, next, wake;

end:
	atomic { next_wake <= now && !gone -> busy++ };
	scan()
}
#endif

#ifdef CLOSE
proctype disable()
{
	byte w, seen;

#ifndef CLOSED_AFTER_WALK
	closed = true;
#endif
	do
	:: w < WINDOWS ->
		seen = word[w];
		/* one attempt: who has armed another one since finds the arena closed */
		atomic {
			if
			:: word[w] == seen && STATE(seen) == ARMED -> word[w] = WORD(GEN(seen), CANCELLED)
#ifdef CANCEL_EXPIRED
			:: word[w] == seen && STATE(seen) == EXPIRED -> word[w] = WORD(GEN(seen), CANCELLED)
#endif
			:: else
			fi;
			seen = 0;
			w++
		}
	:: else -> break
	od;
	closed = true;
	gone = true
}
#endif

#ifdef KILL
proctype kill_agent()
{
	atomic { gone = true; killed = true }
}
#endif

/* ---- the world ----------------------------------------------------------------------------------------- */

proctype clock()
{
	do
	:: now < END -> now++
	:: else -> break
	od
}

init {
	byte w;

	atomic {
		/* nothing waited for, or a wake-up left behind by a window that ended in time */
		if
		:: true
		:: next_wake = 0; timer = 0
		fi;
		run clock();
		run timer_callback();
#ifdef EARLY
		run early_check();
#endif
#ifdef CLOSE
		run disable();
#endif
#ifdef KILL
		run kill_agent();
#endif
		w = 0;
		do
		:: w < THREADS -> run thread(w); w++
		:: else -> break
		od
	}
	timeout;
	/* Everything is quiet, every deadline is over. */
	d_step {
		w = 0;
		do
		:: w < WINDOWS ->
			/* a thread that never came back: its overrun was reported, or it was cancelled */
			assert(STATE(word[w]) != ARMED || killed);
			assert(STATE(word[w]) != EXPIRED || overruns[w] == 1);
			w++
		:: else -> break
		od
	}
}
