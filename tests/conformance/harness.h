/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Conformance harness: a test hosts an engine in this process, starts itself again as the instrumented subject,
 * and compares the records it gets with the truth the subject tells over a pipe. Prints TAP.
 *
 * A test program is a table of subjects and one function conf_main(); every case runs on the engine that is
 * named on the command line.
 */
#ifndef TLOB_TESTS_HARNESS_H
#define TLOB_TESTS_HARNESS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include <tlob/ctl.h>
#include <tlob/tlob.h>

/* ---- TAP */
void tap_plan(int count);
bool tap_ok(bool passed, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void tap_skip(int count, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void tap_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Nothing more can be tested: fails and exits. TAP's own "Bail out!" would also keep the other files from running. */
void tap_give_up(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
/* The exit status: 0 if all planned tests ran and passed. */
int tap_done(void);

/* ---- what the subject tells */
struct truth {
	uint64_t tag;
	int64_t result; /* of tlob_stop(), or whatever the subject wants to tell */
	uint64_t start_ns; /* just before tlob_start() */
	uint64_t stop_ns; /* just after tlob_stop() */
	uint64_t run_ns; /* from /proc/thread-self/schedstat over that time */
	uint64_t wait_ns;
	uint64_t tid;
};

struct conf_event {
	struct tlob_record record;
	uint64_t seen_ns; /* when this process got it */
	char region[TLOB_NAME_BYTES];
	char program[64];
};

struct conf {
	const char *engine;
	bool bpf;
	struct tlobctl *ctl;
	enum tlobctl_why_mode why;
	bool interrupts;
	uint32_t good_share; /* with samples; as in struct tlobctl_opts */
	tlobctl_event_fn *hook; /* sees each event as it comes */
	void *hook_arg;
	char socket[64];
	struct conf_event *events;
	size_t nevents, events_room;
	struct truth *truths;
	size_t ntruths, truths_room;
	pid_t pid; /* subject */
	int truth_fd, command_fd;
	int status; /* of the subject, from waitpid() */
};

typedef int conf_subject_fn(void);
struct conf_subject {
	const char *name;
	conf_subject_fn *fn;
};

/* The test program provides these two. */
extern const struct conf_subject conf_subjects[];
int conf_main(struct conf *c);

/* ---- parent side */
/* TLOBCTL_ENGINE_... that is under test. */
int conf_engine(const struct conf *c);
/*
 * Engine kernel: the administrator has enabled the monitor, until the descriptor that this returns is closed. Else -1.
 */
int conf_hold(const struct conf *c);
/* Opens a session on the engine under test; exits with a TAP bail-out when that fails. */
void conf_open(struct conf *c);
void conf_close(struct conf *c);
/* Drops what has been collected. */
void conf_reset(struct conf *c);
/* Starts subject @argv[0] with arguments, NULL-terminated, joined to the session. */
void conf_spawn(struct conf *c, const char *const *argv);
/* The same for any other program, @argv[0] being its path. */
void conf_exec(struct conf *c, const char *const *argv);
#define CONF_EXEC(c, ...) conf_exec(c, (const char *const[]){__VA_ARGS__, NULL})
/* Adds regions to the session. How many, or a negative errno, which a note tells of. */
int conf_add(struct conf *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/*
 * Hosts a session on the engine under test at c->socket in a process of its own, which is for being killed and goes
 * with this one. Returns when it can be joined.
 */
pid_t conf_agent(const struct conf *c);
/* Runs subject @name, whose agent is killed once @until(c) is true; it is told to go then. */
void conf_orphan(struct conf *c, const char *name, bool (*until)(struct conf *c));
/* Serves the session for @ms, or until @until(c) is true, or the subject has gone and all is drained. */
bool conf_pump(struct conf *c, int ms, bool (*until)(struct conf *c));
/* Spawn, pump to the end (at most 60 s), collect truths. */
void conf_run(struct conf *c, const char *const *argv);
#define CONF_RUN(c, ...) conf_run(c, (const char *const[]){__VA_ARGS__, NULL})
#define CONF_SPAWN(c, ...) conf_spawn(c, (const char *const[]){__VA_ARGS__, NULL})
/* False once the subject has ended; its status is then known. For those who poll the session themselves. */
bool conf_alive(struct conf *c);
/* Lets the subject go on from told_to_go(). */
void conf_go(struct conf *c);

size_t conf_count(const struct conf *c, int type, const char *region);
const struct conf_event *conf_find(const struct conf *c, int type, const char *region,
				   uint64_t tag);
const struct truth *conf_truth(const struct conf *c, uint64_t tag);
int64_t conf_result(const struct conf *c, uint64_t tag); /* told with it; INT64_MIN: nothing was */
/* Statistics of one region, summed over programs; false if there is none. */
bool conf_stat(struct conf *c, const char *region, struct tlobctl_stat *out);
/*
 * Is the process or thread @id of a record the one that calls itself @own? Engine bpf has the numbers of the initial pid
 * namespace, so in a container only user space's can be compared: true then.
 */
bool conf_is_id(const struct conf *c, uint32_t id, uint64_t own);
/* The checks that every pair of overrun and closing record must pass. NULL or what is wrong. */
const char *conf_pairs_wrong(const struct conf *c);

/* ---- subject side */
extern const char *
	conf_argument; /* what stands behind its name in CONF_SPAWN() or CONF_RUN(); NULL: nothing */
void told_to_go(void); /* wait for conf_go(); exits after 10 s */
void tell(const struct truth *t);
void tell_result(uint64_t tag, int64_t result);
uint64_t now_ns(void);
void spin_ns(uint64_t ns);
void sleep_ns(uint64_t ns);
void pin_to(int cpu);
/* Fills run_ns and wait_ns with the books of the calling thread as of now. */
void books(struct truth *t);
/* One whole window on @region around @work(@ns): tells the truth and returns what stop returned. */
int one_window(struct tlob_region *region, uint64_t tag, void (*work)(uint64_t), uint64_t ns);

#endif
