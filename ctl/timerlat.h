/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Timer latency: what the files of it share. A new backend is one file with such a table, and one line in timerlat.c. */
#ifndef TLOBCTL_TIMERLAT_H
#define TLOBCTL_TIMERLAT_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

#include <tlob/ctl.h>

#include "timerlat_cycle.h"

#define TIMERLAT_NOTE_BYTES 4096
#define TIMERLAT_NO_LANE UINT32_MAX
#define TIMERLAT_FRAMES 32

struct tlobctl_timerlat;

/* Written by one thread, read by any. */
struct timerlat_tally {
	struct tlob_hist hist;
	uint64_t count, sum_ns, min_ns, last_ns;
};

/* One CPU. */
struct timerlat_lane {
	struct tlobctl_timerlat *t;
	uint32_t index; /* of this lane */
	uint32_t cpu;
	pthread_t thread;
	bool started;
	bool ended;
	uint32_t tid; /* of the measuring thread, as the initial pid namespace has it if the backend knows */
	uint64_t deadline_ns; /* the next one */
	struct timerlat_tally parts[TLOBCTL_TIMERLAT_PARTS];
	uint64_t cycles, skipped, unsplit;
	int error; /* the thread failed: negative errno, */
	char why[256]; /* and the sentence about it */
	int fd; /* the backend's */
};

/*
 * Calls return 0 or a negative errno with tlobctl_error() set. open() and close() are the process's, the others the
 * measuring thread's, which is on its CPU and has its priority.
 */
struct timerlat_backend {
	const char *name;
	enum tlobctl_timerlat_backend kind;
	/* If it fails, close() follows once there is a backend_state. */
	int (*open)(struct tlobctl_timerlat *t);
	/* All threads have ended; those that never began too. */
	void (*close)(struct tlobctl_timerlat *t);
	int (*join)(struct timerlat_lane *lane); /* NULL: nothing to do */
	/*
	 * Sleep until lane->deadline_ns, and at once fill @marks. 1: it was interrupted, there is nothing to count.
	 */
	int (*cycle)(struct timerlat_lane *lane, struct timerlat_marks *marks);
	/*
	 * After the stop: the kernel's stack where a timer interrupted what had the CPU in the lane's last cycle, innermost
	 * first, and when that was. Returns how many addresses; 0: not known. NULL: never known.
	 */
	size_t (*stack)(const struct timerlat_lane *lane, uint64_t *time_ns,
			uint64_t addresses[TIMERLAT_FRAMES]);
	/* After the stop: who had the CPU when the timer of the lane's last cycle interrupted. NULL: never known. */
	const struct tlobctl_who *(*found)(const struct timerlat_lane *lane);
};

extern const struct timerlat_backend timerlat_kernel, timerlat_module, timerlat_bpf, timerlat_plain;

struct timerlat_why;

struct tlobctl_timerlat {
	struct tlobctl_timerlat_opts opts; /* defaults filled in */
	uint32_t *cpus;
	const struct timerlat_backend *backend;
	void *backend_state;
	struct timerlat_lane **lanes; /* of each CPU */
	size_t nlanes;
	char note[TIMERLAT_NOTE_BYTES];
	char scheduling[32];
	int event; /* eventfd */
	int dma_latency; /* held open; -1: not */
	bool locked; /* memory */
	sem_t ready; /* a thread is set up, or failed */
	sem_t go; /* and may begin */
	bool stopping;
	bool stopped;
	uint32_t hit_lane; /* that passed a limit first, or TIMERLAT_NO_LANE */
	struct timerlat_marks hit;
	struct timerlat_why *why; /* NULL: nobody asks */
};

/* Adds a line to the note. */
void timerlat_note(struct tlobctl_timerlat *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* All threads, on their CPUs, measuring. On failure those that were started have ended. */
int timerlat_threads_start(struct tlobctl_timerlat *t);
void timerlat_threads_stop(struct tlobctl_timerlat *t);

#endif
