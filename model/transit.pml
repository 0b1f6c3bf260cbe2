/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of core/transit_table.h, step by step: how threads that begin windows with the same key at the same time
 * settle who may. Each statement outside atomic { } is one memory access; what is one atomic instruction in C is one
 * atomic block here. Memory is sequentially consistent: the exchange that publishes a claim is a full barrier in C.
 *
 * A window's own life, once it is open, is that of window.pml: whoever wins the compare-and-swap on its state ends it,
 * be it the thread that began it or another one.
 *
 * Checked, for every interleaving: a key is never open twice; and of those that begin while it is not, one succeeds.
 *
 * Scenarios (-D): THREADS=n, CELLS=n places for the key, ROUNDS=n windows each; ENDS: what a thread has opened it ends
 * again. Each other #ifdef is a protocol with one mistake, which spin must refuse; tests/model/transit.t runs them all.
 */
#ifndef THREADS
#define THREADS 3
#endif
#ifndef CELLS
#define CELLS 3
#endif
#ifndef ROUNDS
#define ROUNDS 1
#endif

#define FREE 0
#define TAKEN 1 /* its bit is set, its key is not */
#define CLAIMED 2
#define OPEN 3
#define BARRED 4

byte cell[CELLS];
byte open, done, won;

/* A place: any that is free, as positions depend on what else is in the table. */
inline take(own)
{
	if
	:: atomic { cell[0] == FREE -> cell[0] = TAKEN; own = 0 }
#if CELLS > 1
	:: atomic { cell[1] == FREE -> cell[1] = TAKEN; own = 1 }
#endif
#if CELLS > 2
	:: atomic { cell[2] == FREE -> cell[2] = TAKEN; own = 2 }
#endif
#if CELLS > 3
	:: atomic { cell[3] == FREE -> cell[3] = TAKEN; own = 3 }
#endif
	fi
}

/* tlob_transit_is_taken() */
inline look(own, i, have, lost)
{
	i = 0;
	do
	:: i == CELLS || lost -> break
	:: i < CELLS && !lost && i == own -> i++
	:: i < CELLS && !lost && i != own ->
		have = cell[i];
		if
#ifndef NEVER_BAR
		:: have == CLAIMED && i > own ->
			atomic {
				if
				:: cell[i] == CLAIMED -> cell[i] = BARRED; have = FREE
				:: else -> have = cell[i]
				fi
			}
#endif
		:: else
		fi;
		if
#ifdef IGNORE_CLAIMS
		:: have == OPEN -> lost = true
#elif defined(NEVER_BAR)
		:: have == OPEN || (have == CLAIMED && i < own) -> lost = true
#else
		:: have == OPEN || have == CLAIMED -> lost = true
#endif
		:: else
		fi;
		i++
	od
}

proctype thread()
{
	byte own, i, have, round;
	bool lost;

	do
	:: round == ROUNDS -> break
	:: round < ROUNDS ->
		round++;
		lost = false;
		take(own);
#ifdef LOOK_FIRST
		look(own, i, have, lost);
		cell[own] = CLAIMED;
#else
		cell[own] = CLAIMED;
		look(own, i, have, lost);
#endif
		if
		:: !lost ->
			atomic {
				if
#ifdef BLIND_OPEN
				:: true -> cell[own] = OPEN; open++; won++
#else
				:: cell[own] == CLAIMED -> cell[own] = OPEN; open++; won++
				:: else -> lost = true
#endif
				fi;
				assert(open <= 1)
			}
		:: else
		fi;
		if
		:: lost -> cell[own] = FREE
#ifdef ENDS
		:: !lost -> atomic { open--; cell[own] = FREE }
#else
		:: else
#endif
		fi
	od;
	done++
}

init {
	byte n;

	atomic {
		do
		:: n == THREADS -> break
		:: n < THREADS -> run thread(); n++
		od
	}
	done == THREADS;
	assert(won >= 1);
#ifndef ENDS
	assert(open == 1 && won == 1)
#endif
}
