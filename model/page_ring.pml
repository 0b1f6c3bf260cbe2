/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The page ring of core/page_ring.h: writers that interrupt each other or run at once, and a reader that swaps its page
 * for the oldest. Each step between two accesses to shared words is one here; names are those of the C code.
 *
 * Claims: an event is read at most once, complete, as it was written, and in order; none is read after it was overwritten; in the end
 * every event was read, overwritten or dropped, and the counts say so.
 *
 * Scenarios (-D): WRITERS=n, EACH=n events of each, of size 1 and 2 in turn, SIZE=n of a page, SLOTS=n (power of two),
 * OVERWRITE the oldest events when full, else drop the new ones, and LIFO writers interrupt each other, as on one CPU, and do not
 * run at once. Each other #ifdef is an algorithm with one mistake, which spin must refuse; tests/model/page_ring.t runs them all.
 */
#ifndef WRITERS
#define WRITERS 2
#endif
#ifndef EACH
#define EACH 3
#endif
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef SIZE
#define SIZE 3 /* of a page */
#endif
#define EVENTS (WRITERS * EACH)

/* words: number, page id or size, events */
#define W(n, hi, lo) ((n) * 64 + (hi) * 8 + (lo))
#define NUMBER(w) ((w) / 64)
#define HIGH(w) (((w) / 8) % 8)
#define LOW(w) ((w) % 8)

short tail = W(SLOTS, 1, 0); /* number, id, size */
short slot[SLOTS]; /* number, id, 0 */
short commit[SLOTS + 1]; /* number, size, events */
short readable[SLOTS + 1];
byte cell[(SLOTS + 1) * SIZE]; /* number of the event that begins here; 0: none does */
byte overrun, dropped, counted;

/* what is true, for the claims alone */
byte done_writers;
bool complete[EVENTS + 1], was_read[EVENTS + 1], gone[EVENTS + 1], refused[EVENTS + 1];
byte reads;
short last_place = -1;
#ifdef LIFO
byte running[WRITERS]; /* stack of writers */
byte depth;
#define TURN (depth > 0 && running[depth - 1] == me)
#else
#define TURN true
#endif

/* what writer w's event number i is */
#define SIZE_OF(w, i) (1 + ((w) + (i)) % 2)

inline cas(word, old, new, ok)
{
	if
	:: word == old -> word = new; ok = true
	:: else -> ok = false
	fi
}

/* size and events are added to commit of page id, whose number is n */
inline finish(id, n, size, events)
{
	atomic {
		TURN;
		commit[id] = commit[id] + (size) * 8 + events;
		finished = commit[id];
		if
		:: events == 1 -> complete[event] = true
		:: else
		fi
	};
	atomic {
		TURN;
		seen = tail;
		if
		:: NUMBER(seen) == n -> reserved = LOW(seen)
		:: else -> reserved = SIZE
		fi;
#ifdef PUBLISH_ALL /* without comparing with what was reserved */
		reserved = HIGH(finished);
#endif
	};
	if
	:: HIGH(finished) == reserved ->
		atomic { TURN; seen = readable[id] };
		do
		:: finished > seen ->
			atomic {
				TURN;
#ifdef PUBLISH_BLINDLY
				readable[id] = finished; ok = true;
#else
				cas(readable[id], seen, finished, ok);
#endif
				if
				:: ok -> break
				:: else -> seen = readable[id]
				fi
			}
		:: else -> break
		od
	:: else
	fi
}

/* ghost: the events of page id, overwritten */
inline lose(id)
{
	at = 0;
	do
	:: at < SIZE ->
		if
		:: cell[(id) * SIZE + at] != 0 ->
			assert(!was_read[cell[(id) * SIZE + at]]);
			gone[cell[(id) * SIZE + at]] = true;
			cell[(id) * SIZE + at] = 0
		:: else
		fi;
		at++
	:: else -> break
	od;
	at = 0
}

proctype writer(byte me)
{
	short t, was, finished, seen, head;
	byte i, event, size, reserved, at, id, room;
	bool ok, drop;

	do
	:: i < EACH ->
		atomic {
#ifdef LIFO
			running[depth] = me;
			depth++;
#endif
			event = me * EACH + i + 1; size = SIZE_OF(me, i); ok = false; drop = false
		};
		do
		:: atomic { TURN; t = tail };
			if
			:: LOW(t) + size <= SIZE ->
				atomic {
					TURN;
					cas(tail, t, t + size, ok);
					if
					:: ok ->
						id = HIGH(t);
						/* as the payload, which nobody else may touch: a cell written twice is a fault */
						assert(cell[id * SIZE + LOW(t)] == 0);
						cell[id * SIZE + LOW(t)] = event;
						if
						:: size == 2 -> cell[id * SIZE + LOW(t) + 1] = 0
						:: else
						fi;
						break
					:: else
					fi
				}
			:: else ->
				/* tlob_page_next() */
				atomic { TURN; was = slot[(NUMBER(t) + 1) % SLOTS]; id = HIGH(was) };
				if
				:: NUMBER(was) == NUMBER(t) + 1 - SLOTS ->
#ifndef OVERWRITE
					drop = true;
					break
#else
					atomic { TURN; head = commit[id] };
					if
#ifndef OVERWRITE_INCOMPLETE
					:: NUMBER(head) == NUMBER(was) && HIGH(head) != SIZE -> drop = true; break
#endif
					:: NUMBER(head) != NUMBER(was)
					:: else ->
						atomic {
							TURN;
							cas(slot[(NUMBER(t) + 1) % SLOTS], was, W(NUMBER(t) + 1, id, 0), ok);
							if
							:: ok ->
								overrun = overrun + LOW(head);
								lose(id)
							:: else
							fi
						}
					fi
#endif
				:: NUMBER(was) == NUMBER(t) + 1 ->
					atomic { TURN; head = commit[id] };
#ifdef RESET_BLINDLY
					if
					:: NUMBER(head) == NUMBER(t) + 1 - SLOTS ->
						atomic { TURN; commit[id] = W(NUMBER(t) + 1, 0, 0) }
					:: else
					fi;
#else
					if
					:: NUMBER(head) == NUMBER(t) + 1 - SLOTS ->
						atomic { TURN; cas(commit[id], head, W(NUMBER(t) + 1, 0, 0), ok) }
					:: else
					fi;
#endif
					atomic { TURN; cas(tail, t, W(NUMBER(t) + 1, id, 0), ok) };
					if
					:: ok && LOW(t) < SIZE ->
#ifndef NO_PADDING
						finish(HIGH(t), NUMBER(t), SIZE - LOW(t), 0);
#endif
						skip
					:: else
					fi
				:: else /* long past */
				fi
			fi
		od;
		if
		:: drop ->
			atomic { TURN; dropped++; refused[event] = true }
		:: else ->
			atomic { TURN; counted++ };
			finish(HIGH(t), NUMBER(t), size, 1)
		fi;
		atomic {
			TURN;
#ifdef LIFO
			depth--;
#endif
			i++
		}
	:: else -> break
	od;
	done_writers++
}

/* ghost and claim: the reader takes what is between two sizes of its page */
inline take_range(from, to)
{
	at = from;
	do
	:: at < to ->
		if
		:: cell[id * SIZE + at] != 0 ->
			assert(complete[cell[id * SIZE + at]]);
			assert(!gone[cell[id * SIZE + at]]);
			assert(!was_read[cell[id * SIZE + at]]);
			was_read[cell[id * SIZE + at]] = true;
			reads++;
			found++;
			assert(number * SIZE + at > last_place);
			last_place = number * SIZE + at
		:: else
		fi;
		at++
	:: else -> break
	od;
	at = 0
}

proctype reader()
{
	short was, ready, newest, next, number = SLOTS - 1;
	byte id = 0, sizes = SIZE, page_events, at, found;
	bool ok, finally, nothing;

	do
	:: /* tlob_page_look() */
		finally = done_writers == WRITERS;
		nothing = false;
		do
		:: atomic {
				ready = readable[id];
				if
				:: LOW(ready) != page_events ->
					found = 0;
					take_range(sizes, HIGH(ready));
					assert(found == LOW(ready) - page_events);
					sizes = HIGH(ready);
					page_events = LOW(ready);
					break
				:: else
				fi
			};
			if
#ifndef SWAP_UNFINISHED
			:: HIGH(ready) != SIZE -> nothing = true; break
#endif
			:: else
			fi;
			/* tlob_page_take() */
			next = number + 1;
			do
			:: newest = NUMBER(tail);
				if
				:: newest < next -> nothing = true; break
				:: else
				fi;
				if
				:: newest - next >= SLOTS -> next = newest - SLOTS + 1
				:: else
				fi;
				was = slot[next % SLOTS];
				if
				:: NUMBER(was) != next -> next++
				:: else ->
					ready = readable[HIGH(was)];
					if
#ifndef TAKE_EMPTY
					:: NUMBER(ready) != next || HIGH(ready) == 0 ->
						if
						:: slot[next % SLOTS] == was -> nothing = true; break
						:: else
						fi
#endif
					:: else ->
#ifndef PREPARE_LATE
						commit[id] = W(next + SLOTS, 0, 0);
#endif
						atomic {
#ifdef SWAP_BLINDLY
							slot[next % SLOTS] = W(next + SLOTS, id, 0); ok = true;
#else
							cas(slot[next % SLOTS], was, W(next + SLOTS, id, 0), ok);
#endif
							if
							:: ok ->
								/* what is read is no longer anybody's */
								at = 0;
								do
								:: at < SIZE -> cell[id * SIZE + at] = 0; at++
								:: else -> break
								od;
								at = 0
							:: else
							fi
						};
						if
						:: ok ->
#ifdef PREPARE_LATE
							commit[id] = W(next + SLOTS, 0, 0);
#endif
							id = HIGH(was); number = next; sizes = 0; page_events = 0;
							break
						:: else
						fi
					fi
				fi
			od;
			if
			:: nothing -> break
			:: else
			fi
		od;
		if
		:: finally && nothing -> break
		:: else
		fi
	od;
	/* nothing is lost uncounted */
	assert(counted + dropped == EVENTS);
	assert(reads + overrun == counted);
	at = 1;
	do
	:: at <= EVENTS -> assert((was_read[at] + gone[at] + refused[at]) == 1); at++
	:: else -> break
	od
}

init {
	byte n;

	atomic {
		do
		:: n < SLOTS ->
			slot[n] = W(SLOTS + n, n + 1, 0);
			commit[n + 1] = W(SLOTS + n, 0, 0);
			readable[n + 1] = W(SLOTS + n, 0, 0);
			n++
		:: else -> break
		od;
		readable[0] = W(SLOTS - 1, SIZE, 0);
		n = 0;
		do
		:: n < WRITERS -> run writer(n); n++
		:: else -> break
		od;
		run reader()
	}
}
