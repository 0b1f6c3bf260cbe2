/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scripted causes: each case makes one window late in a way that is known, and says what tlob must answer. The cases are
 * subjects of the conformance harness.
 */
#ifndef TLOB_TESTS_TRUTH_H
#define TLOB_TESTS_TRUTH_H

#include <pthread.h>
#include <semaphore.h>

#include "../conformance/harness.h"

#define MS 1000000ULL
#define TROUBLE (40 * MS) /* budgets are a quarter of that, or less */

struct truth_link {
	enum tlobctl_cause cause; /* of what the waker did; 0: the chain may end here */
	const char *who; /* name of the waker */
	const char *other; /* behind whom it waited, who woke it; NULL: nobody */
};

struct truth_case {
	const char *name;
	const char *what; /* for people */
	conf_subject_fn *fn; /* exit status 77: cannot be done here */
	enum tlobctl_cause cause; /* what must be blamed; 0: any sleep */
	const char *who; /* name; "(kernel)": any thread of the kernel; NULL: nobody */
	const char *syscall; /* NULL: does not matter */
	bool disk;
	uint64_t least_ns;
	/* No real-time priority: others on this machine may take more still. It must be named, with its time. */
	bool crowded;
	struct truth_link links[3];
	/* a second cause that must be found beside the first */
	enum tlobctl_cause also;
	const char *also_who;
	uint64_t also_least_ns;
	/* a function of the program that the stack at the expiry must have, or one of a long sleep */
	const char *where;
	bool where_asleep, where_inlined;
};

extern const struct truth_case truth_cpu[], truth_interrupt[], truth_sleep[], truth_chain[],
	truth_uninterrupted[], truth_where[];

/* ---- for the subjects */

extern struct tlob_region *const truth_late; /* 10 ms */
extern struct tlob_region *const truth_quick; /* 1 ms */

/* A thread of a case posts the one when it is ready; the other is posted when the window is open. */
extern sem_t truth_ready, truth_go;

/* Take part: this thread joins the engine, so that its first window costs no more than others. */
void truth_join(struct tlob_region *region);
/* A thread with a name, on CPU @cpu; it calls truth_wait_go() once it is ready. Returns when it is. */
pthread_t truth_thread(const char *name, int cpu, void *(*fn)(void *));
void truth_wait_go(void);
/* The window is open: everybody goes. */
void truth_release(int threads);
void truth_nice(int nice);
void truth_fifo(int priority);
void *truth_fifo_hog(void *arg); /* for truth_thread(): takes a CPU in real time, for TROUBLE */
/* Use up so much CPU time. */
void truth_burn(uint64_t ns);
/* A file of @bytes that is on the disk and not in memory. Its descriptor, or -1. */
int truth_cold_file(size_t bytes);

#endif
